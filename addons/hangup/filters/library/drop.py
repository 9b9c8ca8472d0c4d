"""``drop`` and ``only``: messages that do not get through, and the only ones that do."""

from __future__ import annotations

from typing import Any, ClassVar

from hangup.filters.base import DROP, Actions
from hangup.filters.match import Selecting


class Drop(Selecting, frozen=True, kw_only=True):
    """The selected messages are not passed on.

    If the connection then survives, one of them was the cause. Under permessage-deflate the messages after a dropped
    one are compressed anew, so that the receiver notices nothing but its absence.
    """

    example: ClassVar[str] = "drop side=client json=$.type==subscribe"

    def act(self, item: Any) -> Actions:
        return DROP


class Only(Selecting, frozen=True, kw_only=True):
    """Of the messages that the settings speak of, only the selected ones are passed on.

    ``side`` and ``opcode`` say which are meant; the other settings, which of them pass. Messages of the other side
    pass, and so do control frames unless ``opcode`` names them.
    """

    example: ClassVar[str] = "only side=client first=3"

    def bind(self, state: Any) -> Any:
        return lambda item: None if state(item) else DROP

    def apply(self, item: Any, state: Any) -> Actions:
        return None if state(item) else DROP
