"""The control process, as the api processes see it."""

from typing import Annotated, ClassVar

from controller.model.record import READ_ONLY, Record


class Control(Record, frozen=True, kw_only=True):
    """One row, written when control starts."""

    table: ClassVar[str] = "Control"
    unique: ClassVar[tuple[tuple[str, ...], ...]] = (("name",),)

    name: Annotated[str, READ_ONLY] = "control"
    endpoint: Annotated[str, READ_ONLY] = ""
    """URL at which it answers operators: flows, health, metrics."""
    started_at: Annotated[str, READ_ONLY] = ""
