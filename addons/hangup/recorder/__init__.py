"""Floor 5: where the events of a running program go: the journal that writes them, and whoever listens."""
