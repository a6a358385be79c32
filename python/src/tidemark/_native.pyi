"""What the native module gives: the C++ API with Python values.

Every function raises the exceptions of `tidemark.errors`. Long calls release the interpreter lock,
hear Ctrl-C, and stop when their token is cancelled.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tidemark.rows import ArrowStream

version: str

ProgressCallback = Callable[[str, int, int], None]

class CancelToken:
    def __init__(self) -> None: ...
    def cancel(self) -> None: ...
    @property
    def cancelled(self) -> bool: ...

class SaveDatasetRequest:
    def __init__(
        self,
        *,
        storage: str = "",
        tags: Mapping[str, str] = ...,
        feature_service: str = "",
        allow_overwrite: bool = False,
    ) -> None: ...

class HistoricalRequest:
    def __init__(
        self,
        *,
        selection: str = "",
        service: str = "",
        event_timestamp_column: str = "",
        full_feature_names: bool = False,
        include_status: bool = False,
        known_by_us: int | None = None,
        known_by_event: bool = False,
        reading: TableReading = ...,
        has_range: bool = False,
        start_us: int | None = None,
        end_us: int | None = None,
    ) -> None: ...

class TableReading:
    def __init__(
        self,
        *,
        as_of_us: int | None = None,
        snapshot_id: int | None = None,
        at_least: str = "",
    ) -> None: ...

class TableRequest:
    def __init__(
        self,
        *,
        reading: TableReading = ...,
        columns: Sequence[str] = (),
        start_us: int | None = None,
        end_us: int | None = None,
        latest: bool = False,
    ) -> None: ...

class SqlRequest:
    def __init__(
        self,
        *,
        reading: TableReading = ...,
        memory_bytes_max: int | None = None,
        time_limit_ms: int | None = None,
    ) -> None: ...

class SnapshotRequest:
    def __init__(
        self,
        *,
        reading: TableReading = ...,
        at_us: int | None = None,
        deleted: bool = False,
    ) -> None: ...

class IngestRequest:
    def __init__(
        self,
        *,
        to: str = "",
        dry_run: bool = False,
        skip_bad_rows: bool = False,
        reads_text: bool = False,
        ignore_other_columns: bool = False,
        idempotency_key: str = "",
        progress: ProgressCallback | None = None,
    ) -> None: ...

class BackfillRequest:
    def __init__(
        self,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        step_us: int,
        to: str = "",
        restart: bool = False,
    ) -> None: ...

class BackfillReport:
    @property
    def start_us(self) -> int: ...
    @property
    def end_us(self) -> int: ...
    @property
    def ranges(self) -> int: ...
    @property
    def ranges_before(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def deletions(self) -> int: ...
    @property
    def online_rows(self) -> int: ...
    @property
    def warnings(self) -> list[str]: ...

class IngestReport:
    @property
    def rows(self) -> int: ...
    @property
    def online_rows(self) -> int: ...
    @property
    def ahead(self) -> int: ...
    @property
    def rejected(self) -> int: ...
    @property
    def repeated(self) -> bool: ...
    @property
    def token(self) -> str: ...
    @property
    def warnings(self) -> list[str]: ...

class FlushedTable:
    @property
    def view(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def snapshot_id(self) -> int: ...

class CompactedTable:
    @property
    def view(self) -> str: ...
    @property
    def files_before(self) -> int: ...
    @property
    def files_after(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def bytes(self) -> int: ...

class ExpiredSnapshots:
    @property
    def view(self) -> str: ...
    @property
    def snapshots(self) -> int: ...
    @property
    def files(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def being_read(self) -> int: ...

class HistoricalReport:
    @property
    def rows(self) -> int: ...
    @property
    def warnings(self) -> list[str]: ...

class ArrowBatch:
    def __arrow_c_array__(
        self, requested_schema: object | None = None
    ) -> tuple[object, object]: ...

class ResultStream:
    def __arrow_c_schema__(self) -> object: ...
    def next(self, token: CancelToken | None = None) -> ArrowBatch | None: ...
    @property
    def report(self) -> HistoricalReport: ...

class OnlineRows:
    def to_dict(self, event_timestamps: bool, status: bool) -> dict[str, list[Any]]: ...
    def to_arrow(self, event_timestamps: bool, status: bool) -> ArrowBatch: ...
    def statuses(self) -> dict[str, list[str]]: ...
    def key_columns(self) -> list[tuple[str, str, list[Any]]]: ...
    def __len__(self) -> int: ...

class OnlineReader:
    @property
    def keys(self) -> list[tuple[str, str]]: ...
    @property
    def requests(self) -> list[tuple[str, str]]: ...
    @property
    def features(self) -> list[tuple[str, str]]: ...
    def is_current(self, max_age_ms: int) -> bool: ...
    def read(
        self, entity_rows: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]
    ) -> OnlineRows: ...

class Change:
    @property
    def action(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def from_name(self) -> str: ...
    @property
    def details(self) -> list[str]: ...

class MaterializeView:
    @property
    def view(self) -> str: ...
    @property
    def rows_read(self) -> int: ...
    @property
    def rows_written(self) -> int: ...
    @property
    def files_read(self) -> int: ...
    @property
    def files_skipped(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def put_seconds(self) -> float: ...
    @property
    def warnings(self) -> list[str]: ...

class RelocatedTable:
    @property
    def table(self) -> str: ...
    @property
    def old_folder(self) -> str: ...
    @property
    def new_folder(self) -> str: ...
    @property
    def snapshots(self) -> int: ...

class ConnectOptions:
    def __init__(
        self,
        *,
        url: str,
        api_key: str = "",
        project: str = "",
        timeout_ms: int | None = None,
        ca_file: str = "",
        certificate: str = "",
        private_key: str = "",
    ) -> None: ...

class Store:
    @staticmethod
    def connect(options: ConnectOptions) -> Store: ...
    @staticmethod
    def open(
        path: str,
        project: str,
        create: bool,
        adbc_driver_folders: list[str] = ...,
        python: str = ...,
    ) -> Store: ...
    @property
    def is_remote(self) -> bool: ...
    @property
    def path(self) -> str: ...
    @property
    def project(self) -> str: ...
    def plan(
        self,
        definitions: str,
        remove_missing: bool,
        remove: Sequence[tuple[str, str]],
        token: CancelToken | None,
    ) -> list[Change]: ...
    def apply(
        self,
        definitions: str,
        remove_missing: bool,
        remove: Sequence[tuple[str, str]],
        token: CancelToken | None,
    ) -> list[Change]: ...
    def teardown(self, token: CancelToken | None) -> None: ...
    def list_objects(self, type: str) -> str: ...
    def describe(self, type: str, name: str) -> str: ...
    def historical(
        self,
        rows: ArrowStream | str | None,
        request: HistoricalRequest,
        token: CancelToken | None,
        progress: ProgressCallback | None,
    ) -> ResultStream: ...
    def save_dataset(
        self,
        name: str,
        rows: ArrowStream | str | None,
        request: HistoricalRequest,
        options: SaveDatasetRequest,
        token: CancelToken | None,
        progress: ProgressCallback | None,
    ) -> str: ...
    def saved_datasets(self) -> str: ...
    def saved_dataset(self, name: str) -> str: ...
    def read_saved_dataset(self, name: str, token: CancelToken | None) -> ResultStream: ...
    def rebuild_dataset(
        self, name: str, out: str, token: CancelToken | None, progress: ProgressCallback | None
    ) -> str: ...
    def fetch_saved_dataset(
        self, name: str, entity_rows: bool, out: str, token: CancelToken | None
    ) -> None: ...
    def delete_saved_dataset(self, name: str) -> None: ...
    def save_table(
        self, table: str, rows: ArrowStream, allow_overwrite: bool, token: CancelToken | None
    ) -> str: ...
    def write_historical(
        self,
        rows: ArrowStream | str | None,
        request: HistoricalRequest,
        path: str,
        token: CancelToken | None,
        progress: ProgressCallback | None,
    ) -> HistoricalReport: ...
    def materialize(
        self,
        views: Sequence[str],
        start_us: int | None,
        end_us: int,
        reload: bool,
        token: CancelToken | None,
        progress: ProgressCallback | None,
    ) -> list[MaterializeView]: ...
    def backfill(
        self,
        view: str,
        request: BackfillRequest,
        token: CancelToken | None,
        progress: ProgressCallback | None,
    ) -> BackfillReport: ...
    def write_to_online_store(
        self, view: str, rows: ArrowStream, token: CancelToken | None
    ) -> tuple[int, int]: ...
    def create_table(
        self,
        schema: str,
        time_column: str,
        time_unit: str,
        online: bool,
        catalog: bool,
        database: str,
    ) -> None: ...
    def databases(self) -> list[str]: ...
    def create_database(self, name: str) -> None: ...
    def drop_database(self, name: str) -> None: ...
    def run_streams(
        self,
        views: list[str],
        until_end: bool,
        group: str,
        rejected_rate_max: float,
        wait_max_us: int,
        token: CancelToken | None,
    ) -> None: ...
    def stream_status(self, views: list[str]) -> str: ...
    def restart_stream(
        self, view: str, from_: str, partitions: list[str], dry_run: bool
    ) -> str: ...
    def relocate(self) -> list[RelocatedTable]: ...
    def register_table(
        self,
        database: str,
        table: str,
        path: str,
        partitions: list[str],
        token: CancelToken | None,
    ) -> str: ...
    def add_partitions(
        self, database: str, table: str, partitions: list[str], token: CancelToken | None
    ) -> str: ...
    def refresh(self, tables: list[str], token: CancelToken | None) -> str: ...
    def tables(self, database: str) -> str: ...
    def drop_registered_table(self, name: str) -> bool: ...
    def ingest(
        self, view: str, rows: ArrowStream | str, request: IngestRequest, token: CancelToken | None
    ) -> tuple[IngestReport, ResultStream | None]: ...
    def delete_rows(
        self,
        view: str,
        rows: ArrowStream | str,
        event_us: int | None,
        request: IngestRequest,
        token: CancelToken | None,
    ) -> IngestReport: ...
    def push(
        self,
        source: str,
        rows: ArrowStream | str,
        request: IngestRequest,
        token: CancelToken | None,
    ) -> list[tuple[str, IngestReport]]: ...
    def flush(self, views: Sequence[str]) -> list[FlushedTable]: ...
    def snapshots(self, view: str) -> str: ...
    def compact(self, views: Sequence[str], token: CancelToken | None) -> list[CompactedTable]: ...
    def expire_snapshots(
        self, views: Sequence[str], older_than_us: int, keep: int
    ) -> list[ExpiredSnapshots]: ...
    def erase(self, view: str, keys: ArrowStream | str, token: CancelToken | None) -> str: ...
    def erasures(self, views: Sequence[str]) -> str: ...
    def read_table(
        self,
        view: str,
        request: TableRequest,
        entities: ArrowStream | None,
        token: CancelToken | None,
    ) -> ResultStream: ...
    def sql(self, query: str, request: SqlRequest, token: CancelToken | None) -> ResultStream: ...
    def latest_rows(
        self, table: str, request: SnapshotRequest, token: CancelToken | None
    ) -> ResultStream: ...
    def dump(
        self, query: str, request: SqlRequest, token: CancelToken | None
    ) -> tuple[str, str, int, int]: ...
    def read_dump(self, id: str, token: CancelToken | None) -> ResultStream: ...
    def dumps(self) -> str: ...
    def remove_dump(self, id: str) -> None: ...
    def prepare_online(
        self, selection: str, service: str, full_feature_names: bool, at_least: str
    ) -> OnlineReader: ...
    def explain(
        self, feature: str, key: str, t_us: int | None, token: CancelToken | None
    ) -> str: ...
    def online_stats(self) -> str: ...

def is_server_url(text: str) -> bool: ...
def normalize_definitions(text: str) -> str: ...
def stop_background_work() -> None: ...
def parse_time(text: str) -> int: ...
def parse_size(text: str) -> int: ...
