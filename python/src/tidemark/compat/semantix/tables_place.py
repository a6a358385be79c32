"""Where tables are: in a folder, or on a server. Both answer the same calls."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from tidemark.compat.semantix.server_tables import ServerTables
from tidemark.compat.store_address import open_store
from tidemark.errors import AlreadyExistsError, InvalidArgumentError
from tidemark.feature_store import FeatureStore as EmbeddedStore
from tidemark.feature_view import FeatureView
from tidemark.types import parse

if TYPE_CHECKING:
    import pandas as pd

EVENT_TIME = "event_timestamp"

_lock = threading.Lock()
_opened: dict[str, EmbeddedStore] = {}


class TablesPlace(Protocol):
    """What the two classes of this package ask for; every call blocks."""

    def create(self, schema: Mapping[str, Any]) -> None: ...

    def all_tables(self) -> list[dict[str, Any]]: ...

    def delete(self, name: str) -> None: ...

    def push(self, name: str, frame: pd.DataFrame) -> None: ...

    def training(
        self,
        name: str,
        entities: Sequence[str] | None,
        features: Sequence[str] | None,
        date_from: str | None,
        date_to: str | None,
    ) -> pd.DataFrame: ...

    def online(
        self, name: str, entities: Mapping[str, Sequence[Any]], features: Sequence[str]
    ) -> dict[str, list[Any]]: ...


def find_tables(remote_server: str | None) -> TablesPlace:
    """The place that a script means by `remote_server`, or by nothing."""
    url = remote_server or os.environ.get("TIDEMARK_URL")
    if url:
        key = os.environ.get("SEMANTIX_ML_APIKEY") or os.environ.get("MLHUB_API_KEY") or ""
        return ServerTables(url, key)
    folder = os.path.abspath(os.environ.get("TIDEMARK_STORE") or ".")
    with _lock:
        if folder not in _opened:
            _opened[folder] = open_store(folder)
        return EmbeddedTables(_opened[folder])


class EmbeddedTables:
    """Tables of a store in a folder."""

    def __init__(self, store: EmbeddedStore) -> None:
        self._store = store

    def create(self, schema: Mapping[str, Any]) -> None:
        try:
            self._store.create_table(schema)
        except AlreadyExistsError:
            if self._described(self._store.get_feature_view(schema["name"])) != _described(schema):
                raise

    def all_tables(self) -> list[dict[str, Any]]:
        return [self._document(view) for view in self._store.list_feature_views()]

    def delete(self, name: str) -> None:
        self._store.delete_feature_view(name)

    def push(self, name: str, frame: pd.DataFrame) -> None:
        self._store.ingest(name, frame)

    def training(
        self,
        name: str,
        entities: Sequence[str] | None,
        features: Sequence[str] | None,
        date_from: str | None,
        date_to: str | None,
    ) -> pd.DataFrame:
        import pyarrow.compute as pc

        view = self._store.get_feature_view(name)
        wanted = None if features is None else [each for each in features if each != _time_of(view)]
        table = self._store.get_training_features(
            name, features=wanted, date_from=date_from, date_to=date_to
        ).to_arrow()
        deleted = pc.fill_null(table["is_deleted"], False)
        frame: pd.DataFrame = table.filter(pc.invert(deleted)).to_pandas()
        keys = list(self._keys(view)) if entities is None else list(entities)
        values = [field.name for field in view.schema] if wanted is None else list(wanted)
        ordered = frame.sort_values(_time_of(view), kind="stable", ignore_index=True)
        return ordered[[*keys, _time_of(view), *values]]

    def online(
        self, name: str, entities: Mapping[str, Sequence[Any]], features: Sequence[str]
    ) -> dict[str, list[Any]]:
        known = self._keys(self._store.get_feature_view(name))
        if missing := [key for key in known if key not in entities]:
            raise InvalidArgumentError(f"entity {missing[0]!r} of table {name!r} is not given")
        asked = [f"{name}:{feature}" for feature in features]
        keys = {key: list(values) for key, values in entities.items()}
        answer = self._store.get_online_features(asked, keys).to_dict()
        return {each: list(answer[each]) for each in [*keys, *features]}

    def _keys(self, view: FeatureView) -> Sequence[str]:
        return [key for name in view.entities for key in self._store.get_entity(name).join_keys]

    def _document(self, view: FeatureView) -> dict[str, Any]:
        entities = {
            key: str(entity.key_types.get(key, "unknown"))
            for entity in (self._store.get_entity(name) for name in view.entities)
            for key in entity.join_keys
        }
        columns = {
            **entities,
            _time_of(view): "timestamp",
            **{field.name: str(field.dtype) for field in view.schema},
        }
        schema = [{"name": column, "type": type_} for column, type_ in columns.items()]
        return {"name": view.name, "entities": list(entities), "schema": schema}

    def _described(self, view: FeatureView) -> tuple[frozenset[str], dict[str, str]]:
        return _described(self._document(view))


def _time_of(view: FeatureView) -> str:
    if view.source is not None:
        return str(view.source.timestamp_field)
    return view.table.timestamp_field


def _described(schema: Mapping[str, Any]) -> tuple[frozenset[str], dict[str, str]]:
    """What two schemas of one table have in common: entities, and features with their types."""
    entities = frozenset(schema["entities"])
    features = {
        column["name"]: str(parse(column["type"]))
        for column in schema["schema"]
        if column["name"] not in entities and column["name"] != EVENT_TIME
    }
    return entities, features
