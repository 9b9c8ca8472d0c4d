"""Settings for the whole suite."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.dont_write_bytecode:
    # Every worker, and each of the hundreds of programs that the tests start, would compile all that it imports anew.
    sys.dont_write_bytecode = False
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

import suggested  # noqa: E402

# How long one example takes depends on what else the machine is doing.
settings.register_profile("hangup", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50)
# Many more of them, beside the suite: --hypothesis-profile=thorough
settings.register_profile("thorough", settings.get_profile("hangup"), max_examples=300)
# The same examples each time, and fewer: what is covered must not hang on luck.
settings.register_profile("coverage", settings.get_profile("hangup"), derandomize=True, max_examples=20)
settings.load_profile("hangup")

# The workers of pytest-xdist say that their terminal has 80 columns; they have none, nor have the programs they start.
os.environ.pop("COLUMNS", None)
# Tests read what programs print. Where `CI` or `FORCE_COLOR` is set, Vite and others colour it without a terminal, too.
os.environ.pop("FORCE_COLOR", None)
os.environ["NO_COLOR"] = "1"

# Under `nohup`, or in the background of a script, programs would be born deaf to these.
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
if hasattr(signal, "SIGQUIT"):
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

suggested.watch()

LONGEST = (
    "test_live_bisect",
    "test_companions",
    "test_nothing_leaves",
    "test_sequences_real",
    "test_seeded",
    "test_end_to_end",
    "test_page_many",
    "test_bisect",
    "test_live_kinds",
    "test_formats",
    "test_held_session",
    "test_page_lasting",
    "test_check",
    "test_client_rule",
    "test_minimal",
)
"""The files that take longest, in the order in which they are begun: else one of them would run on alone at the end.
Those that wait for others stand between those that need the processor themselves."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Four for the whole suite, most of which waits for other programs; none for a part of it, or for what failed."""
    whole = config.args == config.getini("testpaths") and not config.getoption("lf")
    return 4 if whole else 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first."""
    rank = {name: index for index, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


@pytest.fixture(autouse=True)
def commands_can_be_run() -> Iterator[None]:
    """Whatever command hangup prints in a test, for a person to copy, is one that there is."""
    yield
    assert not suggested.problems()
