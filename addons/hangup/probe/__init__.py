"""Floor 5: the handshake alone, and what comes right after it."""
