"""A recording without its secrets."""
