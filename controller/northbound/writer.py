"""How a change reaches the store: planned from what is known, and planned anew when somebody else was quicker."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import structlog

from controller.northbound.draft import Draft
from controller.northbound.faults import Conflict, ServiceUnavailable
from controller.northbound.index import Index
from controller.store import Conflict as Moved
from controller.store import Duplicate, InUse, Missing, Store, Unavailable

log = structlog.get_logger()
T = TypeVar("T")

ATTEMPTS = 10
PATIENCE = 0.5
"""Seconds to wait for the change that was in the way to be seen here."""


class Writer:
    def __init__(self, store: Store, index: Index, now: Callable[[], datetime], limit: float) -> None:
        self.store = store
        self.index = index
        self._now = now
        self._limit = limit

    def now(self) -> str:
        """RFC 3339, UTC, seconds."""
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def write(self, plan: Callable[[Draft], T]) -> T:
        """Call `plan` for the steps and commit them in one transaction; answers what `plan` answered.

        `plan` raises the fault when it can't be done. It is called again when the database refuses (a unique index,
        a reference, a revision that has moved): then another request or another process was quicker, and with
        what it did in view the plan either finds another way or knows what to say.
        """
        refusal: Exception | None = None
        for attempt in range(ATTEMPTS):
            with Draft(self.index, now=self.now(), attempt=attempt) as draft:
                answer = plan(draft)
                steps = draft.steps()
                if not steps:
                    return answer
                seen = self.index.generation
                try:
                    await self.store.commit(*steps, timeout=self._limit)
                except (Duplicate, InUse, Missing, Moved) as error:
                    refusal = error
                except Unavailable as error:
                    raise ServiceUnavailable(f"the database can't be reached ({error}); try again") from error
                else:
                    return answer
            log.debug("write refused, planning anew", attempt=attempt, refusal=repr(refusal))
            await self.index.moved(seen, PATIENCE)
        log.warning("write given up", attempts=ATTEMPTS, refusal=repr(refusal))
        raise Conflict("The request kept meeting changes made by others at the same time; try again.") from refusal
