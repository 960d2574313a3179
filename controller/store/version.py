"""Whether this program can work with a database, by the version of its schema."""

from controller.store.schema import VERSION, version_number


class StoreTooNew(Exception):
    """The database was written by a later version of this program."""


class StoreTooOld(Exception):
    """The database has not been converted to this program's schema."""


def check_version(version: str, where: str) -> None:
    """Raises StoreTooNew or StoreTooOld. ``where``: path or remote of the database, for the message."""
    if version_number(version) > version_number(VERSION):
        raise StoreTooNew(
            f"{where} has schema version {version}, this program knows {VERSION}: "
            "run the version of tunbridge that wrote it, or a later one"
        )
    if version_number(version) < version_number(VERSION):
        raise StoreTooOld(
            f"{where} has schema version {version or 'none'}, this program needs {VERSION}: convert it with "
            "`ovsdb-client convert` and the schema that `python -m controller.store.schema` prints"
        )
