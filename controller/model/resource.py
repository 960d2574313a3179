"""What every resource of the Networking API has (neutron-lib: standard attributes)."""

from typing import Annotated

from controller.model.record import FIXED, READ_ONLY, Record


class Resource(Record, frozen=True, kw_only=True):
    project_id: Annotated[str, FIXED] = ""
    name: str = ""
    description: str = ""
    created_at: Annotated[str, READ_ONLY] = ""
    """RFC 3339, UTC, seconds: ``2026-01-31T12:00:00Z``."""
    updated_at: Annotated[str, READ_ONLY] = ""
    revision_number: Annotated[int, READ_ONLY] = 0
    """Goes up with each change of intent; an update is guarded by it."""
    tags: Annotated[tuple[str, ...], READ_ONLY] = ()
