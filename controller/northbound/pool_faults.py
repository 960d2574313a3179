"""Errors about address scopes, subnet pools, and subnets that come from pools."""

from controller.northbound.faults import Fault

# Address scopes


class AddressScopeNotFound(Fault):
    status = 404
    text = "Address scope {id} could not be found."


class AddressScopeInUse(Fault):
    status = 409
    text = (
        "Unable to complete operation on address scope {id}. There are one or more subnet pools in use on the address "
        "scope."
    )


class AddressScopeUpdateError(Fault):
    status = 400
    text = "Unable to update address scope {id} : {message}."


class AddressScopePrefixConflict(Fault):
    status = 409
    text = "Failed to associate address scope: subnetpools within an address scope must have unique prefixes."


class NetworkAddressScopeAffinityError(Fault):
    status = 400
    text = (
        "Subnets of the same address family hosted on the same network must all participate in the same address scope."
    )


# Subnet pools


class EmptySubnetPoolPrefixList(Fault):
    status = 400
    text = "Empty subnet pool prefix list."


class PrefixVersionMismatch(Fault):
    status = 400
    text = "Cannot mix IPv4 and IPv6 prefixes in a subnet pool."


class IllegalSubnetPoolPrefixBounds(Fault):
    status = 400
    text = "Illegal prefix bounds: {bound}={length}, {base}={base_length}."


class IllegalSubnetPoolPrefixUpdate(Fault):
    status = 400
    text = "Illegal update to prefixes: {message}."


class IllegalSubnetPoolIpVersionAssociationToAddressScope(Fault):
    status = 400
    text = (
        "Illegal subnetpool association: subnetpool {id} cannot associate with address scope {scope_id} because "
        "subnetpool ip_version is not {ip_version}."
    )


class SubnetPoolDeleteError(Fault):
    status = 400
    text = "Unable to delete subnet pool: {message}."


# Subnets that come from pools


class MinPrefixSubnetAllocationError(Fault):
    status = 400
    text = "Unable to allocate subnet with prefix length {length}, minimum allowed prefix is {bound}."


class MaxPrefixSubnetAllocationError(Fault):
    status = 400
    text = "Unable to allocate subnet with prefix length {length}, maximum allowed prefix is {bound}."


class NetworkSubnetPoolAffinityError(Fault):
    status = 400
    text = "Subnets hosted on the same network must be allocated from the same subnet pool."


class SubnetAllocationError(Fault):
    """The real service answers status 500, for want of an entry in a table of its own; it is a conflict."""

    status = 409
    text = "Failed to allocate subnet: {message}."


class SubnetPoolQuotaExceeded(Fault):
    status = 409
    text = "Per-project subnet pool prefix quota exceeded."
