"""OVN beside us: the same topology on the same kind of switch in the same run, change by change."""
