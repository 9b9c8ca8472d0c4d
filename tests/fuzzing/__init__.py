"""Bytes that nobody sends, given to everything that reads some: :mod:`fuzzing.targets` is the table.

``python -m fuzzing`` looks for new ones, guided by coverage (atheris); the suite tries those that were found, and some
hundred that are made from them, the same each time (``test_fuzzing.py``). What breaks something belongs into
``corpus/``.
"""
