"""A greeting with which other connections began, and these did not."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Trigger, cite
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.client_pings import NEARLY_ALL, opened
from hangup.humanize import plural

_HELLOS = frozenset(
    "hello init connect auth authenticate login identify join subscribe register session start"
    " connection_init open handshake".split()
)


def server_ended(case: Case) -> bool:
    """Whether the server ended open connections."""
    return case.closer == "server" and bool(case.once(opened))


@sign(server_ended)
def those_with_a_hello_stayed_open(case: Case) -> Sign | None:
    """Connections that began with a greeting stayed open longer; these began with something else."""
    lives = case.once(opened)
    longest = max(life.lasted for life in lives)
    firsts = [
        (life, m)
        for life in case.others
        if life.open_since is not None and life.lasted > 1.5 * longest and (m := life.traffic.client.first) is not None
    ]
    hellos = {message.shape for _, message in firsts}
    if len(hellos) != 1:
        return None
    hello = firsts[0][1].shape
    other = [(life, m) for life in lives if (m := life.traffic.client.first) is not None and m.shape is not hello]
    if len(other) < NEARLY_ALL * len(lives):
        return None
    # It is called so, or it was said once at first, and then what these began with did no harm.
    spoken = [life.traffic.client.shapes for life, _ in firsts]
    begins = all(shapes[hello].count == 1 and all(m.shape in shapes for _, m in other) for shapes in spoken)
    if hello.kind.lower() not in _HELLOS and not begins:
        return None
    life, first = other[0]
    began = f"{plural(len(firsts), 'connection')} that started with {hello.text} stayed open longer"
    return Sign(
        text=f"{began}; this one started with {first.shape.text}",
        cites=[cite(*each) for each in other],
        trigger=Trigger("frame", life.conn, first.n),
    )
