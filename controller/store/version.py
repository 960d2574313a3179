"""Whether this program can work with a database, by the version of its schema."""

from controller.store.schema import VERSION, version_number


class StoreTooNew(Exception):
    """The database was written by a later version of this program."""


class StoreTooOld(Exception):
    """The database has not been converted to this program's schema."""


def refuse_newer(version: str, where: str, ours: str = VERSION) -> None:
    """Raises StoreTooNew. ``where``: path or remote of the database, for the message."""
    if version_number(version) > version_number(ours):
        raise StoreTooNew(
            f"{where} has schema version {version}, this program knows {ours}: "
            "run the version of tunbridge that wrote it, or a later one"
        )


def refuse_older(version: str, where: str, ours: str = VERSION) -> None:
    """Raises StoreTooOld."""
    if version_number(version) < version_number(ours):
        raise StoreTooOld(
            f"{where} has schema version {version or 'none'}, this program needs {ours}: convert it with "
            "`ovsdb-client convert` and the schema that `python -m controller.store.schema` prints"
        )
