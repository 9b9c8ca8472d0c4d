"""Why a connection did not come about: a sentence for each error number, the same ones whoever tells of it."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from hangup import unreachable
from hangup.net.connect import failure
from hangup.proxy.words import connect_error
from hangup.unreachable import no_server, of_message, of_numbers
from hangup.wire.url import parse_target

TARGET = parse_target("ws://example.org:8000")

NUMBERS = {
    "ECONNREFUSED": "connection refused",
    "ECONNRESET": "the connection was reset",
    "ETIMEDOUT": "no answer in time",
    "EHOSTUNREACH": "no route to the host",
    "EHOSTDOWN": "the host is down",
    "ENETUNREACH": "the network is unreachable",
    "ENETDOWN": "the network is down",
    "EADDRNOTAVAIL": "no local port is free, or nothing can connect to this address",
    "EMFILE": "too many open files in hangup: raise the limit (ulimit -n 4096)",
    "ENFILE": "too many open files on this machine",
}


@pytest.mark.parametrize("name", NUMBERS)
def test_each_number_has_its_own_sentence(name: str) -> None:
    """As an exception, as a message of mitmproxy's, and joined with others by asyncio."""
    number, sentence = getattr(errno, name), NUMBERS[name]
    assert list(NUMBERS.values()).count(sentence) == 1
    error = OSError(number, os.strerror(number))
    assert failure(error, TARGET).startswith(sentence)
    assert connect_error(str(error)) == sentence
    assert connect_error(f"[Errno {number}] Connect call failed ('192.0.2.1', 8000)") == sentence
    joined = f"Multiple exceptions: [Errno {number}] Connect call failed, [Errno {number}] Connect call failed"
    assert failure(OSError(joined), TARGET).startswith(sentence)


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("[WinError 1225] The remote computer refused the network connection", unreachable.REFUSED),
        ("[WinError 10061] No connection could be made", unreachable.REFUSED),
        ("[WinError 10065] A socket operation was attempted to an unreachable host", unreachable.NO_ROUTE),
        ("[WinError 121] The semaphore timeout period has expired", unreachable.LATE),
        ("[Errno 10060] Connect call failed ('192.0.2.1', 8000)", unreachable.LATE),
        ("[Errno 11001] getaddrinfo failed", unreachable.NO_HOST),
        ("[Errno -2] Name or service not known", unreachable.NO_HOST),
        ("[Errno -3] Temporary failure in name resolution", unreachable.NO_NAME_SERVER),
        ("connection timed out", unreachable.LATE),
        ("something that nobody has thought of", ""),
    ],
)
def test_windows_numbers_and_words(message: str, sentence: str) -> None:
    assert of_message(message) == sentence
    assert connect_error(message) == (sentence or message)


def test_of_several_addresses_the_most_telling_counts() -> None:
    assert of_numbers([errno.ENETUNREACH, errno.ECONNREFUSED]) == unreachable.REFUSED
    assert of_numbers([errno.ENETUNREACH, errno.EHOSTUNREACH]) == unreachable.NO_ROUTE
    assert of_numbers([]) == of_numbers([0, 99999]) == ""


def test_a_name_that_no_name_server_answered_for_is_not_one_that_does_not_exist() -> None:
    assert failure(socket.gaierror(socket.EAI_AGAIN, "again"), TARGET) == unreachable.NO_NAME_SERVER
    assert failure(socket.gaierror(socket.EAI_NONAME, "none"), TARGET) == "no such host: example.org"


def test_a_recording_tells_by_the_words_that_no_server_was_reached() -> None:
    """All but what an open connection may also end by."""
    ended = {unreachable.RESET, unreachable.DROPPED, of_numbers([errno.EACCES])}
    for sentence in unreachable._ORDER.keys() | {unreachable.NO_HOST, unreachable.NO_NAME_SERVER}:
        assert no_server(sentence) == (sentence not in ended), sentence
