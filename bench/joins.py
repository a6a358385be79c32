"""The point-in-time join rows: 1M and 10k entity rows, the small one against Feast, and growth."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from datasets import BENCH, DATA, Sizes
from outcome import Outcome, Ratio, Settings
from processes import Contestant, ContestantError, Figures, prepare, run_contestant, warm

LIMIT = Contestant("limit", "limit.py")
TIDEMARK = Contestant("tidemark", "tidemark_join.py", {"order": "ordered"}, ours=True)
DUCKDB = Contestant("duckdb", "duckdb_join.py", {"variant": "asof", "order": "any"})
DUCKDB_FILTERED = Contestant(
    "duckdb-filtered", "duckdb_join.py", {"variant": "filtered", "order": "any"}
)
DUCKDB_ARGMAX = Contestant("duckdb-argmax", "duckdb_join.py", {"variant": "argmax", "order": "any"})
POLARS = Contestant("polars", "polars_join.py", {"variant": "asof", "order": "any"})
POLARS_FILTERED = Contestant(
    "polars-filtered", "polars_join.py", {"variant": "filtered", "order": "any"}
)
FEAST_DASK = Contestant("feast-dask", "feast_join.py", {"offline": "dask", "order": "count"})
FEAST_DUCKDB = Contestant("feast-duckdb", "feast_join.py", {"offline": "duckdb", "order": "count"})

LARGE = Sizes(entity_rows=1_000_000, views=3, history_rows=10_000_000, keys=1_000_000)
FEW = replace(LARGE, entity_rows=10_000)
# A hundred rows per key; with ten, most entity rows are stale and Feast/dask drops half of them.
SMALL = Sizes(entity_rows=100_000, views=3, history_rows=1_000_000, keys=10_000)


@dataclass(frozen=True)
class JoinRow:
    """One row of the table: contestants, and aims as peer -> (time, memory or None)."""

    row: str
    title: str
    sizes: Sizes
    contestants: tuple[Contestant, ...]
    limit_aim: float | None
    aims: Mapping[str, tuple[float, float | None]]


JOIN_PEERS = (TIDEMARK, DUCKDB, POLARS, DUCKDB_FILTERED, POLARS_FILTERED, DUCKDB_ARGMAX)
ROWS = {
    "1": JoinRow(
        "1",
        "point-in-time join, 1M entity rows x 3 views x 10M rows x 8 features",
        LARGE,
        (LIMIT, *JOIN_PEERS),
        1.3,
        {
            "duckdb": (2.5, 5.0),
            "duckdb-filtered": (2.5, 5.0),
            "duckdb-argmax": (2.5, 5.0),
            "polars": (4.0, 5.0),
            "polars-filtered": (4.0, 5.0),
        },
    ),
    "2": JoinRow(
        "2",
        "the same, 10k entity rows",
        FEW,
        (LIMIT, *JOIN_PEERS),
        1.2,
        {peer.name: (5.0, None) for peer in JOIN_PEERS[1:]},
    ),
    "4": JoinRow(
        "4",
        "point-in-time join, 100k entity rows x 3 views x 1M rows x 8 features, against Feast",
        SMALL,
        (TIDEMARK, FEAST_DASK, FEAST_DUCKDB, DUCKDB, POLARS),
        None,
        {"feast-dask": (150.0, None), "feast-duckdb": (25.0, None)},
    ),
}


def make_reference(settings: Settings, sizes: Sizes) -> Path:
    """The expected result, made once by DuckDB without ASOF; every contestant is checked by it."""
    ttl = "" if sizes.ttl else "-nottl"
    name = f"reference-e{sizes.entity_rows}-v{sizes.views}-{sizes.view_path(0).stem}{ttl}"
    path = DATA / f"{name}.parquet"
    if not path.exists():
        partial = path.with_suffix(".partial")
        job = sizes.job() | {"out_path": str(partial)}
        run_contestant(DUCKDB_ARGMAX, job, settings.python, settings.work)
        partial.rename(path)
    return path


def check(settings: Settings, reference: Path, out: Path, order: str) -> dict[str, Any]:
    """Compares one result with the reference, in a process of its own."""
    command = [settings.python, str(BENCH / "compare.py"), "join", str(reference), str(out), order]
    printed = subprocess.run(command, check=True, capture_output=True).stdout
    verdict: dict[str, Any] = json.loads(printed)
    return verdict


def run_once(
    settings: Settings, contestant: Contestant, job: dict[str, Any], outcome: Outcome
) -> None:
    """One repeat of one contestant: run, record, compare, clean up."""
    folder = settings.work / f"{outcome.row}-{contestant.name}"
    shutil.rmtree(folder, ignore_errors=True)
    out = folder / "result.parquet"
    whole = job | {"out_path": str(out), "store_path": str(folder / "store")}
    python = settings.our_python if contestant.ours else settings.python
    try:
        report, cpu, peak = run_contestant(contestant, whole, python, folder)
    except ContestantError as failure:
        outcome.failures.append(f"{contestant.name}: {failure}")
        return
    figures = outcome.figures.setdefault(contestant.name, Figures())
    figures.seconds.append(report["seconds"])
    figures.cpu_seconds.append(cpu)
    figures.peak_mb.append(peak)
    figures.reports.append(report)
    print(f"  {contestant.name:<16} {report['seconds']:9.3f} s {peak:8.0f} MB", flush=True)
    order = contestant.settings.get("order")
    if order is not None:
        verdict = check(settings, Path(job["reference_path"]), out, order)
        report["check"] = verdict
        if not verdict["equal"] and order != "count":
            outcome.failures.append(f"{contestant.name}: {verdict['why']}")
    shutil.rmtree(folder, ignore_errors=True)


def add_ratios(row: JoinRow, outcome: Outcome) -> None:
    """Tidemark's time and memory against the aims."""
    ours = outcome.figures.get("tidemark")
    if ours is None:
        return
    limit = outcome.figures.get("limit")
    if limit is not None and row.limit_aim is not None:
        ratio = ours.median() / limit.median()
        outcome.ratios.append(Ratio("time / limit", ratio, row.limit_aim, False))
    for peer, (time_aim, memory_aim) in row.aims.items():
        theirs = outcome.figures.get(peer)
        if theirs is None:
            continue
        ratio = theirs.median() / ours.median()
        outcome.ratios.append(Ratio(f"{peer} time / ours", ratio, time_aim, True))
        if memory_aim is not None:
            ratio = theirs.peak() / ours.peak()
            outcome.ratios.append(Ratio(f"{peer} memory / ours", ratio, memory_aim, True))


def run_join(settings: Settings, row: JoinRow) -> Outcome:
    """All repeats of one row, the contestants taking turns."""
    sizes = row.sizes.scaled(settings.scale)
    outcome = Outcome(row.row, row.title, asdict(sizes))
    prepare(settings.python, [sizes], settings.work)
    reference = make_reference(settings, sizes)
    warm(sizes.paths())
    job = sizes.job() | {"reference_path": str(reference)}
    for repeat in range(settings.repeats):
        print(f"row {row.row}, repeat {repeat + 1} of {settings.repeats}", flush=True)
        for contestant in row.contestants:
            if settings.wants(contestant.name):
                run_once(settings, contestant, job, outcome)
    add_ratios(row, outcome)
    for name, figures in outcome.figures.items():
        verdict = figures.reports[-1].get("check", {})
        if verdict.get("lost_rows") or verdict.get("differing_values"):
            outcome.numbers[f"{name} rows lost"] = verdict["lost_rows"]
            outcome.numbers[f"{name} values differing"] = verdict["differing_values"]
    return outcome
