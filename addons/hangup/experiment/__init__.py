"""Floor 4: experiments. What to try next, what its outcome says, and when enough was tried.

The search is pure: a generator that yields a trial and is sent its outcome. Who carries trials out (a replay, the
person's own page, a simulation in a test) is of no concern to it.
"""
