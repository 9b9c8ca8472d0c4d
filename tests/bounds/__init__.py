"""What hangup may cost, whoever plays: memory, the disk, the time of others; and what many connections cost.

``cd tests && uv run python -m bounds`` prints the whole table, each figure beside its bound; ``tests/test_bounds.py``
has a short version of it.
"""
