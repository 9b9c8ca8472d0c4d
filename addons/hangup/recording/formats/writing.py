"""The writer of a format, by the format's name."""

from __future__ import annotations

from typing import BinaryIO

from hangup.recording import events
from hangup.recording.events import AnyEvent, Header
from hangup.recording.formats.har_writer import HarWriter
from hangup.recording.formats.losses import Losses
from hangup.recording.formats.markdown import MarkdownWriter
from hangup.recording.formats.message_writer import Writer


class JsonLinesWriter:
    """Hangup's own format, which has a place for everything."""

    def __init__(self, out: BinaryIO, header: Header) -> None:
        self.losses = Losses()
        self._write = out.write
        self._write(events.encode(header) + b"\n")

    def write(self, event: AnyEvent) -> None:
        """Takes the next event."""
        self._write(events.encode(event) + b"\n")

    def finish(self) -> None:
        """Nothing is left to be written."""

    def close(self) -> None:
        """Nothing is held."""


def writer(name: str, out: BinaryIO, header: Header) -> Writer:
    """A writer to ``out``. mitmproxy's flow files are written by :mod:`hangup.proxy.flows`, as that needs mitmproxy.

    Raises :class:`~hangup.errors.MissingExtra` when the format needs a package that is not installed.
    """
    match name:
        case "hangup":
            return JsonLinesWriter(out, header)
        case "har":
            return HarWriter(out, header)
        case "playwright":
            return HarWriter(out, header, milliseconds=True)
        case "markdown":
            return MarkdownWriter(out, header)
        case "pcapng":
            from hangup.recording.formats.pcapng import PcapngWriter  # needs a package that may be missing

            return PcapngWriter(out, header)
    raise LookupError(name)
