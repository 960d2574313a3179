"""A project's networks and ports, made over REST as any tenant does."""

import time
from typing import Any

import httpx

Row = dict[str, Any]


class ApiError(Exception):
    """The API refused; the message holds its status and words."""


class Tenant:
    def __init__(self, url: str, project: str) -> None:
        self.project = project
        self._client = httpx.Client(base_url=f"{url}/v2.0", timeout=10.0, trust_env=False)

    def close(self) -> None:
        self._client.close()

    def create(self, kind: str, **attributes: Any) -> Row:
        return self._call("POST", _path(kind), kind, json={kind: {"project_id": self.project, **attributes}})

    def update(self, kind: str, id: str, **attributes: Any) -> Row:
        return self._call("PUT", f"{_path(kind)}/{id}", kind, json={kind: attributes})

    def show(self, kind: str, id: str) -> Row:
        return self._call("GET", f"{_path(kind)}/{id}", kind)

    def list(self, kind: str, **filters: str) -> list[Row]:
        rows: list[Row] = self._call("GET", _path(kind), f"{kind}s", params=filters)  # type: ignore[assignment]
        return rows

    def delete(self, kind: str, id: str) -> None:
        self._call("DELETE", f"{_path(kind)}/{id}")

    def _call(self, method: str, path: str, kind: str = "", **more: Any) -> Row:
        answer = self._client.request(method, path, **more)
        if answer.is_error:
            raise ApiError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        row: Row = answer.json()[kind] if kind else {}
        return row

    def network(self, name: str, **attributes: Any) -> Row:
        return self.create("network", name=name, **attributes)

    def subnet(self, network: Row, cidr: str, **attributes: Any) -> Row:
        version = 6 if ":" in cidr else 4
        return self.create("subnet", network_id=network["id"], cidr=cidr, ip_version=version, **attributes)

    def port(self, network: Row, name: str, *addresses: str, **attributes: Any) -> Row:
        """With the given addresses, or one of each subnet's choice."""
        if addresses:
            attributes["fixed_ips"] = [{"ip_address": one} for one in addresses]
        return self.create("port", network_id=network["id"], name=name, **attributes)

    def wait_port(self, id: str, wanted: dict[str, Any], timeout: float = 15.0) -> Row:
        """Until the port's attributes are as wanted (``{"status": "ACTIVE"}``). The API can only be asked again."""
        end = time.monotonic() + timeout
        while True:
            port = self.show("port", id)
            if all(port.get(key) == value for key, value in wanted.items()):
                return port
            if time.monotonic() > end:
                got = {key: port.get(key) for key in (*wanted, "tunbridge:fault")}
                raise TimeoutError(f"port {port['name']} is {got} after {timeout:g} s, not {wanted}")
            time.sleep(0.02)


def _path(kind: str) -> str:
    return f"/{kind.replace('_', '-')}s"
