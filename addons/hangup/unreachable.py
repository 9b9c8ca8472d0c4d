"""Why a connection to a server did not come about, in words: a sentence for each error number of the system, and for
what else a connection can fail for. Whoever records such a failure uses these words, and whoever reads a recording
finds by them that no server was reached."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable

REFUSED = "connection refused"
NO_HOST = "no such host"
NO_NAME_SERVER = "the host's name could not be looked up: no name server answered"
LATE = "no answer in time"
NO_ROUTE = "no route to the host"
NO_NETWORK = "the network is unreachable"
DROPPED = "the connection was dropped"
RESET = "the connection was reset"

_SENTENCES: tuple[tuple[str, tuple[int, ...], str], ...] = (
    # What a server, or what stands before it, has done tells most, so it comes first.
    ("ECONNREFUSED", (1225, 10061), REFUSED),
    ("ECONNRESET", (64, 10054), RESET),
    ("EPIPE ECONNABORTED ESHUTDOWN ENOTCONN", (1236, 10053, 10057, 10058), DROPPED),
    ("EACCES EPERM", (10013,), "the connection was not allowed by this machine (by a firewall?)"),
    ("ETIMEDOUT", (121, 1460, 10060), LATE),
    ("EHOSTDOWN", (1256, 10064), "the host is down"),
    ("EHOSTUNREACH", (1232, 10065), NO_ROUTE),
    ("ENETUNREACH", (1231, 10051), NO_NETWORK),
    ("ENETDOWN", (1222, 10050), "the network is down"),
    ("EAFNOSUPPORT EPROTONOSUPPORT", (10043, 10047), "no such network protocol on this machine (IPv6?)"),
    ("EADDRNOTAVAIL", (1214, 10049), "no local port is free, or nothing can connect to this address"),
    ("EMFILE", (4, 10024), "too many open files in hangup: raise the limit (ulimit -n 4096)"),
    ("ENFILE", (), "too many open files on this machine"),
    ("ENOBUFS ENOMEM", (8, 10055), "out of memory for sockets on this machine"),
)
"""Names of :mod:`errno` (which stand for other numbers on each system), Windows' own numbers (Win32's and Winsock's),
and the sentence; the most telling first."""

_ORDER = {sentence: place for place, (_, _, sentence) in enumerate(_SENTENCES)}
_BY_ERRNO = {
    number: sentence
    for names, _, sentence in _SENTENCES
    for name in names.split()
    if (number := getattr(errno, name, None)) is not None
}
_BY_WINDOWS = {number: sentence for _, numbers, sentence in _SENTENCES for number in numbers}

_NUMBER = re.compile(r"\[(Errno|WinError) (-?\d+)\]")
_NO_HOST = re.compile(r"Name or service not known|getaddrinfo failed|nodename nor servname|No address associated")
_NO_NAME_SERVER = re.compile(r"[Tt]emporary failure in name resolution")
_LATE = re.compile(r"timed out", re.I)

_REACHED_NOBODY = re.compile(
    r"refused|no such host|could not be looked up|no answer in time|unreachable|no route|is down|no such network|"
    r"no local port|too many open files|out of memory for sockets|does not speak TLS|could not be reached|certificate",
    re.I,
)


def of_numbers(errnos: Iterable[int], windows: Iterable[int] = ()) -> str:
    """The most telling sentence of several error numbers (an address each, say); empty where none is known."""
    found = [_BY_ERRNO.get(number) or _BY_WINDOWS.get(number if number > 10_000 else 0) for number in errnos]
    found += [_BY_WINDOWS.get(number) for number in windows]
    return min((sentence for sentence in found if sentence), key=_ORDER.__getitem__, default="")


def of_message(message: str) -> str:
    """The sentence for a message of Python's, of which there may be several in one, with their numbers; empty where
    there is none for it."""
    found = _NUMBER.findall(message)
    said = of_numbers(
        (int(number) for kind, number in found if kind == "Errno"),
        (int(number) for kind, number in found if kind == "WinError"),
    )
    if said:
        return said
    by_words = ((_NO_HOST, NO_HOST), (_NO_NAME_SERVER, NO_NAME_SERVER), (_LATE, LATE))
    return next((sentence for pattern, sentence in by_words if pattern.search(message)), "")


def no_server(error: str) -> bool:
    """Whether the words for a handshake's failure say that there was no server to answer it."""
    return _REACHED_NOBODY.search(error) is not None
