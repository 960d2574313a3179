"""How a change reaches the store: planned from what is known, and planned anew when somebody else was quicker."""

import asyncio
import time
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

REFUSALS = (Duplicate, InUse, Missing, Moved)
PATIENCE = 0.5
"""Seconds to wait for the change that was in the way to be seen here."""


class Writer:
    def __init__(self, store: Store, index: Index, now: Callable[[], datetime], limit: float) -> None:
        self.store = store
        self.index = index
        self._now = now
        self._limit = limit
        self._again = asyncio.Lock()

    def now(self) -> str:
        """RFC 3339, UTC, seconds."""
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def write(self, plan: Callable[[Draft], T]) -> T:
        """Call `plan` for the steps and commit them in one transaction; answers what `plan` answered.

        `plan` raises the fault when it can't be done. It is called again when the database refuses (a unique index,
        a reference, a revision that has moved): then another request or another process was quicker, and with
        what it did in view the plan either finds another way or knows what to say. One request at a time tries again,
        so that many changes of one record get in each other's way once, and not at each attempt; those of another
        process still do.
        """
        try:
            return await self._attempt(plan, 0)
        except REFUSALS as error:
            refusal: Exception = error
        async with self._again:
            deadline, attempt = time.monotonic() + self._limit, 1
            while attempt == 1 or time.monotonic() < deadline:
                try:
                    return await self._attempt(plan, attempt)
                except REFUSALS as error:
                    refusal = error
                attempt += 1
        log.warning("write given up", attempts=attempt, refusal=repr(refusal))
        raise Conflict("The request kept meeting changes made by others at the same time; try again.") from refusal

    async def _attempt(self, plan: Callable[[Draft], T], attempt: int) -> T:
        """Raises one of `REFUSALS` when what was in the way is seen here."""
        with Draft(self.index, now=self.now(), attempt=attempt) as draft:
            answer = plan(draft)
            steps = draft.steps()
            if not steps:
                return answer
            seen = self.index.generation
            try:
                await self.store.commit(*steps, timeout=self._limit)
            except REFUSALS as error:
                refusal = error
            except Unavailable as error:
                raise ServiceUnavailable(f"the database can't be reached ({error}); try again") from error
            else:
                return answer
        log.debug("write refused, planning anew", attempt=attempt, refusal=repr(refusal))
        await self.index.moved(seen, PATIENCE)
        raise refusal
