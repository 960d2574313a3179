"""The errors that the Networking API answers about routers, floating IPs and port forwardings.

Names, status codes and texts: neutron-lib, ``exceptions`` (``l3``, ``extraroute``, ``external_net``); neutron,
``services/portforwarding/common/exceptions.py``.
"""

from controller.northbound.faults import Fault

# Bad input


class InvalidRoutes(Fault):
    status = 400
    text = "Invalid format for routes: {routes}, {reason}"


class RoutesExhausted(Fault):
    status = 400
    text = "Unable to complete operation for {id}. The number of routes exceeds the maximum {quota}."


class SubnetMismatchForPort(Fault):
    status = 400
    text = "Subnet on port {id} does not match the requested subnet {subnet_id}."


class ExternalIpAddressExhausted(Fault):
    status = 400
    text = "Unable to find any IP address on external network {network_id}."


class PortHasPortForwarding(Fault):
    status = 400
    text = "Cannot associate floating IP to port {id} because it already has a Port Forwarding binding."


# Not there


class RouterNotFound(Fault):
    status = 404
    text = "Router {id} could not be found"


class RouterInterfaceNotFound(Fault):
    status = 404
    text = "Router {id} does not have an interface with id {port_id}"


class RouterInterfaceNotFoundForSubnet(Fault):
    status = 404
    text = "Router {id} has no interface on subnet {subnet_id}"


class FloatingIPNotFound(Fault):
    status = 404
    text = "Floating IP {id} could not be found"


class ExternalGatewayForFloatingIPNotFound(Fault):
    status = 404
    text = (
        "External network {network_id} is not reachable from subnet {subnet_id}.  Therefore, cannot associate Port "
        "{port_id} with a Floating IP."
    )


class PortForwardingNotFound(Fault):
    status = 404
    text = "Port Forwarding {id} could not be found."


# In the way of what is there


class RouterInUse(Fault):
    status = 409
    text = "Router {id} still has ports"


class RouterInterfaceInUseByFloatingIP(Fault):
    status = 409
    text = (
        "Router interface for subnet {subnet_id} on router {id} cannot be deleted, as it is required by one or more "
        "floating IPs."
    )


class RouterInterfaceInUseByRoute(Fault):
    status = 409
    text = (
        "Router interface for subnet {subnet_id} on router {id} cannot be deleted, as it is required by one or more "
        "routes."
    )


class RouterExternalGatewayInUseByFloatingIp(Fault):
    status = 409
    text = (
        "Gateway cannot be updated for router {id}, since a gateway to external network {network_id} is required by "
        "one or more floating IPs."
    )


class ServicePortInUse(Fault):
    status = 409
    text = "Port {id} cannot be deleted directly via the port API: has device owner {owner}."


class GatewayIpInUse(Fault):
    status = 409
    text = "Current gateway ip {ip} already in use by port {port_id}. Unable to update."


class FloatingIPPortAlreadyAssociated(Fault):
    status = 409
    text = (
        "Cannot associate floating IP {address} ({id}) with port {port_id} using fixed IP {fixed_ip}, as that fixed IP "
        "already has a floating IP on external network {network_id}."
    )


class FipInUseByPortForwarding(Fault):
    status = 409
    text = "Floating IP {id} in use by Port Forwarding resources."


class PortHasBindingFloatingIP(Fault):
    status = 409
    text = (
        "Cannot create port forwarding to floating IP {address} ({id}) with port {port_id} using fixed IP {fixed_ip}, "
        "as that port already has a binding floating IP."
    )
