"""Rules of security groups: what may be asked of them, and which combinations mean something."""

import ipaddress
import re
from typing import Any

import msgspec

from controller.model import SecurityGroup, SecurityGroupRule
from controller.model.protocol import PROTOCOLS, protocol_number
from controller.model.security_group import EGRESS, INGRESS
from controller.northbound import values
from controller.northbound.attributes import Attribute, Rule, attributes
from controller.northbound.collection import Collection
from controller.northbound.default_group import ETHERTYPES, default_group_id
from controller.northbound.draft import Draft, new_id
from controller.northbound.index import Index, rule_key
from controller.northbound.security_faults import (
    AddressGroupNotFound,
    DuplicateSecurityGroupRuleInPost,
    InvalidCIDR,
    OverQuota,
    SecurityGroupEthertypeConflictWithProtocol,
    SecurityGroupInvalidIcmpValue,
    SecurityGroupInvalidPortRange,
    SecurityGroupInvalidPortValue,
    SecurityGroupInvalidProtocolForPort,
    SecurityGroupMissingIcmpType,
    SecurityGroupMultipleRemoteEntites,
    SecurityGroupNotFound,
    SecurityGroupNotSingleGroupRules,
    SecurityGroupProtocolRequiredWithPorts,
    SecurityGroupRuleExists,
    SecurityGroupRuleInvalidEtherType,
    SecurityGroupRuleInvalidProtocol,
    SecurityGroupRuleNotFound,
    SecurityGroupRuleParameterConflict,
    SecurityGroupRulesNotSingleProject,
)

RULES_MAX = 4096
"""Rules of one group."""
_ANY = "any"
_PORT_PROTOCOLS = {name: PROTOCOLS[name] for name in ("dccp", "sctp", "tcp", "udp", "udplite")}
_ICMP, _ICMPV6 = PROTOCOLS["icmp"], PROTOCOLS["ipv6-icmp"]
_IPV6_PROTOCOLS = {number for name, number in PROTOCOLS.items() if name.startswith("ipv6-")}
_ALL_PORTS = (1, 65535)


class SecurityGroupRules(Collection[SecurityGroupRule]):
    """Each change of a rule gives its group the next revision. That is also what keeps two requests, wherever they are
    served, from making the same rule twice or one too many."""

    name = "security_group_rule"
    plural = "security_group_rules"
    kind = SecurityGroupRule
    missing = SecurityGroupRuleNotFound

    def __init__(self, index: Index) -> None:
        super().__init__(index.security_group_rules, security_group_rule_attributes(index))
        self.index = index

    def of(self, group_id: str) -> list[SecurityGroupRule]:
        """The group's rules, oldest first."""
        found = [self.rows[id] for id in self.index.rules_of.get(group_id, ())]
        return sorted(found, key=lambda rule: (rule.created_at, rule.id))

    def create(self, draft: Draft, given: dict[str, Any]) -> SecurityGroupRule:
        rule = SecurityGroupRule(id=new_id(), created_at=draft.now, updated_at=draft.now, **self.fields(given))
        rule = _canonical(rule)
        _check_ports(rule)
        _check_ethertype(rule)
        if sum(map(bool, (rule.remote_ip_prefix, rule.remote_group_id, rule.remote_address_group_id))) > 1:
            raise SecurityGroupMultipleRemoteEntites
        group = draft.index.security_groups.get(rule.security_group_id)
        if not rule.project_id and group is not None:
            rule = msgspec.structs.replace(rule, project_id=group.project_id)
        _check_together(draft, rule)
        if rule.remote_group_id is not None:
            _group(draft, rule.remote_group_id, rule.project_id)
        if rule.remote_address_group_id is not None:
            addresses = draft.index.address_groups.get(rule.remote_address_group_id)
            if addresses is None or _foreign(addresses.project_id, rule.project_id):
                raise AddressGroupNotFound(id=rule.remote_address_group_id)
        group = _group(draft, rule.security_group_id, rule.project_id)

        if len(draft.index.rules_of.get(group.id, ())) + len(draft.rules) >= RULES_MAX:
            raise OverQuota(resources=[self.name])
        key = rule_key(rule)
        if key in draft.rules:
            raise DuplicateSecurityGroupRuleInPost
        if key in draft.index.rule_ids:
            raise SecurityGroupRuleExists(id=draft.index.rule_ids[key])
        draft.rules[key] = rule
        draft.change(group)
        return draft.insert(rule)

    def update(self, draft: Draft, old: SecurityGroupRule, given: dict[str, Any]) -> SecurityGroupRule:
        """Its description: what it allows never changes."""
        changed = self.changed(draft, old, self.fields(given))
        if changed is not old:
            draft.change(draft.index.security_groups[old.security_group_id])
        return changed

    def delete(self, draft: Draft, old: SecurityGroupRule) -> None:
        drop_rule(draft, old)


def drop_rule(draft: Draft, rule: SecurityGroupRule) -> None:
    draft.change(draft.index.security_groups[rule.security_group_id])
    draft.delete(rule)


def security_group_rule_attributes(index: Index) -> dict[str, Attribute]:
    def in_default(rule: SecurityGroupRule) -> bool:
        group = index.security_groups.get(rule.security_group_id)
        return group is not None and group.id == default_group_id(group.project_id)

    rules = {
        "security_group_id": Rule(values.text(36), find=lambda id: index.rules_of.get(id, ())),
        "direction": Rule(values.one_of((INGRESS, EGRESS))),
        "ethertype": Rule(_ethertype),
        "protocol": Rule(_protocol),
        "port_range_min": Rule(_port, matches=values.integer),
        "port_range_max": Rule(_port, matches=values.integer),
        "remote_ip_prefix": Rule(_prefix),
        "remote_group_id": Rule(_reference),
        "remote_address_group_id": Rule(_reference),
        "normalized_cidr": Rule(get=lambda rule: rule.remote_ip_prefix, type=str | None),
        "belongs_to_default_sg": Rule(get=in_default, sort=False, matches=values.boolean, type=bool),
    }
    return attributes(SecurityGroupRule, rules, without=("name",))


# Single values


def _ethertype(value: Any) -> str:
    for ethertype in ETHERTYPES:
        if isinstance(value, str) and value.lower() == ethertype.lower():
            return ethertype
    raise SecurityGroupRuleInvalidEtherType(ethertype=value, values=list(ETHERTYPES))


def _protocol(value: Any) -> str | None:
    word = value.lower() if isinstance(value, str) else value
    if word is None or word == _ANY:
        return None
    if isinstance(word, str) and word in PROTOCOLS:
        return word
    number = _whole(word)
    if number is None or not 0 <= number <= 255:
        raise SecurityGroupRuleInvalidProtocol(protocol=value, values=(None, _ANY, *PROTOCOLS))
    return str(number)


def _port(value: Any) -> int | None:
    if value is None:
        return None
    number = _whole(value)
    if number is None or not 0 <= number <= 65535:
        raise SecurityGroupInvalidPortValue(port=value)
    return number


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value.strip(), re.ASCII):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _prefix(value: Any) -> str | None:
    """A prefix in its canonical form; host bits are cleared, and an address alone is the prefix of that address."""
    if value is None or value == "":
        return None
    try:
        if not isinstance(value, str) or "%" in value or re.search(r"\s", value):
            raise ValueError
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise InvalidCIDR(given=value) from None


def _reference(value: Any) -> str | None:
    return None if value is None or value == "" else values.text(36)(value)


# Values together


def _canonical(rule: SecurityGroupRule) -> SecurityGroupRule:
    """ICMP of IPv6 goes by its own name or number, and all ports are no range."""
    if rule.ethertype == "IPv6" and protocol_number(rule.protocol) in (_ICMP, _ICMPV6):
        named = rule.protocol in PROTOCOLS
        rule = msgspec.structs.replace(rule, protocol="ipv6-icmp" if named else str(_ICMPV6))
    if (rule.port_range_min, rule.port_range_max) == _ALL_PORTS:
        rule = msgspec.structs.replace(rule, port_range_min=None, port_range_max=None)
    return rule


def _check_ports(rule: SecurityGroupRule) -> None:
    low, high = rule.port_range_min, rule.port_range_max
    if low is None and high is None:
        return
    if rule.protocol is None:
        raise SecurityGroupProtocolRequiredWithPorts
    number = protocol_number(rule.protocol)
    if number in _PORT_PROTOCOLS.values():
        if low == 0 or high == 0:
            raise SecurityGroupInvalidPortValue(port=0)
        if low is None or high is None or low > high:
            raise SecurityGroupInvalidPortRange
    elif number in (_ICMP, _ICMPV6):
        for attribute, field, value in (("port_range_min", "type", low), ("port_range_max", "code", high)):
            if value is not None and value > 255:
                raise SecurityGroupInvalidIcmpValue(field=field, attribute=attribute, value=value)
        if low is None:
            raise SecurityGroupMissingIcmpType(value=high)
    else:
        raise SecurityGroupInvalidProtocolForPort(protocol=number, valid=", ".join(map(str.upper, _PORT_PROTOCOLS)))


def _check_ethertype(rule: SecurityGroupRule) -> None:
    prefix = rule.remote_ip_prefix
    if prefix is not None and rule.ethertype != f"IPv{ipaddress.ip_network(prefix).version}":
        raise SecurityGroupRuleParameterConflict(ethertype=rule.ethertype, cidr=prefix)
    if rule.ethertype == "IPv4" and protocol_number(rule.protocol) in _IPV6_PROTOCOLS:
        raise SecurityGroupEthertypeConflictWithProtocol(ethertype=rule.ethertype, protocol=rule.protocol)


def _check_together(draft: Draft, rule: SecurityGroupRule) -> None:
    """Rules of one request are of one group and one project."""
    other = next(iter(draft.rules.values()), rule)
    if other.security_group_id != rule.security_group_id:
        raise SecurityGroupNotSingleGroupRules
    if other.project_id != rule.project_id:
        raise SecurityGroupRulesNotSingleProject


def _group(draft: Draft, id: str, project_id: str) -> SecurityGroup:
    """The group, if it is the project's."""
    found = draft.index.security_groups.get(id)
    if found is None or _foreign(found.project_id, project_id):
        raise SecurityGroupNotFound(id=id)
    return found


def _foreign(theirs: str, ours: str) -> bool:
    """A request that tells no project is the administrator's, who may name whatever there is."""
    return bool(ours) and theirs != ours
