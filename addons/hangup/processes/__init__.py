"""Floor 5: programs that run beside us: a frontend in the foreground, a backend and its log."""
