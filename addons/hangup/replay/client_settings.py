"""How a recorded client is played."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from hangup.replay import PATIENCE
from hangup.replayable.client_rule import ClientRule


class ReplaySettings(Struct, kw_only=True):
    """How to play.

    ``headers`` take the place of recorded ones of the same name; an empty value removes one. ``pace`` is ``causal``
    (the client goes on after as many server messages as in the recording, plus its thinking time) or ``clock`` (at
    the recorded times, whatever the server does); ``speed`` shortens the client's times, ``inf`` to nothing.
    ``patience`` bounds, in seconds for the whole run, how long late server messages are waited for. ``survive`` is how
    long after opening it must still live to have survived, in seconds (None: as long as recorded, plus a margin).
    ``timeout`` is for the connection and for the handshake, each. ``sets`` gives correlated values by their name.
    ``seed`` makes keys and filters' randomness repeatable. With a ``rule`` the client hangs up by it, and not when the
    recorded one did; ``gives_up`` is after how many seconds it does so without an answer to its handshake, None for
    what the rule says. With ``leaves`` the client ends the connection when the recorded one did, also where not all of
    its frames are sent; None for only where all are. With ``sums`` messages are only counted, and not compared with the
    recorded ones: for many clients that are not recorded.
    """

    headers: Sequence[tuple[str, str]] = ()
    pace: Literal["causal", "clock"] = "causal"
    speed: float = 1.0
    patience: float = PATIENCE
    survive: float | None = None
    timeout: float = 10.0
    insecure: bool = False
    ca: Path | None = None
    correlate: bool = True
    sets: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    rule: ClientRule | None = None
    gives_up: float | None = None
    leaves: bool | None = None
    sums: bool = False
