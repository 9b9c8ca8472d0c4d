"""The elements of a JSON array, one by one and unread, so that no array is ever in memory as a whole.

A few bytes of JSON can stand for an object a hundred times their size, and an array for millions of them. So whoever
reads somebody else's large document takes its arrays in pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Raw

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
# An object without another in it is one token, which makes lists of messages quick.
_TOKEN = re.compile(rb'\{[^{}\[\]"]*+(?:%b[^{}\[\]"]*+)*+\}|%b|[\[\]{},]' % (_STRING, _STRING), re.DOTALL)


def elements(array: Raw | bytes | memoryview) -> Iterator[memoryview]:
    """The elements of an array that is known to be sound JSON; none when it is no array."""
    view = memoryview(array)
    found = _TOKEN.search(view)
    if found is None or found[0] != b"[":
        return
    depth = 0
    start = found.end()
    for token in _TOKEN.finditer(view):
        kind = token[0]
        if kind == b"," and depth == 1:
            yield view[start : token.start()]
            start = token.end()
        elif kind == b"[" or kind == b"{":  # (a whole object is longer)
            depth += 1
        elif kind == b"]" or kind == b"}":
            depth -= 1
            if depth == 0:
                if view[start : token.start()].tobytes().strip():
                    yield view[start : token.start()]
                return
