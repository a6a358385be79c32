"""The SDK's side, run by the Python of .venv: `sdk.py URL`, a store on a server.

Each line on standard input is a call, `{"call": name, ...}`; a line of JSON answers it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pyarrow as pa

from tidemark import Entity, FeatureStore, FeatureView, Field
from tidemark.types import Float64, Int64, String


def make(store: FeatureStore, name: str) -> None:
    view = FeatureView(
        name=name,
        entities=[Entity(name="id", join_keys={"id": Int64})],
        schema=[Field("score", Float64), Field("count", Int64), Field("note", String)],
    )
    store.create_table(view)


def ingest(store: FeatureStore, view: str, rows: dict[str, list[Any]]) -> int:
    return store.ingest(view, pa.table(rows)).rows


def online(store: FeatureStore, features: list[str], ids: list[int]) -> dict[str, list[Any]]:
    return store.get_online_features(features, [{"id": each} for each in ids]).to_dict()


def historical(
    store: FeatureStore, features: list[str], ids: list[int], times: list[str]
) -> dict[str, list[Any]]:
    entities = pa.table({"id": ids, "event_timestamp": times})
    found = store.get_historical_features(entities, features).to_arrow()
    return found.select(["id", *(feature.split(":")[1] for feature in features)]).to_pydict()


def sql(store: FeatureStore, query: str) -> list[dict[str, Any]]:
    return store.sql(query).to_arrow().to_pylist()


CALLS = {each.__name__: each for each in (make, ingest, online, historical, sql)}

if __name__ == "__main__":
    with FeatureStore(url=sys.argv[1]) as opened:
        for line in sys.stdin:
            asked = json.loads(line)
            print(json.dumps(CALLS[asked.pop("call")](opened, **asked)), flush=True)
