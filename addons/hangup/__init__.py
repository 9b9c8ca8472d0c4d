"""hangup: find out who hung up on your WebSocket, and prove why."""

__version__ = "0.1.0"
