"""``hangup load``: its command line. What is not hangup's goes to Locust as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hangup.cli.replay import filter_option, header_option, pace_option, speed_option
from hangup.cli.targets import connecting_options, path_option

EXAMPLES = """\b
Examples:
  hangup load run.jsonl ws://localhost:8000                        Locust's web page, on 127.0.0.1:8089
  hangup load run.jsonl ws://localhost:8000 --headless -u 1000 -r 50 -t 1m --processes 2
  hangup load buyer.jsonl ws://localhost:8000 --mix viewer.jsonl=9 --headless -u 500 -r 20 -t 5m --csv out
  hangup load run.jsonl ws://localhost:8000 --write-locustfile locustfile.py      to be edited: locust -f locustfile.py
  hangup why recordings/….jsonl                                    which cause began at which load

Locust's options: locust --help. It is installed with: pip install "hangup[load]"

Exit code: Locust's: 0 when nothing failed, 1 when connections were dropped or refused.
"""


@click.command(
    epilog=EXAMPLES,
    context_settings={"ignore_unknown_options": True},
    options_metavar="[OPTIONS] [LOCUST'S OPTIONS]",
)
@click.argument("recording")
@click.argument("target")
@click.argument("locust", nargs=-1, type=click.UNPROCESSED, metavar="")
@click.option("--mix", "mixes", multiple=True, metavar="RECORDING=WEIGHT", help=(
    "Play this recording too, by this weight; RECORDING itself has --weight. Repeatable."
))
@click.option("--weight", type=click.FloatRange(min=0, min_open=True), default=1, show_default=True, metavar="N", help=(
    "RECORDING's share of the clients, where there are others."
))
@click.option("--conn", "conns", type=click.IntRange(min=1), multiple=True, metavar="N", help=(
    "Play this connection; by default all of the client that failed last, in turn, with its pauses. Repeatable."
))
@click.option("--same-ids", is_flag=True, help=(
    "Let all clients call themselves what the recorded one did; by default each has an id of its own."
))
@click.option("--own-id", "ids", multiple=True, metavar="VALUE", help=(
    "Another recorded value in the place of which each client has one of its own. Repeatable."
))
@header_option
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help=(
    "Set a value that is else taken from the live run. Repeatable."
))
@filter_option
@path_option
@speed_option
@pace_option
@click.option("--stay", "stays", is_flag=True, help=(
    "Keep connections open once all is said; by default they are closed and begun again."
))
@click.option("--once", is_flag=True, help="Let each client play its connections only once, and then do nothing.")
@click.option("--no-correlate", is_flag=True, help="Send exactly what was recorded, whatever the server says.")
@connecting_options("handshake")
@click.option("--sample", type=click.FloatRange(0, 1), default=0.05, show_default=True, metavar="SHARE", help=(
    "Record this share of the clients, and some connections of each failure; 0 for none."
))
@click.option(
    "--record",
    default="recordings",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to record into.",
)
@click.option(
    "--write-locustfile",
    "locustfile",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the locustfile, to be edited, and exit.",
)
def load(**options: Any) -> None:
    """Play the recorded client against TARGET many times at once, as the users of a load test with Locust.

    Each simulated client is the recorded one: its messages, pace, pauses and reconnects, with values of its own where
    the server makes them anew (a session id, a token), and an id of its own where the client called itself by one.

    All options that are not listed here are Locust's: -u USERS, -r SPAWN_RATE, -t RUN_TIME, --headless, --csv, --html,
    --processes, --master, --worker, --otel. In Locust's table ANSWER and PING are messages with their answers, SEND and
    RECV those that have none, CONNECT are handshakes, END are connections that are over. In the end it is said how
    connections ended, and at which load that began.
    """
    from hangup.cli.loading import carry_out  # long to import, and completion waits for what stands above

    carry_out(**options)
