"""Heartbeats: every known form is recognised and answered, look-alikes are not, and no bytes make it fail."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangup.messages import heartbeats
from hangup.messages.heartbeats import FORMS, Beat, Form, answer, recognise
from hangup.wire.frames import BINARY, PING, PONG, TEXT


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.name)
def test_every_form_is_recognised_and_answered_as_the_table_says(form: Form) -> None:
    assert recognise(form.opcode, form.ping) == Beat("ping", form.name)
    assert answer(Beat("ping", form.name), form.ping) == form.pong
    if form.pong is not None and form.pong != form.ping:
        assert recognise(PONG if form.opcode == PING else form.opcode, form.pong) == Beat("pong", form.name)


@pytest.mark.parametrize(
    ("data", "form", "reply"),
    [
        ("PING", "text", "PONG"),
        ('"ping"', "text", '"pong"'),
        ("ping 17", "text", "pong 17"),
        ("PING :tmi.twitch.tv\r\n", "text", "PONG :tmi.twitch.tv\r\n"),
        ("primus::ping::1700", "text", "primus::pong::1700"),
        ("keep-alive", "text", "keep-alive"),
        ('{"event":"pusher:ping","data":{}}', "json", '{"event":"pusher:pong","data":{}}'),
        ('{ "id": 19, "type": "ping" }', "json", '{ "id": 19, "type": "pong" }'),
        ('{"id":"ping-1","type":"ping"}', "json", '{"id":"ping-1","type":"pong"}'),
        ('{"msg":"ping","id":"3"}', "json", '{"msg":"pong","id":"3"}'),
        ('{"type":"ping","ts":NaN}', "json", '{"type":"pong","ts":NaN}'),
        ('\ufeff{"op":"ping"}', "json", '\ufeff{"op":"pong"}'),
        ('{"cmd":"heartbeat"}', "json", '{"cmd":"heartbeat"}'),
        ('{"channel":"heartbeat"}', "json", '{"channel":"heartbeat"}'),
        ('{"k":"hb"}', "json", '{"k":"hb"}'),
        ('{"k":"ping","n":7}', "json", '{"k":"pong","n":7}'),
        ('{"type":"server_ping"}', "json", '{"type":"server_pong"}'),
        ('{"ping":1492420473027}', "json-key", '{"pong":1492420473027}'),
        ('42/chat,7["ping",1]', "socket.io", '42/chat,7["pong",1]'),
        (
            '{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"7"}',
            "phoenix",
            '{"topic":"phoenix","event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"7"}',
        ),
        (" ", "stomp", None),
    ],
)
def test_a_ping_in_the_field(data: str, form: str, reply: str | None) -> None:
    beat = recognise(TEXT, data.encode())
    assert beat == Beat("ping", form)
    assert answer(beat, data.encode()) == (None if reply is None else reply.encode())


@pytest.mark.parametrize(
    "data",
    [
        '{"type":"heartbeat_ack"}',
        "PONG",
        '{"type":"PONG","ts":1}',
        '{"event":"pusher:pong"}',
        "heartbeat-ack",
    ],
)
def test_a_pong_in_the_field(data: str) -> None:
    beat = recognise(TEXT, data.encode())
    assert beat is not None and beat.kind == "pong"
    assert answer(beat, data.encode()) is None


@pytest.mark.parametrize(
    "data",
    [
        "2probe",
        "3probe",
        "shipping",
        "ping me later",
        "pings",
        '{"type":"shipping"}',
        '{"action":"ping-user"}',
        '{"type":"subscribe","channel":"heartbeat"}',
        '{"type":"chat","text":"ping"}',
        '{"ping":"10.0.0.1"}',
        '{"k":"ping","lat":48.1,"lon":11.9,"alt":512}',
        '{"k":"hbase"}',
        '{"user":"hb"}',
        '{"op":1,"d":{"rpcVersion":1}}',
        '{"op":1,"id":7}',
        '{"op":true}',
        '{"type":"ping"',
        '42["ping"',
        '[1,"ping"]',
        '{"type":"ping","more":"' + "x" * 600 + '"}',
    ],
)
def test_look_alikes(data: str) -> None:
    assert recognise(TEXT, data.encode()) is None


def test_what_is_a_heartbeat_as_text_only_or_as_binary_only() -> None:
    assert recognise(BINARY, b"ping") == Beat("ping", "text")
    assert recognise(BINARY, b"2") is None
    assert recognise(TEXT, b"\xc0\x00") is None


@given(st.sampled_from([0, 1, 2, 3, 8, 9, 10]), st.binary(max_size=80))
def test_no_bytes_make_it_fail(opcode: int, data: bytes) -> None:
    beat = recognise(opcode, data)
    if beat is not None:
        assert beat.form in heartbeats.FORM
        answer(beat, data)


_words = st.sampled_from(["ping", "pong", "heartbeat", "phoenix", "x", "ka", "Ping-Pong"])
_keys = st.sampled_from(
    ["type", "op", "ping", "d", "jsonrpc", "method", "result", "topic", "event", "message", "id"]
)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | _words,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=8,
)


@given(_values, st.sampled_from(["", "42", "42/n,3"]))
def test_no_json_makes_it_fail_and_an_answered_ping_is_a_pong(value: object, prefix: str) -> None:
    data = (prefix + json.dumps(value)).encode()
    beat = recognise(TEXT, data)
    if beat is None:
        return
    reply = answer(beat, data)
    if reply is not None and reply != data:
        again = recognise(TEXT, reply)
        assert again is not None and again.form == beat.form and again.kind == "pong", (data, reply)
