"""Errors about how a network is carried, and about networks that lead outside."""

from controller.northbound.faults import Fault


class VlanIdInUse(Fault):
    status = 409
    text = "Unable to create the network. The VLAN {vlan} on physical network {physical_network} is in use."


class FlatNetworkInUse(Fault):
    status = 409
    text = "Unable to create the flat network. Physical network {physical_network} is in use."


class NoNetworkAvailable(Fault):
    """All VLANs of the physical network are taken."""

    status = 409
    text = "Unable to create the network. No tenant network is available for allocation."


class ExternalNetworkInUse(Fault):
    status = 409
    text = "External network {id} cannot be updated to be made non-external, since it has existing gateway ports."
