"""Makes a store whose one view takes what is pushed to `pushed`; nothing is timed."""

from __future__ import annotations

from timing import Job, Report, Stopwatch, contest

from tidemark import Entity, FeatureStore, FeatureView, Field, PushSource
from tidemark.types import Float64, Int64


def work(job: Job, _: Stopwatch) -> Report:
    """Applies the definitions."""
    view = FeatureView(
        name="rides",
        entities=[Entity(name="key", join_keys=[Field("key", Int64)])],
        schema=[Field(name, Float64) for name in job["fields"]],
        source=PushSource("pushed"),
    )
    FeatureStore(job["store_path"]).apply([view])
    return {}


if __name__ == "__main__":
    contest(work)
