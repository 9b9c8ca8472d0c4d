"""Floor 1: what a recording is, and how it is written, read, summed up and converted."""
