"""The fault set: twenty ways in which a WebSocket is dropped for ever, and four in which it is not, as real programs.

:mod:`faults.table` says what each is and what verdict it must be given. From ``tests/``:

- ``python -m faults list`` shows them, with the stacks and clients that each can be run on
- ``python -m faults run a3`` runs one behind hangup's proxy and leaves a recording; ``--direct`` without the proxy,
  ``--fixed`` mended, ``--backend tornado --client ws --seed 7`` the same fault elsewhere
- ``python -m faults verify`` runs all without the proxy: does each end as the table says?
- ``python -m faults record-all`` records the golden ones in ``recordings/`` anew
- ``python -m faults variants --out DIR --count 200`` records others, with their verdicts in ``DIR/verdicts.jsonl``

The programs also run by themselves: ``python faults/backends/a3_fastapi.py --port 0 [--fixed]`` prints ``ready PORT``,
and ``python faults/clients/frontend.py --url ws://127.0.0.1:PORT --fault a3-text-ping-to-json-reader`` reconnects
for ever.
"""
