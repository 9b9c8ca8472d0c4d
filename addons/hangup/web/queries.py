"""All that the page can ask of a recording, by the name that stands in the URL."""

from __future__ import annotations

import msgspec

from hangup.web.comparing import CompareQuery
from hangup.web.entries import ConnectionQuery, EntriesQuery, EntryQuery, FindQuery
from hangup.web.imitating import ImitateQuery
from hangup.web.measuring import StatisticsQuery
from hangup.web.overview import Overview, Ticks
from hangup.web.query import Answer, QueryError, RecordingQuery, Slices
from hangup.web.reasons import WhyQuery
from hangup.web.recorded import Recorded
from hangup.web.search import SearchQuery


class FilesQuery(RecordingQuery):
    """Where the recording is: its files, in order."""

    def answer(self, recorded: Recorded) -> Answer:
        return {"files": [str(path.absolute()) for path in recorded.tail.files]}


QUERIES: dict[str, type[RecordingQuery]] = {
    "overview": Overview,
    "ticks": Ticks,
    "connection": ConnectionQuery,
    "entries": EntriesQuery,
    "entry": EntryQuery,
    "find": FindQuery,
    "search": SearchQuery,
    "compare": CompareQuery,
    "statistics": StatisticsQuery,
    "imitate": ImitateQuery,
    "why": WhyQuery,
}
"""Those that have an address."""

_ALL = {**QUERIES, "files": FilesQuery}


def ask(recorded: Recorded, name: str, given: dict[str, str]) -> Answer | Slices:
    """The answer to the query ``name``. Raises :class:`QueryError` for one that is wrong."""
    try:
        query: RecordingQuery = msgspec.convert(given, _ALL[name], strict=False)
    except msgspec.ValidationError as error:
        raise QueryError(f"{name}: {error}") from None
    return query.answer(recorded)
