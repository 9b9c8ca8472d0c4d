"""``hangup query``: questions about many recordings, and how answers are printed."""
