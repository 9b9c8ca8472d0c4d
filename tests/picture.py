"""Takes the README's picture of the page: ``cd tests && uv run python -m picture``, with nothing else on port 8000.

The demo's backend and frontend loop, with a proxy between them, until twelve connections are lost; the sixth is
selected.
"""

from __future__ import annotations

import asyncio
import shlex
import socket
import sys
import tempfile
import threading
from pathlib import Path

from hangup.demo.backend import BACKEND
from hangup.demo.frontend import frontend
from harness import until
from harness.browser import chromium
from harness.proxies import HangupProxy

PICTURE = Path(__file__).parents[1] / ".github" / "page.png"
PORT = 8000
LOST = 12
SELECTED = 6


def main() -> None:
    """Writes the picture."""
    words = ["-m", "uvicorn", "--factory", BACKEND, "--port", str(PORT), "--log-level", "error"]
    backend = shlex.join([sys.executable, *words])
    with tempfile.TemporaryDirectory() as folder, chromium() as page:
        page.set_viewport_size({"width": 1280, "height": 800})
        with HangupProxy(f"ws://localhost:{PORT}", "--backend-cmd", backend, record=Path(folder)) as proxy:
            link = proxy.wait_for(r"page: (http://\S+)")[1]
            until(_listens)
            loop = threading.Thread(target=lambda: asyncio.run(frontend(f"{proxy.url}/ws/client-1")), daemon=True)
            loop.start()
            proxy.wait_for(r"#4 +the server ended it")  # a loop that the page sees begin is announced in a notice
            page.goto(link)
            page.locator(f"#lane-{SELECTED}", has_text="server FIN").click()
            page.locator(f"#lane-{LOST}", has_text="server FIN").wait_for()
            page.get_by_text(f"Loop of {LOST}").wait_for()
            page.screenshot(path=PICTURE)


def _listens() -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", PORT)) == 0


if __name__ == "__main__":
    main()
