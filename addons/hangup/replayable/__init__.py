"""Floor 1: a recording made ready to be played again: scripts of either side, and values that change each run."""
