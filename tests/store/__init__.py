"""The store against a real ovsdb-server."""
