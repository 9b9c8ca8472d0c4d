"""Floor 5: TCP and TLS, and one plain HTTP request."""
