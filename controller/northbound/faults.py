"""The errors that the Networking API answers: names, status codes and texts are those that its clients know.

A fault's class name is its ``type`` in the answer. Texts follow neutron-lib's ``exceptions`` and neutron's own.
"""

from typing import ClassVar


class Fault(Exception):
    """An answer that is not the one asked for."""

    status: ClassVar[int] = 500
    text: ClassVar[str] = "{message}"

    def __init__(self, message: str = "", **facts: object) -> None:
        self.message = self.text.format(message=message, **facts)
        super().__init__(self.message)

    def body(self) -> dict[str, dict[str, str]]:
        return {"NeutronError": {"type": type(self).__name__, "message": self.message, "detail": ""}}


# Of HTTP itself


class HTTPBadRequest(Fault):
    status = 400


class HTTPNotFound(Fault):
    status = 404
    text = "The resource could not be found."


class ExtensionNotFound(HTTPNotFound):
    text = "Extension with alias {alias} does not exist"

    def body(self) -> dict[str, dict[str, str]]:
        return {"NeutronError": {"type": "HTTPNotFound", "message": self.message, "detail": ""}}


class HTTPMethodNotAllowed(Fault):
    status = 405
    text = "The method {method} is not allowed for this resource."


class HTTPRequestEntityTooLarge(Fault):
    status = 413
    text = "Request is too large: more than {limit} bytes."


class HTTPUnsupportedMediaType(Fault):
    status = 415
    text = "The content type {given} is not supported: send application/json."


class HTTPInternalServerError(Fault):
    status = 500
    text = "Request Failed: internal server error while processing your request."


class ServiceUnavailable(Fault):
    status = 503
    text = "The service is unavailable: {message}"


# Bad input


class BadRequest(Fault):
    status = 400
    text = "Bad {resource} request: {message}."


class InvalidInput(Fault):
    status = 400
    text = "Invalid input for operation: {message}."


class InvalidIpForNetwork(Fault):
    status = 400
    text = "IP address {ip} is not a valid IP for any of the subnets on the specified network."


class InvalidIpForSubnet(Fault):
    status = 400
    text = "IP address {ip} is not a valid IP for the specified subnet."


class AllocationOnAutoAddressSubnet(Fault):
    status = 400
    text = (
        "IPv6 address {ip} cannot be directly assigned to a port on subnet {subnet_id} as the subnet is configured "
        "for automatic addresses"
    )


class InvalidAllocationPool(Fault):
    status = 400
    text = "The allocation pool {pool} is not valid."


class OutOfBoundsAllocationPool(Fault):
    status = 400
    text = "The allocation pool {pool} spans beyond the subnet cidr {cidr}."


class DNSNameServersExhausted(Fault):
    status = 400
    text = "Unable to complete operation for {subnet_id}. The number of DNS nameservers exceeds the limit {quota}."


class HostRoutesExhausted(Fault):
    status = 400
    text = "Unable to complete operation for {subnet_id}. The number of host routes exceeds the limit {quota}."


# Not there


class NetworkNotFound(Fault):
    status = 404
    text = "Network {id} could not be found."


class SubnetNotFound(Fault):
    status = 404
    text = "Subnet {id} could not be found."


class SubnetPoolNotFound(Fault):
    status = 404
    text = "Subnet pool {id} could not be found."


class PortNotFound(Fault):
    status = 404
    text = "Port {id} could not be found."


class AgentNotFound(Fault):
    status = 404
    text = "Agent {id} could not be found."


class TagResourceNotFound(Fault):
    status = 404
    text = "Resource {resource} {id} could not be found."


class TagNotFound(Fault):
    status = 404
    text = "Tag {tag} could not be found."


# In the way of what is there


class Conflict(Fault):
    status = 409


class NetworkInUse(Fault):
    status = 409
    text = (
        "Unable to complete operation on network {id}. There are one or more ports still in use on the network, "
        "id for these ports is: {ports}."
    )


class SubnetInUse(Fault):
    status = 409
    text = "Unable to complete operation on subnet {id}: One or more ports have an IP allocation from this subnet."


class InvalidSharedSetting(Fault):
    status = 409
    text = "Unable to reconfigure sharing settings for network {network}. Multiple projects are using it."


class NetworkMTUSubnetConflict(Fault):
    status = 409
    text = "MTU of {id} is not valid, subnet requires a minimum of {mtu}"


class TunnelIdInUse(Fault):
    status = 409
    text = "Unable to create the network. The tunnel ID {vni} is in use."


class OverlappingAllocationPools(Fault):
    status = 409
    text = "Found overlapping allocation pools: {first} {second} for subnet {cidr}."


class GatewayConflictWithAllocationPools(Fault):
    status = 409
    text = "Gateway ip {ip} conflicts with allocation pool {pool}."


class IpAddressGenerationFailure(Fault):
    status = 409
    text = "No more IP addresses available on network {id}."


class IpAddressAlreadyAllocated(Fault):
    status = 409
    text = "IP address {ip} already allocated in subnet {subnet_id}"


class MacAddressInUse(Fault):
    status = 409
    text = "Unable to complete operation for network {network_id}. The mac address {mac} is in use."


class PortBound(Fault):
    status = 409
    text = (
        "Unable to complete operation on port {id}, port is already bound, port type: {vif_type}, old_mac {old}, "
        "new_mac {new}."
    )


class PortInUse(Fault):
    status = 409
    text = (
        "Unable to complete operation on port {id} for network {network_id}. Port already has an attached device "
        "{device_id}."
    )


class UnsupportedPortDeviceOwner(Fault):
    status = 409
    text = "Operation {operation} is not supported for device_owner {owner} on port {id}."


class AgentAlive(Fault):
    status = 409
    text = "Agent {id} is alive: take host {host} out first (`tunbridge host leave` there), then delete it."


class RevisionNumberConstraintFailed(Fault):
    status = 412
    text = "Constrained to {expected}, but current revision is {current}"
