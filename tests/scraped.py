"""What metrics say, and what they must say by ``hangup show --json``."""

from __future__ import annotations

import math
import urllib.request
from collections import Counter
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hangup.recording.connections import route_of

Key = tuple[str, tuple[tuple[str, str], ...]]
"""A sample's name, and its labels in their order."""


def key(name: str, **labels: object) -> Key:
    return name, tuple(sorted((label, str(value)) for label, value in labels.items()))


def read(text: str) -> dict[Key, float]:
    """The samples of an exposition, but for the classes of histograms (which are checked) and what hangs on the
    moment."""
    found: dict[Key, float] = {}
    for family in text_string_to_metric_families(text):
        below: dict[Key, tuple[float, float]] = {}
        for sample in family.samples:
            labels = dict(sample.labels)
            if sample.name.endswith("_bucket"):
                bound = float(labels.pop("le"))
                own = key(family.name + "_count", **labels)
                before = below.get(own, (-math.inf, 0.0))
                assert before[0] < bound and before[1] <= sample.value, "classes are in order, and cumulative"
                below[own] = bound, sample.value
                continue
            at = key(sample.name, **labels)
            assert at not in found, f"{at} twice"
            found[at] = sample.value
        for own, (bound, count) in below.items():
            assert bound == math.inf and found[own] == count, own
    return found


def scrape(url: str, accept: str = "") -> str:
    request = urllib.request.Request(url, headers={"Accept": accept} if accept else {})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.read().decode())


def expected(show: dict[str, Any]) -> dict[Key, float]:
    """The same by what ``show --json`` says of the same recording; sums of lifetimes are rounded in both."""
    found: Counter[Key] = Counter()
    for each in show["connections"]:
        path, ending = route_of(each["path"]), each["ending"]
        if each["opened"] is None:
            assert each["fate"] in ("refused", "unreachable", "abandoned", "filtered"), each
            found[key("hangup_handshakes_refused_total", path=path, by=ending["by"], status=each["status"] or "")] += 1
            continue
        found[key("hangup_connections_opened_total", path=path)] += 1
        found[key("hangup_connections_open", path=path)] += each["lifetime"] is None
        if each["lifetime"] is not None:
            code = "" if ending["code"] is None else ending["code"]
            labels = {"path": path, "by": ending["by"], "how": ending["how"], "code": code}
            found[key("hangup_connections_ended_total", **labels)] += 1
            found[key("hangup_connection_lifetime_seconds_count", path=path)] += 1
            found[key("hangup_connection_lifetime_seconds_sum", path=path)] += each["lifetime"]
        for name in ("frames", "bytes", "pings", "pongs"):
            for side in ("client", "server"):
                metric = "hangup_payload_bytes_total" if name == "bytes" else f"hangup_{name}_total"
                found[key(metric, path=path, side=side)] += each[name][side]
    for loop in show["loops"]:
        labels = {"path": route_of(loop["path"]), "state": "going_on" if loop["going_on"] else "over"}
        found[key("hangup_loops", **labels)] += 1
        found[key("hangup_loop_connections", **labels)] += loop["count"]
    found[key("hangup_recorder_lost_events_total")] = show["lost"]
    found[key("hangup_http_requests_total")] = show["http"]
    return {at: value for at, value in found.items()}


BESIDE = ("hangup_handshake_wait", "hangup_ping_round_trip", "hangup_recorder_backlog", "hangup_recorder_writing")
"""What ``show`` does not say, and is compared with something else."""


def equal(told: dict[Key, float], wanted: dict[Key, float]) -> None:
    """Every metric of which ``show`` knows the value has just that one."""
    here = {at: value for at, value in told.items() if not at[0].startswith((*BESIDE, "hangup_build_info"))}
    assert here.keys() == wanted.keys()
    for at, value in wanted.items():
        assert here[at] == pytest.approx(value, abs=1e-6) if at[0].endswith("_sum") else here[at] == value, at
