"""The same queries by DuckDB itself, over the same rows as one plain Parquet file.

`seconds` of the dump is the COPY alone, into the page cache; what it takes to bring the file to the
disk, which a dump does before it answers, is recorded beside it.
"""

from __future__ import annotations

import os
import time

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from timing import Job, Report, Stopwatch, contest


def summary(table: pa.Table) -> list[float]:
    """What two equal results have in common."""
    numbers = pc.sum(table.column("key")), pc.sum(table.column("f0"))
    return [table.num_rows, *(each.as_py() for each in numbers)]


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """Does the phase that the job names."""
    database = duckdb.connect(config={"threads": job["threads"]})
    database.execute("SET TimeZone = 'UTC'")
    plain = f"read_parquet('{job['plain_path']}')"
    report: Report = {"versions": {"duckdb": duckdb.__version__}}
    if job["phase"] == "latest":
        with stopwatch.timed():
            table = database.execute(job["latest"].format(table=plain).rstrip().rstrip(";"))
            table = table.to_arrow_table()
        return report | {"summary": summary(table)}
    out = f"{job['plain_path']}.copy"
    with stopwatch.timed():
        database.execute(
            f"COPY (SELECT * FROM {plain}) TO '{out}' (FORMAT parquet, COMPRESSION zstd)"
        )
    started = time.perf_counter()
    with open(out, "rb") as file:
        os.fsync(file.fileno())
    report |= {"sync_seconds": time.perf_counter() - started, "bytes": os.path.getsize(out)}
    os.unlink(out)
    return report


if __name__ == "__main__":
    contest(work)
