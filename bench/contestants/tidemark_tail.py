"""What a log tail costs a training read: the same join from two stores with the same table, one of
which has rows in its log that are not flushed yet. The two take turns in one process, which wrote
the tail.
"""

from __future__ import annotations

import time

from tidemark_tables import fill, write
from timing import Job, Report, Stopwatch, contest

import tidemark
from tidemark import FeatureStore


def read(store: FeatureStore, job: Job, entity_path: str) -> float:
    """Seconds of one training read."""
    view = job["views"][0]
    started = time.perf_counter()
    store.get_historical_features(
        entity_df=entity_path,
        features=[f"{view['name']}:{feature}" for feature in view["features"]],
        full_feature_names=True,
    ).to_parquet(job["out_path"])
    return time.perf_counter() - started


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """Both stores are filled alike; then the tail grows step by step."""
    sides = {side: job | {"store_path": f"{job['store_path']}-{side}"} for side in ("bare", "tail")}
    stores = {}
    for side, own in sides.items():
        fill(own)
        stores[side] = FeatureStore(own["store_path"])
    steps: list[dict[str, object]] = []
    written = 0
    for tail_rows in job["tails"]:
        if tail_rows > written:
            write(stores["tail"], job, tail_rows - written)
            written = tail_rows
        for entity_path in job["entity_paths"]:
            seconds: dict[str, list[float]] = {side: [] for side in stores}
            for repeat in range(job["turns"] + 1):
                for side, store in stores.items():
                    took = read(store, job, entity_path)
                    if repeat > 0:  # the first of each warms
                        seconds[side].append(took)
            stopwatch.seconds += sum(seconds["tail"])
            steps.append({"tail_rows": tail_rows, "entity_path": entity_path, "seconds": seconds})
    return {"steps": steps, "versions": {"tidemark": tidemark.__version__}}


if __name__ == "__main__":
    contest(work)
