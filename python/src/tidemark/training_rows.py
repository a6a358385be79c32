"""Rows to train on, as a program wants them: frames, arrays, tensors, batches, parts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from tidemark import arrays, frames
from tidemark.aio import async_twin
from tidemark.errors import InvalidArgumentError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from tidemark._native import Store
    from tidemark.kept_files import FileDataset, TableDataset
    from tidemark.saved_dataset import SavedDatasetFileStorage
    from tidemark.split import Split

Moment = datetime | date | str
# For each view of a request, the columns that hold its join keys.
EntityColumns = Callable[[], list[list[str]]]


class TrainingRows:
    """Rows of one schema; what has them gives `to_arrow` and `to_arrow_stream`."""

    # The column of the rows' times, where it was named; else "event_timestamp", or the only one.
    _time_column: str = ""
    _entity_columns: EntityColumns | None = None
    # The store that they come from, which tables are made in.
    _of_store: Store | None = None

    def to_arrow(self) -> pa.Table:
        """All of it as an Arrow table."""
        raise NotImplementedError

    def to_arrow_stream(self) -> pa.RecordBatchReader:
        """The same as a stream of batches, which need not fit in memory together."""
        raise NotImplementedError

    def to_df(self) -> pd.DataFrame:
        """A pandas frame; integers with missing values are `Int64`, bools `boolean`."""
        return frames.to_pandas(self.to_arrow())

    def to_polars(self) -> pl.DataFrame:
        return frames.to_polars(self.to_arrow())

    def to_numpy(
        self, columns: Sequence[str] | None = None, *, missing: arrays.Missing | None = None
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Each column, or the named ones, as an array.

        Numbers keep their type. `missing` takes the place of missing numbers; without it floats
        are NaN there, and integers and bools come as a `numpy.ma.MaskedArray`. Timestamps are
        datetime64 in UTC, NaT where missing. A list column of numbers is a matrix where all lists
        are whole and of one length, else an array of arrays. Anything else is an array of objects,
        None where missing.
        """
        return arrays.to_numpy(arrays.chosen(self.to_arrow(), columns), missing)

    def to_tensor(
        self,
        kind: str = "torch",
        default_value: arrays.Missing | None = None,
        *,
        columns: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Each column, or the named ones, as a torch tensor, on the CPU and with memory of its own.

        Types are those of `to_numpy`; columns that are neither numbers nor lists of numbers of one
        length are Python lists. Missing floats are NaN. Missing integers and bools need a
        `default_value`, which stands for missing floats too; one that the type of a column cannot
        hold is a TypeMismatchError.
        """
        return arrays.to_tensors(arrays.chosen(self.to_arrow(), columns), kind, default_value)

    def to_batches(self, rows: int) -> Iterator[pa.RecordBatch]:
        """Batches of `rows` rows each (the last may have fewer), made as they are asked for.

        No more is in memory than one batch and what the engine hands over at once.
        """
        if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
            raise InvalidArgumentError(f"to_batches: rows={rows!r}: give a number from 1 up")
        return rebatched(self.to_arrow_stream(), rows)

    def split(
        self,
        by: str,
        fractions: Mapping[str, float] | Sequence[float] | None = None,
        *,
        at: Sequence[Moment] | None = None,
        columns: Sequence[str] | None = None,
        seed: int = 0,
    ) -> Split:
        """The rows in parts: each row in exactly one, in the order it had; all read into memory.

        `fractions` are the parts' shares by name, or two (train, test) or three (train, validation,
        test) without names; (0.8, 0.1, 0.1) if nothing is said.

        by="time": earlier rows come into earlier parts, so that no part knows what comes after it.
        `at` gives the boundaries, one or two times: a row at a boundary is behind it. Without it
        they are chosen by `fractions`; rows of one time stay together. `columns=[name]` names the
        time column.

        by="entity": all rows of an entity are in one part, which depends on its keys and `seed`
        alone: it is the same in every run, on every machine and whatever rows there are. `columns`
        are the keys; those of the views, if all have the same. The SHA-256 of the JSON array of
        seed and keys, in the order of the columns' names, without spaces, in UTF-8, such as
        `[0,1001]`, is read as a fraction of 1 by its first 8 bytes, big-endian; shares of rows are
        near `fractions` where entities are many. Dates and times are ISO-8601 text (in UTC, with
        microseconds and Z), bytes are hexadecimal.

        by="random": row i (from 0) draws number i of SplitMix64 seeded with `seed`; parts are
        filled in the order of the draws, and have the sizes that `fractions` say, to a row.
        """
        from tidemark import split

        request = split.Request(by, fractions, at, columns, seed)
        return split.make(self, request, self._time_column, self._entity_columns)

    def persist(
        self,
        path: str | os.PathLike[str] | SavedDatasetFileStorage,
        *,
        allow_overwrite: bool = False,
        rows_per_file: int = 1_000_000,
    ) -> FileDataset | TableDataset:
        """Keeps the rows: in a Parquet file, if `path` ends in .parquet, in a table, or a folder.

        Text of two names with a dot between, "database.table", is a table of the store that the
        rows come from, which SQL and other engines read; its database must be there. Anything else
        is a folder: "./training.v1" for one that is named like a table.

        They appear whole or not at all, durable when this returns, and are not held in memory but
        for the rows of one file of a folder. What is at `path` already is an AlreadyExistsError;
        `allow_overwrite` replaces a file, or a folder that has nothing but rows kept before. The
        result has all methods of these rows.
        """
        from tidemark import kept_files

        return kept_files.persist(self, path, allow_overwrite, rows_per_file)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The Arrow stream, so that the rows go wherever a table does."""
        capsule: object = self.to_arrow_stream().__arrow_c_stream__(requested_schema)
        return capsule

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return iter(self.to_arrow_stream())

    to_df_async = async_twin(to_df)
    to_polars_async = async_twin(to_polars)
    to_numpy_async = async_twin(to_numpy)
    to_tensor_async = async_twin(to_tensor)
    split_async = async_twin(split)
    persist_async = async_twin(persist)


def rebatched(reader: pa.RecordBatchReader, rows: int) -> Iterator[pa.RecordBatch]:
    """The rows of a reader in batches of `rows`; the last may have fewer."""
    import pyarrow as pa

    kept: list[pa.RecordBatch] = []
    count = 0
    for batch in reader:
        while batch.num_rows:
            piece = batch.slice(0, rows - count)
            batch = batch.slice(piece.num_rows)
            kept.append(piece)
            count += piece.num_rows
            if count == rows:
                yield pa.concat_batches(kept)
                kept, count = [], 0
    if kept:
        yield pa.concat_batches(kept)
