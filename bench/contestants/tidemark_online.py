"""Tidemark's online side through its Python SDK: materialize, and look features up in process.

Phase `materialize` loads the store and answers the job's check rows, so that they can be compared.
Phase `lookup` times get_online_features(...).to_dict() on a store that was loaded before.
"""

from __future__ import annotations

from online_calls import time_calls
from tidemark_repository import open_store, references, time_range
from timing import Job, Report, Stopwatch, contest

REPORT_FIELDS = ("rows_read", "rows_written", "seconds", "put_seconds")


def materialize(job: Job, stopwatch: Stopwatch) -> Report:
    """Times materialize; adds its own report, summed over the views."""
    store = open_store(job)
    start, end = time_range(job)
    with stopwatch.timed():
        outcome = store.materialize(start, end)
    phases = {name: sum(getattr(view, name) for view in outcome) for name in REPORT_FIELDS}
    answer = store.get_online_features(
        features=references(job), entity_rows=job["check_rows"], full_feature_names=True
    )
    return {"phases": phases, "answer": answer.to_dict()}


def lookup(job: Job) -> Report:
    """Times single calls."""
    store = open_store(job)
    features = references(job)
    return time_calls(
        job,
        lambda rows: store.get_online_features(
            features=features, entity_rows=rows, full_feature_names=True
        ).to_dict(),
    )


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """Does the phase that the job names."""
    return materialize(job, stopwatch) if job["phase"] == "materialize" else lookup(job)


if __name__ == "__main__":
    contest(work)
