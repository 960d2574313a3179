"""What size does."""
