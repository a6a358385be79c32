"""The bare read that a source in PostgreSQL is measured by: the driver's own Arrow table."""

from __future__ import annotations

import adbc_driver_postgresql.dbapi as postgresql
from timing import Job, Report, Stopwatch, contest


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """Times connecting, the query and fetching all of it."""
    columns = ["key", "event_timestamp", "created", *job["views"][0]["features"]]
    with stopwatch.timed(), postgresql.connect(job["uri"]) as connection:
        cursor = connection.cursor()
        cursor.execute(f"SELECT {', '.join(columns)} FROM history")
        table = cursor.fetch_arrow_table()
        cursor.close()
    return {"rows": table.num_rows, "versions": {"adbc": postgresql.__name__}}


if __name__ == "__main__":
    contest(work)
