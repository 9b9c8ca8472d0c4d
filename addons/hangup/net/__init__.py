"""Floor 5: TCP and TLS."""
