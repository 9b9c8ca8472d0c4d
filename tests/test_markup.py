"""Foreign text in Markdown, read by a parser of Markdown: it stays in its code, and is no markup anywhere."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from hangup.humanize import plural, printable
from hangup.markup import block, cell, code, plain, prose
from hangup.recording.events import Header
from hangup.recording.formats.markdown import MarkdownWriter

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])

MARKS = "`|\\*_[]()<>!&@#~$-+.:/ab1 \n\r\t\x1b\u202e\u0301é\0"
texts = st.text(MARKS, max_size=40) | st.text(max_size=40)
NASTY = [
    "`", "``", "a`b``c```d", "|", "\\|", "\\\\|", "<script>x</script>", "[a](javascript:x)", "![x](y)", "&lt;b&gt;",
    "# x", "- x", "1. x", "\n\n# x", "\x1b[31m", "***", "__a__", "~~a~~", "@someone", "http://x.example/", "www.x.org",
    "`x` <b> `y`", "one ` tick", "<b> @me `<i>|`", "[x](javascript:1) `", " `", "` ", "```\n</details>",
    "\u202egnp.exe",
]  # fmt: skip


def inline(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.type == "inline":
            yield from token.children or []


def words(markdown: str) -> list[tuple[str, str]]:
    """What a paragraph is made of, by type; raises where it is not one paragraph of text and code."""
    tokens = PARSER.parse(markdown)
    assert [t.type for t in tokens] in ([], ["paragraph_open", "inline", "paragraph_close"]), tokens
    found = [(t.type, t.content) for t in inline(tokens)]
    assert {kind for kind, _ in found} <= {"text", "code_inline", "text_special"}, found
    return found


@pytest.mark.parametrize("text", NASTY)
def test_what_is_nasty(text: str) -> None:
    check(text)


@given(texts)
def test_any_text_is_only_text(text: str) -> None:
    check(text)


def check(text: str) -> None:
    shown = "".join(said for _, said in words(f"x {plain(text)} x"))
    assert shown.split() == f"x {printable(text)} x".split()
    for kind, said in words(f"x {prose(text)} x"):
        assert kind == "code_inline" or said.isprintable()
    coded = words(f"x {code(text)} x")
    if printable(text).strip():
        assert [kind for kind, _ in coded] == ["text", "code_inline", "text"]
        assert coded[1][1].strip() == printable(text).strip()
    table = PARSER.parse(f"| a | b |\n|---|---|\n| {cell(code(text))} | {cell(prose(text))} |\n\nend")
    assert [t.type for t in table].count("td_open") == 2
    assert {t.type for t in inline(table)} <= {"text", "code_inline", "text_special"}
    fenced = PARSER.parse("\n".join([*block([text, "second"], "http"), "end"]))
    assert [t.type for t in fenced] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert fenced[0].content == f"{printable(text)}\nsecond\n"


@given(texts, texts)
def test_a_sentence_keeps_its_own_code(name: str, value: str) -> None:
    name = name.replace("`", "").strip() or "since"
    found = words(f"x {prose(f'the {code(name)} holds {value}')}")
    assert ("code_inline", printable(name)) in [(kind, said.strip()) for kind, said in found]


@given(texts)
def test_it_is_cut_to_its_limit(text: str) -> None:
    assert len(code(text, 10).strip("` ")) <= 10


def test_the_version_that_a_header_names_is_no_markup() -> None:
    out = io.BytesIO()
    header = Header(hangup=1, started="", target="", version="[x](http://evil.example) <img src=x> @somebody\n# head")
    MarkdownWriter(out, header).finish()
    text = out.getvalue().decode()
    assert "[x](" not in text and "<img" not in text and " @somebody" not in text and "\n# head" not in text
    assert "by hangup 0.1.0" in _finished("0.1.0")


def _finished(version: str) -> str:
    out = io.BytesIO()
    MarkdownWriter(out, Header(hangup=1, started="", target="", version=version)).finish()
    return out.getvalue().decode()


@pytest.mark.parametrize(
    ("noun", "said"),
    [
        ("frame", "2 frames"),
        ("frame's fault", "2 frame's faults"),
        ("payload that was cut in the recording", "2 payloads that were cut in the recording"),
        ("message that is not complete in the recording", "2 messages that are not complete in the recording"),
        ("frame of an unknown kind", "2 frames of an unknown kind"),
        ("frame with a reserved opcode", "2 frames with a reserved opcode"),
    ],
)
def test_more_than_one(noun: str, said: str) -> None:
    assert plural(2, noun) == said and plural(1, noun) == f"1 {noun}"
