"""``hangup bisect``: its options, how it goes, what it found; on a recording, a live page, the person's own client."""
