"""Preparing a data set: read once, written as plain arrays, and mapped into memory ever after."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from agekit.contracts import DataField, Dataset, Source
from agekit.errors import DataError
from agekit.files import sealed, write_json

from .columns import Column
from .folders import make_once
from .prepared import FORMAT, INDEX, Prepared, load
from .reading import DTYPES, Chunk, Reader, read_all, sized

Report = Callable[[int, int], None]


def prepare(
    name: str,
    dataset: Dataset,
    cache: Path,
    *,
    workers: int | None = None,
    progress: Report | None = None,
) -> Prepared:
    """Read a data set into a folder of the cache, unless it is there already, and map it into memory.

    The folder is named by the data set, its options and the identity of its files; the arrays in it do not depend on
    the number of `workers` (None: as many as pay). `progress` is told how many samples are done, of how many. Samples
    that cannot be read are left out, and named in `dropped`. Raises `MissingData` where the files are not there, and
    `DataError` where they are damaged, where no sample can be read, or where the cache cannot be written.
    """
    source = dataset.open()
    folder = cache / f"{name}-{_key(name, dataset, source)}"
    if not folder.exists():
        fill = partial(_write, name, Reader(source, dataset.fields()), workers, progress or _silently)
        try:
            make_once(folder, fill)
        except OSError as error:
            raise DataError(f"{name} cannot be prepared in {cache}: {error}") from error
    return load(folder, dataset.fields())


def _key(name: str, dataset: Dataset, source: Source) -> str:
    parts = (str(FORMAT), name, dataset.model_dump_json(), source.identity())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _write(name: str, reader: Reader, workers: int | None, progress: Report, folder: Path) -> None:
    """Fill a folder with an array for each field and the index."""
    done, total = 0, len(reader.source)
    reader = sized(reader)
    names: list[str] = []
    dropped: dict[str, str] = {}
    with ExitStack() as stack:
        columns = {field: stack.enter_context(_column(folder, field, reader.fields)) for field in reader.fields}
        for chunk in read_all(reader, workers):
            _append(columns, chunk)
            names.extend(chunk.names)
            dropped.update(chunk.dropped)
            done += len(chunk.names) + len(chunk.dropped)
            progress(done, total)
    if not names:
        first = next((f"; the first, {sample}: {reason}" for sample, reason in dropped.items()), "")
        raise DataError(f"none of the {total} samples of {name} can be read{first}")
    write_json(folder / INDEX, sealed(_index(name, columns, names, dropped)))


def _column(folder: Path, name: str, fields: Mapping[str, DataField]) -> Column:
    field = fields[name]
    return Column(folder / f"{name}.npy", DTYPES[field.values], tuple(size for size in field.shape if size is not None))


def _append(columns: Mapping[str, Column], chunk: Chunk) -> None:
    for field, rows in chunk.rows.items():
        columns[field].append(rows)


def _index(name: str, columns: Mapping[str, Column], names: list[str], dropped: Mapping[str, str]) -> dict[str, object]:
    described = {
        field: {"dtype": column.dtype.str, "shape": [column.count, *column.shape], "sha256": column.sha256}
        for field, column in columns.items()
    }
    lines = "\n".join(
        f"{field} {about['dtype']} {about['shape']} {about['sha256']}" for field, about in described.items()
    )
    return {
        "format": FORMAT,
        "dataset": name,
        "count": len(names),
        "fields": described,
        "fingerprint": hashlib.sha256(lines.encode()).hexdigest(),
        "dropped": dict(dropped),
        "names": names,
    }


def _silently(done: int, total: int) -> None:
    pass
