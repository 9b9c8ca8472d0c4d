"""Floor 5: a recording played again, as the client to a real server or as the server to a real client."""

PATIENCE = 2.0
"""Seconds that server messages may be late by, together, before they are given up."""
