"""Every error a user can meet, one root.

::

    HangupError                 exit code 1, one line on stderr
    ├── UsageError              exit code 2: the command line or a setting is wrong
    │   ├── TargetError         not a target: no host, no such scheme
    │   ├── NotAllowed          hangup.toml wants what its user has not agreed to
    │   └── FilterError         a filter's text form is wrong
    ├── RecordingError          a recording cannot be read or written
    │   ├── ForeignRecording    not a hangup recording, nor any format we read
    │   └── VersionError        written by a newer hangup
    ├── ListenError             the address to listen on cannot be had
    ├── BackendError            the target cannot be reached
    ├── CommandError            a command cannot be started (exit code 127 or 126, as a shell has it)
    ├── ControlError            the running proxy did not answer or refused
    └── MissingExtra            an optional package is not installed

A command that did what it was to do, but could not record all of it, ends with 74 (:mod:`hangup.cli.incomplete`).
"""

from __future__ import annotations


class HangupError(Exception):
    """Root of all errors that are shown to a user as one line, without a traceback."""

    exit_code = 1


class UsageError(HangupError):
    """The command line, or a setting, is wrong."""

    exit_code = 2


class TargetError(UsageError):
    """The target is not something that a WebSocket can be opened to."""


class NotAllowed(UsageError):
    """The configuration wants to do what the person who runs hangup has not agreed to."""


class FilterError(UsageError):
    """The text form of a filter is wrong; the message names the word and what would be right.

    ``span`` is where it stands in the text, where that is known: from which character up to which.
    """

    def __init__(self, message: str, span: tuple[int, int] | None = None) -> None:
        super().__init__(message)
        self.span = span


class RecordingError(HangupError):
    """A recording cannot be read or written."""


class ForeignRecording(RecordingError):
    """The file is not a recording in any format that we read."""


class VersionError(RecordingError):
    """The recording was written by a newer version of hangup."""


class ListenError(HangupError):
    """The address to listen on cannot be had."""


class BackendError(HangupError):
    """The target cannot be reached."""


class CommandError(HangupError):
    """The command that was to be run cannot be started. ``found`` says whether it is there at all."""

    def __init__(self, message: str, *, found: bool) -> None:
        super().__init__(message)
        self.exit_code = 126 if found else 127


class ControlError(HangupError):
    """The running proxy did not answer, or refused."""


class MissingExtra(HangupError):
    """An optional package is not installed; the message names the extra."""
