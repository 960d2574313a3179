"""Our checks of values against neutron-lib's, on random values."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neutron_lib import constants
from neutron_lib.api import converters, validators
from neutron_lib.api.definitions import extra_dhcp_opt, portbindings
from neutron_lib.exceptions import NeutronException

from controller.northbound import values
from controller.northbound.faults import InvalidInput

ADDRESSES = st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(str)
OCTETS = st.integers(0, 300) | st.sampled_from(["00", "010", "1e1", "-1", ""])
NEARLY_ADDRESSES = st.one_of(
    ADDRESSES,
    st.lists(OCTETS, min_size=3, max_size=5).map(lambda parts: ".".join(map(str, parts))),
    ADDRESSES.map(lambda address: address + " "),
    ADDRESSES.map(str.upper),
    st.sampled_from(["::", "::1", "0:0::1", "1::2::3", "fe80::1%eth0", "", "1", "256.1.1.1", "::ffff:1.2.3.4"]),
)
MACS = st.one_of(
    st.binary(min_size=6, max_size=6).map(lambda octets: octets.hex(":")),
    st.binary(min_size=6, max_size=6).map(lambda octets: octets.hex("-").upper()),
    st.binary(min_size=6, max_size=6).map(lambda octets: octets.hex(".", 2)),
    st.binary(min_size=6, max_size=6).map(bytes.hex),
    st.sampled_from(["0:1:2:3:4:5", "00:00:00:00:00:00", "FF:FF:FF:FF:FF:FF", "0:1:2:3:4", "0:1:2:3:4:g", ""]),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 300) | st.floats(-10, 10) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)
NAMES = st.text(max_size=300) | st.text("ab \t\n\u00a0\u2003é\U0001f600\0", max_size=6)
UUIDS = st.uuids().map(str) | st.uuids().map(lambda id: id.hex) | st.sampled_from(["", "x", "{0}"])
PREFIXES = st.one_of(
    st.tuples(NEARLY_ADDRESSES, st.integers(-1, 130)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
    st.sampled_from(["10.0.0.0/8", "10.0.0.1/8", "127.0.0.0/8", "fd00::/64", "0.0.0.0/0", "::/0", "10.0.0.0/0x8", ""]),
)
FIXED_IPS = st.lists(
    st.fixed_dictionaries({}, optional={"subnet_id": UUIDS, "ip_address": NEARLY_ADDRESSES}) | ANYTHING, max_size=3
)
ROUTES = st.lists(
    st.fixed_dictionaries({"destination": PREFIXES}, optional={"nexthop": NEARLY_ADDRESSES, "metric": st.just(1)})
    | ANYTHING,
    max_size=3,
)
OPTIONS = st.lists(
    st.fixed_dictionaries(
        {"opt_name": st.sampled_from(["router", "dns", "", " ", "a\nb", "x" * 65]) | ANYTHING},
        optional={
            "opt_value": st.sampled_from(["", "a", "a\nb", None, "x" * 256]) | ANYTHING,
            "ip_version": st.sampled_from([4, 6, 5, "4", None]),
            "other": st.just(1),
        },
    )
    | ANYTHING,
    max_size=3,
)


def theirs(kind: str, argument: Any = None, convert: Any = None) -> Any:
    def check(value: Any) -> bool:
        try:
            value = convert(value) if convert else value
            return validators.get_validator(kind)(value, argument) is None
        except (NeutronException, ValueError, TypeError, OverflowError):
            return False

    return check


def accepts(check: values.Check, value: Any) -> bool:
    try:
        check(value)
    except (values.Reason, InvalidInput):
        return False
    return True


def refusal(check: values.Check, value: Any) -> str:
    try:
        check(value)
    except (values.Reason, InvalidInput) as reason:
        return str(reason)
    return ""


def holds_nul(value: Any) -> bool:
    return "\\x00" in repr(value)


@pytest.mark.parametrize(
    ("ours", "them", "given_values"),
    [
        (values.short_text, theirs("type:string", 255), NAMES),
        (values.name, theirs("type:name_string", 255), NAMES),
        (values.identifier, theirs("type:uuid"), UUIDS),
        (values.ip_address, theirs("type:ip_address"), NEARLY_ADDRESSES),
        (values.ip_address_or_none, theirs("type:ip_address_or_none"), NEARLY_ADDRESSES),
        (values.fixed_ips, theirs("type:fixed_ips"), FIXED_IPS),
        (
            values.nameservers,
            theirs("type:nameservers", None, converters.convert_none_to_empty_list),
            st.lists(NEARLY_ADDRESSES, max_size=4),
        ),
        (values.routes, theirs("type:hostroutes", None, converters.convert_none_to_empty_list), ROUTES),
        (values.unique_texts, theirs("type:list_of_unique_strings", 255), st.lists(st.text("ab", max_size=2))),
        (
            values.dhcp_options,
            theirs("type:list_of_any_key_specs_or_none", extra_dhcp_opt.EXTRA_DHCP_OPT_KEY_SPECS),
            OPTIONS,
        ),
        (values.one_of(values.VNIC_TYPES), theirs("type:values", portbindings.VNIC_TYPES), st.text()),
        (
            values.one_of((*values.IPV6_MODES, None)),
            theirs("type:values", [*constants.IPV6_MODES, None]),
            st.sampled_from(["slaac", "", "x"]),
        ),
        (
            values.one_of((4, 6), values.integer),
            theirs("type:values", [4, 6], converters.convert_to_int),
            st.integers(),
        ),
        (values.non_negative, theirs("type:non_negative", None, converters.convert_to_int), st.integers(-9, 9)),
        (values.boolean, theirs("type:boolean"), st.sampled_from(["YES", " on ", "2", 1, 0, 2, "t", "F"])),
        (values.profile, theirs("type:dict_or_none"), st.dictionaries(st.text(max_size=3), ANYTHING, max_size=2)),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_same_values_accepted(ours: values.Check, them: Any, given_values: st.SearchStrategy[Any]) -> None:
    @settings(max_examples=150, deadline=None)
    @given(given_values | ANYTHING)
    def check(value: Any) -> None:
        copy = eval(repr(value), {"inf": float("inf"), "nan": float("nan")})  # neutron-lib changes what it is given
        # Quirks that nothing relies on: a name may end in a line feed there, any iterable will do for a list, and
        # one address or route in two spellings is no duplicate.
        quirk = isinstance(value, str) and value.endswith("\n")
        quirk |= isinstance(value, str | dict) and ours is values.nameservers
        quirk |= refusal(ours, value).startswith("Duplicate")
        if not holds_nul(value) and not quirk:
            assert accepts(ours, value) == them(copy), value

    check()


@settings(max_examples=300, deadline=None)
@given(MACS)
def test_mac_addresses(text: str) -> None:
    them = theirs("type:mac_address", None, converters.convert_to_sanitized_mac_address)
    if accepts(values.mac_address, text):
        assert them(text)
        assert values.mac_address(text) == converters.convert_to_sanitized_mac_address(text)
    elif them(text):
        # Ours is stricter in one thing: no port can have a group's address.
        assert int(converters.convert_to_sanitized_mac_address(text)[:2], 16) & 1


@settings(max_examples=300, deadline=None)
@given(PREFIXES)
def test_prefixes(text: str) -> None:
    them = theirs("type:subnet_or_none", None, converters.convert_cidr_to_canonical_format)
    # netaddr takes abbreviated and zero-padded IPv4 prefixes as well; nothing sends them.
    assert them(text) or not accepts(values.cidr, text)


@settings(max_examples=100, deadline=None)
@given(ANYTHING | NAMES)
def test_reasons_are_the_same(value: Any) -> None:
    for ours, kind, argument in (
        (values.short_text, "type:string", 255),
        (values.identifier, "type:uuid", None),
        (values.ip_address, "type:ip_address", None),
        (values.mac_address, "type:mac_address", None),
    ):
        if holds_nul(value):
            continue
        try:
            ours(value)
        except values.Reason as reason:
            assert str(reason) == validators.get_validator(kind)(value, argument)


def test_nothing_with_a_nul() -> None:
    """The database can't hold it."""
    for check in (values.short_text, values.name, values.text_or_empty):
        assert not accepts(check, "a\0b")
    assert not accepts(values.unique_texts, ["a\0"])
    assert not accepts(values.dhcp_options, [{"opt_name": "a", "opt_value": "\0"}])
