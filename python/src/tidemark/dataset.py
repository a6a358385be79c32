"""Training rows that are in memory: a part of a training set, or one that was kept."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from tidemark.aio import async_twin
from tidemark.errors import InvalidArgumentError, IoError
from tidemark.training_rows import EntityColumns, TrainingRows

if TYPE_CHECKING:
    import pyarrow as pa


class Dataset(TrainingRows):
    """Rows in memory. `len` is how many; everything else is as on what was asked for."""

    def __init__(
        self,
        table: pa.Table,
        *,
        time_column: str = "",
        entity_columns: EntityColumns | None = None,
    ) -> None:
        self._table = table
        self._time_column = time_column
        self._entity_columns = entity_columns

    def __len__(self) -> int:
        count: int = self._table.num_rows
        return count

    def __repr__(self) -> str:
        return f"Dataset({len(self)} rows: {', '.join(self._table.column_names)})"

    def to_arrow(self) -> pa.Table:
        """The rows as an Arrow table."""
        return self._table

    def to_arrow_stream(self) -> pa.RecordBatchReader:
        """The rows as a stream of batches."""
        return self._table.to_reader()

    def to_parquet(self, path: str | os.PathLike[str]) -> int:
        """Writes a Parquet file, which appears whole or not at all; gives the number of rows."""

        def write(table: pa.Table, target: str) -> None:
            import pyarrow.parquet as pq

            pq.write_table(table, target, compression="zstd", write_page_checksum=True)

        return self._write(path, ".parquet", write)

    def to_csv(self, path: str | os.PathLike[str]) -> int:
        """Writes a CSV file, which appears whole or not at all; gives the number of rows."""

        def write(table: pa.Table, target: str) -> None:
            import pyarrow.csv

            pyarrow.csv.write_csv(table, target)

        return self._write(path, ".csv", write)

    def _write(
        self, path: str | os.PathLike[str], ending: str, write: Callable[[pa.Table, str], None]
    ) -> int:
        import pyarrow as pa

        target = os.path.abspath(os.fspath(path))
        if not target.endswith(ending):
            raise InvalidArgumentError(f"{target}: the name of the file must end in {ending}")
        unfinished = f"{target}.{uuid.uuid4().hex}.tmp"
        try:
            write(self._table, unfinished)
            os.replace(unfinished, target)
        except (OSError, pa.ArrowException) as error:
            raise IoError(f"{target} cannot be written: {error}") from None
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.remove(unfinished)
        return len(self)

    to_parquet_async = async_twin(to_parquet)
    to_csv_async = async_twin(to_csv)
