"""What kind a message is: of one message by itself, over many, and as the text that a filter's ``kind=`` takes."""

from hangup.messages.learning import Discriminators
from hangup.messages.reading import MessageKind, kind_of
from hangup.messages.selection import selects

__all__ = ["Discriminators", "MessageKind", "kind_of", "selects"]
