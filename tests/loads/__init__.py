"""Load tests of real backends with ``hangup load``: the short ones of the suite, and the long measurement."""
