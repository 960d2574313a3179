"""What an attribute's value may be: one function a kind of value.

Each takes what the JSON held and answers what is kept. It raises `Reason` when the value will not do (the request is
answered "Invalid input for ATTRIBUTE. Reason: …"), or `InvalidInput` where the real service fails at conversion.
Rules and texts: neutron-lib, ``api/validators`` and ``api/converters``. Two are stricter, because the database
or the network could not take the value: no NUL in a string, no multicast MAC address.
"""

import ipaddress
import re
import unicodedata
import uuid
from collections.abc import Callable, Hashable, Iterable
from typing import Any

import msgspec

from controller.northbound.faults import InvalidInput

Check = Callable[[Any], Any]
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

VNIC_TYPES = (
    "normal",
    "direct",
    "macvtap",
    "baremetal",
    "direct-physical",
    "virtio-forwarder",
    "smart-nic",
    "vdpa",
    "accelerator-direct",
    "accelerator-direct-physical",
    "remote-managed",
)
IPV6_MODES = ("dhcpv6-stateful", "dhcpv6-stateless", "slaac")
PROFILE_MAX = 4095
"""Characters of JSON text."""


class Reason(Exception):
    """Why a value will not do."""


def text(longest: int = 255) -> Callable[[Any], str]:
    """A string of at most `longest` characters."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or "\0" in value:
            raise Reason(f"'{value}' is not a valid string")
        if len(value) > longest:
            raise Reason(f"'{value}' exceeds maximum length of {longest}")
        return value

    return check


short_text: Callable[[Any], str] = text()


def text_or_empty(value: Any) -> str:
    """A string; null is the empty one."""
    return "" if value is None else short_text(value)


def name(value: Any) -> str:
    """A string that prints, without blanks at its ends, of the Basic Multilingual Plane."""
    given = short_text(value)
    if given.isascii() and given.isprintable() and given.strip() == given:
        return given
    if not all(map(_prints, given)) or given[0].isspace() or given[-1].isspace():
        raise Reason(f"'{given}' is not a valid string")
    return given


def _prints(character: str) -> bool:
    category = unicodedata.category(character)
    return ord(character) < 0xFFFF and category[0] != "C" and (category[0] != "Z" or category == "Zs")


def boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    if word in ("1", "t", "true", "on", "y", "yes"):
        return True
    if word in ("0", "f", "false", "off", "n", "no"):
        return False
    raise InvalidInput(f"'{value}' cannot be converted to boolean")


def integer(value: Any) -> int:
    try:
        number = int(value)
    except (ValueError, TypeError, OverflowError):
        raise InvalidInput(f"'{value}' is not an integer") from None
    if abs(number) >= 1 << 63:
        raise InvalidInput(f"'{value}' is not an integer")
    return number


def non_negative(value: Any) -> int:
    number = integer(value)
    if number < 0:
        raise Reason(f"'{number}' should be non-negative")
    return number


def one_of(allowed: Iterable[object], convert: Check | None = None) -> Check:
    allowed = tuple(allowed)

    def check(value: Any) -> Any:
        value = convert(value) if convert else value
        if value not in allowed:
            raise Reason(f"{value} is not in valid_values")
        return value

    return check


def identifier(value: Any) -> str:
    """A UUID in its canonical form."""
    try:
        return str(uuid.UUID(value))
    except (TypeError, ValueError, AttributeError):
        raise Reason(f"'{value}' is not a valid UUID") from None


def identifier_or_none(value: Any) -> str | None:
    return None if value is None else identifier(value)


MAC_FORMS = re.compile(
    r"([0-9a-f]{1,2}(:[0-9a-f]{1,2}){5})|([0-9a-f]{1,2}(-[0-9a-f]{1,2}){5})|([0-9a-f]{1,4}(\.[0-9a-f]{1,4}){2})"
    r"|([0-9a-f]{12})",
    re.IGNORECASE,
)


def mac_address(value: Any) -> str:
    """A unicast MAC address in any usual notation, kept in lower case with colons."""
    if not isinstance(value, str) or not MAC_FORMS.fullmatch(value):
        raise Reason(f"'{value}' is not a valid MAC address")
    groups = re.split("[:.-]", value.lower())
    digits = "".join(group.rjust(12 // len(groups), "0") for group in groups)
    if int(digits[:2], 16) & 1 or not int(digits, 16):
        raise Reason(f"'{value}' is not a valid MAC address")
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def mac_address_or_none(value: Any) -> str | None:
    """Null asks for a new one."""
    return None if value is None else mac_address(value)


def ip_address(value: Any) -> str:
    """An address in its canonical form (RFC 5952 for IPv6)."""
    if isinstance(value, str) and "%" not in value:
        try:
            return str(ipaddress.ip_address(value))
        except ValueError:
            octets = value.split(".")
            if len(octets) == 4 and all(octet.isascii() and octet.isdigit() and int(octet) < 256 for octet in octets):
                plain = ".".join(str(int(octet)) for octet in octets)
                raise Reason(f"'{value}' is not an accepted IP address, '{plain}' is recommended") from None
    raise Reason(f"'{value}' is not a valid IP address")


def ip_address_or_none(value: Any) -> str | None:
    return None if value is None else ip_address(value)


def cidr(value: Any) -> str:
    """A prefix in its canonical form; host bits are cleared."""
    try:
        if not isinstance(value, str) or "%" in value or re.search(r"\s", value):
            raise ValueError
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise InvalidInput(f"{value} is not in a CIDR format") from None


def prefix(value: Any) -> str:
    """A prefix with its length, in its canonical form; host bits are cleared."""
    try:
        if not isinstance(value, str) or "%" in value or not re.fullmatch(r"\S+/[0-9]{1,3}", value, re.ASCII):
            raise ValueError
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise Reason(f"'{value}' is not a valid IP subnet") from None


def _keys(value: Any, expected: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Reason(f"Invalid input. '{value}' must be a dictionary with keys: {list(expected)}")
    if set(value) != set(expected):
        raise Reason(
            f"Validation of dictionary's keys failed. Expected keys: {sorted(expected)} Provided keys: {sorted(value)}"
        )
    return value


def pools(value: Any) -> list[tuple[str, str]]:
    """(first, last) pairs."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise InvalidInput("Invalid data format for allocation pools")
    found = [_keys(each, ("start", "end")) for each in value]
    return [(ip_address(each["start"]), ip_address(each["end"])) for each in found]


def nameservers(value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Reason(f"Invalid data format for nameserver: '{value}'")
    hosts: dict[str, None] = {}
    for each in value:
        try:
            host = ip_address(each)
        except Reason as reason:
            raise Reason(f"'{each}' is not a valid nameserver. {reason}") from None
        if host in hosts:
            raise Reason(f"Duplicate nameserver '{host}'")
        hosts[host] = None
    return list(hosts)


def routes(value: Any) -> list[tuple[str, str]]:
    """(destination, next hop) pairs."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Reason(f"Invalid data format for hostroute: '{value}'")
    found: dict[tuple[str, str], None] = {}
    for each in value:
        _keys(each, ("destination", "nexthop"))
        route = (_route_prefix(each["destination"]), ip_address(each["nexthop"]))
        if route in found:
            raise Reason(f"Duplicate hostroute '{each}'")
        found[route] = None
    return list(found)


def _route_prefix(value: Any) -> str:
    try:
        if not isinstance(value, str) or "/" not in value or "%" in value or re.search(r"\s", value):
            raise ValueError
        prefix = ipaddress.ip_network(value)
    except ValueError:
        raise Reason(f"'{value}' is not a valid CIDR") from None
    if prefix.is_loopback:
        raise Reason(f"'{value}' is not a routable CIDR")
    return str(prefix)


def fixed_ips(value: Any) -> list[tuple[str | None, str | None]]:
    """(subnet id, address) pairs, either of them None where it was not given."""
    if not isinstance(value, list):
        raise Reason(f"Invalid data format for fixed IP: '{value}'")
    found: list[tuple[str | None, str | None]] = []
    addresses = set()
    for each in value:
        if not isinstance(each, dict):
            raise Reason(f"Invalid data format for fixed IP: '{each}'")
        address = subnet = None
        if "ip_address" in each:
            address = ip_address(each["ip_address"])
            if address in addresses:
                raise Reason(f"Duplicate IP address '{address}'")
            addresses.add(address)
        if "subnet_id" in each:
            subnet = identifier(each["subnet_id"])
        found.append((subnet, address))
    return found


def different(value: Any) -> list[Any]:
    """A list in which nothing stands twice."""
    if not isinstance(value, list):
        raise Reason(f"'{value}' is not a list")
    seen: set[tuple[bool, Hashable]] = set()
    twice: dict[tuple[bool, Hashable], str] = {}
    for each in value:
        key = (True, each) if isinstance(each, Hashable) else (False, repr(each))
        if key in seen:
            twice.setdefault(key, str(each))
        seen.add(key)
    if twice:
        raise Reason(f"Duplicate items in the list: '{', '.join(twice.values())}'")
    return value


def unique_texts(value: Any) -> tuple[str, ...]:
    """Tags: a list of different strings."""
    if not isinstance(value, list):
        raise Reason(f"'{value}' is not a list")
    return tuple(different([short_text(each) for each in value]))


BLANK_DHCP_OPTIONS = ("router", "classless-static-route")
"""Options that may be given without a value, which keeps them from being sent."""


def dhcp_options(value: Any) -> list[tuple[str, str | None, int]]:
    """(name, value, IP version) triples; a value of None asks to take the option away."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidInput(f"'{value}' is not a list")
    found: dict[tuple[str, str | None, int], None] = {}
    for each in value:
        try:
            option = _dhcp_option(each)
        except (Reason, InvalidInput):
            raise InvalidInput(f"No valid key specs matched for: {each}") from None
        if option in found:
            raise InvalidInput(f"Duplicate items in the list: '{each}'")
        found[option] = None
    return list(found)


def _dhcp_option(value: Any) -> tuple[str, str | None, int]:
    if not isinstance(value, dict) or not {"opt_name", "opt_value"} <= set(value) <= {
        "opt_name",
        "opt_value",
        "ip_version",
    }:
        raise Reason("keys")
    option_name, option = text(64)(value["opt_name"]), value["opt_value"]
    option = None if option is None else short_text(option)
    version = integer(value.get("ip_version", 4))
    lines = [option_name] if option is None or option_name in BLANK_DHCP_OPTIONS else [option_name, option]
    if version not in (4, 6) or any(not line.strip() or len(line.splitlines()) > 1 for line in lines):
        raise Reason("values")
    return option_name, option, version


def profile(value: Any) -> str:
    """JSON text of an object; null is the empty one."""
    if value is None:
        return "{}"
    if not isinstance(value, dict):
        raise Reason(f"'{value}' is not a dictionary")
    encoded = msgspec.json.encode(value).decode()
    if len(encoded) > PROFILE_MAX:
        raise InvalidInput("binding:profile value too large")
    return encoded
