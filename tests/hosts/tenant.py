"""A project's networks, routers and ports, made over REST as any tenant does."""

import time
from typing import Any

import httpx

from tests.hosts.until import PATIENCE

Row = dict[str, Any]


class ApiError(Exception):
    """The API refused; the message holds its status and words."""


class Tenant:
    def __init__(self, url: str, project: str) -> None:
        self.project = project
        self._client = httpx.Client(base_url=f"{url}/v2.0", timeout=10.0 * PATIENCE, trust_env=False)

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

    def attach(self, router: Row, *, subnet: Row | None = None, port: Row | None = None) -> Row:
        """An interface of the router: at the subnet's gateway address, or the port."""
        return self._call("PUT", f"/routers/{router['id']}/add_router_interface", json=_interface(subnet, port))

    def detach(self, router: Row, *, subnet: Row | None = None, port: Row | None = None) -> Row:
        return self._call("PUT", f"/routers/{router['id']}/remove_router_interface", json=_interface(subnet, port))

    def floating_ip(self, network: Row, port_id: str | None = None, **attributes: Any) -> Row:
        """An address of the external network, which stands for the port from now on."""
        return self.create("floatingip", floating_network_id=network["id"], port_id=port_id, **attributes)

    def forward(self, floating_ip: Row, protocol: str, external_port: int, **internal: Any) -> Row:
        """``internal``: internal_port_id, internal_ip_address, internal_port."""
        body = {"protocol": protocol, "external_port": external_port, **internal}
        path = f"/floatingips/{floating_ip['id']}/port_forwardings"
        return self._call("POST", path, "port_forwarding", json={"port_forwarding": body})

    def unforward(self, floating_ip: Row, forwarding: Row) -> None:
        self._call("DELETE", f"/floatingips/{floating_ip['id']}/port_forwardings/{forwarding['id']}")

    def _call(self, method: str, path: str, kind: str = "", **more: Any) -> Row:
        answer = self._client.request(method, path, **more)
        if answer.is_error:
            raise ApiError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        if not answer.content:
            return {}
        row: Row = answer.json()[kind] if kind else answer.json()
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
        return self.wait("port", id, wanted, timeout)

    def wait(self, kind: str, id: str, wanted: dict[str, Any], timeout: float = 15.0) -> Row:
        """Until its attributes are as wanted (``{"status": "ACTIVE"}``). The API can only be asked again."""
        timeout *= PATIENCE
        end = time.monotonic() + timeout
        while True:
            row = self.show(kind, id)
            if all(row.get(key) == value for key, value in wanted.items()):
                return row
            if time.monotonic() > end:
                got = {key: row.get(key) for key in (*wanted, "tunbridge:fault")}
                raise TimeoutError(f"{kind} {row.get('name') or id} is {got} after {timeout:g} s, not {wanted}")
            time.sleep(0.02)


def _interface(subnet: Row | None, port: Row | None) -> dict[str, str]:
    return {key: row["id"] for key, row in (("subnet_id", subnet), ("port_id", port)) if row}


def _path(kind: str) -> str:
    return f"/{kind.replace('_', '-')}s"
