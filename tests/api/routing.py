"""What tests of routers start from."""

from typing import Any

from .conftest import Api


def network(api: Api, cidr: str, **attributes: Any) -> tuple[str, str]:
    """A network with one subnet: the ids of both."""
    made = api.create("network", **attributes)["id"]
    version = 6 if ":" in cidr else 4
    return made, api.create("subnet", network_id=made, cidr=cidr, ip_version=version)["id"]


def external_network(api: Api, cidr: str = "203.0.113.0/24") -> tuple[str, str]:
    return network(api, cidr, **{"router:external": True})


def interface(api: Api, router: str, subnet: str) -> dict[str, Any]:
    """What is answered when the router gets an interface on the subnet."""
    made: dict[str, Any] = api.ask("PUT", f"/v2.0/routers/{router}/add_router_interface", {"subnet_id": subnet})
    return made


def reachable(api: Api, cidr: str = "10.0.0.0/24") -> tuple[str, str, str, str]:
    """A network behind a router with a gateway: ids of network, subnet, router and external network."""
    inside, subnet = network(api, cidr)
    external, _ = external_network(api)
    router = api.create("router", external_gateway_info={"network_id": external})["id"]
    interface(api, router, subnet)
    return inside, subnet, router, external
