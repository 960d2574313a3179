"""The errors that the Networking API answers about security groups, address groups and the security of ports.

Names, status codes and texts: neutron, ``extensions/securitygroup.py``; neutron-lib, ``exceptions``.
"""

from controller.northbound.faults import Fault

# Bad input


class SecurityGroupInvalidPortRange(Fault):
    status = 400
    text = "For TCP/UDP protocols, port_range_min must be <= port_range_max"


class SecurityGroupInvalidProtocolForPort(Fault):
    status = 400
    text = "Ports cannot be specified for protocol {protocol}. Ports are only supported for {valid}."


class SecurityGroupInvalidPortValue(Fault):
    status = 400
    text = "Invalid value for port {port}"


class SecurityGroupInvalidIcmpValue(Fault):
    status = 400
    text = "Invalid value for ICMP {field} ({attribute}) {value}. It must be 0 to 255."


class SecurityGroupEthertypeConflictWithProtocol(Fault):
    status = 400
    text = "Invalid ethertype {ethertype} for protocol {protocol}."


class SecurityGroupMissingIcmpType(Fault):
    status = 400
    text = "ICMP code (port-range-max) {value} is provided but ICMP type (port-range-min) is missing."


class SecurityGroupRuleInvalidProtocol(Fault):
    status = 400
    text = (
        "Security group rule protocol {protocol} not supported. Only protocol values {values} and integer "
        "representations [0 to 255] are supported."
    )


class SecurityGroupRuleInvalidEtherType(Fault):
    status = 400
    text = "Security group rule for ethertype '{ethertype}' not supported. Allowed values are {values}."


class SecurityGroupRuleParameterConflict(Fault):
    status = 400
    text = "Conflicting value ethertype {ethertype} for CIDR {cidr}"


class SecurityGroupProtocolRequiredWithPorts(Fault):
    status = 400
    text = "Must also specify protocol if port range is given."


class SecurityGroupMultipleRemoteEntites(Fault):
    status = 400
    text = "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided."


class SecurityGroupNotSingleGroupRules(Fault):
    status = 400
    text = "Only allowed to update rules for one security profile at a time"


class SecurityGroupRulesNotSingleProject(Fault):
    status = 400
    text = "Multiple project_ids in bulk security group rule create not allowed"


class InvalidCIDR(Fault):
    status = 400
    text = "Invalid CIDR {given} given as IP prefix."


class AddressesAlreadyExist(Fault):
    status = 400
    text = "Addresses {addresses} already exist in the address group {id}."


class PortSecurityAndIPRequiredForSecurityGroups(Fault):
    status = 400
    text = "Port security must be enabled and port must have an IP address in order to use security groups."


class AllowedAddressPairsMissingIP(Fault):
    status = 400
    text = "AllowedAddressPair must contain ip_address"


class AllowedAddressPairExhausted(Fault):
    status = 400
    text = "The number of allowed address pair exceeds the maximum {quota}."


class DuplicateAddressPairInRequest(Fault):
    status = 400
    text = "Request contains duplicate address pair: mac_address {mac} ip_address {ip}."


# Not there


class SecurityGroupNotFound(Fault):
    status = 404
    text = "Security group {id} does not exist"


class SecurityGroupRuleNotFound(Fault):
    status = 404
    text = "Security group rule {id} does not exist"


class AddressGroupNotFound(Fault):
    status = 404
    text = "Address group {id} could not be found."


class AddressesNotFound(Fault):
    status = 404
    text = "Addresses {addresses} not found in the address group {id}."


# In the way of what is there


class SecurityGroupInUse(Fault):
    status = 409
    text = "Security Group {id} in use."


class SecurityGroupCannotRemoveDefault(Fault):
    status = 409
    text = "Insufficient rights for removing default security group."


class SecurityGroupCannotUpdateDefault(Fault):
    status = 409
    text = "Updating default security group not allowed."


class SecurityGroupDefaultAlreadyExists(Fault):
    status = 409
    text = "Default security group already exists."


class SecurityGroupRuleExists(Fault):
    status = 409
    text = "Security group rule already exists. Rule id is {id}."


class DuplicateSecurityGroupRuleInPost(Fault):
    status = 409
    text = "Duplicate Security Group Rule in POST."


class SecurityGroupConflict(Fault):
    status = 409
    text = "Error {reason} while attempting the operation."


class OverQuota(Fault):
    status = 409
    text = "Quota exceeded for resources: {resources}."


class AddressGroupInUse(Fault):
    status = 409
    text = "Address group {id} is in use on one or more security group rules."


class PortSecurityPortHasSecurityGroup(Fault):
    status = 409
    text = (
        "Port has security group associated. Cannot disable port security or IP address until security group is "
        "removed."
    )


class AddressPairAndPortSecurityRequired(Fault):
    status = 409
    text = "Port Security must be enabled in order to have allowed address pairs on a port."
