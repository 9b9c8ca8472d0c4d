"""Values that change from run to run: found in a recording by themselves, and renamed in a new run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangup.recording.events import Handshake, Request, Response, Side
from hangup.replayable.dynamic_values import Correlation, CorrelationFinder, telling
from hangup.replayable.handshake_values import request_values, response_values, with_values
from hangup.replayable.substitutions import Names, Pairing

Said = tuple[Side, Any]


def encode(message: Any) -> bytes:
    if isinstance(message, bytes):
        return message
    return message.encode() if isinstance(message, str) else json.dumps(message).encode()


def find(
    said: list[Said], *, maker: Side = "server", shake: Handshake | None = None, elsewhere: bool = False
) -> CorrelationFinder:
    finder = CorrelationFinder(maker, elsewhere=elsewhere)
    if shake is not None:
        finder.handshake(shake)
    for n, (side, message) in enumerate(said, 1):
        finder.message(side, "text", encode(message), n)
    return finder


def names_of(said: list[Said], **more: Any) -> list[str]:
    return [each.name for each in find(said, **more).found()]


def replayed(recorded: list[Said], live: list[Any], *, sets: dict[str, str] | None = None, **more: Any) -> list[Any]:
    """What the client says in a run in which the server says ``live``."""
    names = Names(find(recorded, **more).found(), sets)
    pairing = Pairing(names)
    answers = iter(live)
    said = []
    for side, message in recorded:
        if side == "server":
            pairing.recorded("text", encode(message))
            pairing.live("text", encode(next(answers)))
        else:
            rewritten = names.rewrite("text", encode(message))
            said.append(json.loads(rewritten) if not isinstance(message, str | bytes) else rewritten.decode())
    return said


def test_a_session_id_is_found_and_renamed() -> None:
    recorded: list[Said] = [
        ("server", {"type": "welcome", "session": "a81bc81b-dead-4e5d"}),
        ("client", {"type": "hello", "session": "a81bc81b-dead-4e5d", "lang": "de"}),
    ]
    assert names_of(recorded) == ["session"]
    live = [{"type": "welcome", "session": "ffffffff-0000"}]
    assert replayed(recorded, live) == [{"type": "hello", "session": "ffffffff-0000", "lang": "de"}]
    assert replayed(recorded, live, sets={"session": "mine"}) == [{"type": "hello", "session": "mine", "lang": "de"}]


def test_what_the_client_said_first_is_its_own() -> None:
    own = "0f8fad5b-d9cb-469f-a165-70867728950e"
    assert (
        names_of(
            [
                ("client", {"id": own, "type": "subscribe"}),
                ("server", {"id": own, "type": "next", "payload": 1}),
                ("client", {"id": own, "type": "complete"}),
            ]
        )
        == []
    )


def test_what_the_handshake_asked_with_is_the_clients_own() -> None:
    shake = Handshake(
        at=0, conn=1, request=Request(target="/ws/client-17?token=tok-99112233"), response=Response(status=101)
    )
    said: list[Said] = [
        ("server", {"client": "client-17", "token": "tok-99112233"}),
        ("client", {"client": "client-17", "token": "tok-99112233"}),
    ]
    assert names_of(said, shake=shake) == []
    assert names_of(said) == ["client", "token"]


def test_a_value_of_the_handshakes_response() -> None:
    shake = Handshake(
        at=0,
        conn=1,
        request=Request(),
        response=Response(status=101, headers=[("Set-Cookie", "sid=s3cr3t-77; Path=/"), ("Date", "Mon, 23 Nov 2026")]),
    )
    finder = find([("client", {"auth": "s3cr3t-77"})], shake=shake)
    found = finder.found()
    assert [each.name for each in found] == ["sid"]
    names = Names(found)
    fresh = Response(status=101, headers=[("Set-Cookie", "sid=other-88; Path=/")])
    assert shake.response is not None
    names.pair_values(response_values(shake.response), response_values(fresh))
    assert json.loads(names.rewrite("text", b'{"auth": "s3cr3t-77"}')) == {"auth": "other-88"}


def test_a_sequence_number_under_its_name_on_both_sides() -> None:
    recorded: list[Said] = []
    for seq in (1, 2, 3):
        recorded += [("server", {"type": "tick", "seq": seq}), ("client", {"type": "ack", "seq": seq})]
    live = [{"type": "tick", "seq": seq} for seq in (41, 42, 43)]
    assert replayed(recorded, live) == [{"type": "ack", "seq": seq} for seq in (41, 42, 43)]


def test_two_places_that_agree_again_and_again_belong_together() -> None:
    recorded: list[Said] = []
    for n in (3, 5, 8, 11):
        recorded += [("server", {"type": "task", "n": n}), ("client", {"type": "done", "what": n})]
    assert replayed(recorded, [{"type": "task", "n": n} for n in (4, 6, 9, 12)])[-1] == {"type": "done", "what": 12}


@pytest.mark.parametrize(
    ("server", "client"),
    [
        ({"count": 3}, {"page": 3}),
        ({"type": "ready"}, {"type": "ready"}),
        ({"text": "hi"}, {"text": "hi"}),
        ({"name": "Ada"}, {"user": "Ada"}),
        ({"ok": True}, {"ok": True}),
        ({"interval": 25000}, {"timeout": 25000}),
        ({"size": 1}, {"seq": 1}),
        ({"channel": "general"}, {"room": "general"}),
    ],
)
def test_what_is_equal_by_chance_is_left_alone(server: Any, client: Any) -> None:
    assert names_of([("server", server), ("client", client)]) == []


def test_values_within_a_longer_text_and_within_json_in_json() -> None:
    token = "tk_5f3598718d91"
    recorded: list[Said] = [
        ("server", {"event": "connected", "data": json.dumps({"socket_token": token})}),
        ("client", {"auth": f"Bearer {token}", "queue": f"/queue/{token}/in"}),
        ("client", f"SUBSCRIBE token={token}"),
    ]
    live = [{"event": "connected", "data": json.dumps({"socket_token": "tk_other_1"})}]
    assert replayed(recorded, live) == [
        {"auth": "Bearer tk_other_1", "queue": "/queue/tk_other_1/in"},
        "SUBSCRIBE token=tk_other_1",
    ]


def test_socket_io() -> None:
    recorded: list[Said] = [
        ("server", '0{"sid":"jAuw5kc2PUzBIK97AAAA","pingInterval":25000}'),
        ("client", "40"),
        ("server", '40{"sid":"GoThA28rPy2S44FdAAAA"}'),
        ("server", '42["session",{"token":"28aa89b7a825","seq":502230}]'),
        ("client", '420["join",{"token":"28aa89b7a825","room":"lobby","seq":502230}]'),
        ("server", '430[{"ok":true,"ticket":"06ce66b6-20e2"}]'),
        ("client", '421["say",{"ticket":"06ce66b6-20e2","text":"hi"}]'),
    ]
    live = [
        '0{"sid":"x","pingInterval":25000}',
        '40{"sid":"y"}',
        '42["session",{"token":"b2465e5f29e7","seq":3526}]',
        '430[{"ok":true,"ticket":"f0068a0e-780d"}]',
    ]
    assert replayed(recorded, live) == [
        "40",
        '420["join",{"token":"b2465e5f29e7","room":"lobby","seq":3526}]',
        '421["say",{"ticket":"f0068a0e-780d","text":"hi"}]',
    ]


def test_messages_of_other_kinds_between_do_not_confuse() -> None:
    recorded: list[Said] = [
        ("server", {"type": "job", "id": "job-1001"}),
        ("server", {"type": "job", "id": "job-1002"}),
        ("client", {"type": "take", "id": "job-1001"}),
        ("client", {"type": "take", "id": "job-1002"}),
    ]
    names = Names(find(recorded).found())
    pairing = Pairing(names)
    for message in (
        {"type": "news", "id": "news-5000"},
        {"type": "job", "id": "job-77a"},
        {"type": "job", "id": "job-77b"},
    ):
        pairing.live("text", encode(message))
    for side, message in recorded:
        if side == "server":
            pairing.recorded("text", encode(message))
    said = [json.loads(names.rewrite("text", encode(m)))["id"] for side, m in recorded if side == "client"]
    assert said == ["job-77a", "job-77b"]


def test_a_value_that_the_new_run_never_said_stays_and_is_told() -> None:
    recorded: list[Said] = [
        ("server", {"type": "welcome", "token": "aaaa-1111"}),
        ("client", {"type": "hello", "token": "aaaa-1111"}),
    ]
    names = Names(find(recorded).found())
    assert json.loads(names.rewrite("text", encode(recorded[1][1])))["token"] == "aaaa-1111"
    assert names.missing == {"token"} and not names.used


def test_values_from_before_the_recording() -> None:
    recorded: list[Said] = [("client", {"type": "join", "token": "725c9f08391694a8"})]
    assert names_of(recorded) == []
    names = Names(find(recorded, elsewhere=True).found())
    names.overhear(b'42["session",{"token":"f71daa0487bc7aa9"}]')
    assert json.loads(names.rewrite("text", encode(recorded[0][1])))["token"] == "f71daa0487bc7aa9"


def test_the_other_way_round_ids_that_the_client_makes() -> None:
    recorded: list[Said] = [
        ("client", {"jsonrpc": "2.0", "id": 1, "method": "list"}),
        ("server", {"jsonrpc": "2.0", "id": 1, "result": []}),
    ]
    names = Names(find(recorded, maker="client").found())
    names.pair("json-rpc:list", encode(recorded[0][1]), b'{"jsonrpc":"2.0","id":57,"method":"list"}')
    assert json.loads(names.rewrite("text", encode(recorded[1][1])))["id"] == 57


def test_parameters_and_cookies_of_the_request_can_be_set() -> None:
    request = Request(target="/ws?sid=old&x=1", headers=[("Host", "h"), ("Cookie", "a=1; sid=old")])
    changed = with_values(request, {"sid": "n&w"})
    assert changed.target == "/ws?sid=n%26w&x=1"
    assert ("Cookie", "a=1; sid=n&w") in changed.headers
    assert (("query", "sid"), "n&w") in request_values(changed)
    assert with_values(request, {}) is request


def test_what_is_telling() -> None:
    for value in ("a81bc81b-dead-4e5d", "48213", 502230, "AAAAbbbbCCCCdddd1", 3.14159265):
        assert telling(value), value
    for value in ("ready", "general", "25000", 25000, 3, "", "two words 12345", "connection_init", 0.5):
        assert not telling(value), value


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["client", "server"]),
            st.binary(max_size=40)
            | st.dictionaries(
                st.sampled_from(["type", "id", "seq", "a"]), st.integers(0, 3) | st.sampled_from(["x", "tok-1234567"])
            ).map(encode),
        ),
        max_size=30,
    )
)
def test_any_messages_are_taken_and_a_run_like_the_recording_changes_nothing(said: list[tuple[Side, bytes]]) -> None:
    found: list[Correlation] = find(said).found()
    assert len({(each.name, each.source) for each in found}) == len({each.source for each in found})
    names = Names(found)
    pairing = Pairing(names)
    for side, message in said:
        if side == "server":
            pairing.recorded("text", message)
            pairing.live("text", message)
        else:
            assert names.rewrite("text", message) == message
