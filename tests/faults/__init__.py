"""The fault set: twenty ways in which a WebSocket is dropped for ever, and four in which it is not, as real programs.

``python -m faults list`` (from ``tests/``) shows them; :mod:`faults.table` says what verdict each must be given.
"""
