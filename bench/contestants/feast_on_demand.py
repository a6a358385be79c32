"""The same five features by Feast's pandas mode, on SQLite.

Phase `fill` makes and loads the repository; `lookup` times get_online_features(...).to_dict().
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from feast import Field, RequestSource
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Bool, Float64
from feast_repository import open_store, time_range
from on_demand_rows import FIELDS
from online_calls import time_calls
from timing import Job, Report, Stopwatch, contest


def make_view(view: Any) -> Any:
    """The on-demand view over a stored one."""
    schema = [Field(name=each, dtype=Bool if each == "is_far" else Float64) for each in FIELDS]
    ride = RequestSource(name="ride", schema=[Field(name="km", dtype=Float64)])

    @on_demand_feature_view(sources=[view, ride], schema=schema, mode="pandas")
    def computed(inputs: pd.DataFrame) -> pd.DataFrame:
        inputs = inputs.astype("float64")  # what is missing for all rows comes as objects
        made = pd.DataFrame()
        made["price"] = inputs["f0"] * 2 + inputs["km"] / 3
        made["is_far"] = (inputs["km"] > 500) & (inputs["f1"] > 0)
        made["level"] = np.where(inputs["f2"] > 0, np.log(inputs["f2"].clip(0) + 1), 0.0)
        made["share"] = inputs["f3"].fillna(0) / (inputs["f3"].abs() + 1)
        made["score"] = (inputs[["f4", "f0"]].max(axis=1) * 100).round(2)
        return made

    return computed


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """Does the phase that the job names."""
    if job["phase"] == "fill":
        store = open_store(job)
        store.apply([make_view(store.get_feature_view(job["views"][0]["name"]))])
        with stopwatch.timed():
            store.materialize(*time_range(job))
        return {}
    store = open_store(job, apply=False)
    features = [f"computed:{each}" for each in FIELDS]
    return time_calls(
        job, lambda rows: store.get_online_features(features=features, entity_rows=rows).to_dict()
    )


if __name__ == "__main__":
    contest(work)
