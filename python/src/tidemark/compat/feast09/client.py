"""The client: definitions, ingestion, training sets and lookups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tidemark import FeatureStore
from tidemark.compat.feast09.data_source import BatchSource, FileSource
from tidemark.compat.feast09.entity import Entity
from tidemark.compat.feast09.feature_table import FeatureTable
from tidemark.compat.feast09.ingestion import entity_rows_of, rows_for
from tidemark.compat.feast09.job import RetrievalJob, SparkJob
from tidemark.compat.feast09.online_response import OnlineResponse
from tidemark.compat.store_address import open_store
from tidemark.errors import InvalidArgumentError, UnsupportedError

if TYPE_CHECKING:
    import pandas as pd

_Definition = Entity | FeatureTable


class Client:
    """Feast 0.9's client over a store.

    `core_url` is the folder of a store, or the address of its server (with the key of
    TIDEMARK_API_KEY); without one it is what TIDEMARK_STORE says, or the current folder. `project`
    and `historical_feature_output_location` have their meaning. Other options, those for Spark and
    Redis, have none here.
    """

    def __init__(self, options: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        stated = {**(options or {}), **kwargs}
        self._core_url: str | None = stated.get("core_url")
        self._output_location: str | None = stated.get("historical_feature_output_location")
        self._project: str = stated.get("project") or ""
        self._stores: dict[str, FeatureStore] = {}
        self._store()  # so that a wrong address is told here

    def _store(self, project: str | None = None) -> FeatureStore:
        name = project or self._project
        if name not in self._stores:
            self._stores[name] = open_store(self._core_url, name)
        return self._stores[name]

    @property
    def core_url(self) -> str:
        return self._core_url or self._store().repo_path

    @property
    def project(self) -> str:
        return self._store().project

    def set_project(self, project: str | None = None) -> None:
        """Which project the calls that name none are about; without a name, the default one."""
        self._project = project or ""

    # --- Definitions ---

    def apply(
        self, objects: Sequence[_Definition] | _Definition, project: str | None = None
    ) -> None:
        """Registers entities and feature tables: all of them, or none."""
        listed = [objects] if isinstance(objects, Entity | FeatureTable) else objects
        made: list[Any] = []
        for each in listed:
            if isinstance(each, Entity):
                made.append(each.to_tidemark())
            elif isinstance(each, FeatureTable):
                made.append(each.to_view())
            else:
                raise InvalidArgumentError(f"{each!r} is neither an Entity nor a FeatureTable")
        self._store(project).apply(made)

    def apply_entity(self, entities: Sequence[Entity] | Entity, project: str | None = None) -> None:
        self.apply(entities, project)

    def apply_feature_table(
        self, feature_tables: Sequence[FeatureTable] | FeatureTable, project: str | None = None
    ) -> None:
        self.apply(feature_tables, project)

    def get_entity(self, name: str, project: str | None = None) -> Entity:
        return Entity.of(self._store(project).get_entity(name.strip()))

    def list_entities(
        self, project: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Entity]:
        return [Entity.of(each) for each in self._store(project).list_entities(labels)]

    def get_feature_table(self, name: str, project: str | None = None) -> FeatureTable:
        store = self._store(project)
        view = store.get_feature_view(name.strip())
        entities = [store.get_entity(each) for each in view.entities]
        created = store.describe(view.name)["meta"]["createdTimestamp"]
        return FeatureTable.of(view, entities, created)

    def list_feature_tables(
        self, project: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[FeatureTable]:
        views = self._store(project).list_feature_views(labels)
        return [self.get_feature_table(each.name, project) for each in views]

    def delete_feature_table(self, name: str, project: str | None = None) -> None:
        self._store(project).delete_feature_view(name.strip())

    # --- Rows ---

    def ingest(
        self,
        feature_table: str | FeatureTable,
        source: pd.DataFrame | str,
        project: str | None = None,
        chunk_size: int = 10000,
        max_workers: int = 1,
        timeout: int = 3600,
    ) -> None:
        """Writes a frame, or a Parquet, CSV or JSON file, into the table's batch source.

        All rows are written, durably, or none; they are readable at once, online too. Columns that
        the table does not have are passed over. Where there is no created column, rows are created
        now, so that of two rows of one time the one that was written later counts.
        """
        del chunk_size, max_workers, timeout  # the engine cuts work into parts by itself
        name = feature_table if isinstance(feature_table, str) else feature_table.name
        table = self.get_feature_table(name, project)
        if table.batch_source is not None and not isinstance(table.batch_source, FileSource):
            raise UnsupportedError(
                f"feature table {table.name} has its history in "
                f"{type(table.batch_source).__name__[:-6]}, which this version reads and does not "
                "write: write the rows there by its own tools, or give the table a FileSource"
            )
        self._store(project).ingest(table.name, rows_for(table, source))

    def start_offline_to_online_ingestion(
        self, feature_table: FeatureTable, start: datetime, end: datetime
    ) -> SparkJob:
        """Loads the latest rows of a period online; they are there when this returns."""
        self._store().materialize(start, end, [feature_table.name])
        return SparkJob()

    def start_stream_to_online_ingestion(
        self,
        feature_table: FeatureTable,
        extra_jars: Sequence[str] | None = None,
        project: str | None = None,
    ) -> SparkJob:
        """A clear error: a table that has a batch source, as these have, reads no stream."""
        raise UnsupportedError(
            f"feature table {feature_table.name}: it has a batch source, and streams are read into "
            "tables without one (FeatureStore.run_stream); its rows can be ingested"
        )

    # --- Reading ---

    def get_historical_features(
        self,
        feature_refs: Sequence[str],
        entity_source: pd.DataFrame | BatchSource,
        output_location: str | None = None,
    ) -> RetrievalJob:
        """The features of each entity row as they were known at its time.

        `entity_source` is a frame with a column `event_timestamp`, or a `FileSource`.
        """
        rows, time_column = entity_rows_of(entity_source)
        job = self._store().get_historical_features(
            rows, _checked(feature_refs), full_feature_names=True, event_timestamp=time_column
        )
        return RetrievalJob(job, output_location or self._output_location)

    def get_online_features(
        self,
        feature_refs: Sequence[str],
        entity_rows: Sequence[Mapping[str, Any]],
        project: str | None = None,
    ) -> OnlineResponse:
        """The latest features of each entity; `entity_rows` is `[{"driver_id": 1001}, ...]`."""
        refs = _checked(feature_refs)
        response = self._store(project).get_online_features(
            refs, list(entity_rows), full_feature_names=True
        )
        return OnlineResponse(response, {each.replace(":", "__", 1): each for each in refs})


def _checked(feature_refs: Sequence[str]) -> list[str]:
    if isinstance(feature_refs, str):
        raise InvalidArgumentError(f"feature_refs is a list: write [{feature_refs!r}]")
    for each in feature_refs:
        if each.count(":") != 1:
            raise InvalidArgumentError(
                f"feature reference {each!r} is not written as 'feature_table:feature'"
            )
    return list(feature_refs)
