"""What a format has no place for, told once and in words."""

from __future__ import annotations

from hangup.humanize import plural


class Losses:
    """Counts what is left out while a file is written."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def count(self, noun: str, number: int = 1) -> None:
        """``number`` more of what ``noun`` (singular) names are left out."""
        if number:
            self._counts[noun] = self._counts.get(noun, 0) + number

    def fact(self, words: str) -> None:
        """Something that is not counted is left out."""
        self._counts.setdefault(words, 0)

    def __bool__(self) -> bool:
        return bool(self._counts)

    @property
    def words(self) -> str:
        """``2 pings, the masks and how TCP ended``; empty when nothing was lost."""
        parts = [plural(count, noun) if count else noun for noun, count in self._counts.items()]
        return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""
