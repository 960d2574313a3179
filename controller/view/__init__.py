"""The network as records and facts, with recorded reads."""
