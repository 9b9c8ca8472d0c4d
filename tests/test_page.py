"""The page in a real browser, on recordings: what is seen, the keyboard, and payloads that would like to be markup."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import recorded
from hangup import humanize
from hangup.recording import events as ev
from opened import Browser, browser, opened

RECORDINGS = Path(__file__).parents[1] / "recordings"
LOOP = RECORDINGS / "a3-text-ping-to-json-reader.jsonl"

MARKUP = '<img src=x onerror="window.__hit=1"><script>window.__hit=1</script>'
NASTY = [
    MARKUP,
    json.dumps({MARKUP: MARKUP, "__proto__": {"html": MARKUP}, "constructor": 1, "n": 12345678901234567890}),
    "\u202egnp.exe\u2066\u200b \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "nul \x00 escape \x1b[31m bell \x07 end",
    "${window.__hit=1} {{7*7}} javascript:window.__hit=1",
    "x" * 300_000,
    "[" * 20_000,
    '{"deep":' + "[" * 500 + "]" * 500 + "}",
]
ROW = ".list .row"


def hostile(path: Path) -> Path:
    """Foreign text everywhere that the page shows any."""
    request = ev.Request(target=f"/{MARKUP}", headers=[("Host", "x"), (MARKUP, MARKUP), ("X-Nul", "\x00\u202e")])
    response = ev.Response(status=101, reason=MARKUP, headers=[("Set-Cookie", MARKUP)])
    events: list[ev.Event] = [ev.Handshake(at=0.1, conn=1, client=MARKUP, request=request, response=response)]
    for n, said in enumerate(NASTY, 1):
        events.append(recorded.text(0.2 + 0.1 * n, "client" if n % 2 else "server", n, said))
    odd = bytes(range(256))
    events += [
        ev.Frame(at=1.2, conn=1, n=20, side="server", opcode=MARKUP, base64=odd, problems=("rsv", MARKUP)),
        ev.FilterEvent(at=1.21, filter=f"drop text={MARKUP}", action="on"),
        ev.FilterEvent(at=1.22, conn=1, filter=MARKUP, action="drop", side="server", n=20, note=MARKUP),
        ev.Log(at=1.3, conn=1, source=MARKUP, text=f"{MARKUP}\n\x1b[31mred"),
        ev.Note(at=1.31, text=MARKUP),
        recorded.close(1.4, "server", 21, 4001, MARKUP[:100]),
        ev.End(at=1.5, conn=1, side="server", how="rst", by=MARKUP, note=MARKUP),
    ]
    header = ev.Header(hangup=ev.FORMAT, started=recorded.STARTED, target=MARKUP, listen=MARKUP, note=MARKUP)
    return recorded.write(path, events, header)


@pytest.fixture(scope="module")
def seen() -> Iterator[Browser]:
    """The browser of all tests here."""
    with browser() as made:
        yield made


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The recordings' pages; a link works once, so each is followed here."""
    folder = tmp_path_factory.mktemp("page")
    many = [event for conn in range(1, 3001) for event in _lasting(conn)]
    recordings = {
        "loop": LOOP,
        "hostile": hostile(folder / "hostile.jsonl"),
        "many": recorded.write(folder / "many.jsonl", many),
    }
    with ExitStack() as stack:
        yield {name: stack.enter_context(opened(path)) for name, path in recordings.items()}


def _lasting(conn: int) -> list[ev.Event]:
    """Too long to be part of a loop: those are folded."""
    at = conn * 0.01
    return [recorded.handshake(at, conn, f"/ws/{conn % 7}"), recorded.end(at + 10.5 + conn % 5, "client", conn=conn)]


@pytest.fixture
def page(seen: Browser, links: dict[str, str], request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page of a recording (``loop``, or the test's parameter), as it is when it is opened."""
    name = getattr(request, "param", "loop")
    seen.page.emulate_media(color_scheme="light")
    seen.page.set_viewport_size({"width": 1440, "height": 900})
    shown = seen.open(links[name])
    links[name] = links[name].partition("open?")[0]  # the cookie is there now
    yield shown
    assert seen.problems == []
    assert seen.hosts <= {link.split("/")[2] for link in links.values()}
    assert shown.evaluate("window.__hit") is None


def module(page: Any, name: str, code: str, argument: Any = None) -> Any:
    """What a JavaScript expression gives, with the page's module ``m`` and ``argument``."""
    body = f"const m = await import('./page/{name}.js'); return {code};"
    return page.evaluate(f"async argument => {{ {body} }}", argument)


PIXELS = """async names => {
  const canvas = document.querySelector(".lanes-canvas"), ratio = devicePixelRatio;
  const style = getComputedStyle(document.documentElement);
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const pen = copy.getContext("2d", { willReadFrequently: true });
  pen.drawImage(canvas, 0, 0);
  const wanted = names.map(name => {
    const text = style.getPropertyValue("--" + name).trim();
    return [1, 3, 5].map(at => parseInt(text.slice(at, at + 2), 16));
  });
  const { data, width, height } = pen.getImageData(0, 0, canvas.width, canvas.height);
  const lanes = [];
  for (let top = 0; top + 32 * ratio <= height; top += 32 * ratio) {
    lanes.push(wanted.map(([r, g, b]) => {
      const found = new Set();
      for (let y = top; y < top + 31 * ratio; y++) for (let x = 0; x < width; x++) {
        const at = 4 * (y * width + x);
        if (data[at] === r && data[at + 1] === g && data[at + 2] === b && data[at + 3] === 255) found.add(x);
      }
      return [...found].sort((a, b) => a - b);
    }));
  }
  return lanes;
}"""


def test_the_loop_is_seen_at_one_glance(page: Any, seen: Browser) -> None:
    expect_text(page, ".loop", r"Loop of 6.*822 ms.*server \(FIN\).*310 ms")
    options = page.get_by_role("listbox", name="Connections, the newest first").get_by_role("option")
    assert options.count() == 6
    labels = [each.get_attribute("aria-description") for each in options.all()]
    assert [re.match(r"Connection (\d)", label)[1] for label in labels] == list("654321")
    assert all("part of a loop" in label and "1 heartbeat" in label and "bare FIN" in label for label in labels)
    seen.settle()
    picture = page.evaluate(PIXELS, ["heartbeat", "bad"])[:6]
    for heartbeats, walls in picture:
        assert heartbeats, "no heartbeat in this lane"
        # The lane's end is next to its heartbeat: what is drawn of either is a few pixels wide.
        middle = (heartbeats[0] + heartbeats[-1]) / 2
        assert any(abs(x - middle) < 14 for x in walls)
    ends = [heartbeats[-1] for heartbeats, _ in picture]
    assert ends == sorted(ends, reverse=True)


def test_the_account_comes_first(page: Any) -> None:
    expect_text(page, ".verdict h2", r"^#6 The server ended it, with a bare FIN and no close frame")
    page.get_by_role("tab", name="Ending").click()
    expect_text(page, ".steps", r"server.*FIN.*client.*FIN")
    page.get_by_role("tab", name="Handshake").click()
    expect_text(page, ".checks", r"Sec-WebSocket-Accept answers the key")
    assert page.locator(".half").count() == 2
    expect_text(page, ".half >> nth=0", r"GET /ws/client-1 HTTP/1.1.*Sec-WebSocket-Key")
    expect_text(page, ".half >> nth=1", r"HTTP/1.1 101.*Sec-WebSocket-Accept")


def test_by_keyboard(page: Any, seen: Browser) -> None:
    lanes = page.get_by_role("listbox", name="Connections, the newest first")
    lanes.focus()
    page.keyboard.press("ArrowDown")
    expect_text(page, ".verdict h2", "^#5 ")
    page.keyboard.press("End")
    expect_text(page, ".verdict h2", "^#1 ")
    assert lanes.get_attribute("aria-activedescendant") == "lane-1"
    seen.settle()
    whole = page.evaluate("document.querySelector('.axis').toDataURL()")
    page.keyboard.press("+")
    seen.settle()
    zoomed = page.evaluate("document.querySelector('.axis').toDataURL()")
    assert zoomed != whole
    page.keyboard.press("ArrowRight")
    seen.settle()
    assert page.evaluate("document.querySelector('.axis').toDataURL()") != zoomed
    page.keyboard.press("f")
    seen.settle()
    assert page.evaluate("document.querySelector('.axis').toDataURL()") == whole
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{ROW}:not(.waiting)")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector(".entry")
    page.keyboard.press("End")
    expect_text(page, ".entry h3", "client FIN")
    for _ in range(2):
        page.keyboard.press("ArrowUp")
    expect_text(page, ".entry h3", "client frame 8: text, a heartbeat")
    page.keyboard.press("Escape")
    page.wait_for_selector(".entry", state="detached")
    # Tab goes on to everything else, and comes back.
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement?.matches('.lanes')"):
            break
    else:
        raise AssertionError("the lanes cannot be reached by Tab")


def test_a_citation_leads_to_its_frame(page: Any) -> None:
    expect_text(page, ".why", r"heartbeat/app-ping-kills.*\d+% sure")
    page.get_by_role("button", name="connection 1, frame 8").first.click()
    expect_text(page, ".entry h3", "client frame 8: text, a heartbeat")
    expect_text(page, ".entry", r"0 ms before it ended|32 ms before it ended")
    expect_text(page, ".verdict h2", "^#1 ")
    assert "ping" in page.locator(f"{ROW}[aria-selected=true]").inner_text()


def test_what_is_chosen_at_once_after_another_choice_counts(page: Any) -> None:
    """It used to be taken back where the page had not drawn the first one yet."""
    page.wait_for_selector(f"{ROW}:not(.waiting)")
    page.evaluate(
        """() => {
        const choose = (label, value) => {
            const select = document.querySelector(`.filter-bar select[aria-label="${label}"]`);
            select.value = value;
            select.dispatchEvent(new Event("change", { bubbles: true }));
        };
        choose("Side", "client");
        setTimeout(() => choose("Opcode", "heartbeat"), 0);
    }"""
    )
    expect_text(page, ".entries-count", "^1 of 9$")
    assert page.get_by_label("Opcode").input_value() == "heartbeat"


def test_the_entries_are_filtered(page: Any) -> None:
    page.wait_for_selector(f"{ROW}:not(.waiting)")
    assert page.locator(ROW).count() == 9
    page.get_by_label("Side").select_option("server")
    expect_text(page, ".entries-count", "^3 of 9$")
    page.get_by_label("Side").select_option("")
    page.get_by_label("Opcode").select_option("heartbeat")
    expect_text(page, ".entries-count", "^1 of 9$")
    expect_text(page, ROW, "ping")
    page.get_by_label("Opcode").select_option("")
    page.get_by_label("Text", exact=True).fill("GRETE")
    expect_text(page, ".entries-count", "^1 of 9$")
    page.get_by_label("Text", exact=True).fill("")
    page.get_by_label("JSON path").fill("$.type==ack")
    expect_text(page, ".entries-count", "^1 of 9$")
    expect_text(page, ROW, '"ack"')
    page.get_by_label("JSON path").fill("type")
    expect_text(page, ".entries-count", r"a JSON path begins with \$")
    page.get_by_label("JSON path").fill("")
    page.get_by_label("problems").check()
    expect_text(page, ".entries-count", "^0 of 9$")
    expect_text(page, ".entries", "Nothing matches")
    page.get_by_label("problems").uncheck()
    expect_text(page, ".entries-count", "^$")


def test_pointer(page: Any, seen: Browser) -> None:
    seen.settle()
    box = page.locator(".lanes-canvas").bounding_box()
    heartbeats, _ = page.evaluate(PIXELS, ["heartbeat", "bad"])[2]
    x, y = box["x"] + sum(heartbeats) / len(heartbeats), box["y"] + 2 * 32 + 8
    page.mouse.move(x, y)
    expect_text(page, ".tip", "#4 client heartbeat at .* after it opened")
    page.mouse.click(x, y)
    expect_text(page, ".entry h3", "client frame 8: text, a heartbeat")
    before = page.evaluate("document.querySelector('.axis').toDataURL()")
    page.mouse.wheel(0, -300)
    seen.settle()
    after = page.evaluate("document.querySelector('.axis').toDataURL()")
    assert after != before
    page.mouse.down()
    page.mouse.move(x + 80, y, steps=4)
    page.mouse.up()
    seen.settle()
    assert page.evaluate("document.querySelector('.axis').toDataURL()") != after


@pytest.mark.parametrize("page", ["hostile"], indirect=True)
def test_nothing_foreign_becomes_markup(page: Any, seen: Browser) -> None:
    page.wait_for_selector(f"{ROW}:not(.waiting)")
    expect_text(page, ".verdict h2", "1")
    for name in ("Handshake", "Ending", "Frames"):
        page.get_by_role("tab", name=name).click()
        seen.settle()
        clean(page)
    count = page.locator(ROW).count()
    assert count >= len(NASTY) + 5
    page.locator(ROW).first.click()
    page.wait_for_selector(".entry-body")
    heads: set[str] = set()
    shown: list[str] = []
    for _ in range(count):
        page.wait_for_selector(".entry[aria-busy=false]")
        clean(page)
        heads.add(page.locator(".entry h3").inner_text() + page.locator(".facts").inner_text())
        shown.append(page.locator(".entry").inner_text())
        for mode in page.locator(".payload .segments button").all():
            mode.click()
            clean(page)
            shown.append(page.locator(".entry").inner_text())
        page.locator(".list").press("ArrowDown")
    everything = "\n".join(shown)
    assert len(heads) == count
    assert MARKUP in everything
    assert "\\u202egnp.exe\\u2066\\u200b" in everything and "\u202e" not in everything
    assert "nul \\x00 escape \\x1b[31m" in everything and "\x00" not in everything
    assert "12345678901234567890" in everything
    assert "00 01 02 03 04 05 06 07  08 09" in everything
    page.locator(".lanes-canvas").hover()
    page.locator(".axis").hover(position={"x": 300, "y": 40})
    seen.settle()
    clean(page)


def clean(page: Any) -> None:
    """The document has no element that a recording could have brought, and runs over on no side."""
    assert page.locator("img, iframe, object, embed, base, form[action], script:not([src^='page/'])").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("Object.prototype.html") is None


@pytest.mark.parametrize("page", ["many"], indirect=True)
def test_thousands_of_lanes(page: Any) -> None:
    lanes = page.get_by_role("listbox", name="Connections, the newest first")
    expect_text(page, ".lane-head", "3,000 connections")
    assert lanes.get_by_role("option").count() < 60
    lanes.focus()
    page.keyboard.press("End")
    expect_text(page, ".verdict h2", "^#1 ")
    page.wait_for_selector("#lane-1[aria-posinset='3000']")
    page.keyboard.press("Home")
    page.wait_for_selector("#lane-3000[aria-posinset='1']")


@pytest.mark.parametrize("page", ["many"], indirect=True)
def test_a_minimap_leads_through_thousands_of_lanes(page: Any, seen: Browser) -> None:
    minimap = page.locator(".minimap")
    minimap.wait_for()
    box = minimap.bounding_box()
    page.mouse.click(box["x"] + 20, box["y"] + box["height"] / 2)
    page.wait_for_function("() => document.querySelector('.lanes-scroller').scrollTop > 40000")
    seen.settle()
    numbers = [int(each.inner_text()) for each in page.locator(".lane-number").all()]
    assert all(1400 < number < 1600 for number in sorted(numbers)[:-1])  # the selected one is there, too
    frame = page.locator(".minimap-frame").bounding_box()
    assert abs(frame["y"] + frame["height"] / 2 - box["y"] - box["height"] / 2) < 10
    lanes = page.locator(".lanes-canvas").bounding_box()
    assert lanes["x"] + lanes["width"] <= box["x"] + 1


@pytest.mark.parametrize("page", ["many"], indirect=True)
def test_numbers_are_whole_however_long(page: Any, seen: Browser) -> None:
    for width in (1440, 600):
        page.set_viewport_size({"width": width, "height": 900})
        seen.settle()
        for each in page.locator(".lane-number").all()[:3]:
            assert re.fullmatch(r"[23]\d{3}", each.inner_text())
            assert each.evaluate("each => each.scrollWidth <= each.clientWidth")


def test_dark_and_narrow(page: Any, seen: Browser) -> None:
    contrast = "(await import('./page/palette.js')).palette()"
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        seen.settle()
        colours = page.evaluate(f"async () => {contrast}")
        for name in ("text", "dim", "accent", "client", "server", "proxy", "ok", "bad", "warn", "heartbeat"):
            for ground in ("bg", "panel"):
                ratio = _contrast(colours[name], colours[ground])
                assert ratio >= 4.5, f"{scheme}: {name} on {ground} is {ratio:.2f}"
        heartbeats, _ = page.evaluate(PIXELS, ["heartbeat", "bad"])[0]
        assert heartbeats, f"the picture is not drawn in the colours of {scheme}"
    page.set_viewport_size({"width": 600, "height": 900})
    seen.settle()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    boxes = [page.locator(name).bounding_box() for name in (".timeline", ".connection", ".drawer")]
    assert [box["x"] for box in boxes] == [0, 0, 0]
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"] and boxes[1]["y"] + boxes[1]["height"] <= boxes[2]["y"]


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_modules(page: Any) -> None:
    """What is only arithmetic and text, against the command line's own."""
    seconds = [0, 0.00003, 0.0003, 0.00994, 0.00996, 0.5, 0.9994, 0.9996, 4.021, 9.996, 59.94, 59.96, 61, 3599.6, 90061]
    assert module(page, "format", "argument.map(m.duration)", seconds) == [humanize.duration(each) for each in seconds]
    sizes = [0, 15, 1023, 1024, 10_188, 10_240, 1 << 20, 1 << 26, 5 << 40]
    assert module(page, "format", "argument.map(m.size)", sizes) == [humanize.size(each) for each in sizes]
    texts = ["a\nb", "\x00\x1b", "\u202e\u2066\u200b", "gr\u00fc\u00df dich \U0001f600", "\ud7ff\ufeff", "\U000e0041"]
    shown = module(page, "format", "argument.map(text => m.visible(text))", texts)
    assert shown == ["a\\nb", "\\x00\\x1b", "\\u202e\\u2066\\u200b", texts[3], "\ud7ff\\ufeff", "\\u{e0041}"]
    documents = ['{"a":[1,{"b":"x\\"y"},[],{}],"a":1e400,"\\u202e":null}', "[]", '"text"', "[1,\n 2]"]
    lines = "argument.map(text => m.jsonLines(text).map(line => line.map(token => token[1]).join('')))"
    laid_out = module(page, "json", lines, documents)
    assert ["".join(line.strip() for line in each) for each in laid_out] == [
        re.sub(r'": ?', '": ', re.sub(r",\s+", ",", each)) for each in documents
    ]
    assert laid_out[0][0] == "{" and laid_out[0][1] == '  "a": ['
    assert module(page, "json", "argument.map(m.jsonLines)", ["ping", "12", "{", "", '{"a":}']) == [None] * 5


def test_scaled_scrolling_reaches_every_row(page: Any) -> None:
    code = """(() => {
      const scroll = new m.ScaledScroll(22), found = [];
      scroll.resize(1e7, 400);
      found.push(scroll.tall <= 8e6, scroll.scaled);
      for (const row of [0, 1, 4999999, 9999999]) {
        const physical = scroll.go(scroll.revealing(row));
        const [first, last] = scroll.range;
        found.push(first <= row && row < last && physical >= 0 && physical <= scroll.tall - 400);
      }
      scroll.go(0);
      for (let step = 1; step <= 50; step++) scroll.scrolled(scroll.last + 22);   // a wheel: row by row
      found.push(scroll.range[0] === 50);
      scroll.scrolled(scroll.tall - 400);   // the thumb to the end
      found.push(scroll.range[1] === 1e7);
      return found;
    })()"""
    assert module(page, "virtual", code) == [True] * 8


def test_a_search_goes_on_with_what_comes_meanwhile(page: Any) -> None:
    code = """(async () => {
      const asked = [], answers = [
        { matches: [1], next: 5, upto: 5 },
        { matches: [7], next: null, upto: 10 },
        { matches: [12], next: null, upto: 20 },
      ];
      const real = window.fetch;
      window.fetch = async url => {
        asked.push(new URL(url).searchParams.get("from"));
        if (asked.length === 2) search.run(20);
        return Response.json(answers[asked.length - 1]);
      };
      const search = new m.Search(1, { ...m.EVERYTHING, text: "x" }, () => {});
      try { await search.run(10); } finally { window.fetch = real; }
      return [asked, search.matches, search.searching];
    })()"""
    assert module(page, "entrycache", f"await {code}") == [["0", "5", "10"], [1, 7, 12], False]


def expect_text(page: Any, selector: str, pattern: str) -> None:
    """Waits until the text of the first such element, on one line, has this in it."""
    code = """([selector, pattern]) => {
      const found = document.querySelector(selector);
      return found && new RegExp(pattern, "u").test(found.innerText.replace(/\\s+/g, " ").trim());
    }"""
    if " >> nth=" in selector:
        selector, _, nth = selector.partition(" >> nth=")
        code = code.replace("document.querySelector(selector)", f"document.querySelectorAll(selector)[{nth}]")
    page.wait_for_function(code, arg=[selector, pattern])
