"""Every malformation that a WebSocket can carry, sent by raw sockets: none must be changed, each be named."""
