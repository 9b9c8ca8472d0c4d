"""The application of :mod:`harness.echo` for uvicorn."""

from __future__ import annotations

from fastapi import FastAPI, WebSocket

from harness.echo import close_words

app = FastAPI()


@app.websocket("/{path:path}")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    while (message := await websocket.receive())["type"] == "websocket.receive":
        if (data := message.get("bytes")) is not None:
            await websocket.send_bytes(data)
        elif closing := close_words(message["text"]):
            await websocket.close(*closing)
            return
        else:
            await websocket.send_text(message["text"])
