"""Every order in which the two ends of a connection can end it, played direct and through the proxy.

``python -m endings.run --all`` (in ``tests/``) plays all of them and prints what differs.
"""
