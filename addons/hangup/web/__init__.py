"""Floor 6: the control API of a running proxy, and the page. All of it listens on loopback only."""
