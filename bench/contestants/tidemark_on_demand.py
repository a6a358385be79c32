"""Five features by SQL expressions through the Python SDK, over a store that it loads first.

Phase `fill` makes and loads the store; phase `lookup` times get_online_features(...).to_dict().
"""

from __future__ import annotations

from on_demand_rows import EXPRESSIONS, FIELDS
from online_calls import time_calls
from tidemark_repository import open_store, time_range
from timing import Job, Report, Stopwatch, contest

from tidemark import Field, OnDemandFeatureView, RequestSource
from tidemark.types import Bool, Float64


def fill(job: Job, stopwatch: Stopwatch) -> Report:
    """Makes the store, with the view."""
    store = open_store(job)
    view = job["views"][0]["name"]
    schema = [Field(each, Bool if each == "is_far" else Float64) for each in FIELDS]
    store.apply(
        [
            OnDemandFeatureView(
                name="computed",
                sources=[view, RequestSource(name="ride", schema=[Field("km", Float64)])],
                schema=schema,
                mode="sql",
                expressions=EXPRESSIONS,
            )
        ]
    )
    with stopwatch.timed():
        store.materialize(*time_range(job))
    return {}


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """Does the phase that the job names."""
    if job["phase"] == "fill":
        return fill(job, stopwatch)
    store = open_store(job)
    features = [f"computed:{each}" for each in FIELDS]
    return time_calls(
        job, lambda rows: store.get_online_features(features=features, entity_rows=rows).to_dict()
    )


if __name__ == "__main__":
    contest(work)
