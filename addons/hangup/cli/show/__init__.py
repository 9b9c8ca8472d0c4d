"""``hangup show``: the command, the table of connections, and one connection frame by frame."""
