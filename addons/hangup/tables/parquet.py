"""Parquet: rows gathered to columns by Arrow, and files of them that Spark, Polars, pandas and DuckDB read.

A set of files is a folder: one folder for each table, in it one for each day, in that one for each target
(``messages/day=2026-11-29/target=ws%3A%2F%2Flocalhost%3A8000/part-0.parquet``), as Hive has it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hangup.errors import MissingExtra, RecordingError
from hangup.recording.redaction.placeholders import unnumbered
from hangup.tables.schema import PARTITIONS, TABLES, Table, Type

ROWS = 50_000
"""So many rows of a table are gathered before they are written."""

COMPRESSION = "zstd"
_MOST, _LEAST = (1 << 63) - 1, -(1 << 63)


def arrow() -> Any:
    """The module pyarrow. Raises :class:`~hangup.errors.MissingExtra` where it is not installed."""
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra('Parquet needs the extra: pip install "hangup[query]"') from None
    return pyarrow


def schema_of(table: Table, without: Iterable[str] = ()) -> Any:
    """The columns of a table as Arrow has them."""
    pa = arrow()
    left_out = set(without)
    return pa.schema([(each.name, _type(pa, each.type)) for each in table.columns if each.name not in left_out])


def _type(pa: Any, type_: Type) -> Any:
    return {
        "text": pa.string(),
        "int": pa.int64(),
        "real": pa.float64(),
        "bool": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
        "texts": pa.list_(pa.string()),
        "ints": pa.list_(pa.int64()),
    }[type_]


class Sink:
    """Takes rows, and writes a file for each table that has any. ``place`` says which file, by the table's name;
    columns in ``without`` are left out of it. ``numbered`` keeps the numbers of placeholders for secrets."""

    def __init__(self, without: Iterable[str] = ()) -> None:
        self._pa = arrow()
        self._without = frozenset(without)
        self._rows: dict[str, list[tuple[Any, ...]]] = {}
        self._writers: dict[str, Any] = {}
        self._paths: dict[str, Path] = {}
        self.written: list[Path] = []

    def begin(self, paths: dict[str, Path]) -> None:
        """Rows of these tables go to these files from now on."""
        self.end()
        self._paths = paths

    def add(self, name: str, row: tuple[Any, ...]) -> None:
        """Takes a row; one of a table that has no file is left out."""
        rows = self._rows.setdefault(name, [])
        rows.append(row)
        if len(rows) >= ROWS:
            self._flush(name)

    def end(self) -> None:
        """Writes what is left, and closes the files. Raises :class:`~hangup.errors.RecordingError`."""
        for name in list(self._rows):
            self._flush(name)
        try:
            for writer in self._writers.values():
                writer.close()
        except OSError as error:
            raise _cannot(self._paths, error) from None
        self._writers.clear()

    def _flush(self, name: str) -> None:
        rows = self._rows.pop(name)
        path = self._paths.get(name)
        if path is None or not rows:
            return
        pa = self._pa
        table = TABLES[name]
        columns = list(zip(*rows, strict=True))
        kept = [at for at, each in enumerate(table.columns) if each.name not in self._without]
        schema = schema_of(table, self._without)
        arrays = [_array(pa, columns[at], schema.field(place).type) for place, at in enumerate(kept)]
        try:
            writer = self._writers.get(name)
            if writer is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                writer = self._writers[name] = pa.parquet.ParquetWriter(path, schema, compression=COMPRESSION)
                self.written.append(path)
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        except OSError as error:
            raise _cannot(self._paths, error) from None


def _cannot(paths: dict[str, Path], error: OSError) -> RecordingError:
    where = next(iter(paths.values())).parent if paths else "Parquet"
    return RecordingError(f"cannot write {where}: {error.strerror or error}")


def _array(pa: Any, values: Sequence[Any], type_: Any) -> Any:
    if pa.types.is_string(type_):
        values = [unnumbered(each) if each else each for each in values]
    try:
        return pa.array(values, type_)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeError):
        return pa.array([_fitting(each) for each in values], type_)


def _fitting(value: Any) -> Any:
    """A value that Arrow takes: what is recorded need not be possible."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return max(_LEAST, min(_MOST, value))
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    return [_fitting(each) for each in value] if isinstance(value, list | tuple) else value


def partition(day: str, target: str) -> str:
    """The folders of a partition, as Hive names them."""
    return "/".join(f"{name}={_escaped(value)}" for name, value in zip(PARTITIONS, (day, target), strict=True))


def _escaped(value: str) -> str:
    # What Hive writes where there is no value; and no name of a file may be longer than 255 bytes.
    return quote(value, safe="")[:200].rstrip("%") or "__HIVE_DEFAULT_PARTITION__"
