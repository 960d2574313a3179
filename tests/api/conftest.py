"""Real api processes over a real database."""

import asyncio
import json
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from controller.store import Step, Store

ROOT = Path(__file__).parents[2]


def path(name: str) -> str:
    """Of the collection of what is called so."""
    return name.replace("_", "-") + "s"


class Api:
    """One api process. Requests answer the JSON under the resource's name, after a check of the status code."""

    def __init__(self, mode: str, where: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.api.stack", mode, where],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], 60)
        line = self.process.stdout.readline() if readable else ""
        if not line:
            self.close()
            raise AssertionError("the api process did not start within 60 s")
        found = json.loads(line)
        self.url: str = found["url"]
        self.remote: str = found["remote"]
        self.client = httpx.Client(base_url=self.url, timeout=60)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)

    def raw(self, method: str, path: str, body: Any = None, **kwargs: Any) -> httpx.Response:
        if body is not None:
            kwargs["json"] = body
        return self.client.request(method, path, **kwargs)

    def ask(self, method: str, path: str, body: Any = None, status: int = 200, **kwargs: Any) -> Any:
        answer = self.raw(method, path, body, **kwargs)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def create(self, name: str, /, **attributes: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.ask("POST", f"/v2.0/{path(name)}", {name: attributes}, 201)[name]
        return made

    def show(self, name: str, id: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.ask("GET", f"/v2.0/{path(name)}/{id}")[name]
        return shown

    def update(self, name: str, id: str, /, **attributes: Any) -> dict[str, Any]:
        changed: dict[str, Any] = self.ask("PUT", f"/v2.0/{path(name)}/{id}", {name: attributes})[name]
        return changed

    def delete(self, name: str, id: str) -> None:
        self.ask("DELETE", f"/v2.0/{path(name)}/{id}", status=204)

    def list(self, name: str, *params: tuple[str, Any]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.ask("GET", f"/v2.0/{path(name)}", params=[*params])[f"{name}s"]
        return rows

    def fault(self, answer: httpx.Response) -> tuple[int, str, str]:
        """Status, type and message."""
        error = answer.json()["NeutronError"]
        assert set(error) == {"type", "message", "detail"} and error["message"]
        return answer.status_code, error["type"], error["message"]

    def write(self, *steps: Step) -> None:
        """Straight into the database, as the control process would, and seen by the api when this returns."""
        store_steps(self.remote, *steps)
        # What the database tells the api process of this comes before its answer to a write that follows.
        self.delete("network", self.create("network")["id"])


def store_steps(remote: str, *steps: Step) -> None:
    async def write() -> None:
        store = Store([remote])
        await store.start()
        await store.commit(*steps)
        await store.close()

    asyncio.run(write())


@pytest.fixture(scope="session")
def api() -> Iterator[Api]:
    """Shared by the tests: each makes what it needs, and looks at nothing else."""
    with tempfile.TemporaryDirectory(prefix="tb") as data:
        api = Api("data", data)
        yield api
        api.close()


@pytest.fixture(scope="module")
def own_api() -> Iterator[Api]:
    """A module's own, with nothing of others in it."""
    with tempfile.TemporaryDirectory(prefix="tb") as data:
        api = Api("data", data)
        yield api
        api.close()
