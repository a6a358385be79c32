"""The store: declare features, build training sets, load the online store, look features up."""

from __future__ import annotations

import atexit
import functools
import json
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from types import TracebackType
from typing import Any, TypeVar

from tidemark import computed
from tidemark.aio import async_twin, current_token
from tidemark.backfill import StoreBackfill
from tidemark.definition import Definition
from tidemark.entity import Entity
from tidemark.errors import (
    BusyError,
    InvalidArgumentError,
    NotFoundError,
    TidemarkError,
    UnsupportedError,
)
from tidemark.feature_service import FeatureLike, FeatureService, selection_of
from tidemark.feature_view import FeatureView
from tidemark.historical import RetrievalJob
from tidemark.on_demand_feature_view import OnDemandFeatureView
from tidemark.online import OnlineResponse
from tidemark.progress import ProgressBar
from tidemark.reports import MaterializedView, OnlineWriteReport, Plan
from tidemark.rows import RowsLike, as_stream
from tidemark.saved_dataset import SavedDatasets
from tidemark.sql import StoreSql
from tidemark.statistics import StoreStatistics
from tidemark.stream_feature_view import StreamFeatureView
from tidemark.streams import StoreStreams
from tidemark.tables import FeatureTables, table_reading
from tidemark.times import time_us

Moment = datetime | date | str
# A list of features, or a feature service or its name.
Features = Sequence[FeatureLike] | FeatureService | str
EntityKeys = Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]

D = TypeVar("D", bound=Definition)

_READER_AGE_MS = 1000  # how long another process's apply may go unseen by online lookups
_READERS_MAX = 256
_TYPES: dict[type[Definition], str] = {
    Entity: "entity",
    FeatureView: "feature_view",
    OnDemandFeatureView: "on_demand_feature_view",
    FeatureService: "feature_service",
}


@functools.cache
def _stop_work_at_exit() -> None:
    """What stores do in the background ends before the interpreter and its libraries do."""
    from tidemark import _native

    atexit.register(_native.stop_background_work)


class FeatureStore(
    FeatureTables, SavedDatasets, StoreBackfill, StoreSql, StoreStatistics, StoreStreams
):
    """A store in a folder, or on a server.

    Opens the store in `repo_path`, or makes one there; `tidemark.yaml` in the folder holds settings
    when there are any. Every blocking method has an `_async` form. Thread safe.

    With `url` ("http://host:6566", also in place of `repo_path`) the store is that of a server,
    `tidemark serve`, and all else is as before: files of entity rows and results are of this
    machine. `api_key` (else the environment's TIDEMARK_API_KEY) goes with every request. `timeout`
    is how many seconds the server may be silent. Of https, `ca_file` says who may have signed the
    server's certificate, and `certificate` and `private_key` are this client's own.
    """

    def __init__(
        self,
        repo_path: str | os.PathLike[str] | None = None,
        *,
        project: str = "",
        create: bool = True,
        url: str | None = None,
        api_key: str | None = None,
        timeout: float | None = None,
        ca_file: str | os.PathLike[str] = "",
        certificate: str | os.PathLike[str] = "",
        private_key: str | os.PathLike[str] = "",
    ) -> None:
        from tidemark import _native

        self._readers: dict[tuple[Any, ...], _native.OnlineReader] = {}
        self._functions: _native.Store | None = None
        if url is None and isinstance(repo_path, str) and _native.is_server_url(repo_path):
            repo_path, url = None, repo_path
        self._url = url
        if url is not None:
            if repo_path is not None:
                raise InvalidArgumentError(
                    "a store is in a folder or on a server: give one of them"
                )
            if timeout is not None and not timeout > 0:
                raise InvalidArgumentError(
                    f"a timeout is a number of seconds above 0, not {timeout}"
                )
            options = _native.ConnectOptions(
                url=url,
                api_key=api_key or "",
                project=project,
                timeout_ms=None if timeout is None else max(1, round(timeout * 1000)),
                ca_file=os.fspath(ca_file),
                certificate=os.fspath(certificate),
                private_key=os.fspath(private_key),
            )
            self._store = _native.Store.connect(options)
            return
        if api_key is not None or timeout is not None:
            raise InvalidArgumentError(
                "api_key and timeout are for stores on servers: give their url"
            )
        path = os.path.abspath(os.fspath(repo_path) if repo_path is not None else ".")
        _stop_work_at_exit()
        # Drivers of warehouses are Python packages: wherever this interpreter finds packages.
        self._drivers = [each for each in sys.path if each]
        self._store = _native.Store.open(path, project, create, self._drivers)

    @property
    def repo_path(self) -> str:
        """The store's folder, or of a store on a server its URL."""
        return self._store.path

    @property
    def url(self) -> str | None:
        """The server's URL; None of a store in a folder."""
        return None if self._url is None else self._store.path

    @property
    def project(self) -> str:
        return self._store.project

    def __repr__(self) -> str:
        return f"FeatureStore({self.repo_path!r}, project={self.project!r})"

    # --- Definitions ---

    def plan(
        self,
        objects: Definition | Sequence[Any] | str | os.PathLike[str],
        objects_to_delete: Sequence[Definition] | None = None,
        partial: bool = True,
    ) -> Plan:
        """What `apply` would change; takes the same arguments and changes nothing."""
        stated = self._stated(objects, objects_to_delete, partial)
        return Plan.of(self._store.plan(*stated, current_token()))

    def apply(
        self,
        objects: Definition | Sequence[Any] | str | os.PathLike[str],
        objects_to_delete: Sequence[Definition] | None = None,
        partial: bool = True,
    ) -> Plan:
        """Registers definitions in one transaction and returns what changed.

        `objects` are definitions, or the path of a file or folder that holds them (Python, YAML or
        JSON). `objects_to_delete` are removed. With `partial=False` the objects are all that there
        is: others of the project are removed too, unless `objects_to_delete` says which.
        """
        stated = self._stated(objects, objects_to_delete, partial)
        made = self._store.apply(*stated, current_token())
        self._readers.clear()
        return Plan.of(made)

    def _stated(
        self,
        objects: Definition | Sequence[Any] | str | os.PathLike[str],
        objects_to_delete: Sequence[Definition] | None,
        partial: bool,
    ) -> tuple[str, bool, list[tuple[str, str]]]:
        # Not above: `python -m tidemark.repository` runs a module that nobody has imported.
        from tidemark.repository import definitions_document, read_definitions

        if isinstance(objects, str | os.PathLike):
            document = read_definitions([objects])
        else:
            stated = [objects] if isinstance(objects, Definition) else objects
            document = definitions_document(stated, self._join_keys)
        remove = [(_type_name(each), each.name) for each in objects_to_delete or []]
        remove_missing = not partial and objects_to_delete is None
        return json.dumps(document), remove_missing, remove

    def _join_keys(self, entity: str) -> Sequence[str]:
        """Join keys of a registered entity; none of an unknown one, which apply then reports."""
        return next((each.join_keys for each in self.list_entities() if each.name == entity), ())

    def teardown(self) -> None:
        """Removes the project: definitions, versions and online rows, but no source files."""
        self._store.teardown(current_token())
        self._readers.clear()

    def get_entity(self, name: str) -> Entity:
        return self._get(Entity, name)

    def get_feature_view(self, name: str) -> FeatureView:
        return self._get(FeatureView, name)

    def get_stream_feature_view(self, name: str) -> StreamFeatureView:
        view = self._get(FeatureView, name)
        if isinstance(view, StreamFeatureView):
            return view
        raise NotFoundError(
            "it is a feature view whose messages are rows as they come: get_feature_view gives it",
            f"stream feature view {name}",
        )

    def get_on_demand_feature_view(self, name: str) -> OnDemandFeatureView:
        return self._get(OnDemandFeatureView, name)

    def get_feature_service(self, name: str) -> FeatureService:
        return self._get(FeatureService, name)

    def list_entities(self, tags: Mapping[str, str] | None = None) -> list[Entity]:
        return self._list(Entity, tags)

    def list_feature_views(self, tags: Mapping[str, str] | None = None) -> list[FeatureView]:
        return self._list(FeatureView, tags)

    def list_stream_feature_views(
        self, tags: Mapping[str, str] | None = None
    ) -> list[StreamFeatureView]:
        views = self._list(FeatureView, tags)
        return [view for view in views if isinstance(view, StreamFeatureView)]

    def list_on_demand_feature_views(
        self, tags: Mapping[str, str] | None = None
    ) -> list[OnDemandFeatureView]:
        return self._list(OnDemandFeatureView, tags)

    def list_feature_services(self, tags: Mapping[str, str] | None = None) -> list[FeatureService]:
        return self._list(FeatureService, tags)

    def delete_feature_view(self, name: str) -> None:
        self._remove("feature_view", name)

    def delete_on_demand_feature_view(self, name: str) -> None:
        self._remove("on_demand_feature_view", name)

    def delete_feature_service(self, name: str) -> None:
        self._remove("feature_service", name)

    def _remove(self, type_name: str, name: str) -> None:
        self._store.apply("{}", False, [(type_name, name)], current_token())
        self._readers.clear()

    def _get(self, kind: type[D], name: str) -> D:
        described = json.loads(self._store.describe(_TYPES[kind], name))
        made: D = kind.from_dict(described["definition"])  # type: ignore[attr-defined]
        spec = described.get("spec", described["definition"])
        made._registered = {"spec": spec, "meta": described["meta"]}
        return made

    def _list(self, kind: type[D], tags: Mapping[str, str] | None) -> list[D]:
        documents = json.loads(self._store.list_objects(_TYPES[kind]))
        made: list[D] = [kind.from_dict(each) for each in documents]  # type: ignore[attr-defined]
        wanted = (tags or {}).items()
        return [each for each in made if wanted <= each.tags.items()]

    def describe(self, name: str) -> dict[str, Any]:
        """Everything about a feature view, service or entity: spec, versions, and how fresh it is.

        Of a feature view, "online" says when it was last loaded, to where, and how fresh its rows
        are.
        """
        first_error: NotFoundError | None = None
        for type_name in ("feature_view", "on_demand_feature_view", "feature_service", "entity"):
            try:
                described: dict[str, Any] = json.loads(self._store.describe(type_name, name))
                return described
            except NotFoundError as error:
                first_error = first_error or error
        assert first_error is not None
        raise first_error

    # --- Training sets ---

    def get_historical_features(
        self,
        entity_df: RowsLike | None = None,
        features: Features = (),
        full_feature_names: bool = False,
        start_date: Moment | None = None,
        end_date: Moment | None = None,
        *,
        known_by: Moment | None = None,
        include_status: bool = False,
        event_timestamp: str | None = None,
        as_of: Moment | int | None = None,
        at_least: str = "",
    ) -> RetrievalJob:
        """The features of each entity row as they were known at its time.

        `entity_df` is a pandas or Polars frame, an Arrow table or stream, or the path of a Parquet
        or CSV file; `event_timestamp` names its time column (else "event_timestamp", or the only
        timestamp column). As many rows come out as went in, in their order, other columns
        untouched. With `known_by` only rows created by then count; "event" means by each entity
        row's own time. `include_status` adds a column `<feature>__status` behind each feature.

        Without `entity_df`: the latest row of each entity between `start_date` and `end_date`, both
        included. Columns are the join keys, the time column (`end_date`, at which the rule is
        applied) and the features; one row for each entity that has a row in the range in any of the
        views, which must have the same join keys. An entity whose latest rows are deletions is left
        out. `end_date` is now if it is not given, `start_date` as far back as the views' ttl
        reaches (no limit where a view has none).

        Of feature tables, `as_of` counts only rows written up to a time, or those of a snapshot id;
        `at_least` is the token of a write that must be seen.
        """
        from tidemark import _native

        if entity_df is not None and (start_date is not None or end_date is not None):
            raise InvalidArgumentError(
                "start_date and end_date are for requests without entity_df, whose rows have times "
                "of their own: give one of them"
            )
        selection, service = _selection(features)
        by_event = known_by == "event"
        request_of = functools.partial(
            _native.HistoricalRequest,
            event_timestamp_column=event_timestamp or "",
            include_status=include_status,
            known_by_us=None if known_by is None or by_event else time_us(known_by),
            known_by_event=by_event,
            reading=table_reading(as_of, at_least),
            has_range=entity_df is None,
            start_us=None if start_date is None else time_us(start_date),
            end_us=None if end_date is None else time_us(end_date),
        )
        asked = request_of(
            selection=selection, service=service, full_feature_names=full_feature_names
        )
        time_column = event_timestamp or ""
        plan = self._plan_of_functions(selection, service, full_feature_names)
        if plan is None:
            columns = functools.partial(self._entity_columns, selection, service)
            return RetrievalJob(self._store, entity_df, asked, time_column, columns)
        selection = computed.selection_text(plan)
        inputs = request_of(selection=selection, service="", full_feature_names=True)
        columns = functools.partial(self._entity_columns, selection, "")
        return computed.ComputedJob(
            plan, include_status, asked, self._store, entity_df, inputs, time_column, columns
        )

    def _entity_columns(self, selection: str, service: str) -> list[list[str]]:
        """For each view of a selection or service the columns of entity rows with its join keys."""
        entries = self.get_feature_service(service).features if service else json.loads(selection)
        on_demand = {each.name: each for each in self.list_on_demand_feature_views()}
        found = []
        for entry in entries:
            name = entry.partition(":")[0] if isinstance(entry, str) else entry["view"]
            renamed = {} if isinstance(entry, str) else entry.get("join_key_map", {})
            for stored, columns in _stored_views(name, renamed, on_demand):
                keys = [
                    key
                    for entity in self.get_feature_view(stored).entities
                    for key in self.get_entity(entity).join_keys
                ]
                found.append([columns.get(key, key) for key in keys])
        return found

    # --- Online ---

    def materialize(
        self,
        start_date: Moment,
        end_date: Moment,
        feature_views: Sequence[str] | None = None,
        *,
        reload: bool = False,
    ) -> list[MaterializedView]:
        """Loads the latest rows of a time range online; of all online views, or some.

        With `reload` all that was loaded before is loaded again, and damaged rows are replaced.
        """
        return self._materialize(time_us(start_date), time_us(end_date), feature_views, reload)

    def materialize_incremental(
        self,
        end_date: Moment,
        feature_views: Sequence[str] | None = None,
        *,
        reload: bool = False,
    ) -> list[MaterializedView]:
        """Loads what is new since the last time, late rows included, up to `end_date`.

        With `reload` all that was loaded before is loaded again, and damaged rows are replaced.
        """
        return self._materialize(None, time_us(end_date), feature_views, reload)

    def _materialize(
        self, start_us: int | None, end_us: int, views: Sequence[str] | None, reload: bool
    ) -> list[MaterializedView]:
        if isinstance(views, str):
            raise InvalidArgumentError(f"feature_views is a list: feature_views=[{views!r}]")
        if views is not None and not views:
            return []
        with ProgressBar() as bar:
            made = self._store.materialize(
                list(views or []), start_us, end_us, reload, current_token(), bar.callback
            )
        reports = [MaterializedView.of(each) for each in made]
        for warning in (text for report in reports for text in report.warnings):
            warnings.warn(warning, UserWarning, stacklevel=3)
        return reports

    def write_to_online_store(self, feature_view_name: str, df: RowsLike) -> OnlineWriteReport:
        """Writes rows (join keys, features, the source's timestamp columns) to the online store."""
        stream = as_stream(df, f"rows for view {feature_view_name}")
        made = self._store.write_to_online_store(feature_view_name, stream, current_token())
        return OnlineWriteReport(*made)

    def get_online_features(
        self,
        features: Features,
        entity_rows: EntityKeys | RowsLike,
        full_feature_names: bool = False,
        *,
        include_event_timestamps: bool = False,
        include_status: bool = False,
        at_least: str | None = None,
    ) -> OnlineResponse:
        """The latest values of features for each entity.

        `entity_rows` is `[{"driver_id": 1001}, ...]`, `{"driver_id": [1001, ...]}`, or a frame or
        table of the join keys, and of the request data that on-demand features need. `at_least` is
        the token of a write that must be seen.
        """
        if at_least:
            selection, service = _selection(features)
            reader = self._prepare(selection, service, full_feature_names, at_least)
        else:
            reader = self._reader(features, full_feature_names)
        if not isinstance(entity_rows, list | dict):
            entity_rows = _as_columns(entity_rows)
        try:
            rows = reader.read(entity_rows)
        except BusyError:
            if at_least or reader.is_current(_READER_AGE_MS):
                raise
            rows = self._reader(features, full_feature_names).read(
                entity_rows
            )  # of a server's new definitions
        return OnlineResponse(rows, include_event_timestamps, include_status)

    def _reader(self, features: Features, full_feature_names: bool) -> Any:
        key: tuple[Any, ...]
        if isinstance(features, list | tuple) and all(type(each) is str for each in features):
            key = (full_feature_names, *features)
            selection = service = ""
        else:
            selection, service = _selection(features)
            key = (full_feature_names, selection, service, None)
        reader = self._readers.get(key)
        if reader is not None and reader.is_current(_READER_AGE_MS):
            return reader
        if not service:
            selection = selection or _selection(features)[0]
        reader = self._prepare(selection, service, full_feature_names, "")
        if len(self._readers) >= _READERS_MAX:
            self._readers.clear()
        self._readers[key] = reader
        return reader

    def _prepare(
        self, selection: str, service: str, full_feature_names: bool, at_least: str
    ) -> Any:
        try:
            return self._store.prepare_online(selection, service, full_feature_names, at_least)
        except UnsupportedError:
            plan = self._plan_of_functions(selection, service, full_feature_names)
            if plan is None:
                raise
        wanted = computed.selection_text(plan)
        return computed.ComputedReader(self._store.prepare_online(wanted, "", True, at_least), plan)

    def _plan_of_functions(
        self, selection: str, service: str, full_feature_names: bool
    ) -> computed.Plan | None:
        """How a request is answered that asks for features of Python functions; None for others."""
        views = {each.name: each for each in self.list_on_demand_feature_views()}
        if all(each.mode == "sql" for each in views.values()):
            return None
        wanted = json.loads(selection) if selection else self.get_feature_service(service).features
        names = [
            each.partition(":")[0] if isinstance(each, str) else each["view"] for each in wanted
        ]
        if all(name not in views or views[name].mode == "sql" for name in names):
            return None
        if self._server_computes(selection, service, full_feature_names):
            return None

        def features_of(name: str) -> list[str]:
            fields = views[name].schema if name in views else self.get_feature_view(name).schema
            return [each.name for each in fields]

        return computed.Planner(views, features_of, full_feature_names).plan(wanted)

    def _server_computes(self, selection: str, service: str, full_feature_names: bool) -> bool:
        """Whether the store is on a server that runs Python functions itself."""
        if self._url is None:
            return False
        try:
            self._store.prepare_online(selection, service, full_feature_names, "")
        except TidemarkError:
            return False  # what else is wrong is said when its features are asked for
        return True

    # --- Looking closer ---

    def explain(
        self, feature: str, entity: Mapping[str, Any], at: Moment | None = None
    ) -> dict[str, Any]:
        """Why "view:feature" of an entity has its value at a time (now, if none is given).

        Names the row that was chosen (file, row, timestamps), the value and status, the ttl
        decision, and the online row.
        """
        key = json.dumps({name: _key_json(name, value) for name, value in entity.items()})
        t_us = None if at is None else time_us(at)
        explained: dict[str, Any] = json.loads(
            self._store.explain(feature, key, t_us, current_token())
        )
        return explained

    def online_stats(self) -> dict[str, Any]:
        """Rows and bytes of the online store."""
        stats: dict[str, Any] = json.loads(self._store.online_stats())
        return stats

    def close(self) -> None:
        """Forgets prepared lookups; the store itself is closed when nothing uses it any more."""
        self._readers.clear()
        self._functions = None

    def __enter__(self) -> FeatureStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    plan_async = async_twin(plan)
    apply_async = async_twin(apply)
    teardown_async = async_twin(teardown)
    get_entity_async = async_twin(get_entity)
    get_feature_view_async = async_twin(get_feature_view)
    get_on_demand_feature_view_async = async_twin(get_on_demand_feature_view)
    get_stream_feature_view_async = async_twin(get_stream_feature_view)
    get_feature_service_async = async_twin(get_feature_service)
    list_entities_async = async_twin(list_entities)
    list_feature_views_async = async_twin(list_feature_views)
    list_on_demand_feature_views_async = async_twin(list_on_demand_feature_views)
    list_stream_feature_views_async = async_twin(list_stream_feature_views)
    list_feature_services_async = async_twin(list_feature_services)
    delete_feature_view_async = async_twin(delete_feature_view)
    delete_on_demand_feature_view_async = async_twin(delete_on_demand_feature_view)
    delete_feature_service_async = async_twin(delete_feature_service)
    describe_async = async_twin(describe)
    get_historical_features_async = async_twin(get_historical_features)
    materialize_async = async_twin(materialize)
    materialize_incremental_async = async_twin(materialize_incremental)
    write_to_online_store_async = async_twin(write_to_online_store)
    get_online_features_async = async_twin(get_online_features)
    explain_async = async_twin(explain)
    online_stats_async = async_twin(online_stats)


def _stored_views(
    name: str, renamed: Mapping[str, str], on_demand: Mapping[str, OnDemandFeatureView]
) -> list[tuple[str, Mapping[str, str]]]:
    """The feature views that a view is computed from, with the columns of their join keys."""
    if name not in on_demand:
        return [(name, renamed)]
    found: list[tuple[str, Mapping[str, str]]] = []
    for source in on_demand[name].sources:
        for each in _stored_views(source.name, source.join_key_map, on_demand):
            if each not in found:
                found.append(each)
    return found


def _type_name(definition: Definition) -> str:
    name = next((name for kind, name in _TYPES.items() if isinstance(definition, kind)), None)
    if name is None:
        raise InvalidArgumentError(f"{definition!r} is not something that a store keeps")
    return name


def _selection(features: Features) -> tuple[str, str]:
    """(selection as a JSON array, "") or ("", name of a feature service)."""
    if isinstance(features, FeatureService):
        return "", features.name
    if isinstance(features, str):
        if ":" in features:
            raise InvalidArgumentError(
                f"features is a list, or a feature service: features=[{features!r}]"
            )
        return "", features
    if not features:
        raise InvalidArgumentError("features is empty: name at least one, as in 'view:feature'")
    return json.dumps(selection_of(list(features))), ""


def _as_columns(rows: RowsLike) -> dict[str, list[Any]]:
    """Key columns of a frame or table as Python lists."""
    import pyarrow as pa

    if isinstance(rows, Mapping):
        return {name: list(values) for name, values in rows.items()}
    if isinstance(rows, tuple):
        rows = list(rows)
    reader = pa.RecordBatchReader.from_stream(as_stream(rows, "entity rows"))
    made: dict[str, list[Any]] = reader.read_all().to_pydict()
    return made


def _key_json(name: str, value: Any) -> Any:
    """A join key's value as JSON has it: times as ISO-8601 text, bytes as the text they hold."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise InvalidArgumentError(
                f"join key {name}: bytes that are not UTF-8 cannot be explained"
            ) from None
    if hasattr(value, "item"):  # a numpy scalar
        return value.item()
    return value
