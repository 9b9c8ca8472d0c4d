"""``hangup diff``: two connections, or two recordings, side by side."""

from __future__ import annotations

import json
import sys

import click

from hangup.cli import diff_view
from hangup.cli.screen import console
from hangup.cli.sources import opened
from hangup.errors import UsageError
from hangup.recording.diff import Conversation, collect, compare_conversations, pair
from hangup.recording.events import Header

EXAMPLES = """\b
Examples:
  hangup diff page.jsonl postman.jsonl              the page against Postman
  hangup diff yesterday.jsonl today.jsonl --conn 2 --conn-b 5
  hangup diff run.jsonl --conn 1 --conn-b 2         two connections of one recording
  hangup diff chrome.har run.jsonl --json | jq '.pairs[].handshake'
"""

Pair = tuple[Conversation | None, Conversation | None]


@click.command(epilog=EXAMPLES)
@click.argument("a", metavar="A")
@click.argument("b", metavar="[B]", required=False)
@click.option("--conn", type=int, metavar="N", help="Only connection N of A (and of B).")
@click.option("--conn-b", type=int, metavar="M", help="Only connection M of B.")
@click.option("--strict", is_flag=True, help="Count what changes by nature, too: times, ids, tokens.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def diff(a: str, b: str | None, conn: int | None, conn_b: int | None, strict: bool, as_json: bool) -> None:
    """Compare two connections: their handshakes, messages and endings.

    A and B are recordings of any format that hangup reads; without B, two connections of A. What changes by
    nature (times, ids, random tokens) is no difference, nor is timing. Exits with 0 when nothing differs, with 1
    when something does.
    """
    if b is None and (conn is None or conn_b is None):
        raise UsageError("name a second recording B, or two connections of A with --conn and --conn-b")
    if a == b == "-":
        raise UsageError("only one of A and B can be standard input")
    of_a, header_a = _read(a, conn)
    of_b, header_b = _read(b or a, conn_b if conn_b is not None else conn)
    pairs: list[Pair] = pair(of_a, of_b)
    if len(of_a) == len(of_b) == 1:  # whatever their paths
        pairs = list(zip(of_a.values(), of_b.values(), strict=True))
    ordered = not _unordered(header_a) and not _unordered(header_b)
    compared = [
        compare_conversations(left, right, strict=strict, ordered=ordered)
        for left, right in pairs
        if left is not None and right is not None
    ]
    only_a = [left.connection.conn for left, right in pairs if left is not None and right is None]
    only_b = [right.connection.conn for left, right in pairs if right is not None and left is None]
    same = not only_a and not only_b and all(each.same for each in compared)
    if as_json:
        document = {"same": same, "a": a, "b": b or a, "pairs": [each.summary() for each in compared]}
        click.echo(json.dumps({**document, "only_a": only_a, "only_b": only_b}, indent=2))
    else:
        diff_view.show(console(), (a, b or a), compared, only_a, only_b)
    sys.exit(0 if same else 1)


def _read(name: str, conn: int | None) -> tuple[dict[int, Conversation], Header]:
    with opened(name) as source:
        found = collect(source.events("reading"), conn, header=source.header)
        source.confess()
        if conn is not None and conn not in found:
            raise UsageError(f"{source.name} has no connection {conn}")
        return found, source.header


def _unordered(header: Header) -> bool:
    """Whether the recording has lost the headers' order and case, as browsers' HARs have."""
    return not header.tells("headers")
