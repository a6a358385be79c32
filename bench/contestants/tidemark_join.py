"""The point-in-time join in Tidemark, Parquet to Parquet, through its Python SDK."""

from __future__ import annotations

from tidemark_repository import open_store, references
from timing import Job, Report, Stopwatch, contest

import tidemark


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """Times the join; opening the store and applying the definitions is not part of it."""
    store = open_store(job)
    with stopwatch.timed():
        historical = store.get_historical_features(
            entity_df=job["entity_path"], features=references(job), full_feature_names=True
        )
        historical.to_parquet(job["out_path"])
    return {"versions": {"tidemark": tidemark.__version__}}


if __name__ == "__main__":
    contest(work)
