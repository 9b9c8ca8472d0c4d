"""Floor 5: who carries out trials: by replay, or on the connections of a live page."""
