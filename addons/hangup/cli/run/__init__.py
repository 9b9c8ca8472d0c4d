"""``hangup run``: the command, the files that its environment comes from, what to do while nothing comes through."""
