"""Incidents as one Parquet file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from msgspec.structs import asdict

from hangup.errors import RecordingError
from hangup.fleet.incidents import Incident
from hangup.tables.parquet import COMPRESSION, arrow


def write_incidents(incidents: Sequence[Incident], path: Path) -> None:
    """Writes one row for each; the file is there only once it is complete, and is its owner's alone. Raises
    :class:`~hangup.errors.RecordingError`."""
    pa = arrow()
    text, texts, moment = pa.string(), pa.list_(pa.string()), pa.timestamp("ms", tz="UTC")
    types = {"proved": pa.bool_(), "recordings": pa.int64(), "dropped": pa.int64(), "conn": pa.int64()}
    types |= {"sure": pa.float64(), "targets": texts, "names": texts}
    times = {"first", "last"}
    columns = {}
    for name in Incident.__struct_fields__:
        values = [asdict(each)[name] for each in incidents]
        array = pa.array(values, types.get(name, text))
        columns[name] = pa.compute.cast(array, moment) if name in times else array
    try:
        descriptor, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.resolve().parent)
    except OSError as error:
        raise RecordingError(f"cannot write {path}: {error.strerror or error}") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            pa.parquet.write_table(pa.table(columns), file, compression=COMPRESSION)
        os.replace(made, path)
    except OSError as error:
        raise RecordingError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with suppress(FileNotFoundError):
            os.unlink(made)
