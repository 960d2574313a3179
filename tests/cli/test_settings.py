"""What `tunbridge serve` can be told, and how it says what is wrong."""

from pathlib import Path

import pytest

from controller.cli.settings import SettingsError, load


def test_defaults() -> None:
    settings = load(None, {})
    assert (settings.listen, settings.openflow, settings.ovsdb) == (
        "127.0.0.1:9696",
        "127.0.0.1:6653",
        "127.0.0.1:6640",
    )
    assert settings.remotes == (f"unix:{Path('tunbridge-data').resolve()}/db.sock",)


def test_options_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "t.toml"
    file.write_text(
        'listen = "0.0.0.0:9000"\nadvertise = "192.0.2.1"\ndb = ["tcp:192.0.2.2:6641", "tcp:192.0.2.3:6641"]\n'
    )
    settings = load(file, {"listen": "[::1]:9001", "data": None})
    assert (settings.listen, settings.advertise) == ("[::1]:9001", "192.0.2.1")
    assert settings.remotes == ("tcp:192.0.2.2:6641", "tcp:192.0.2.3:6641")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("listen = 5", "listen"),
        ('listn = "127.0.0.1:1"', "listn"),
        ('listen = "9696"', "HOST:PORT"),
        ('ovsdb = "host:99999"', "HOST:PORT"),
        ("listen = ", "TOML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "t.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=says):
        load(file, {})


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(SettingsError, match=r"no\.toml: No such file"):
        load(Path("no.toml"), {})
