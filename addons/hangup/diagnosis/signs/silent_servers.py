"""How long a client waited for the server when it gave up, and whether the server had spoken and fell silent."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle, spread, steadiness
from hangup.diagnosis.findings import Trigger, cite, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.client_pings import NEARLY_ALL, YOUNG, app, client_gave_up, opened
from hangup.diagnosis.signs.harmless_silences import longest
from hangup.humanize import duration, plural
from hangup.messages.shapes import Shape
from hangup.recording.connections import Connection
from hangup.recording.traffic import MessageSummary


def unheard(case: Case) -> list[Connection]:
    """Those on which the server had sent no message, nor begun one, and no event was lost."""
    mute = (life for life in case.once(opened) if not life.traffic.server.messages and not life.traffic.server.opcode)
    return [life for life in mute if not life.lost]


def silent_from_the_start(case: Case) -> bool:
    """Whether that is so of nearly all."""
    return len(case.once(unheard)) >= NEARLY_ALL * len(case.once(opened))


def spoken_with(case: Case) -> bool:
    """The contrary."""
    return not case.once(silent_from_the_start)


def heard(case: Case) -> list[float]:
    """From the server's last message, or from opening, to each end."""
    last = ((life, life.last_message("server")) for life in case.once(opened))
    return [life.since(m.at if m is not None else life.open_since) for life, m in last]


def left_alone(case: Case) -> list[tuple[Connection, list[MessageSummary]]]:
    """Those on which the client had sent two messages or more after the server's last frame, with these."""
    found = []
    for life in case.once(opened):
        last = life.traffic.server.frame
        after = last.n if last is not None else 0
        sent = [m for m in life.traffic.recent if m.side == "client" and m.data and m.n > after]
        if len(sent) >= 2 and not life.lost and life.since(last.at if last is not None else life.open_since) > YOUNG:
            found.append((life, sent))
    return found


def _last_heard(case: Case) -> Trigger:
    life = case.once(opened)[0]
    last = life.traffic.server.frame or life.traffic.client.frame
    return Trigger("time", life.conn, last.n if last is not None else None)


@sign(client_gave_up)
def steady_wait_of_the_client(case: Case) -> Sign | None:
    """How steady the time is that the clients waited: since opening, for a pong, or since they heard something."""
    lives = case.once(opened)
    if len(lives) < 2:
        return None
    ages, waits, since = [life.lasted for life in lives], case.once(app).waits, case.once(heard)
    clocks = [(steadiness(ages), f"every connection lasted {duration(middle(ages))} (spread {duration(spread(ages))})")]
    if longest(case, "server") <= 1.08 * middle(since) + 0.05:  # else it waits for longer without a word
        clocks.append((steadiness(since), f"the end came {duration(middle(since))} after the server's last message"))
    if len(waits) == len(lives):
        text = f"the end came {duration(middle(waits))} after the client's first ping without an answer"
        clocks.append((steadiness(waits), text))
    steady, words = max(clocks)
    if steady <= 0:
        words = "the time of the end is steady neither from opening nor from the server's last message"
    return Sign(steady, words, cite_all(lives, "client"), case.once(_last_heard))


@sign(client_gave_up, silent_from_the_start)
def server_silent_from_the_start(case: Case) -> Sign:
    """The server had sent no message."""
    lives, mute = case.once(opened), case.once(unheard)
    on = "" if len(mute) == len(lives) else f" on {len(mute)} of {len(lives)} connections"
    return Sign(1.0, f"the server had not sent any message yet{on}", cite_all(mute), case.once(_last_heard))


def spoke_a_little(case: Case) -> bool:
    """Whether all that the server said were one or two messages soon after opening."""
    lives = case.once(opened)
    few = max(life.traffic.server.messages for life in lives) <= 2
    return few and min(case.once(heard)) > NEARLY_ALL * middle([life.lasted for life in lives])


@sign(client_gave_up, spoken_with, spoke_a_little)
def server_spoke_a_little(case: Case) -> Sign:
    """A word of welcome may not be the one that the client waits for."""
    return Sign(1.0, "the server had sent only a message or two, soon after opening", cite_all(opened(case)))


@sign(client_gave_up, spoken_with)
def server_had_spoken(case: Case) -> Sign | None:
    """The server had sent more than a word of welcome."""
    if case.once(spoke_a_little):
        return None
    told = [life for life in case.once(opened) if life.traffic.server.messages]
    return Sign(1.0, "the server had sent messages earlier", cite_all(told, "server"))


@sign(client_gave_up)
def server_fell_silent(case: Case) -> Sign | None:
    """The server sent nothing more, and the client did."""
    alone = case.once(left_alone)
    if len(alone) < NEARLY_ALL * len(case.once(opened)):
        return None
    silent = middle([life.since(f.at if (f := life.traffic.server.frame) else life.open_since) for life, _ in alone])
    text = f"the server was silent for {duration(silent)} while the client went on sending"
    return Sign(1.0, text, [cite(life, sent[-1]) for life, sent in alone], case.once(_last_heard))


@sign(client_gave_up, spoken_with)
def server_did_not_fall_silent(case: Case) -> Sign | None:
    """Before hardly an end the server had been silent while the client went on sending."""
    if len(case.once(left_alone)) > (1 - NEARLY_ALL) * len(case.once(opened)) or case.once(_first_only):
        return None
    return Sign(1.0, "the server did not fall silent while the client went on sending")


@sign(client_gave_up)
def silent_from_one_message_on(case: Case) -> Sign | None:
    """The server said nothing more after one kind of message, which is no ping and had not been sent otherwise."""
    lives = case.once(opened)
    firsts = [(life, sent[0]) for life, sent in case.once(left_alone) if life.traffic.server.frame is not None]
    answering = sum(b.answered > 0 for life in lives for (side, _), b in life.traffic.beats.items() if side == "client")
    if len(firsts) < NEARLY_ALL * len(lives) or answering < NEARLY_ALL * len(lives):
        return None
    shapes = [message.shape for _, message in firsts]
    shape: Shape = max(shapes, key=shapes.count)
    total = case.client_shapes.get(shape)
    often = total is not None and total.count > 1.2 * len(firsts)
    if shape.beat is not None or often or shapes.count(shape) < NEARLY_ALL * len(firsts):
        return None
    alike = [(life, message) for life, message in firsts if message.shape is shape]
    text = f"on {plural(len(alike), 'connection')} the server fell silent when the client had sent {shape.text}"
    trigger = Trigger("frame", alike[0][0].conn, alike[0][1].n)
    return Sign(1.0, text, [cite(life, message) for life, message in alike], trigger)


def _first_only(case: Case) -> Connection | None:
    """The first connection to this route, if the server spoke on that one, and on most of those that ended so not."""
    first = min(case.same_route, key=lambda life: life.conn)
    most = len(case.once(unheard)) >= 0.6 * case.count
    return first if most and first.traffic.server.messages else None


@sign(client_gave_up)
def first_served_successors_not(case: Case) -> Sign | None:
    """The server spoke on the first connection, and on later ones not."""
    first, mute = case.once(_first_only), case.once(unheard)
    if first is None:
        return None
    text = (
        f"on the first connection the server sent messages, on {len(mute)} of {case.count} that ended this "
        "way it did not"
    )
    return Sign(1.0, text, [cite(first), *cite_all(mute)], case.once(_last_heard))


@sign(client_gave_up)
def first_silent_too(case: Case) -> Sign | None:
    """The server spoke neither on the first connection nor on others."""
    mute = case.once(unheard)
    first = min(case.same_route, key=lambda life: life.conn)
    if len(mute) < 2 or first not in mute:
        return None
    return Sign(1.0, "the server had not sent a message on the first connection either", cite_all(mute))
