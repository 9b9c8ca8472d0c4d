"""The text form: what is written is read back the same, and a wrong word is named, with what would be right."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hangup.errors import FilterError, HangupError
from hangup.filters.base import Filter, settings
from hangup.filters.library import FILTERS
from hangup.filters.setting_values import Range, Seconds, bare_type
from hangup.filters.text import parse
from hangup.filters.tokenizer import Word, quote, split
from hangup.messages.heartbeats import FORM

_range = st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)).map(lambda r: Range(min(r), max(r)))
_text = st.text(max_size=20) | st.sampled_from(
    [
        '{"type": "ping"}',
        "a b",
        "'",
        '"',
        "side=client",
        "hex:00",
        "[",
        "}",
        "a=b c",
        '"q" x',
        "\\",
        "\n",
        " ",
        "$.a==b",
    ]
)
_VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: _text,
    bytes: st.binary(max_size=12) | _text.map(str.encode),
    int: st.integers(0, 10**12),
    float: st.floats(1e-6, 1e12) | st.sampled_from([0.5, 2.5, 9.0]),
    Seconds: st.floats(0, 1e11, allow_nan=False) | st.sampled_from([0.25, 0.1, 0.0005, 1e-7, 20.0, 90.0]),
    Range: _range | st.integers(0, 99).map(lambda n: Range(n, None)) | st.integers(0, 99).map(lambda n: Range(None, n)),
    tuple[str, ...]: st.lists(st.from_regex(r"[a-z][a-z-]{0,8}", fullmatch=True), min_size=1, max_size=3).map(tuple),
}
_token = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,10}", fullmatch=True)
_path = st.from_regex(r"/[a-z/=]{0,10}", fullmatch=True)
_SPECIAL: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    ("", "regex"): _text,
    ("", "json"): st.sampled_from(["$.type==ping", '$.a["x y"]=="1 2"', "$..n>3", "$.a[?@.b=='c']", "$.x~^p.*", "$"]),
    ("", "form"): st.sampled_from(list(FORM)),
    ("path", "to"): _path,
    ("path", "with"): _path,
    ("rewrite", "set"): st.sampled_from(['{"a": 1}', '{"ts":"a b","n":[1, 2]}', "{}"]),
    ("refuse", "status"): st.integers(200, 599),
    ("close", "code"): st.integers(0, 65535),
    ("set-header", "name"): _token,
    ("strip-header", "name"): _token,
    ("set-header", "value"): _text.map(str.strip),
    ("origin", "value"): _text.map(str.strip),
    ("subprotocol", "answer"): _token,
    ("drop-malformed", "what"): st.sampled_from([("framing",), ("nan", "bom"), ("not-json", "rsv")]),
    ("repair-malformed", "what"): st.sampled_from([("framing",), ("nan", "bom")]),
}


def _value(word: str, name: str, annotation: Any) -> st.SearchStrategy[Any]:
    found = _SPECIAL.get((word, name), _SPECIAL.get(("", name)))
    if found is not None:
        return found
    kind = bare_type(annotation)
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    return _VALUES[kind]


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    """Any filter with any settings that it accepts."""
    cls = draw(st.sampled_from([cls for word, cls in FILTERS.items() if word != "script"]))
    values = {}
    for name, field in settings(cls).items():
        if field.required or draw(st.integers(0, 3)) == 0:
            values[field.name] = draw(_value(cls.word(), name, field.type))
    try:
        return cls(**values)
    except FilterError:
        assume(False)
        raise


@given(filters())
def test_what_is_written_is_read_back_the_same(filter: Filter) -> None:
    text = str(filter)
    assert parse(text) == filter
    assert str(parse(text)) == text
    assert text.isprintable()  # one line


@pytest.mark.parametrize("word", FILTERS)
def test_every_example_is_a_filter_and_is_written_as_it_is_given(word: str) -> None:
    if word == "script":
        return
    filter = parse(FILTERS[word].example)
    assert type(filter) is FILTERS[word]
    assert str(filter) == FILTERS[word].example


@pytest.mark.parametrize("word", FILTERS)
def test_every_filter_has_a_page_of_help_and_says_what_its_settings_are(word: str) -> None:
    cls = FILTERS[word]
    assert cls.__doc__ and len(cls.__doc__.split("\n\n")) >= 1 and cls.__doc__.split(".")[0]
    for name, field in settings(cls).items():
        assert msgspec.inspect.type_info(field.type) is not None
        description = next(
            (note.description for note in getattr(field.type, "__metadata__", ()) if hasattr(note, "description")), ""
        )
        assert description, f"{word} {name}"


@given(st.lists(_text, max_size=6))
def test_quoted_words_are_split_as_they_were(values: list[str]) -> None:
    line = " ".join(f"key={quote(value)}" for value in values)
    assert [(word.key, word.value) for word in split(line)] == [("key", value) for value in values]
    line = " ".join(quote(value, keys=frozenset({"key"})) for value in values)
    found = [f"{word.key}={word.value}" if word.key and not word.quoted else word.value for word in split(line)]
    assert found == values


@given(st.text(max_size=60) | st.lists(_text, max_size=5).map(" ".join))
def test_any_line_is_split_or_refused_in_one_line(line: str) -> None:
    try:
        words = split(line)
    except FilterError as error:
        assert "\n" not in str(error) or "\n" in line
        return
    assert all(word.raw in line for word in words)


@given(st.sampled_from(list(FILTERS)), st.text(max_size=40) | st.lists(_text, max_size=4).map(" ".join))
def test_any_words_after_a_name_make_a_filter_or_a_filter_error(word: str, rest: str) -> None:
    try:
        filter = parse(f"{word} {rest}")
    except HangupError as error:
        assert isinstance(error, FilterError) and error.exit_code == 2
        return
    assert parse(str(filter)) == filter


WRONG = [
    "«drop-heartbeet» side=client",
    "drop-heartbeat «sid=client»",
    "drop-heartbeat «side=cleint»",
    "drop-heartbeat  side=client «side=server»",
    "drop-heartbeat «form=nosuch» side=client",
    "drop «regex=(» side=client",
    "drop side=client «json=type==ping»",
    "drop-heartbeat «client»",
    "drop text=«'open»",
    "drop contains=«\"open»",
    "rewrite side=client to=«{\"a\":1»",
    "rewrite «set=1»",
    "delay «every»",
    "fragment «bytes=0»",
]


@pytest.mark.parametrize("marked", WRONG)
def test_an_error_says_where_it_is(marked: str) -> None:
    start, stop = marked.index("«"), marked.index("»") - 1
    with pytest.raises(FilterError) as caught:
        parse(marked.replace("«", "").replace("»", ""))
    assert caught.value.span == (start, stop), str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("inject from=server send=x", "needs a time"),
        ("inject from=server send=x every=0s", "would never stop"),
        ("inject from=server send=x at=1s later=1s", "does not go with at= or every="),
        ("rewrite side=client", "needs one of to=, set= and replace="),
        ("rewrite to=a set={}", "needs one of to=, set= and replace="),
        ("rewrite replace=''", "must not be empty"),
        ("rewrite to=a with=b", "with= needs replace="),
        ("rewrite set=[1]", "must be a JSON object"),
        ("close from=server at=1s code=65536", "does not fit into a close frame"),
        ("close from=server at=1s code=1000 reason=" + "x" * 124, "longer than the 123 bytes"),
        ("close from=server at=1s reason=bye", "a reason needs a code"),
        ("close from=server at=1s how=rst code=1000", "without a close frame"),
        ("drop json=$.a~(", "is not a regular expression"),
        ("drop json=$.a>true", "there must be a number or a string"),
    ],
)
def test_settings_that_do_not_go_together(text: str, words: str) -> None:
    with pytest.raises(FilterError, match=re.escape(words)):
        parse(text)


def test_what_is_missing_is_nowhere() -> None:
    with pytest.raises(FilterError) as caught:
        parse("rewrite-heartbeat side=client")
    assert caught.value.span is None


def test_json_stands_in_a_value_as_it_is() -> None:
    words = split('rewrite json=$.type=="a b" to={"type": "x y", "n": [1, 2]} side=client')
    assert words == [
        Word("", "rewrite", False, "rewrite", (0, 7)),
        Word("json", '$.type=="a b"', False, 'json=$.type=="a b"', (8, 26)),
        Word("to", '{"type": "x y", "n": [1, 2]}', False, 'to={"type": "x y", "n": [1, 2]}', (27, 58)),
        Word("side", "client", False, "side=client", (59, 70)),
    ]


@pytest.mark.parametrize(
    ("text", "filter"),
    [
        ("drop text=ping", "drop text=ping"),
        ("drop   text='ping'", "drop text=ping"),
        ('drop text="ping"', "drop text=ping"),
        ("drop text=hex:c000", "drop text=hex:c000"),
        ("drop text='hex:c000'", "drop text='hex:c000'"),
        ("drop text=hex:70696e67", "drop text=ping"),
        ("drop text=", "drop text=''"),
        ("delay by=1500ms", "delay 1.5s"),
        ("delay 1m", "delay 60s"),
        ("drop index=3..3", "drop index=3"),
        ("set-header Cookie a=b", "set-header Cookie a=b"),
        ("set-header X 'in=request'", "set-header X 'in=request'"),
        ("set-header value=x name=Y", "set-header Y x"),
        ("query token", "query token"),
        (
            "close from=client code=1001 reason='going away' at=2",
            "close from=client code=1001 reason='going away' at=2s",
        ),
    ],
)
def test_ways_to_say_the_same(text: str, filter: str) -> None:
    assert str(parse(text)) == filter


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "begins with its name"),
        ("drop-hartbeat", "'drop-hartbeat'; did you mean drop-heartbeat?"),
        ("side=client drop", "no filter 'side=client'"),
        ("drop sid=client", "no setting 'sid'; did you mean side?"),
        ("drop side=clint", "side=clint: it must be client or server; did you mean client?"),
        ("drop-ping colour=red", "it has: side, path, client"),
        ("drop client", "'client' is too much; did you mean client=?"),
        ("drop side=client side=server", "side is given twice"),
        ("drop size=large", "size=large: it must be a number, or a range such as 3..7"),
        ("drop size=7..3", "first number is not the larger"),
        ("drop index=..", "a number on at least one side"),
        ("drop first=-1", "it must be a whole number"),
        ("drop after=soon", "a time such as 20s"),
        ("drop text=hex:c", "an even number of hexadecimal digits"),
        ("drop regex='('", "not a regular expression"),
        ("drop json=type==ping", "begins with $"),
        ("drop json=$.[", "']' is missing in $.["),
        ("drop json='$.['", "is not a JSON path"),
        ("drop json=$.n>[]", "a number or a string"),
        ("drop text='open", "the quote is not closed"),
        ('drop text="a"b', "a space after the closing quote"),
        ('drop text="\\x"', "not a JSON string"),
        ("rewrite side=client", "one of to=, set= and replace="),
        ("rewrite set=[]", "must be a JSON object"),
        ("strip-header", "strip-header needs name, for instance: strip-header Sec-WebSocket-Extensions"),
        ("strip-header 'a b'", "not a valid header name"),
        ("set-header A 'b\tc\x00'", "control characters"),
        ("close from=server code=99999", "does not fit"),
        ("inject from=client send=x", "needs a time"),
        ("drop-malformed what=utf8", "no such fault"),
        ("drop-heartbeat form=mqt", "no such form"),
        ("refuse 101", "not a status to refuse with"),
        ("path ws", "must begin with /"),
        ("delay", "delay needs by"),
        ("throttle 0", "would let nothing through"),
        ("throttle messages=0", "would let nothing through"),
        ("throttle side=client", "a rate in bytes, or messages=, and not both"),
        ("throttle 5 messages=5", "and not both"),
        ("throttle messages=fast", "a number such as 5 or 2.5"),
        ("script /nowhere/at/all.py", "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    with pytest.raises(FilterError) as raised:
        parse(text)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
