"""Floor 2: interventions in traffic, each of which is a hypothesis about what ends a connection."""

HOLD_LIMIT = 64 << 20
"""Bytes of a message, and of messages that wait, that are held at most."""
