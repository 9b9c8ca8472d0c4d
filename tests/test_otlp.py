"""``--otlp``: a real receiver (oteltap, not ours) is sent what ``show`` says, and a span of each connection."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from harness import frames, until
from harness.peers import Answer, RawServer, open_websocket
from harness.programs import Program
from harness.proxies import HangupProxy
from scraped import Key, equal, expected, key

pytest.importorskip("oteltap", reason="oteltap is for x86-64 Linux only")
MASK = b"\x01\x02\x03\x04"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


class Receiver(Program):
    """oteltap on a port of its choice; it prints all that it is sent, an object a line."""

    def __init__(self) -> None:
        super().__init__([sys.executable, "-m", "oteltap", "--port", "0"])
        until(lambda: bool(self._ports()))
        self.url = f"http://127.0.0.1:{self._ports()[0]}"

    def _ports(self) -> list[int]:
        found = psutil.Process(self.pid).net_connections("tcp")
        return [each.laddr.port for each in found if each.status == psutil.CONN_LISTEN]

    def __enter__(self) -> Receiver:
        return self

    @property
    def told(self) -> list[dict[str, Any]]:
        lines = self.output.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def spans(self) -> list[dict[str, Any]]:
        return [each for each in self.told if "spanId" in each]

    def metrics(self) -> dict[Key, float]:
        """The last value of each metric, as Prometheus names them."""
        found: dict[Key, float] = {}
        for each in self.told:
            if "spanId" in each:
                continue
            kind = next(kind for kind in ("sum", "gauge", "histogram") if kind in each)
            for point in each[kind]["dataPoints"]:
                labels = attributes(point)
                if kind == "histogram":
                    assert sum(map(int, point["bucketCounts"])) == int(point["count"])
                    found[key(each["name"] + "_count", **labels)] = int(point["count"])
                    found[key(each["name"] + "_sum", **labels)] = point["sum"]
                else:
                    name = each["name"] + ("_total" if kind == "sum" else "")
                    assert kind == "gauge" or each["sum"]["isMonotonic"] and each["sum"]["aggregationTemporality"] == 2
                    found[key(name, **labels)] = float(point["asInt"])
        return found


def attributes(told: dict[str, Any]) -> dict[str, Any]:
    def value(of: dict[str, Any]) -> Any:
        return int(of["intValue"]) if "intValue" in of else next(iter(of.values()))

    return {each["key"]: value(each["value"]) for each in told["attributes"]}


@contextmanager
def backend(handler: Callable[[ServerConnection], None]) -> Iterator[str]:
    with serve(handler, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


@contextmanager
def receiving() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.mark.real
def test_a_receiver_is_sent_what_show_says() -> None:
    seen: list[str | None] = []

    def say_bye(socket: ServerConnection) -> None:
        assert socket.request is not None
        seen.append(socket.request.headers.get("traceparent"))
        socket.send(socket.recv())
        socket.close(4001, "bye")

    with receiving() as receiver, backend(say_bye) as url, HangupProxy(url, "--otlp", receiver.url) as proxy:
        for number, headers in ((1, {"traceparent": TRACEPARENT, "tracestate": "vendor=1"}), (2, {})):
            with connect(f"{proxy.url}/ws/client-{number}", additional_headers=headers) as client:
                client.send("hello")
                assert client.recv() == "hello"
                with pytest.raises(ConnectionClosed):
                    client.recv()
        proxy.stop()
        assert seen == [TRACEPARENT, None], "it is passed on unchanged"
        until(lambda: len(receiver.spans()) == 2 and key("hangup_build_info", version="0.1.0") in receiver.metrics())
        shown = proxy.show()
        equal(receiver.metrics(), expected(shown))
        spans = sorted(receiver.spans(), key=lambda span: str(span["startTimeUnixNano"]))
        first, second = spans
        assert (first["traceId"], first["parentSpanId"], first["traceState"]) == (TRACE, PARENT, "vendor=1")
        assert second["parentSpanId"] == "" and second["traceId"] != TRACE
        for span, connection in zip(spans, shown["connections"], strict=True):
            about = attributes(span)
            ending = connection["ending"]
            assert span["name"] == "WebSocket /ws/{}" and span["kind"] == 2
            assert about["http.response.status_code"] == 101 and about["http.route"] == "/ws/{}"
            assert about["url.path"] == connection["path"] and about["hangup.conn"] == connection["conn"]
            assert (about["hangup.ended.by"], about["hangup.ended.how"]) == ("server", "close") == (
                ending["by"],
                ending["how"],
            )
            assert (about["hangup.ended.code"], about["hangup.ended.reason"]) == (4001, "bye")
            assert about["hangup.ended.sentence"] == ending["sentence"]
            assert about["hangup.client.frames"] == connection["frames"]["client"]
            assert span["status"] == {"message": ending["sentence"], "code": 2}, "it was dropped"
            zero = datetime.fromisoformat(shown["header"]["started"]).timestamp()
            over = zero + connection["opened"] + connection["lifetime"]
            assert int(span["endTimeUnixNano"]) / 1e9 == pytest.approx(over, abs=1e-4)
            assert int(span["startTimeUnixNano"]) / 1e9 <= zero + connection["opened"]
            assert [event["name"] for event in span["events"]] == [step["text"] for step in ending["account"]]


def test_refused_handshakes_have_spans_and_what_the_client_does_not_sample_has_none() -> None:
    with receiving() as receiver, RawServer(answer=Answer(status=403)) as server:
        with HangupProxy(server.url, "--otlp", receiver.url) as proxy:
            sampled = [("traceparent", TRACEPARENT)]
            open_websocket(proxy.address, "/a", headers=sampled, status=403)
            open_websocket(proxy.address, "/b", headers=[("traceparent", TRACEPARENT[:-1] + "0")], status=403)
            open_websocket(proxy.address, "/c", headers=[("traceparent", "00-nonsense")], status=403)
            proxy.stop()
        until(lambda: len(receiver.spans()) == 2)
        spans = {span["name"]: span for span in receiver.spans()}
        assert set(spans) == {"WebSocket /a", "WebSocket /c"}
        assert spans["WebSocket /a"]["parentSpanId"] == PARENT and spans["WebSocket /c"]["parentSpanId"] == ""
        about = attributes(spans["WebSocket /a"])
        assert about["http.response.status_code"] == 403 and about["hangup.fate"] == "refused"
        assert spans["WebSocket /a"]["status"]["code"] == 2 and "403" in spans["WebSocket /a"]["status"]["message"]


def test_secrets_do_not_leave() -> None:
    secret = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5NXgL0n3I9PlFUP0THsR8U"
    with receiving() as receiver, RawServer() as server, HangupProxy(server.url, "--otlp", receiver.url) as proxy:
        headers = [("Authorization", "Bearer correct-horse")]
        client = open_websocket(proxy.address, f"/ws/{secret}/x?token=hunter2hunter2", headers=headers)
        upstream = server.accept()
        upstream.send(frames.close(4003, b"nobody has correct-horse or hunter2hunter2"))
        client.expect_frames(1)
        client.send(frames.close(4003, mask=MASK))
        proxy.stop()
        until(lambda: bool(receiver.spans()) and key("hangup_build_info", version="0.1.0") in receiver.metrics())
        for each in ("hunter2", "correct-horse", secret[:20]):
            assert each not in receiver.output
        assert attributes(receiver.spans()[0])["hangup.ended.code"] == 4003


def test_a_receiver_that_is_gone_is_said_once_and_costs_nothing_else() -> None:
    environment = {"OTEL_METRIC_EXPORT_INTERVAL": "100"}
    with RawServer() as server:
        with HangupProxy(server.url, "--otlp", "http://127.0.0.1:9", environment=environment) as proxy:
            client = open_websocket(proxy.address, "/a")
            upstream = server.accept("/a")
            proxy.wait_for(r"OTLP to http://127\.0\.0\.1:9 fails \(said once\)")
            client.send(frames.frame(frames.TEXT, b"still passes", mask=MASK))
            upstream.expect_frames(1)
            proxy.stop()
            assert proxy.errors.count("OTLP") == 1 and "Traceback" not in proxy.errors
            assert proxy.show()["connections"][0]["frames"]["client"] == 1


def test_the_environment_says_who_it_is_about() -> None:
    environment = {"OTEL_SERVICE_NAME": "shop", "OTEL_METRIC_EXPORT_INTERVAL": "100"}
    with receiving() as receiver, RawServer() as server:
        with HangupProxy(server.url, "--otlp", receiver.url, environment=environment) as proxy:
            until(lambda: bool(receiver.metrics()))
            assert not receiver.spans(), "while it runs, metrics are sent by the interval"
            proxy.stop()
