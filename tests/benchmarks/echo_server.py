"""``python -m benchmarks.echo_server``: a WebSocket echo server that costs little. Prints its port.

It is a real echo: every frame is parsed, unmasked and answered. What it has echoed once under the load
client's key it remembers, so that the same frame again is one comparison; frames under other keys (of a proxy
that frames anew) take the long way.
"""

from __future__ import annotations

import socket
import threading

from benchmarks.traffic import CLOSE, MASK, PING, PONG, Pattern, accept_key, frame, mask

CHUNK = 1 << 18
known: dict[bytes, tuple[Pattern, bytes]] = {}
"""The first bytes of a frame (header and key) -> that frame, and the frame that answers it."""


def shake_hands(sock: socket.socket) -> bytes:
    """Answers the upgrade request; returns what came after it."""
    request = b""
    while b"\r\n\r\n" not in request:
        data = sock.recv(CHUNK)
        if not data:
            raise ConnectionError("no handshake")
        request += data
    head, _, rest = request.partition(b"\r\n\r\n")
    headers = {
        name.lower(): value
        for name, _, value in (line.partition(": ") for line in head.decode().split("\r\n")[1:])
    }
    sock.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept_key(headers["sec-websocket-key"]).encode() + b"\r\n\r\n"
    )
    return rest


def echo(sock: socket.socket) -> None:
    rest = bytearray(shake_hands(sock))  # bytes of a frame that is not whole yet
    message, opcode = b"", 0
    memo: tuple[Pattern, bytes] | None = None
    phase = 0  # bytes of the remembered frame that have come
    while data := sock.recv(CHUNK):
        if not phase and not rest and not message and not (memo and memo[0].matches(0, data)):
            memo = known.get(data[:14])
        if memo:
            pattern, answer = memo
            if pattern.matches(phase, data):
                whole, phase = divmod(phase + len(data), pattern.size)
                if whole:
                    sock.sendall(answer * whole)
                continue
            rest += pattern.head(phase)
            memo, phase = None, 0
        rest += data
        while len(rest) >= 14 or (len(rest) >= 2 and len(rest) >= 6 + (rest[1] & 0x7F)):
            short = rest[1] & 0x7F
            start = {126: 8, 127: 14}.get(short, 6)
            end = start + (int.from_bytes(rest[2 : start - 4], "big") if short > 125 else short)
            if len(rest) < end:
                break
            raw = bytes(rest[:end])
            del rest[:end]
            key, payload = raw[start - 4 : start], mask(raw[start:], raw[start - 4 : start])
            this = raw[0] & 0x0F
            if this == CLOSE:
                sock.sendall(frame(CLOSE, payload))
                return
            if this == PING:
                sock.sendall(frame(PONG, payload))
            if this >= CLOSE:
                continue
            message, opcode = message + payload, this or opcode
            if not raw[0] & 0x80:
                continue
            answer, message = frame(opcode, message), b""
            if key == MASK and this:
                known[raw[:14]] = Pattern(raw, CHUNK), answer
            sock.sendall(answer)


def serve(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        echo(sock)
    except OSError:
        pass  # the proxy under test went away; the client tells
    finally:
        sock.close()


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
    threading.stack_size(1 << 18)
    while True:
        threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()


if __name__ == "__main__":
    main()
