"""C1: nginx with a short ``proxy_read_timeout`` before a healthy server.

``--stack nginx`` (default), or ``relay``: a relay in Python with the same habit, where nginx is missing.
nginx is given its listening socket through the environment, as it does itself when it is upgraded, so that no
port is chosen before it is taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from _behind import backend
from _common import fixed, listen, options, ready, run, shape
from _relay import relay

TIMEOUT = shape.deadline if not fixed else 3600
CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout {timeout}ms;
        }}
    }}
}}
"""


@contextlib.asynccontextmanager
async def nginx(upstream: int) -> AsyncIterator[None]:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")
    if program is None:
        sys.exit("nginx is not installed")
    sock = listen()
    port = sock.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="hangup-nginx-") as name:
        folder = Path(name)
        config = CONFIG.format(folder=folder, port=port, upstream=upstream, timeout=round(TIMEOUT * 1000))
        (folder / "nginx.conf").write_text(config)
        process = await asyncio.create_subprocess_exec(
            program, "-e", "stderr", "-p", name, "-c", str(folder / "nginx.conf"),
            env={**os.environ, "NGINX": f"{sock.fileno()};"},
            pass_fds=[sock.fileno()],
        )  # fmt: skip
        try:
            ready(sock)
            sock.close()
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


async def main() -> None:
    async with backend("healthy_fastapi.py", "--shape", options.shape, "--ws", options.ws) as port:
        if options.stack == "relay":
            sock = listen()
            async with relay("127.0.0.1", port, idle=TIMEOUT, sock=sock):
                ready(sock)
                await asyncio.Event().wait()
        else:
            async with nginx(port):
                await asyncio.Event().wait()


run(main)
