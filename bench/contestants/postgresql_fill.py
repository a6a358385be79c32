"""Fills the table that the others read with the history of the data set's first view."""

from __future__ import annotations

import adbc_driver_postgresql.dbapi as postgresql
import pyarrow.parquet as pq
from timing import Job, Report, Stopwatch, contest


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """A bulk insert, and what a server does when nobody looks: afterwards reads change nothing."""
    file = pq.ParquetFile(job["views"][0]["path"])
    with stopwatch.timed(), postgresql.connect(job["uri"], autocommit=True) as connection:
        cursor = connection.cursor()
        mode = "create"
        for batch in file.iter_batches(1_000_000):
            cursor.adbc_ingest("history", batch, mode=mode)
            mode = "append"
        cursor.execute("VACUUM (FREEZE, ANALYZE) history")
        cursor.close()
    return {}


if __name__ == "__main__":
    contest(work)
