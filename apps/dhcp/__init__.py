"""DHCPv4 (RFC 2131): requests go to the controller through a meter, and are answered from the records alone."""

from apps.contract import App
from apps.dhcp.answer import answer
from apps.dhcp.flows import boot, requests, server
from controller.view.network import ALWAYS, NETWORK

APP = App(name="dhcp", number=4, units={ALWAYS: [boot], NETWORK: [requests, server]}, answer=answer)
