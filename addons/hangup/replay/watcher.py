"""Who watches a played client as it speaks, message by message: cheaper than the events of its recording."""

from __future__ import annotations

from typing import Protocol

from hangup.replay.receiver import Received
from hangup.replayable.client_script import Send


class Watcher(Protocol):
    """Is told of each message, ping and pong when it is said or heard. Must not raise."""

    def said(self, step: Send) -> None:
        """The client says the first frame of a message, a control frame, or bytes that are no frame."""

    def heard(self, heard: Received) -> None:
        """A whole message of the server, or its pong, has arrived."""
