"""NAT: by which addresses outside what is inside is known, and where that is done."""

from apps.contract import App
from apps.nat.floating_ips import floating_ip
from apps.nat.forwardings import forwarding
from apps.nat.gateways import gateway
from controller.view.network import FLOATING_IP, FORWARDING
from controller.view.topology import ROUTER_ON_HOST

APP = App(
    name="nat",
    number=8,
    units={ROUTER_ON_HOST: [gateway], FLOATING_IP: [floating_ip], FORWARDING: [forwarding]},
)
