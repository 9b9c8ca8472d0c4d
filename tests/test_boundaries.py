"""The boundary of what a text, a list or an element of one says, and of how it is written: what is said of the answers,
and that the fresh values on either side of it are what they are said to be."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from random import Random
from typing import Any

import pytest

from hangup.experiment.boundary import condition
from hangup.experiment.law import Condition
from hangup.experiment.search import Verdict, search
from hangup.experiment.spelling_law import SPELLINGS, plain
from hangup.experiment.text_boundary import of_text
from simulated import case, run
from test_law import HARMLESS, HELLO, found, order, say
from test_message_laws import kinds_said

Minds = Callable[[Any], bool]

FRESH = 40
"""So many fresh values on either side."""


def asked(asking: Generator[Any, bool | None, Condition], minds: Minds) -> Condition:
    """What is found where whatever is minded fails."""
    try:
        value = next(asking)
        while True:
            value = asking.send(minds(value))
    except StopIteration as stop:
        found: Condition = stop.value
        return found


def borne_out(found: Condition, minds: Minds, *, both: bool = True) -> None:
    """What is made to fail fails, and what is made to survive survives."""
    rng = Random(1)
    for make, expected in ((found.fails, True), (found.survives, False)):
        if make is None:
            assert not both, found.words
            continue
        for _ in range(FRESH):
            value = make(rng)
            assert minds(value) is expected, (found.words, value)


def text(bad: str, minds: Minds, good: str = "hello") -> Condition:
    assert minds(bad) and not minds(good)
    return asked(of_text(("note",), bad, good, ()), minds)


def beyond(charset: str) -> Minds:
    """Whether a program that writes this character set cannot write the text."""

    def minds(value: str) -> bool:
        try:
            value.encode(charset)
        except UnicodeEncodeError:
            return True
        return False

    return minds


def any_of(characters: str) -> Minds:
    return lambda value: any(c in characters for c in value)


class TestSortsOfCharacters:
    @pytest.mark.parametrize(
        ("bad", "minds", "words"),
        [
            ("café", beyond("ascii"), "a character that is not ASCII"),
            ("10 €", beyond("ascii"), "a character that is not ASCII"),
            ("ok \U0001f680", beyond("ascii"), "a character that is not ASCII"),
            ("10 €", beyond("latin-1"), "a character that Latin-1 does not have"),
            ("ok \U0001f680", beyond("latin-1"), "a character that Latin-1 does not have"),
            ("Łódź", beyond("cp1252"), "a character that Windows-1252 does not have"),
            ("ok \U0001f680", beyond("cp1252"), "a character that Windows-1252 does not have"),
            ("ok \U0001f680", lambda v: max(v) > "\uffff", "a character outside the Basic Multilingual Plane"),
            ("O'Neil", any_of("'\""), "a quotation mark or apostrophe"),
            ("one\ntwo", any_of("\r\n"), "a line break"),
            ("one\x07two", lambda v: any(ord(c) < 32 for c in v), "a control character"),
            ("one two", lambda v: any(c.isspace() for c in v), "white space"),
            ("a<b", any_of("<>&"), "an angle bracket or ampersand"),
            ("a\\b", any_of("/\\"), "a slash or backslash"),
            ("a-b", lambda v: not (v.isascii() and v.isalnum()), "a character that is no ASCII letter or digit"),
            ("say #tag", any_of("#"), "'#'"),
            ("O'Neil", any_of("'"), '"\'"'),
            ("über", any_of("ü"), "'ü'"),
            ("5 €", any_of("€"), "'€'"),
        ],
    )
    def test_the_widest_sort_of_which_all_fail(self, bad: str, minds: Minds, words: str) -> None:
        found = text(bad, minds)
        assert f"contains {words}" in found.words, found.words
        borne_out(found, minds)

    def test_what_a_harmless_text_has_is_of_no_sort_that_fails(self) -> None:
        minds = beyond("latin-1")
        found = text("zwölf €", minds, "zwölf")
        assert "Latin-1" in found.words
        borne_out(found, minds)

    def test_a_word_of_letters_is_a_word_and_no_sort(self) -> None:
        def minds(value: str) -> bool:
            return "damned" in value.split()

        found = text("you damned thing", minds)
        assert "contains 'damned'" in found.words
        borne_out(found, minds)

    def test_the_very_text(self) -> None:
        found = text("DROP", lambda v: v == "DROP")
        assert found.words == "`note` is 'DROP'" and found.holds is not None
        assert found.holds("DROP") and not found.holds("DROPS")


class TestLists:
    def list_(self, bad: list[Any], good: list[Any], minds: Minds) -> Condition:
        assert minds(bad) and not minds(good)
        return asked(condition(("items",), bad, good, ()), minds)

    @pytest.mark.parametrize("bad", [list(range(30)), [f"SKU-{n:03}" for n in range(30)], [n / 3 for n in range(30)]])
    def test_too_long_whatever_is_in_it(self, bad: list[Any]) -> None:
        def minds(value: list[Any]) -> bool:
            return len(value) > 12

        found = self.list_(bad, bad[:2], minds)
        assert found.words == "`items` has 13 elements or more" and "survives 12 elements, fails 13" in found.boundary
        borne_out(found, minds)
        assert found.edge is not None and [len(each) for each in found.edge] == [12, 13]

    def test_two_objects_with_the_same_value_of_a_key(self) -> None:
        def minds(value: list[Any]) -> bool:
            skus = [each["sku"] for each in value]
            return len(set(skus)) < len(skus)

        bad = [{"sku": s, "n": n} for s, n in (("S-3", 1), ("S-9", 2), ("S-3", 7), ("S-4", 2))]
        found = self.list_(bad, bad[:1], minds)
        assert found.words == "two elements of `items` have the same `sku`"
        borne_out(found, minds)

    def test_a_long_list_of_objects_is_too_long_and_none_of_them_is_there_twice(self) -> None:
        def minds(value: list[Any]) -> bool:
            return len(value) > 5

        bad = [{"sku": f"S-{n}", "n": 2} for n in range(9)]
        found = self.list_(bad, bad[:2], minds)
        assert found.words == "`items` has 6 elements or more", found.words
        assert found.fails is not None
        for n in range(20):
            made = [each["sku"] for each in found.fails(Random(n))]
            assert len(set(made)) == len(made)

    def test_what_is_as_long_and_does_no_harm_is_not_too_long(self) -> None:
        """Whatever it is: a list of six did no harm."""

        def minds(value: list[Any]) -> bool:
            return 4 in value and 5 in value

        bad, known = [3, 4, 5, 8], [[1, 2, 3, 6, 7, 8]]
        found = asked(condition(("items",), bad, [3], known), minds)
        assert "elements or more" not in found.words

    def test_what_is_further_away_and_does_no_harm_is_no_limit(self) -> None:
        found = asked(condition(("n",), 7, 3, [2, 40]), lambda v: v == 7)
        assert found.words == "`n` is 7"
        found = asked(condition(("name",), "abcdefgh", "abc", ["abcdefghijkl"]), lambda v: len(v) == 8)
        assert "or more" not in found.words

    @pytest.mark.parametrize("bad", [[3, 5, 3, 8], ["a", "b", "a"], [1, 1]])
    def test_the_same_element_twice(self, bad: list[Any]) -> None:
        def minds(value: list[Any]) -> bool:
            return len(value) != len({repr(each) for each in value})

        found = self.list_(bad, bad[:1], minds)
        assert found.words == "`items` has the same element twice"
        borne_out(found, minds)

    @pytest.mark.parametrize(
        ("bad", "minds"),
        [
            ([1, 2, 3, 666, 4, 5], lambda v: 666 in v),
            (["a", "b", "boom", "c"], lambda v: "boom" in v),
            ([{"id": 1}, {"id": 2}, {"id": None}], lambda v: {"id": None} in v),
        ],
    )
    def test_what_is_in_it_is_not_called_its_length(self, bad: list[Any], minds: Minds) -> None:
        found = self.list_(bad, bad[:2], minds)
        assert "elements or more" not in found.words and "twice" not in found.words
        assert found.holds is not None and found.holds(bad) and not found.holds(bad[:2])

    def test_an_empty_one(self) -> None:
        found = self.list_([], [1], lambda v: not v)
        assert found.words == "`items` is empty" and found.holds is not None and found.holds([])


def cart(*items: Any) -> str:
    return say("order", id=7, items=list(items))


def item(sku: str, **more: Any) -> dict[str, Any]:
    return {"sku": sku, "qty": 2, "size": {"w": 4, "h": 5}, **more}


ITEMS = [cart(item("A1")), cart(item("B2", qty=3), item("C3")), cart(item("D4", size={"w": 1, "h": 9}), item("E5"))]


class TestElements:
    """One element of a list does it, wherever it stands and however many there are."""

    @pytest.mark.parametrize(
        ("minds", "bad", "words", "boundary"),
        [
            (lambda i: i["sku"] == "BOOM", item("BOOM"), "`items[0].sku` is 'BOOM'", ""),
            (lambda i: "h" not in i["size"], item("F6", size={"w": 3}), "`items[0].size.h` is missing", ""),
            (lambda i: i["qty"] is None, item("F6", qty=None), "`items[0].qty` is null", ""),
            (lambda i: i["qty"] > 40, item("F6", qty=900), "`items[0].qty` is 41 or more", "survives 40, fails 41"),
        ],
    )
    @pytest.mark.parametrize("beside", [0, 3])
    def test_the_element_and_what_it_is_about_it(
        self, minds: Minds, bad: Any, words: str, boundary: str, beside: int
    ) -> None:
        others = [item(f"Z{n}") for n in range(beside)]
        verdict = found(
            lambda m: any(minds(each) for each in m.get("items", ())), HELLO, *ITEMS, cart(*others, bad, *others)
        )
        law = verdict.law
        assert law is not None and words in law.sentence and "elements or more" not in law.sentence, law
        assert boundary in law.boundary and law.holds and law.predicted >= 8, law.missed

    def test_an_element_that_is_null(self) -> None:
        lists = [say("order", tags=["a"]), say("order", tags=["b", "c"]), say("order", tags=["d", "e", "f"])]
        last = say("order", tags=["a", "b", None, "c"])
        verdict = found(lambda m: None in m.get("tags", ()), HELLO, *lists, last)
        law = verdict.law
        assert law is not None and "`tags[0]` is null" in law.sentence and law.holds, law

    def test_a_number_in_a_plain_list(self) -> None:
        lists = [say("order", prices=[1, 2]), say("order", prices=[3]), say("order", prices=[4, 5, 6])]
        verdict = found(
            lambda m: any(p > 99 for p in m.get("prices", ())), HELLO, *lists, say("order", prices=[7, 5000, 8, 9])
        )
        law = verdict.law
        assert law is not None and "`prices[0]` is 100 or more" in law.sentence and law.holds, law
        assert "survives 99, fails 100" in law.boundary


# How it is written.

WRITTEN: dict[str, tuple[Callable[[str], bytes], Callable[[bytes], bool], str]] = {
    "mark": (
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda p: p.startswith(b"\xef\xbb\xbf"),
        "it begins with a byte order mark",
    ),
    "newline": (lambda text: text.encode() + b"\n", lambda p: p.endswith(b"\n"), "a line break follows the JSON"),
    "indented": (
        lambda text: json.dumps(json.loads(text), indent=1).encode(),
        lambda p: b"\n" in p.strip(),
        "the JSON has line breaks in it",
    ),
    "escapes": (
        lambda text: text.replace("hello", "h\\u0065llo").encode(),
        lambda p: b"\\u" in p,
        "characters are written as escapes",
    ),
    "spaces": (lambda text: json.dumps(json.loads(text)).encode(), lambda p: b": " in p, "it has spaces between"),
}


def of_bytes(minds: Callable[[bytes], bool], last: bytes) -> Verdict:
    """What is found on a server that ends the connection on bytes that it minds."""
    made = kinds_said(case(HELLO, *HARMLESS, last.decode()))
    assert minds(last) and not any(minds(frame.payload) for frame in made.frames[:-1])
    return run(search(made), made, lambda said, trial: any(minds(payload) for _, payload in said), most=900)


class TestSpelling:
    @pytest.mark.parametrize("name", WRITTEN)
    def test_how_it_is_written_and_not_what_it_says(self, name: str) -> None:
        write, minds, words = WRITTEN[name]
        verdict = of_bytes(minds, write(order()))
        law = verdict.law
        assert law is not None and words in law.sentence, law
        assert "written plainly, the message does no harm" in law.sentence
        assert law.holds and law.predicted == 8 and verdict.proved, law.missed

    @pytest.mark.parametrize("name", WRITTEN)
    def test_what_fails_for_its_values_is_not_put_down_to_how_it_is_written(self, name: str) -> None:
        """Each is written oddly as well, and a parser does not mind."""
        write, _, words = WRITTEN[name]

        def minds(payload: bytes) -> bool:
            try:
                return bool(json.loads(payload.decode("utf-8-sig")).get("qty", 0) > 100)
            except (ValueError, TypeError, AttributeError):
                return True

        law = of_bytes(minds, write(order(qty=4000))).law
        assert law is not None and words not in law.sentence, law
        assert "`qty` is 101 or more" in law.sentence and law.holds, law

    @pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling.words)
    @pytest.mark.parametrize("said", [order(), say("a", n=1, text="x y"), '42["chat",{"a":"b, c"}]', "[]"])
    def test_written_otherwise_it_says_the_same(self, spelling: Any, said: str) -> None:
        written = spelling.write(said.encode())
        assert plain(written) == (said.encode() if written != said.encode() else None)

    def test_what_is_no_json_is_not_written_in_any_way(self) -> None:
        assert plain(b"hello\n") is None and plain(b'"a" ') is None and plain(order().encode()) is None
