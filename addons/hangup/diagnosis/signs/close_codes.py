"""Close codes, and what in the recording goes with them."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import cite, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.words import valid_utf8


def server_closed(case: Case) -> bool:
    """Whether the server closed with a code."""
    return case.closer == "server" and case.mode == "close" and case.code is not None


def client_closed(case: Case) -> bool:
    """Whether the client did."""
    return case.closer == "client" and case.mode == "close" and case.code is not None


def of_graphql(case: Case) -> bool:
    """Whether the code is one that graphql-ws gives a meaning of its own."""
    return case.stack.protocol == "graphql" and case.code in range(4400, 4500)


def of_no_protocol(case: Case) -> bool:
    """The contrary."""
    return not case.once(of_graphql)


def pinged(case: Case) -> bool:
    """Whether the server had sent control pings."""
    beats = (life.traffic.beats.get(("server", "control")) for life in case.victims)
    return any(b is not None and b.sent for b in beats)


@sign(server_closed, of_no_protocol)
def close_code(case: Case) -> Sign:
    """The server's close code."""
    variety, more = str(case.code), ""
    if case.code == 1007 and case.once(valid_utf8):
        variety, more = "1007-though-valid", ", and the client's last message is valid UTF-8"
    elif case.code == 1011 and case.once(pinged):
        variety, more = "1011-after-pings", ", and the server had sent pings"
    elif case.code == 1011 and not case.header.tells("pings"):
        variety = "1011-pings-untold"
    return Sign(text=f"close code {case.code}{more}", cites=cite_all(case.victims), variety=variety)


@sign(server_closed, of_graphql)
def graphql_close_code(case: Case) -> Sign:
    """The server's close code where GraphQL is spoken (graphql-ws, PROTOCOL.md)."""
    return Sign(text=f"close code {case.code} (graphql-ws)", cites=cite_all(case.victims), variety=str(case.code))


@sign(client_closed)
def client_close_code(case: Case) -> Sign:
    """The client's close code: its library's answer to what the server sent, or of the page's own choice."""
    cites = [cite(life) for life in case.victims if life.code == case.code]
    return Sign(text=f"the client's close code is {case.code}", cites=cites, variety=str(case.code))
