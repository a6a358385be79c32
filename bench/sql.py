"""The row of SQL: the usual query and a dump beside DuckDB on plain Parquet, and small queries."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from outcome import Outcome, Ratio, Settings
from processes import Contestant, ContestantError, prepare, run_contestant, warm
from tables import FRAME, record, sorted_frame

FILL = Contestant("fill", "tidemark_sql.py", {"phase": "fill"}, ours=True)
LATEST = Contestant("latest", "tidemark_sql.py", {"phase": "latest"}, ours=True)
LATEST_DUCKDB = Contestant("latest-duckdb", "duckdb_sql.py", {"phase": "latest"})
DUMP = Contestant("dump", "tidemark_sql.py", {"phase": "dump"}, ours=True)
DUMP_DUCKDB = Contestant("copy-duckdb", "duckdb_sql.py", {"phase": "dump"})
SMALL = Contestant("small", "tidemark_sql.py", {"phase": "small"}, ours=True)

LATEST_AIM = 1.3
DUMP_AIM = 1.3
SMALL_AIM = 100.0

QUERY = """
SELECT * FROM (
  SELECT *, row_number() OVER (
    PARTITION BY key ORDER BY EVENT_TIMESTAMP desc, Api_Invocation_Time DESC, write_time DESC
  ) AS row_num
  FROM {table}
) WHERE row_num = 1 and NOT is_deleted;
"""


def run_sql(settings: Settings) -> Outcome:
    """Takes turns: ours, DuckDB's."""
    sizes = FRAME.scaled(settings.scale)
    title = "SQL over a feature table of 10M rows x 10 columns, against DuckDB on plain Parquet"
    outcome = Outcome("sql", title, asdict(sizes))
    prepare(settings.python, [sizes], settings.work)
    folder = settings.work / "sql"
    job: dict[str, Any] = sizes.job() | {
        "frame_path": str(sorted_frame(settings, sizes)),
        "store_path": str(folder / "store"),
        "plain_path": str(folder / "plain.parquet"),
        "latest": QUERY,
    }
    try:
        run_contestant(FILL, job, settings.our_python, folder)
        warm([Path(job["plain_path"]), *folder.glob("store/.tidemark/tables/**/*.parquet")])
        for repeat in range(settings.repeats):
            print(f"row sql, repeat {repeat + 1} of {settings.repeats}", flush=True)
            for contestant in (LATEST_DUCKDB, LATEST, DUMP_DUCKDB, DUMP, SMALL):
                if settings.wants(contestant.name):
                    python = settings.our_python if contestant.ours else settings.python
                    record(outcome, contestant, run_contestant(contestant, job, python, folder))
    except ContestantError as failure:
        outcome.failures.append(str(failure))
    shutil.rmtree(folder, ignore_errors=True)
    add_ratios(outcome)
    return outcome


def add_ratios(outcome: Outcome) -> None:
    """Ours by DuckDB's, and the rate of small queries."""
    figures = outcome.figures
    for what, ours, theirs, aim in (
        ("latest snapshot / DuckDB's", LATEST, LATEST_DUCKDB, LATEST_AIM),
        ("dump / DuckDB's COPY", DUMP, DUMP_DUCKDB, DUMP_AIM),
    ):
        if ours.name in figures and theirs.name in figures:
            ratio = figures[ours.name].median() / figures[theirs.name].median()
            outcome.ratios.append(Ratio(what, ratio, aim, False))
    if DUMP.name in figures and DUMP_DUCKDB.name in figures:
        theirs_synced = figures[DUMP_DUCKDB.name].median() + figures[DUMP_DUCKDB.name].median_of(
            "sync_seconds"
        )
        outcome.numbers["dump / COPY and sync"] = round(
            figures[DUMP.name].median() / theirs_synced, 2
        )
    if SMALL.name in figures:
        rate = figures[SMALL.name].median_of("rate")
        outcome.ratios.append(Ratio("small queries per second", rate, SMALL_AIM, True))
    if LATEST.name in figures and LATEST_DUCKDB.name in figures:
        ours_found = figures[LATEST.name].reports[0]["summary"]
        theirs_found = figures[LATEST_DUCKDB.name].reports[0]["summary"]
        close = all(
            abs(a - b) <= 1e-6 * max(1.0, abs(a))
            for a, b in zip(ours_found, theirs_found, strict=True)
        )
        if not close:
            outcome.failures.append(f"latest: {ours_found} is not {theirs_found}")
