"""``hangup doctor``: the command, what it looks at, the advisories that are known."""
