"""What tenants ask: the OpenStack Networking API v2.0 over the store."""
