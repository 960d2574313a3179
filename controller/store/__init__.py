"""The database: schema generated from the records, embedded server, typed replica and transactions."""

from controller.store.embedded import EmbeddedServer
from controller.store.step import (
    Change,
    Conflict,
    Delete,
    Duplicate,
    Insert,
    InUse,
    Missing,
    Patch,
    Step,
    StoreError,
    Unavailable,
    Update,
)
from controller.store.store import Store
from controller.store.version import StoreTooNew, StoreTooOld

__all__ = [
    "Change",
    "Conflict",
    "Delete",
    "Duplicate",
    "EmbeddedServer",
    "InUse",
    "Insert",
    "Missing",
    "Patch",
    "Step",
    "Store",
    "StoreError",
    "StoreTooNew",
    "StoreTooOld",
    "Unavailable",
    "Update",
]
