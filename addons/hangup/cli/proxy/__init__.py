"""``hangup proxy``: the command, what it says while it runs, what it may be asked to find out."""
