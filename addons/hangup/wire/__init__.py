"""Floor 0: RFC 6455 and RFC 7692, bytes only. No clock, no socket, no randomness."""
