"""The opening handshake: keys, lists in headers, and the judgement on what was asked and answered."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.headers import parse_extension, parse_subprotocol
from websockets.utils import accept_key as their_accept_key

from hangup.wire.handshake import (
    GUID,
    Check,
    accept_key,
    get_all,
    key_from,
    key_is_valid,
    parse_extensions,
    parse_tokens,
    problems,
    review,
)
from hangup.wire.header_lists import Extension, malformed
from hangup.wire.statuses import explain_status

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
ASKED = [
    ("Host", "localhost:8000"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Version", "13"),
]
ANSWERED = [("upgrade", "WebSocket"), ("connection", "keep-alive, upgrade"), ("sec-websocket-accept", ACCEPT)]
Headers = list[tuple[str, str]]


def without(headers: Headers, name: str) -> Headers:
    return [(key, value) for key, value in headers if key.lower() != name.lower()]


def replaced(headers: Headers, name: str, value: str) -> Headers:
    return [*without(headers, name), (name, value)]


def failed(asked: Headers, answered: Headers, status: int | None = 101, method: str = "GET") -> list[str]:
    return problems(review(asked, status, answered, method))


def check(name: str, asked: Headers, answered: Headers, status: int | None = 101) -> Check:
    [found] = [check for check in review(asked, status, answered) if check.name == name]
    return found


class TestKeys:
    def test_the_example_of_the_rfc(self) -> None:
        assert accept_key(KEY) == ACCEPT

    @given(st.binary(min_size=16, max_size=16))
    def test_agrees_with_websockets(self, nonce: bytes) -> None:
        key = key_from(nonce)
        assert key_is_valid(key)
        assert accept_key(key) == their_accept_key(key)

    @given(st.binary().filter(lambda nonce: len(nonce) != 16))
    def test_any_other_length_is_invalid(self, nonce: bytes) -> None:
        assert not key_is_valid(base64.b64encode(nonce).decode())
        with pytest.raises(ValueError, match="16 bytes"):
            key_from(nonce)

    @pytest.mark.parametrize(
        "key", ["", "test", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ==\n", "é" * 24]
    )
    def test_invalid_keys(self, key: str) -> None:
        assert not key_is_valid(key)

    @given(st.text())
    def test_never_raises(self, key: str) -> None:
        key_is_valid(key)
        accept_key(key)


class TestLists:
    def test_several_lines_count_as_one(self) -> None:
        assert parse_tokens(["a, b", "c,,", " "]) == ("a", "b", "c")
        assert [item.name for item in parse_extensions(["x; y", "z, w"])] == ["x", "z", "w"]

    def test_quoted_parameters(self) -> None:
        assert parse_extensions(['a; b="c"; d = "e\\f" ;g, h']) == (
            Extension("a", (("b", "c"), ("d", "ef"), ("g", None))),
            Extension("h"),
        )

    def test_separators_within_quotes(self) -> None:
        line = 'a; b=",;\\""; c, d'
        assert parse_extensions([line]) == (Extension("a", (("b", ',;"'), ("c", None))), Extension("d"))
        assert malformed([line]) == ["a: '\",;\\\\\"\"' is not a value for 'b'"]

    @pytest.mark.parametrize("line", ["a b", "a; =1", "a; b=", 'a; b="', ";", "a;", "a; b c"])
    def test_malformed(self, line: str) -> None:
        assert malformed([line])

    TOKENS = st.from_regex(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", fullmatch=True)

    @given(st.lists(TOKENS, min_size=1))
    def test_subprotocols_agree_with_websockets(self, names: list[str]) -> None:
        assert list(parse_tokens([", ".join(names)])) == parse_subprotocol(", ".join(names))

    @given(st.lists(st.builds(Extension, TOKENS, st.lists(st.tuples(TOKENS, st.none() | TOKENS)).map(tuple))))
    def test_what_is_written_is_read(self, extensions: list[Extension]) -> None:
        line = ", ".join(map(str, extensions))
        assert parse_extensions([line]) == tuple(extensions)
        assert malformed([line]) == []
        if extensions:
            assert parse_extension(line) == [(name, list(params)) for name, params in extensions]

    @given(st.lists(st.text(alphabet='a,;="\\ \t€'), max_size=4))
    def test_never_raises(self, lines: list[str]) -> None:
        parse_tokens(lines)
        parse_extensions(lines)
        malformed(lines)

    def test_header_names_have_any_case(self) -> None:
        assert get_all([("UPGRADE", " a\t"), ("x", "y"), ("upgrade", "b")], "Upgrade") == ["a", "b"]


class TestReview:
    def test_a_sound_handshake(self) -> None:
        checks = review(ASKED, 101, ANSWERED)
        assert problems(checks) == []
        assert [check.name for check in checks] == [
            "version",
            "key",
            "status",
            "upgrade",
            "connection",
            "accept-key",
            "subprotocol",
            "extension",
        ]

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            (replaced(ASKED, "Sec-WebSocket-Version", "8"), ["version"]),
            (without(ASKED, "Sec-WebSocket-Version"), ["version"]),
            ([*ASKED, ("Host", "other")], ["host"]),
            (without(ASKED, "Upgrade"), ["request-upgrade"]),
            (replaced(ASKED, "Connection", "close"), ["request-connection"]),
            ([*ASKED, ("Sec-WebSocket-Key", KEY)], ["key-invalid"]),
        ],
    )
    def test_faults_of_the_request(self, asked: Headers, expected: list[str]) -> None:
        assert failed(asked, ANSWERED) == expected

    def test_method_and_version_of_http(self) -> None:
        assert failed(ASKED, ANSWERED, method="POST") == ["method"]
        assert problems(review(ASKED, 101, ANSWERED, "GET", "HTTP/1.0")) == ["http-version"]

    def test_a_careless_key_is_told_though_it_was_answered(self) -> None:
        asked = replaced(ASKED, "Sec-WebSocket-Key", "test")
        answered = replaced(ANSWERED, "Sec-WebSocket-Accept", accept_key("test"))
        assert failed(asked, answered) == ["key-invalid"]

    @pytest.mark.parametrize(
        ("answered", "expected"),
        [
            (without(ANSWERED, "upgrade"), ["upgrade"]),
            (replaced(ANSWERED, "upgrade", "h2c"), ["upgrade"]),
            (replaced(ANSWERED, "upgrade", "websocket, foo"), ["upgrade"]),
            ([*ANSWERED, ("Upgrade", "websocket")], ["upgrade"]),
            (without(ANSWERED, "connection"), ["connection"]),
            (replaced(ANSWERED, "connection", "keep-alive"), ["connection"]),
            (without(ANSWERED, "sec-websocket-accept"), ["accept-key"]),
            ([*ANSWERED, ("Sec-WebSocket-Accept", ACCEPT)], ["accept-key"]),
            (replaced(ANSWERED, "sec-websocket-accept", ACCEPT.lower()), ["accept-key"]),
            ([], ["upgrade", "connection", "accept-key"]),
        ],
    )
    def test_faults_of_the_answer(self, answered: Headers, expected: list[str]) -> None:
        assert failed(ASKED, answered) == expected

    @pytest.mark.parametrize(
        ("accept", "words"),
        [
            (KEY, "it is the key itself"),
            (base64.b64encode(hashlib.sha1(KEY.encode()).digest()).decode(), "without the GUID"),
            (hashlib.sha1((KEY + GUID).encode()).hexdigest(), "hexadecimal"),
            (base64.b64encode(hashlib.sha1((KEY + GUID.lower()).encode()).digest()).decode(), "lower case"),
            (
                base64.b64encode(hashlib.sha1(b"the sample nonce" + GUID.encode()).digest()).decode(),
                "from the decoded key",
            ),
        ],
    )
    def test_common_mistakes_with_the_accept_key_are_named(self, accept: str, words: str) -> None:
        found = check("accept-key", ASKED, replaced(ANSWERED, "sec-websocket-accept", accept))
        assert not found.ok
        assert words in found.text
        assert ACCEPT in found.text

    def test_another_key_s_answer_is_not_explained_away(self) -> None:
        answered = replaced(ANSWERED, "sec-websocket-accept", accept_key(key_from(bytes(16))))
        assert "(" not in check("accept-key", ASKED, answered).text

    def test_no_answer(self) -> None:
        assert failed(ASKED, [], None) == ["status"]


class TestSubprotocol:
    def review(self, offered: list[str], chosen: list[str]) -> Check:
        asked = [*ASKED, *(("Sec-WebSocket-Protocol", value) for value in offered)]
        answered = [*ANSWERED, *(("Sec-WebSocket-Protocol", value) for value in chosen)]
        return review(asked, 101, answered)[-2]

    @pytest.mark.parametrize(
        ("offered", "chosen", "name", "ok"),
        [
            ([], [], "subprotocol", True),
            (["a, b"], ["b"], "subprotocol", True),
            (["a", "b"], ["b"], "subprotocol", True),
            (["a"], [], "subprotocol-not-echoed", False),
            (["a"], [""], "subprotocol-not-echoed", False),
            ([], ["a"], "subprotocol-not-offered", False),
            (["a"], ["b"], "subprotocol-not-offered", False),
            (["graphql-ws"], ["GraphQL-WS"], "subprotocol-not-offered", False),
            (["a, b"], ["a, b"], "subprotocol-several", False),
            (["a, b"], ["a", "b"], "subprotocol-several", False),
            (["Bearer e/yJ="], ["Bearer e/yJ="], "subprotocol-invalid", False),
            (["a, a"], ["a"], "subprotocol-invalid", False),
        ],
    )
    def test_offered_and_chosen(self, offered: list[str], chosen: list[str], name: str, ok: bool) -> None:
        found = self.review(offered, chosen)
        assert (found.name, found.ok) == (name, ok)

    def test_says_who_minds(self) -> None:
        text = self.review(["token"], []).text
        assert "Sent non-empty 'Sec-WebSocket-Protocol' header but no response was received" in text
        assert "Server sent no subprotocol" in text
        assert "upper and lower case" in self.review(["graphql-ws"], ["GraphQL-WS"]).text


class TestExtensions:
    def review(self, offered: list[str], chosen: list[str]) -> Check:
        asked = [*ASKED, *(("Sec-WebSocket-Extensions", value) for value in offered)]
        answered = [*ANSWERED, *(("Sec-WebSocket-Extensions", value) for value in chosen)]
        return review(asked, 101, answered)[-1]

    OFFER = "permessage-deflate; client_max_window_bits"

    @pytest.mark.parametrize(
        ("offered", "chosen", "name", "ok"),
        [
            ([], [], "extension", True),
            ([OFFER], [], "extension", True),
            ([OFFER], ["permessage-deflate"], "extension", True),
            ([OFFER], ["permessage-deflate; client_max_window_bits=12"], "extension", True),
            (["x-custom, " + OFFER], ["x-custom"], "extension", True),
            ([], ["permessage-deflate"], "extension-not-offered", False),
            ([OFFER], ["x-webkit-deflate-frame"], "extension-not-offered", False),
            ([OFFER], ["permessage-deflate; client_max_window_bits"], "extension-params", False),
            ([OFFER], ["permessage-deflate; server_max_window_bits=20"], "extension-params", False),
            ([OFFER], ["permessage-deflate", "permessage-deflate"], "extension-params", False),
            (
                ["permessage-deflate"],
                ["permessage-deflate; client_max_window_bits=9"],
                "extension-params",
                False,
            ),
            ([OFFER], ["permessage deflate"], "extension-params", False),
        ],
    )
    def test_offered_and_chosen(self, offered: list[str], chosen: list[str], name: str, ok: bool) -> None:
        found = self.review(offered, chosen)
        assert (found.name, found.ok) == (name, ok)

    def test_words(self) -> None:
        assert "no compression" in self.review([self.OFFER], []).text
        assert "not known here" in self.review(["x-custom"], ["x-custom"]).text


class TestStatus:
    @pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 426, 429, 500, 502, 503, 504])
    def test_other_answers_are_explained_and_nothing_else_is_judged(self, status: int) -> None:
        assert failed(ASKED, [], status) == ["status"]
        text = check("status", ASKED, [], status).text
        assert text.startswith(str(status))
        assert len(text) > 25

    def test_a_redirect_says_where_to(self) -> None:
        answered = [("Location", "/ws/")]
        assert (
            " to /ws/, which browsers do not follow for a WebSocket"
            in check("status", ASKED, answered, 307).text
        )

    def test_a_known_server_makes_it_precise(self) -> None:
        text = check("status", ASKED, [("server", "uvicorn")], 403).text
        assert "before accept()" in text and "Tornado" not in text
        assert "Tornado" in check("status", ASKED, [("server", "nginx/1.22")], 403).text

    def test_the_version_that_the_server_wants(self) -> None:
        assert explain_status(426, lambda name: ["13"] if "Version" in name else []).endswith("Version 13")

    @given(st.none() | st.integers())
    def test_any_status_is_one_line(self, status: int | None) -> None:
        text = explain_status(status)
        assert text and "\n" not in text


HEADERS = st.lists(
    st.tuples(
        st.one_of(
            st.sampled_from(
                [
                    "Upgrade",
                    "connection",
                    "Sec-WebSocket-Key",
                    "Sec-WebSocket-Accept",
                    "Sec-WebSocket-Protocol",
                    "Sec-WebSocket-Extensions",
                    "Location",
                    "Server",
                ]
            ),
            st.text(),
        ),
        st.one_of(st.text(), st.sampled_from(["websocket", "Upgrade", KEY, ACCEPT, "permessage-deflate"])),
    )
)


@given(HEADERS, st.sampled_from([None, 101, 200, 403]) | st.integers(), HEADERS, st.text(), st.text())
def test_review_never_raises(
    asked: Headers, status: int | None, answered: Headers, method: str, version: str
) -> None:
    checks = review(asked, status, answered, method, version)
    assert problems(checks) == [check.name for check in checks if not check.ok]
    assert all(check.name and check.text for check in checks)
    assert ("status" in problems(checks)) == (status != 101)
