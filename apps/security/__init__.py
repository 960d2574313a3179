"""Security groups: stateful rules a set of groups, members of remote groups shared by all rules."""

from apps.contract import App
from apps.security.pipeline import boot
from apps.security.rules import address_group, member, rules
from controller.view.network import ADDRESS_GROUP, ALWAYS, HOSTS_OF_SET, MEMBER

APP = App(
    name="security",
    number=6,
    units={ALWAYS: [boot], HOSTS_OF_SET: [rules], MEMBER: [member], ADDRESS_GROUP: [address_group]},
)
