"""Our checks of the values of port security against neutron-lib's, on random values."""

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from neutron_lib.api import converters, validators
from neutron_lib.api.definitions import allowedaddresspairs
from neutron_lib.exceptions import NeutronException
from oslo_config import cfg
from webob.exc import HTTPException

from controller.northbound import address_groups, port_security, values
from controller.northbound.faults import Fault

from .test_values import ANYTHING, MACS, NEARLY_ADDRESSES, PREFIXES, UUIDS

cfg.CONF.register_opts([cfg.IntOpt("max_allowed_address_pair", default=port_security.PAIRS_MAX)])
PAIRS = st.lists(
    st.fixed_dictionaries(
        {}, optional={"ip_address": NEARLY_ADDRESSES | PREFIXES, "mac_address": MACS, "other": st.just(1)}
    )
    | ANYTHING,
    max_size=12,
)


def ours(check: values.Check, value: Any) -> str:
    """What is said against the value; nothing when it will do."""
    try:
        check(value)
    except (values.Reason, Fault) as error:
        return str(error)
    return ""


def theirs(kind: str, value: Any) -> str:
    try:
        return validators.get_validator(kind)(converters.convert_none_to_empty_list(value), None) or ""
    except (NeutronException, HTTPException) as error:
        return str(error)


def narrower(reason: str) -> bool:
    """Ours does not take the spellings of IPv4 and MAC addresses that only netaddr knows, nor one thing in two
    spellings twice; a group's MAC address is none for it."""
    return "MAC address" in reason or "uplicate" in reason or "is not a valid IP" in reason


@settings(max_examples=400, deadline=None)
@given(PAIRS)
def test_address_pairs(value: Any) -> None:
    assert allowedaddresspairs.ADDRESS_PAIRS == port_security.PAIRS
    mine = ours(port_security.address_pairs, value)
    wanted = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
    everything = any(str(each.get("ip_address", "")).endswith("/0") for each in wanted)
    ours_only = any(not isinstance(each.get("ip_address", ""), str) for each in wanted)
    if everything or ours_only:
        return
    one = theirs("type:allowed_address_pairs", value)
    assert mine == one or narrower(mine), (mine, one)
    if not mine:
        assert not one, one


@settings(max_examples=400, deadline=None)
@given(st.lists(PREFIXES | ANYTHING, max_size=4) | ANYTHING)
def test_prefix_lists(value: Any) -> None:
    mine, one = ours(address_groups._prefixes, value), theirs("type:subnet_list", value)
    assert bool(mine) == bool(one) or narrower(mine), (mine, one)


@settings(max_examples=400, deadline=None)
@given(st.lists(UUIDS, max_size=3) | ANYTHING)
@example([False, 0])
def test_group_ids(value: Any) -> None:
    mine, one = ours(port_security.group_ids, value), theirs("type:uuid_list", value)
    assert mine == one, (mine, one)
