"""``hangup mcp``: recordings for a language model."""

from __future__ import annotations

from pathlib import Path

import click

from hangup.errors import UsageError

EXAMPLES = """\b
Examples:
  hangup mcp                          what an assistant is to start; it speaks on stdin and stdout
  claude mcp add hangup -- hangup mcp recordings
  hangup mcp --write                  may also set filters, send messages and bisect
  hangup mcp --host staging.example.org   may also probe that host
"""


@click.command(epilog=EXAMPLES)
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--write", is_flag=True, help=(
    "Also let it change the running proxy's filters, send messages, and bisect."
))
@click.option("--host", "hosts", multiple=True, metavar="HOST", help=(
    "Let it connect to this host as well, not only to this machine. Repeatable."
))
def mcp(folder: Path | None, write: bool, hosts: tuple[str, ...]) -> None:
    """Let an AI assistant read the recordings in FOLDER (by default recordings), over the Model Context Protocol.

    It can list recordings and connections, look at frames, ask why connections ended, compare, and probe a handshake;
    without --write it can change nothing. Secrets are replaced, answers are short, and what was recorded is marked as
    data, as a payload may try to give the assistant orders. Needs the extra: pip install "hangup[mcp]".
    """
    from hangup.mcp_server.server import serve  # long to import, and completion waits for what stands above
    from hangup.recording.folder import RECORDINGS

    folder = folder or RECORDINGS
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder: name the one with the recordings")
    serve(folder, write=write, hosts=hosts)
