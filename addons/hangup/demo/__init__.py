"""Floor 5: the two ends of the demo."""
