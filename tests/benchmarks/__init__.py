"""Speed and memory of the proxies, measured in turn in one run: ``python -m benchmarks`` from ``tests/``.

An echo server and a load client of plain sockets stand at the ends; what stands between them is the
*contestant*: nothing, a bare asyncio relay, stock mitmproxy in two modes, and hangup while it records. Each
is a process of its own, and rounds are interleaved (A B C A B C): a busy machine slows all alike, so that the
ratios hold.
"""
