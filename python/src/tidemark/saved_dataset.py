"""Training sets that are kept, with all that it takes to make them again to the byte."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tidemark.aio import async_twin, current_token
from tidemark.dataset import Dataset
from tidemark.errors import InvalidArgumentError, UnsupportedError
from tidemark.feature_service import FeatureService
from tidemark.historical import RetrievalJob
from tidemark.progress import ProgressBar
from tidemark.training_rows import TrainingRows

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemark import _native
    from tidemark.data_format import ParquetFormat


@dataclass(frozen=True)
class SavedDatasetFileStorage:
    """Where a saved dataset lies: a Parquet file, by a path that ends in .parquet."""

    path: str
    file_format: ParquetFormat | None = None
    s3_endpoint_override: str | None = None

    def __post_init__(self) -> None:
        if self.s3_endpoint_override:
            raise UnsupportedError("s3_endpoint_override: saved datasets are files of this machine")


class SavedDataset(TrainingRows):
    """A training set that was kept under a name; it has all methods of one.

    Its rows are read from its file, once that is known to be what was saved: one that is gone is a
    NotFoundError, one that was changed a CorruptionError, and `rebuild` makes it again. After an
    erasure of its rows (`state` "erased") that is refused, and `erasure` says by which.

    `tables` are the snapshots that it keeps, `files` what else was read, `definitions` the versions
    that were used. `known_by` is a time, "event", or None. `path` is where its file lies, of a
    store on a server on the server's machine: `fetch` copies it.
    """

    def __init__(self, owner: SavedDatasets, told: Mapping[str, Any]) -> None:
        self._owner = owner
        self._store = owner._store
        self._of_store = owner._store
        self._told = told
        self._time_column = told["event_timestamp"]
        keys = list(told["join_keys"])
        self._entity_columns = lambda: [keys]
        self.name: str = told["name"]
        self.state: str = told["state"]
        self.created_timestamp = datetime.fromisoformat(told["created"])
        self.tags: dict[str, str] = dict(told["tags"])
        self.feature_service_name: str = told["feature_service"]
        self.features: list[str] = list(told["features"])
        self.join_keys: list[str] = keys
        self.full_feature_names: bool = told["full_feature_names"]
        self.known_by: str | None = told["known_by"]
        self.path: str = told["path"]
        self.storage = SavedDatasetFileStorage(self.path)
        self.sha256: str = told["sha256"]
        self.erasure: str = told["erasure"]
        self.definitions: list[dict[str, Any]] = list(told["definitions"])
        self.tables: list[dict[str, Any]] = list(told["tables"])
        self.files: list[dict[str, Any]] = list(told["files"])

    def __len__(self) -> int:
        count: int = self._told["rows"]
        return count

    def __repr__(self) -> str:
        return f"SavedDataset({self.name!r}, {len(self)} rows, {self.state})"

    def to_dict(self) -> dict[str, Any]:
        """All that is known of it, as `tidemark datasets show` prints it."""
        return dict(self._told)

    def to_arrow(self) -> pa.Table:
        """All of it as an Arrow table."""
        return self.to_arrow_stream().read_all()

    def to_arrow_stream(self) -> pa.RecordBatchReader:
        """The same as a stream of batches, which need not fit in memory together."""
        import pyarrow as pa

        stream = self._store.read_saved_dataset(self.name, current_token())

        def batches() -> Iterator[pa.RecordBatch]:
            while (batch := stream.next()) is not None:
                yield pa.record_batch(batch)

        return pa.RecordBatchReader.from_batches(pa.schema(stream), batches())

    def entity_rows(self) -> TrainingRows | None:
        """The entity rows that it was made of; None if it was made of a range of times."""
        from tidemark.kept_files import FileDataset

        path = self._told["entity_rows"]
        if path is None:
            return None
        if self._owner._url is None:
            return FileDataset(path, time_column=self._time_column)
        with tempfile.TemporaryDirectory() as folder:
            fetched = os.path.join(folder, "entity_rows.parquet")
            self._store.fetch_saved_dataset(self.name, True, fetched, current_token())
            rows = FileDataset(fetched).to_arrow()
        return Dataset(rows, time_column=self._time_column)

    def fetch(self, path: str | os.PathLike[str]) -> str:
        """Copies its file to `path`, over what is there, if it is what was saved; the path.

        A NotFoundError if it is gone, a CorruptionError if it was changed: `rebuild` makes it
        again.
        """
        target = os.path.abspath(os.fspath(path))
        self._store.fetch_saved_dataset(self.name, False, target, current_token())
        return target

    def rebuild(self, path: str | os.PathLike[str] | None = None) -> str:
        """Makes it again, the same file to the byte, in its place or at `path`: where it is.

        An InvalidDataError says why that cannot be: rows were erased, a file has changed, or a
        warehouse or a Python function answers otherwise.
        """
        target = "" if path is None else os.path.abspath(os.fspath(path))
        with ProgressBar() as bar:
            try:
                return self._store.rebuild_dataset(self.name, target, current_token(), bar.callback)
            except UnsupportedError:  # it has features of Python functions
                if self._owner._url is not None:
                    raise
            store = self._owner._store_with_functions()
            return store.rebuild_dataset(self.name, target, current_token(), bar.callback)

    to_arrow_async = async_twin(to_arrow)
    fetch_async = async_twin(fetch)
    rebuild_async = async_twin(rebuild)


class SavedDatasets:
    """The part of a store that keeps training sets; `FeatureStore` has all of these methods."""

    _store: _native.Store
    _url: str | None
    _drivers: list[str]
    _functions: _native.Store | None

    def _store_with_functions(self) -> _native.Store:
        """The same store, with a process that runs Python functions for the engine."""
        from tidemark import _native

        if self._url is not None:
            raise UnsupportedError(
                "features of Python functions are made by the server that keeps them: start it "
                "with --python-workers"
            )
        if self._functions is None:
            self._functions = _native.Store.open(
                self._store.path, self._store.project, False, self._drivers, sys.executable
            )
        return self._functions

    def create_saved_dataset(
        self,
        from_: RetrievalJob,
        name: str,
        storage: SavedDatasetFileStorage | str | os.PathLike[str] | None = None,
        tags: Mapping[str, str] | None = None,
        feature_service: FeatureService | str | None = None,
        allow_overwrite: bool = False,
    ) -> SavedDataset:
        """Makes a training set and keeps it, under a name and with what it is made of.

        `from_` is what `get_historical_features` gives. `storage` is the file that the rows go to;
        without it they lie in the store's folder. Text of two names with a dot between,
        "database.table", is a table beside that, as of `persist`. A store on a server keeps the
        file in its own folder, and `storage` is a copy on this machine. `feature_service` is noted.
        What is there under the name, or at the path, is an AlreadyExistsError; `allow_overwrite`
        replaces it.

        Python functions run in a process of their own, twice: they must give the same values for
        the same rows, and an InvalidDataError says that they do not.

        Snapshots of feature tables are kept, by a tag of their Iceberg tables, until the dataset is
        deleted. Rows of files are theirs to keep: a file that changes ends rebuilding. What a
        warehouse answers is not kept at all: `rebuild` asks again, and compares.
        """
        from tidemark import _native
        from tidemark.computed import ComputedJob
        from tidemark.kept_files import is_table_name

        if not isinstance(from_, RetrievalJob):
            raise InvalidArgumentError(
                f"from_ is the result of get_historical_features, not a {type(from_).__name__}"
            )
        if from_._store is not self._store:
            raise InvalidArgumentError("from_ is of another store: ask this one for the features")
        if isinstance(storage, SavedDatasetFileStorage):
            storage = storage.path
        table = storage if isinstance(storage, str) and is_table_name(storage) else None
        service = feature_service.name if isinstance(feature_service, FeatureService) else ""
        options = _native.SaveDatasetRequest(
            storage="" if storage is None or table else os.path.abspath(os.fspath(storage)),
            tags=dict(tags or {}),
            feature_service=feature_service if isinstance(feature_service, str) else service,
            allow_overwrite=allow_overwrite,
        )
        has_functions = isinstance(from_, ComputedJob)
        store = self._store_with_functions() if has_functions else self._store
        asked = from_._asked if isinstance(from_, ComputedJob) else from_._request
        rows = from_._take_rows()
        with ProgressBar() as bar:
            told = store.save_dataset(name, rows, asked, options, current_token(), bar.callback)
        saved = SavedDataset(self, json.loads(told))
        if table is not None:
            try:
                saved.persist(table, allow_overwrite=allow_overwrite)
            except BaseException:
                self._store.delete_saved_dataset(name)
                raise
        return saved

    def get_saved_dataset(self, name: str) -> SavedDataset:
        return SavedDataset(self, json.loads(self._store.saved_dataset(name)))

    def list_saved_datasets(self, tags: Mapping[str, str] | None = None) -> list[SavedDataset]:
        wanted = (tags or {}).items()
        told = json.loads(self._store.saved_datasets())
        made = [SavedDataset(self, each) for each in told]
        return [each for each in made if wanted <= each.tags.items()]

    def delete_saved_dataset(self, name: str) -> None:
        """Forgets a dataset, and lets its snapshots go. A file outside the store's folder stays."""
        self._store.delete_saved_dataset(name)

    def rebuild(self, name: str, path: str | os.PathLike[str] | None = None) -> str:
        """As `SavedDataset.rebuild`."""
        return self.get_saved_dataset(name).rebuild(path)

    create_saved_dataset_async = async_twin(create_saved_dataset)
    get_saved_dataset_async = async_twin(get_saved_dataset)
    list_saved_datasets_async = async_twin(list_saved_datasets)
    delete_saved_dataset_async = async_twin(delete_saved_dataset)
    rebuild_async = async_twin(rebuild)
