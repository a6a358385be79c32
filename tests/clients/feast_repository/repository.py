"""One side of the comparison, in a repository's folder: `repository.py PACKAGE CALL FOLDER`.

PACKAGE is feast or tidemark, whose store is asked; what comes out goes to a file in FOLDER.

historical   entities.parquet -> historical.parquet: text of the values of each entity row
online       prints what a lookup says of each driver, as JSON
push         pushes one row online
"""

from __future__ import annotations

import datetime as dt
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

FEATURES = [
    "driver_hourly_stats:conv_rate",
    "driver_hourly_stats:acc_rate",
    "driver_hourly_stats:avg_daily_trips",
    "driver_hourly_stats:driver_metadata",
    "driver_hourly_stats:driver_config",
    "driver_hourly_stats:driver_profile",
    "transformed_conv_rate:conv_rate_plus_val1",
    "transformed_conv_rate:conv_rate_plus_val2",
]
DRIVERS = [1001, 1002, 1003, 1004, 1005, 7]


def plain(value: Any) -> Any:
    """A value as JSON has it, alike on both sides: missing is None, a map is a dict."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {name: plain(each) for name, each in sorted(value.items())}
    if isinstance(value, list) and value and all(isinstance(each, tuple) for each in value):
        return plain(dict(value))
    if isinstance(value, list):
        return [plain(each) for each in value]
    return None if pd.isna(value) else value


def historical(store: Any, folder: Path) -> None:
    rows = pd.read_parquet(folder / "entities.parquet")
    made = store.get_historical_features(entity_df=rows, features=FEATURES).to_df()
    names = [each.partition(":")[2] for each in FEATURES]
    out = {
        int(row["row"]): {name: plain(row[name]) for name in names} for _, row in made.iterrows()
    }
    (folder / "historical.json").write_text(json.dumps(out))


def online(store: Any, folder: Path) -> None:
    keys = [
        {"driver_id": driver, "val_to_add": driver, "val_to_add_2": -driver} for driver in DRIVERS
    ]
    asked = {"list": FEATURES, "fresh": store.get_feature_service("driver_activity_v3")}
    out = {
        name: {
            key: [plain(each) for each in values]
            for key, values in store.get_online_features(features=features, entity_rows=keys)
            .to_dict()
            .items()
        }
        for name, features in asked.items()
    }
    (folder / "online.json").write_text(json.dumps(out))


def push(store: Any, package: str) -> None:
    modes = importlib.import_module(f"{package}.data_source").PushMode
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    row = pd.DataFrame.from_dict(
        {
            "driver_id": [1001],
            "event_timestamp": [now],
            "created": [now],
            "conv_rate": [1.0],
            "acc_rate": [1.0],
            "avg_daily_trips": [1000],
            "driver_metadata": [{"vehicle_type": "truck", "rating": "5.0"}],
            "driver_config": [json.dumps({"max_distance_km": 500})],
            "driver_profile": [{"name": "driver_1001_updated", "age": "30"}],
        }
    )
    row = row.astype({"conv_rate": "float32", "acc_rate": "float32"})
    store.push("driver_stats_push_source", row, to=modes.ONLINE)


def main(package: str, call: str, folder: Path) -> None:
    store = importlib.import_module(package).FeatureStore(repo_path=str(folder))
    if call == "historical":
        historical(store, folder)
    elif call == "materialize":
        store.materialize_incremental(end_date=dt.datetime.now(dt.UTC))
    elif call == "online":
        online(store, folder)
    else:
        push(store, package)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
