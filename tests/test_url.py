"""Targets and addresses to listen on, as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangup.errors import BackendError, HangupError, TargetError, UsageError
from hangup.wire.url import host_header, is_loopback, parse_endpoint, parse_listen, parse_target


@pytest.mark.parametrize(
    ("text", "shown", "secure", "path"),
    [
        ("ws://localhost:8000", "ws://localhost:8000", False, ""),
        ("ws://localhost:8000/", "ws://localhost:8000", False, ""),
        ("wss://example.org/ws?token=1", "wss://example.org:443/ws?token=1", True, "/ws?token=1"),
        ("http://[::1]:9/a", "ws://[::1]:9/a", False, "/a"),
        ("https://example.org", "wss://example.org:443", True, ""),
        ("WS://Example.ORG", "ws://example.org:80", False, ""),
    ],
)
def test_targets(text: str, shown: str, secure: bool, path: str) -> None:
    target = parse_target(text)
    assert (str(target), target.secure, target.path) == (shown, secure, path)
    assert target.was_http == text.lower().startswith("http")


@pytest.mark.parametrize(
    ("path", "recorded", "asked"),
    [
        ("", "/ws/a?id=1", "/ws/a?id=1"),
        ("/ws", "/ws/a?id=1", "/ws/a?id=1"),
        ("/ws/", "/ws/a", "/ws/a"),
        ("/ws", "/ws", "/ws"),
        ("/ws", "/ws/ws/a", "/ws/ws/a"),
        ("/ws", "/chat/a", "/chat/a"),
        ("/a/b/c", "/a", "/a"),
        ("/ws", "", "/ws"),
        ("", "", "/"),
        ("/ws?token=new", "/ws/a?token=old&id=1&token=older", "/ws/a?token=new&id=1"),
        ("/ws?token=new", "/ws/a", "/ws/a?token=new"),
        ("?x=1", "/ws?", "/ws?x=1"),
    ],
)
def test_a_recorded_request_on_a_target(path: str, recorded: str, asked: str) -> None:
    target = parse_target(f"ws://localhost:8000{path}")
    assert target.request_target(recorded) == asked
    assert target.url_of(recorded) == f"ws://localhost:8000{asked}"
    assert target.request_target(asked) == asked, "what is asked for once is asked for again"


@pytest.mark.parametrize(
    ("path", "asked"),
    [("/b", "/b?id=1"), ("/b?id=2", "/b?id=2"), ("/b?", "/b"), ("/", "/?id=1"), ("/b?x=1", "/b?id=1&x=1")],
)
def test_only_a_path_that_was_asked_for_takes_the_place_of_the_recorded_one(path: str, asked: str) -> None:
    target = parse_target("ws://localhost:8000/ws").at(path)
    assert target.request_target("/ws/a?id=1") == asked
    assert target.covers("/anything") and target.request_target(asked) == asked


@pytest.mark.parametrize("path", ["", "b", "/a b", "/#a", "/\n"])
def test_wrong_paths(path: str) -> None:
    with pytest.raises(TargetError, match="begins with /"):
        parse_target("ws://localhost:8000").at(path)


@given(st.text("/ab?=&%"), st.text("/ab?=&%"))
def test_no_path_is_lost_or_doubled(base: str, recorded: str) -> None:
    target = parse_target(f"ws://localhost/{base}")
    asked = target.request_target(f"/{recorded}")
    assert asked.partition("?")[0] == f"/{recorded}".partition("?")[0]
    assert "?" in base or asked == f"/{recorded}"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("localhost:8000", "did you mean ws://localhost:8000"),
        ("", "begins with ws://"),
        ("ftp://x", "begins with ws://"),
        ("ws://", "begins with ws://"),
        ("ws://:80", "no host"),
        ("ws://x:99999", "not a URL"),
        ("ws://x:0", "port 0"),
        ("ws://[::1", "not a URL"),
        ("ws://x/#a", "fragment"),
        ("ws://me:secret@x", "no user and password"),
    ],
)
def test_wrong_targets_are_named_in_one_line(text: str, word: str) -> None:
    with pytest.raises(TargetError, match=word.replace("?", r"\?")) as caught:
        parse_target(text)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9000", ("127.0.0.1", 9000)),
        ("9000", ("127.0.0.1", 9000)),
        (":0", ("127.0.0.1", 0)),
        ("[::1]:9", ("::1", 9)),
    ],
)
def test_listen(text: str, expected: tuple[str, int]) -> None:
    assert parse_listen(text) == expected


@pytest.mark.parametrize("text", ["", "host", "host:", "x:70000", "x:-1", "x:1a"])
def test_wrong_addresses(text: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        parse_listen(text)


@given(st.text(max_size=30))
def test_no_text_gets_past_them(text: str) -> None:
    for parse in (parse_target, parse_listen):
        try:
            parse(text)
        except HangupError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("ws://localhost:8000", "localhost:8000"),
        ("ws://example.org", "example.org"),
        ("wss://example.org:443/ws", "example.org"),
        ("wss://example.org:80", "example.org:80"),
        ("ws://[::1]:9", "[::1]:9"),
        ("ws://[fe80::1%25eth0]:9", "[fe80::1]:9"),
        ("ws://bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_the_host_header(url: str, host: str) -> None:
    assert host_header(parse_target(url)) == host


def test_a_name_that_no_host_can_have() -> None:
    with pytest.raises(BackendError, match="no such host"):
        host_header(parse_target(f"ws://{'ü' * 70}.example"))


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True),
     ("0.0.0.0", False), ("192.168.0.1", False), ("localhost.example", False), ("", False)],
)  # fmt: skip
def test_what_is_reached_from_here_only(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("url", "host", "port", "same"),
    [
        ("ws://localhost:9", "0.0.0.0", 9, True),
        ("ws://127.0.0.1:9", "127.0.0.1", 9, True),
        ("ws://localhost:9", "::1", 9, True),
        ("ws://127.0.0.1:9", "::1", 9, False),
        ("ws://localhost:8", "0.0.0.0", 9, False),
        ("ws://example.org:9", "0.0.0.0", 9, False),
    ],
)
def test_a_target_that_is_the_proxy_itself(url: str, host: str, port: int, same: bool) -> None:
    assert parse_target(url).is_at(host, port) is same


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318"),
        (" https://collector.example/otlp/ ", "https://collector.example/otlp"),
        ("http://[::1]:1", "http://[::1]:1"),
    ],
)
def test_a_receiver_of_otlp(text: str, url: str) -> None:
    assert parse_endpoint(text) == url


@pytest.mark.parametrize(
    "text",
    ["", "127.0.0.1:4318", "ws://h", "http://", "http://h:0", "http://h:x", "http://h?a=1", "http://h#a"]
    + ["http://[", "http://h/a b", "http://h/\x00", "http://u:p@h"],
)
def test_what_is_no_receiver_of_otlp_is_said_in_one_line(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_endpoint(text)
    assert "\n" not in str(caught.value) and "p@" not in str(caught.value)
