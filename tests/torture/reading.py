"""Everything that a store shows of the two tables, by every way of reading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from tidemark import FeatureStore
from torture import faults
from torture.faults import Fault
from torture.workload import CLICKS, KEYS, LEDGER, ONLINE_ONLY_KEYS

# A row as it is read: its key, its event time, its value (None of a deletion), whether it deletes.
SeenRow = tuple[int, datetime, int | None, bool]


@dataclass
class Seen:
    """None for a table that is not there."""

    rows: dict[str, list[SeenRow] | None] = field(default_factory=dict)
    online_before: dict[int, int | None] = field(default_factory=dict)
    online: dict[int, int | None] = field(default_factory=dict)
    latest: dict[int, int] = field(default_factory=dict)
    historical: dict[int, int | None] = field(default_factory=dict)


def look(store: FeatureStore) -> Seen:
    """Online first: what lookups see may not depend on somebody reading the table before."""
    seen = Seen()
    names = {view.name for view in store.list_feature_views()}
    if CLICKS in names:
        seen.online_before = _online(store)
    for name in (CLICKS, LEDGER):
        seen.rows[name] = _rows(store, name) if name in names else None
    if CLICKS in names:
        latest = store.get_training_features(CLICKS, features=["n"], latest=True).to_arrow()
        keys = latest["user_id"].to_pylist()
        seen.latest = dict(zip(keys, latest["n"].to_pylist(), strict=True))
        seen.historical = _historical(store)
        seen.online = _online(store)
    return seen


def _rows(store: FeatureStore, name: str) -> list[SeenRow]:
    read = store.get_training_features(name, features=["n"]).to_arrow()
    return rows_of(read)


def rows_of(read: pa.Table) -> list[SeenRow]:
    columns = ("user_id", "event_timestamp", "n", "is_deleted")
    lists = [read[column].to_pylist() for column in columns]
    return sorted(
        ((key, event, n, deleted) for key, event, n, deleted in zip(*lists, strict=True)),
        key=lambda row: (row[1], row[0]),
    )


def _online(store: FeatureStore) -> dict[int, int | None]:
    keys = [*KEYS, *ONLINE_ONLY_KEYS]
    found = store.get_online_features([f"{CLICKS}:n"], [{"user_id": key} for key in keys])
    return dict(zip(keys, found.to_dict()["n"], strict=True))


def _historical(store: FeatureStore) -> dict[int, int | None]:
    now = pa.array([datetime.now(UTC)] * len(KEYS), pa.timestamp("us", "UTC"))
    asked = pa.table({"user_id": list(KEYS), "event_timestamp": now})
    made = store.get_historical_features(asked, [f"{CLICKS}:n"]).to_arrow()
    return dict(zip(KEYS, made["n"].to_pylist(), strict=True))


# --- Processes ---


def open_and_look(tell: Callable[..., None], folder: Path, flush: bool, fault: Fault) -> None:
    """Opens the store, which recovers it, and tells what it shows."""
    faults.arm(fault, folder)
    store = FeatureStore(folder)
    tell("seen", look(store))
    if flush:
        store.flush()
        tell("seen", look(store))


def look_with_iceberg(tell: Callable[..., None], folder: Path) -> None:
    """Tells the tables' rows as pyiceberg reads them; by a process of its own, because a process
    that opens the registry by two libraries loses its locks.
    """
    from pyiceberg.catalog.sql import SqlCatalog

    catalog = SqlCatalog("tidemark", uri=f"sqlite:///{folder}/.tidemark/registry.db")
    seen = {}
    for name in (CLICKS, LEDGER):
        table = catalog.load_table(("feature_store", name))
        seen[name] = rows_of(table.scan().to_arrow())
    tell("seen", seen)
