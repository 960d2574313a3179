"""The command line, as a person would use it."""
