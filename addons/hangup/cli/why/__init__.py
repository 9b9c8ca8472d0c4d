"""``hangup why``: the command, its page, and the golden recordings as examples."""
