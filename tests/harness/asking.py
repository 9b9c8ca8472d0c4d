"""HTTP requests as anybody may send them: every header is the test's own."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from harness import DEADLINE


@dataclass(frozen=True)
class Answer:
    """A response; ``headers`` by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(address: str, method: str, path: str, *, body: Any = None, **headers: str | None) -> Answer:
    """A request to ``HOST:PORT``. A header named ``X_Y`` is sent as ``X-Y``; one that is None is left out."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=DEADLINE)
    try:
        fields: dict[str, str | None] = {"Host": address, **headers}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            fields |= {"Content-Type": "application/json", "Content-Length": str(len(data))}
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in fields.items():
            if value is not None:
                connection.putheader(name.replace("_", "-"), value)
        connection.endheaders(data)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, b"" if response.status == 101 else response.read())
    finally:
        connection.close()


class Browser:
    """Comes by the link that lets in once, and keeps the cookie that it is given."""

    def __init__(self, link: str) -> None:
        parts = urlsplit(link)
        self.address = parts.netloc
        self.origin = f"http://{parts.netloc}"
        self.home = parts.path.removesuffix("open")
        opened = ask(self.address, "GET", f"{parts.path}?{parts.query}")
        assert opened.status == 200, opened.body
        self.cookie = opened.headers["set-cookie"].partition(";")[0]

    def get(self, path: str, **headers: str | None) -> Answer:
        """``path`` is below the page's home."""
        return ask(self.address, "GET", f"{self.home}{path}", **{"Cookie": self.cookie, **headers})

    def post(self, path: str, body: Any, **headers: str | None) -> Answer:
        own = {"Cookie": self.cookie, "Origin": self.origin}
        return ask(self.address, "POST", f"{self.home}{path}", body=body, **{**own, **headers})

    def json(self, path: str) -> Any:
        """What a query answers."""
        answer = self.get(f"api/{path}")
        assert answer.status == 200, answer.body
        return answer.json
