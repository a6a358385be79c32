"""The point-in-time join in Feast, Parquet to Parquet, on its dask or its DuckDB offline store."""

from __future__ import annotations

import feast
import pandas as pd
import pyarrow.parquet as pq
from feast_repository import open_store, references
from timing import Job, Report, Stopwatch, contest


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """Times reading the entity rows, the join and the write; applying is not part of it."""
    store = open_store(job)
    with stopwatch.timed():
        historical = store.get_historical_features(
            entity_df=pd.read_parquet(job["entity_path"]),
            features=references(job),
            full_feature_names=True,
        )
        pq.write_table(historical.to_arrow(), job["out_path"], compression="snappy")
    return {"versions": {"feast": feast.__version__}}


if __name__ == "__main__":
    contest(work)
