"""The benchmark's command line: chooses rows, runs them, saves and prints the results.

The exit code is 1 when a contestant failed or two results differ; a missed aim is no failure.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import report
from datasets import BENCH, DATA
from flight import run_flight
from growth import run_growth
from http_writes import run_http_writes
from joins import ROWS, run_join
from on_demand import run_on_demand
from online_http import run_http
from outcome import Outcome, Settings
from processes import OthersMeter, pin_to_two_cores
from serving import run_lookup, run_materialize
from sql import run_sql
from streams import run_push, run_stream
from tables import run_commit, run_ingest, run_own_join, run_small_writes, run_tail
from warehouse import run_postgresql

RUNS: dict[str, Callable[[Settings], Outcome]] = {
    "1": lambda settings: run_join(settings, ROWS["1"]),
    "2": lambda settings: run_join(settings, ROWS["2"]),
    "3": run_own_join,
    "4": lambda settings: run_join(settings, ROWS["4"]),
    "5": run_materialize,
    "6": run_lookup,
    "http": run_http,
    "http-writes": run_http_writes,
    "growth": run_growth,
    "ingest": run_ingest,
    "small-writes": run_small_writes,
    "tail": run_tail,
    "commit": run_commit,
    "postgresql": run_postgresql,
    "sql": run_sql,
    "flight": run_flight,
    "stream": run_stream,
    "push": run_push,
    "on-demand": run_on_demand,
}


def parse() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(prog="bench/run.sh", description=__doc__)
    parser.add_argument("--rows", default=",".join(RUNS), help="which rows (default: %(default)s)")
    parser.add_argument("--scale", type=float, default=1.0, help="0.01 is a smoke run")
    parser.add_argument("--repeats", type=int, default=5, help="the median of so many runs")
    parser.add_argument("--only", default="", help="contestants, for example tidemark,limit")
    parser.add_argument("--tidemark-python", default="", help="default: .venv/bin/python")
    parser.add_argument("--results", type=Path, default=BENCH / "results")
    return parser.parse_args()


def our_python(flag: str, root: Path) -> str:
    """The interpreter that has the Tidemark SDK."""
    own = root / ".venv" / "bin" / "python"
    return flag or (str(own) if own.exists() else sys.executable)


def run_row(row: str, settings: Settings) -> Outcome:
    """One row, and how busy others kept the machine meanwhile."""
    meter = OthersMeter()
    outcome = RUNS[row](settings)
    outcome.cores_used_by_others = meter.cores()
    return outcome


def main() -> int:
    """Runs the chosen rows."""
    flags = parse()
    chosen = flags.rows.split(",")
    unknown = [row for row in chosen if row not in RUNS]
    if unknown:
        print(f"unknown rows {unknown}; there are {list(RUNS)}", file=sys.stderr)
        return 2
    pin_to_two_cores()
    DATA.mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="run-", dir=DATA))
    settings = Settings(
        scale=flags.scale,
        repeats=flags.repeats,
        only=frozenset(filter(None, flags.only.split(","))),
        python=sys.executable,
        our_python=our_python(flags.tidemark_python, BENCH.parent),
        work=work,
        root=BENCH.parent,
    )
    if not flags.tidemark_python:  # .venv may be shared by several trees: this one is measured
        os.environ["PYTHONPATH"] = str(BENCH.parent / "python" / "src")
    about = report.facts(settings)
    try:
        outcomes = [run_row(row, settings) for row in chosen]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for outcome in outcomes:
        report.show(outcome)
    print(f"\nresults: {report.save(about, outcomes, flags.results)}")
    return 1 if any(outcome.failures for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
