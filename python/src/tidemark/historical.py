"""A training set that has been asked for and is made when it is read."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidemark.aio import async_twin, current_token
from tidemark.errors import InvalidArgumentError
from tidemark.progress import ProgressBar
from tidemark.rows import ArrowStream, as_stream_or_path, is_one_shot
from tidemark.training_rows import EntityColumns, TrainingRows

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemark import _native
    from tidemark._native import HistoricalRequest, ResultStream, Store
    from tidemark.rows import RowsLike


@dataclass(frozen=True)
class HistoricalReport:
    """What making a training set said of itself."""

    rows: int
    warnings: tuple[str, ...]


class RetrievalJob(TrainingRows):
    """The result of `get_historical_features`: nothing is read until one of its methods asks.

    Rows come in the order of the entity rows, as many as there were. Every method makes the
    training set anew; where the entity rows were a stream, that works once.
    """

    def __init__(
        self,
        store: Store,
        entity_rows: RowsLike | None,
        request: HistoricalRequest,
        time_column: str = "",
        entity_columns: EntityColumns | None = None,
    ) -> None:
        self._store = store
        self._of_store = store
        self._time_column = time_column
        self._entity_columns = entity_columns
        self._rows = entity_rows
        self._request = request
        self._spent = False
        self.report: HistoricalReport | None = None

    def to_arrow(self) -> pa.Table:
        """All of it as an Arrow table."""
        import pyarrow as pa

        with ProgressBar() as bar:
            stream = self._start(bar)
            schema = self._schema(stream)
            return pa.Table.from_batches(list(self._batches(stream)), schema)

    def to_arrow_stream(self) -> pa.RecordBatchReader:
        """The same as a stream of batches, which need not fit in memory together."""
        import pyarrow as pa

        stream = self._start(None)
        return pa.RecordBatchReader.from_batches(self._schema(stream), self._batches(stream))

    def to_parquet(self, path: str | os.PathLike[str]) -> HistoricalReport:
        """Writes a Parquet file without holding the training set in memory."""
        return self._write(path, ".parquet")

    def to_csv(self, path: str | os.PathLike[str]) -> HistoricalReport:
        """Writes a CSV file without holding the training set in memory."""
        return self._write(path, ".csv")

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self._batches(self._start(None))

    def _take_rows(self) -> ArrowStream | str | None:
        if self._rows is None:
            return None
        if self._spent:
            raise InvalidArgumentError(
                "the entity rows were a stream that has been read already: ask again with a new "
                "one, or keep the result of to_arrow()"
            )
        self._spent = is_one_shot(self._rows)
        return as_stream_or_path(self._rows, "entity rows")

    def _start(self, bar: ProgressBar | None) -> ResultStream:
        rows = self._take_rows()
        progress = bar.callback if bar else None
        return self._store.historical(rows, self._request, current_token(), progress)

    def _schema(self, stream: ResultStream) -> pa.Schema:
        import pyarrow as pa

        return pa.schema(stream)

    def _batches(self, stream: ResultStream) -> Iterator[pa.RecordBatch]:
        """The batches of a training set; its errors come as they are, not as pyarrow's."""
        import pyarrow as pa

        while (batch := stream.next()) is not None:
            yield pa.record_batch(batch)
        self._keep(stream.report)

    def _write(self, path: str | os.PathLike[str], ending: str) -> HistoricalReport:
        target = os.path.abspath(os.fspath(path))
        if not target.endswith(ending):
            raise InvalidArgumentError(f"{target}: the name of the file must end in {ending}")
        rows = self._take_rows()
        with ProgressBar() as bar:
            report = self._store.write_historical(
                rows, self._request, target, current_token(), bar.callback
            )
        return self._keep(report)

    def _keep(self, told: _native.HistoricalReport) -> HistoricalReport:
        self.report = HistoricalReport(told.rows, tuple(told.warnings))
        for warning in self.report.warnings:
            warnings.warn(warning, UserWarning, stacklevel=4)
        return self.report

    to_arrow_async = async_twin(to_arrow)
    to_parquet_async = async_twin(to_parquet)
    to_csv_async = async_twin(to_csv)
