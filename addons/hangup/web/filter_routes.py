"""What the page needs to have filters written: what there is, whether a text is right, and one in another's place.

::

    GET  api/filters/help       the filters by group, and the forms of heartbeats
    POST api/filters/check      {"filter": TEXT} -> {"ok": true, "filter": CANONICAL}
                                or {"ok": false, "error": LINE, "at": CHARACTER, "to": CHARACTER} (null: not known)
    POST api/filters/edit       {"filter": NAME or ID, "to": TEXT}: keeps its place, its name and whether it is on
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from hangup.errors import ControlError, FilterError, HangupError
from hangup.filters.catalogue import describe
from hangup.filters.library import GROUPS
from hangup.filters.text import parse
from hangup.messages.heartbeats import FORMS
from hangup.web.control import refuse_code
from hangup.web.server import JsonHandler, Route


class Text(Struct, forbid_unknown_fields=True):
    """The body of a check."""

    filter: str


class FilterEdit(Struct, forbid_unknown_fields=True):
    """The body of an edit."""

    filter: str
    to: str


def catalogue() -> dict[str, Any]:
    """All that can be written in a filter."""
    return {
        "groups": [{"name": name, "filters": [describe(cls) for cls in members]} for name, members in GROUPS.items()],
        "forms": [
            {"name": form.name, "spoken": form.spoken, "ping": _text(form.ping), "pong": _text(form.pong)}
            for form in FORMS
            if form.name != "control"
        ],
    }


def check(text: str, *, trusted: bool = False) -> dict[str, Any]:
    """Whether a text is a filter, and one that who asks may add; what it would do is not done."""
    try:
        if not trusted:
            refuse_code(text)
        return {"ok": True, "filter": str(parse(text))}
    except FilterError as error:
        at, to = error.span or (None, None)
        return {"ok": False, "error": str(error), "at": at, "to": to}


def _text(data: bytes | None) -> str | None:
    """None for what is no text."""
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError:
        return None


class _Help(JsonHandler):
    def get(self) -> None:
        self.give(catalogue())


class _CheckHandler(JsonHandler):
    def post(self) -> None:
        body = self.body(Text)
        self.give(check(body.filter, trusted=self.has_token))


class _Edit(JsonHandler):
    def post(self) -> None:
        body = self.body(FilterEdit)
        try:
            changed = self.control.edit(body.filter, body.to, trusted=self.has_token)
        except ControlError as error:
            self.fail(503, str(error))
        except HangupError as error:
            self.fail(400, str(error))
        else:
            self.give({"changed": changed, "filters": self.control.describe()})


ROUTES: list[Route] = [
    ("api/filters/help", _Help, {}),
    ("api/filters/check", _CheckHandler, {}),
    ("api/filters/edit", _Edit, {}),
]
