"""The bare write that ingest is measured by: `pyarrow.parquet.write_table` of a frame in memory,
with zstd at the level that Tidemark's files have.

`seconds` is the call alone, into the page cache; what it takes to bring the file to the disk, which
ingest does before it answers, is recorded beside it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from timing import Job, Report, Stopwatch, contest


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """Times the write."""
    frame = pq.read_table(job["frame_path"])
    out = Path(job["store_path"])
    out.parent.mkdir(parents=True, exist_ok=True)
    with stopwatch.timed():
        pq.write_table(frame, out, compression="zstd")
    started = time.perf_counter()
    with out.open("rb") as file:
        os.fsync(file.fileno())
    return {
        "sync_seconds": time.perf_counter() - started,
        "bytes": out.stat().st_size,
        "versions": {"pyarrow": pa.__version__},
    }


if __name__ == "__main__":
    contest(work)
