"""SQL over tables: DuckDB with a view for each, which can read nothing else and write nothing at all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from msgspec import Struct

from hangup.errors import MissingExtra, UsageError
from hangup.tables.schema import TABLES, VIEWS, Column, Level, Table, Type

NAMES = "hangup_names"
"""The table that has what each recording of a cache is called, by its key."""

_SAID = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
"""What stands in SQL and is no name: texts and comments."""

_NAME = re.compile(r"\w+")

_TYPES: dict[Type, str] = {
    "text": "VARCHAR",
    "int": "BIGINT",
    "real": "DOUBLE",
    "bool": "BOOLEAN",
    "time": "TIMESTAMP",
    "texts": "VARCHAR[]",
    "ints": "BIGINT[]",
}


class Answer(Struct):
    """The answer to a question: the columns' names and the rows; there may be ``more`` of these than were asked for."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    more: bool = False

    def dicts(self) -> list[dict[str, Any]]:
        """The rows, each by the columns' names."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def plain(value: Any) -> Any:
    """For JSON."""
    if isinstance(value, datetime):
        return f"{value.isoformat(timespec='microseconds')}Z"
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, float):
        return value if value - value == 0 else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


class Asked(Struct, frozen=True):
    """A question: a SELECT, and at most how many rows of the answer (0: all)."""

    sql: str
    rows: int = 0


def duckdb() -> ModuleType:
    """The module. Raises :class:`~hangup.errors.MissingExtra` where it is not installed."""
    try:
        import duckdb as module
    except ImportError:
        raise MissingExtra('questions need the extra: pip install "hangup[query]"') from None
    return module


class Database:
    """The views over files of Parquet: by the tables' names, the files of each. ``names`` are what recordings are
    called, by what stands in the files; without it that is their name. ``hive`` says that day and target are
    folders."""

    def __init__(
        self, files: Mapping[str, Sequence[Path]], names: Mapping[str, str] | None = None, *, hive: bool = False
    ) -> None:
        self._duckdb = duckdb()
        self._base = self._duckdb.connect(":memory:")
        run = self._base.execute
        run("SET autoinstall_known_extensions = false")
        run("SET autoload_known_extensions = false")
        run("SET python_enable_replacements = false")
        run("SET temp_directory = ''")
        if names is not None:
            run(f"CREATE TABLE {NAMES} (key VARCHAR, name VARCHAR)")
            some = list(names.items())
            if some:
                keys, called = zip(*some, strict=True)
                run(f"INSERT INTO {NAMES} SELECT unnest(?), unnest(?)", [list(keys), list(called)])
        allowed = []
        for name, table in TABLES.items():
            paths = [str(path) for path in files.get(name, ())]
            allowed += paths
            columns = ", ".join(f'"{each.name}" {_TYPES[each.type]}' for each in table.columns)
            if not paths:
                run(f"CREATE TABLE {name} ({columns})")
                continue
            run(f"CREATE VIEW {name} AS {_view(paths, table, names is not None, hive)}")
        for view in VIEWS.values():
            run(f"CREATE VIEW {view.name} AS {view.sql}")
        run(f"SET allowed_paths = [{', '.join(map(_quoted, allowed))}]")
        run("SET enable_external_access = false")
        run("SET lock_configuration = true")

    def ask(self, sql: str, rows: int = 0) -> Answer:
        """The answer to one SELECT; ``rows`` is how many rows of it at most, 0 for all. Raises
        :class:`~hangup.errors.UsageError` for anything else, and with what DuckDB says of it."""
        try:
            statements = self._base.extract_statements(sql)
        except self._duckdb.Error as error:
            raise UsageError(_said(error)) from None
        if len(statements) != 1 or statements[0].type != self._duckdb.StatementType.SELECT:
            raise UsageError("a question is one SELECT")
        try:
            made = self._base.execute(statements[0])
            columns = [each[0] for each in made.description or ()]
            found = made.fetchmany(rows + 1) if rows else made.fetchall()
        except self._duckdb.Error as error:
            raise UsageError(_said(error)) from None
        return Answer(columns, found[:rows] if rows else found, bool(rows) and len(found) > rows)

    def answer(self, asked: Asked) -> Answer:
        """The answer to a question, which is the last one."""
        try:
            return self.ask(asked.sql, asked.rows)
        finally:
            self.close()

    def close(self) -> None:
        """Gives everything back."""
        self._base.close()


def levels_of(sql: str) -> list[Level]:
    """What has to be read to answer a question: that of which it names a table, perhaps as a column. It is tried on
    empty tables first, so that what is wrong with it is told before anything is read. Raises
    :class:`~hangup.errors.UsageError`."""
    Database({}).answer(Asked(sql))
    words = {word.lower() for word in _NAME.findall(_SAID.sub(" ", sql))}
    named = {VIEWS[word].table if word in VIEWS else word for word in words}
    return sorted({TABLES[name].level for name in named if name in TABLES})


def _view(paths: Sequence[str], table: Table, named: bool, hive: bool) -> str:
    read = f"read_parquet([{', '.join(map(_quoted, paths))}], hive_partitioning = {str(hive).lower()}"
    read += ", hive_types_autocast = false)" if hive else ")"
    taken = ["names.name AS recording" if named else "rows.recording", *map(_taken, table.columns[1:])]
    names = f" JOIN {NAMES} AS names ON rows.recording = names.key" if named else ""
    return f"SELECT {', '.join(taken)} FROM {read} AS rows{names}"


def _taken(column: Column) -> str:
    # Without a zone, in UTC: with one, DuckDB needs an extension and Python a package.
    if column.type == "time":
        return f'make_timestamp(epoch_us(rows."{column.name}")) AS "{column.name}"'
    return f'rows."{column.name}"'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _said(error: Exception) -> str:
    """What DuckDB says, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(line for line in lines if not set(line) <= {"^", "~", " "})[:500]
