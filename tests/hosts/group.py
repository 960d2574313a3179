"""A security group of a test."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.hosts.tenant import Row, Tenant
from tests.hosts.vm import Vm


class Group:
    """A security group without rules but those for egress, which every new one has."""

    def __init__(self, tenant: Tenant, name: str, **attributes: object) -> None:
        self.tenant = tenant
        self.row = tenant.create("security_group", name=name, **attributes)
        self.id: str = self.row["id"]

    def allow(self, protocol: str | None = None, low: int | None = None, **more: object) -> Row:
        ports = {"port_range_min": low, "port_range_max": low} if low is not None else {}
        values = {"direction": "ingress", "ethertype": "IPv4", "protocol": protocol, **ports, **more}
        return self.tenant.create("security_group_rule", security_group_id=self.id, **values)

    def revoke(self, rule: Row) -> None:
        self.tenant.delete("security_group_rule", rule["id"])

    def hold(self, vm: Vm) -> None:
        self.tenant.update("port", vm.port_id, security_groups=[self.id])


@contextmanager
def group(tenant: Tenant, *members: Vm, **attributes: object) -> Iterator[Group]:
    """Its members have it alone; afterwards they have their project's default group again."""
    made = Group(tenant, "test", **attributes)
    default = next(row["id"] for row in tenant.list("security_group", name="default", project_id=tenant.project))
    try:
        for vm in members:
            made.hold(vm)
        yield made
    finally:
        for vm in members:
            tenant.update("port", vm.port_id, security_groups=[default])
        tenant.delete("security_group", made.id)
