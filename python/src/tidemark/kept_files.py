"""Training rows that are kept in Parquet files: written whole or not at all, and read again."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tidemark.aio import current_token
from tidemark.errors import AlreadyExistsError, InvalidArgumentError, IoError, NotFoundError
from tidemark.training_rows import EntityColumns, TrainingRows, rebatched

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemark.saved_dataset import SavedDatasetFileStorage

_ENDING = ".parquet"
_TABLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\.[A-Za-z0-9_][A-Za-z0-9_-]*")
_ROWS_PER_FILE = 1_000_000
_PART = re.compile(r"part-\d{5,}\.parquet")
_BATCH_ROWS = 64 * 1024


class FileDataset(TrainingRows):
    """Rows in a Parquet file, or in a folder of them in the order of their names."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        time_column: str = "",
        entity_columns: EntityColumns | None = None,
    ) -> None:
        self.path = os.path.abspath(os.fspath(path))
        self._time_column = time_column
        self._entity_columns = entity_columns
        if not self.files:
            raise NotFoundError("there is no Parquet file here", self.path)

    @property
    def files(self) -> list[str]:
        """The files, in the order of their rows."""
        if os.path.isdir(self.path):
            names = sorted(each for each in os.listdir(self.path) if each.endswith(_ENDING))
            return [os.path.join(self.path, each) for each in names]
        return [self.path] if os.path.isfile(self.path) else []

    def __len__(self) -> int:
        import pyarrow.parquet as pq

        return sum(pq.read_metadata(each).num_rows for each in self.files)

    def __repr__(self) -> str:
        return f"FileDataset({self.path!r})"

    def to_arrow(self) -> pa.Table:
        """All of it as an Arrow table."""
        return self.to_arrow_stream().read_all()

    def to_arrow_stream(self) -> pa.RecordBatchReader:
        """The same as a stream of batches, which need not fit in memory together."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        files = self.files
        schema = pq.read_schema(files[0])

        def batches() -> Iterator[pa.RecordBatch]:
            for each in files:
                with pq.ParquetFile(each, page_checksum_verification=True) as file:
                    yield from file.iter_batches(_BATCH_ROWS)

        return pa.RecordBatchReader.from_batches(schema, batches())


class TableDataset(TrainingRows):
    """Rows in a table of a store on a server, read by a query: the key must read all projects."""

    def __init__(self, rows: TrainingRows, table: str) -> None:
        self.table = table
        self._of_store = rows._of_store
        self._time_column = rows._time_column
        self._entity_columns = rows._entity_columns

    def __len__(self) -> int:
        return len(self.to_arrow())

    def __repr__(self) -> str:
        return f"TableDataset({self.table!r})"

    def to_arrow(self) -> pa.Table:
        """All of it as an Arrow table."""
        return self.to_arrow_stream().read_all()

    def to_arrow_stream(self) -> pa.RecordBatchReader:
        """The same as a stream of batches, which need not fit in memory together."""
        import pyarrow as pa

        from tidemark import _native

        assert self._of_store is not None
        database, _, table = self.table.partition(".")
        query = f'SELECT * FROM "{database}"."{table}"'
        stream = self._of_store.sql(query, _native.SqlRequest(), current_token())

        def batches() -> Iterator[pa.RecordBatch]:
            while (batch := stream.next()) is not None:
                yield pa.record_batch(batch)

        return pa.RecordBatchReader.from_batches(pa.schema(stream), batches())


def is_table_name(text: str) -> bool:
    """Whether text names a table, "database.table", and not a file or folder."""
    return _TABLE.fullmatch(text) is not None and not text.endswith(_ENDING)


def persist(
    rows: TrainingRows,
    path: str | os.PathLike[str] | SavedDatasetFileStorage,
    allow_overwrite: bool,
    rows_per_file: int,
) -> FileDataset | TableDataset:
    """Writes rows to a file, a table or a folder; see `TrainingRows.persist`."""
    from tidemark.saved_dataset import SavedDatasetFileStorage

    if isinstance(path, SavedDatasetFileStorage):
        path = path.path
    if isinstance(path, str) and is_table_name(path):
        return _persist_table(rows, path, allow_overwrite, rows_per_file)
    target = Path(os.path.abspath(os.fspath(path)))
    is_file = target.suffix == _ENDING
    if isinstance(rows_per_file, bool) or not isinstance(rows_per_file, int) or rows_per_file < 1:
        raise InvalidArgumentError(f"rows_per_file={rows_per_file!r}: give a number from 1 up")
    _check_target(target, is_file, allow_overwrite)
    unfinished = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        reader = rows.to_arrow_stream()
        if is_file:
            _write_file(reader, unfinished)
            _put_file(unfinished, target, allow_overwrite)
        else:
            _write_folder(reader, unfinished, rows_per_file)
            _put_folder(unfinished, target, allow_overwrite)
        _sync(target.parent)
    except OSError as error:
        raise IoError(f"{target} cannot be written: {error}") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        with contextlib.suppress(OSError):
            unfinished.unlink()
    return FileDataset(target, time_column=rows._time_column, entity_columns=rows._entity_columns)


def _persist_table(
    rows: TrainingRows, table: str, allow_overwrite: bool, rows_per_file: int
) -> FileDataset | TableDataset:
    if rows._of_store is None:
        raise InvalidArgumentError(
            f"{table!r} would be a table of a store, and these rows come from none: give the path "
            f"of a file or folder ('./{table}')"
        )
    if rows_per_file != _ROWS_PER_FILE:
        raise InvalidArgumentError("rows_per_file is for folders: a table is written in one file")
    made = json.loads(
        rows._of_store.save_table(table, rows.to_arrow_stream(), allow_overwrite, current_token())
    )
    if rows._of_store.is_remote:
        return TableDataset(rows, table)
    kept = FileDataset(
        made["path"], time_column=rows._time_column, entity_columns=rows._entity_columns
    )
    kept._of_store = rows._of_store
    return kept


def _check_target(target: Path, is_file: bool, allow_overwrite: bool) -> None:
    if not os.path.lexists(target):
        return
    if not allow_overwrite:
        raise _taken(target)
    if is_file and not target.is_file():
        raise InvalidArgumentError("it is no file, and is not written over", str(target))
    if not is_file:
        others = [] if not target.is_dir() else os.listdir(target)
        strange = next((each for each in others if not _PART.fullmatch(each)), None)
        if strange is not None or not target.is_dir():
            found = f": it has {strange!r}" if strange else ""
            raise InvalidArgumentError(
                f"it is no folder of kept rows, and is not written over{found}", str(target)
            )


def _taken(target: Path) -> AlreadyExistsError:
    return AlreadyExistsError(
        "it is there already: give another path, or allow_overwrite=True", str(target)
    )


def _write_file(reader: pa.RecordBatchReader, path: Path) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(
        path, reader.schema, compression="zstd", write_page_checksum=True
    ) as writer:
        for batch in reader:
            writer.write_batch(batch)
    _sync(path)


def _write_folder(reader: pa.RecordBatchReader, path: Path, rows_per_file: int) -> None:
    import pyarrow as pa

    path.mkdir()
    number = 0
    for number, batch in enumerate(rebatched(reader, rows_per_file), 1):
        piece = pa.RecordBatchReader.from_batches(reader.schema, [batch])
        _write_file(piece, path / f"part-{number - 1:05}.parquet")
    if number == 0:
        nothing = pa.RecordBatchReader.from_batches(reader.schema, [])
        _write_file(nothing, path / "part-00000.parquet")
    _sync(path)


def _put_file(unfinished: Path, target: Path, allow_overwrite: bool) -> None:
    if allow_overwrite:
        os.replace(unfinished, target)
        return
    try:
        os.link(unfinished, target)  # unlike a rename, never over a file that has come meanwhile
    except FileExistsError:
        raise _taken(target) from None


def _put_folder(unfinished: Path, target: Path, allow_overwrite: bool) -> None:
    """A rename; of a folder that is written over the former one is out of the way for a moment."""
    former = None
    if allow_overwrite and target.exists():
        former = unfinished.with_name(f"{unfinished.name}.former")
        os.rename(target, former)
    try:
        os.rename(unfinished, target)
    except OSError as error:
        if former is not None:
            os.rename(former, target)
        if target.exists():
            raise _taken(target) from error
        raise
    if former is not None:
        shutil.rmtree(former)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
