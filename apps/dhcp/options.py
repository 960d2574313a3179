"""A port's ``extra_dhcp_opts``, by the names that dnsmasq gives them (Neutron passes these on)."""

from collections.abc import Callable, Iterable

import structlog
from netaddr import AddrFormatError, IPAddress

from controller.model import DhcpOption

log = structlog.get_logger()


def _addresses(text: str) -> bytes:
    return b"".join(IPAddress(part.strip(), 4).packed for part in text.split(","))


def _number(octets: int) -> Callable[[str], bytes]:
    return lambda text: int(text).to_bytes(octets)


def _text(text: str) -> bytes:
    return text.encode()


NAMES: dict[str, tuple[int, Callable[[str], bytes]]] = {
    "netmask": (1, _addresses),
    "time-offset": (2, _number(4)),
    "router": (3, _addresses),
    "dns-server": (6, _addresses),
    "log-server": (7, _addresses),
    "hostname": (12, _text),
    "domain-name": (15, _text),
    "root-path": (17, _text),
    "mtu": (26, _number(2)),
    "ntp-server": (42, _addresses),
    "tftp-server": (66, _text),
    "tftp-server-address": (150, _addresses),
    "bootfile-name": (67, _text),
    "domain-search": (119, _text),
}
"""Name -> code and form (RFC 2132; 150: RFC 5859)."""
BY_CODE = dict(NAMES.values())


def extra_options(options: Iterable[DhcpOption]) -> tuple[dict[int, bytes], str, str]:
    """Code -> value, then the next server's address and the boot file's name for the header. What cannot be
    understood is logged and left out: an option must not cost a VM its address."""
    values: dict[int, bytes] = {}
    siaddr = boot_file = ""
    for option in options:
        if option.ip_version != 4:
            continue
        try:
            if option.opt_name == "server-ip-address":
                siaddr = str(IPAddress(option.opt_value, 4))
                continue
            code, form = _form(option.opt_name)
            values[code] = form(option.opt_value)
            if option.opt_name == "bootfile-name" and option.opt_value.isascii() and len(option.opt_value) < 128:
                boot_file = option.opt_value
        except (KeyError, ValueError, OverflowError, AddrFormatError) as error:
            log.info("DHCP option left out", option=option.opt_name, value=option.opt_value, reason=repr(error))
    return values, siaddr, boot_file


def _form(name: str) -> tuple[int, Callable[[str], bytes]]:
    if name in NAMES:
        return NAMES[name]
    code = int(name.removeprefix("option:"))
    if not 0 < code < 255:
        raise ValueError("option codes go from 1 to 254")
    return code, BY_CODE.get(code, _text)
