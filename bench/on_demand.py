"""The row of features computed on demand: beside a plain lookup, DuckDB and Feast's pandas mode."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from datasets import DATA, Sizes
from outcome import Outcome, Ratio, Settings
from processes import Contestant, ContestantError, prepare, run_contestant
from serving import LOOKUP, lookup_job
from tables import record

OURS = Contestant("tidemark", "tidemark_on_demand.py", {"phase": "lookup"}, ours=True)
FEAST = Contestant("feast-pandas", "feast_on_demand.py", {"phase": "lookup"})

ADDED_US_AIM = 20.0
DUCKDB_AIM = 0.8
FEAST_AIM = 50.0


def run_on_demand(settings: Settings) -> Outcome:
    """Fills both stores, then ours and Feast take turns; what needs no Python comes last."""
    sizes = LOOKUP.scaled(settings.scale)
    sizes = replace(sizes, views=1, keys=max(1000, sizes.keys))
    title = "five features on demand: online 100 entities, offline 10M rows"
    outcome = Outcome("on-demand", title, asdict(sizes))
    prepare(settings.python, [sizes], settings.work)
    job = lookup_job(sizes, 0, 2.0 if settings.scale == 1.0 else 0.3)
    for rows in [job["check_rows"], *(batch for each in job["batches"].values() for batch in each)]:
        for at, row in enumerate(rows):
            row["km"] = float(at * 10 % 1000)
    folders = {each.name: settings.work / f"on-demand-{each.name}" for each in (OURS, FEAST)}
    try:
        contestants = [each for each in (OURS, FEAST) if settings.wants(each.name)]
        for contestant in contestants:
            run(settings, replace(contestant, settings={"phase": "fill"}), job, folders)
        for repeat in range(settings.repeats):
            print(f"row on-demand, repeat {repeat + 1} of {settings.repeats}", flush=True)
            for contestant in contestants:
                record(outcome, contestant, run(settings, contestant, job, folders))
        add_lookups(outcome)
        if settings.wants(OURS.name):
            add_native(outcome, folders[OURS.name] / "store", sizes)
            add_offline(outcome, settings)
    except ContestantError as failure:
        outcome.failures.append(str(failure))
    for folder in folders.values():
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def run(
    settings: Settings, contestant: Contestant, job: dict[str, Any], folders: dict[str, Path]
) -> tuple[dict[str, Any], float, float]:
    """One run of one contestant on its own store."""
    folder = folders[contestant.name]
    python = settings.our_python if contestant.ours else settings.python
    whole = job | {"store_path": str(folder / "store")}
    return run_contestant(contestant, whole, python, folder)


def add_lookups(outcome: Outcome) -> None:
    """Medians of single calls through both SDKs; both answers are compared."""
    figures = outcome.figures
    for name, each in figures.items():
        for count in (1, 100):
            us = each.median_of(f"p50_us_{count}")
            outcome.numbers[f"{name} p50_us_{count}"] = round(us, 1)
    if OURS.name not in figures or FEAST.name not in figures:
        return
    ours, theirs = figures[OURS.name], figures[FEAST.name]
    ratio = theirs.median_of("p50_us_100") / ours.median_of("p50_us_100")
    outcome.ratios.append(Ratio("Feast's pandas mode at 100 / ours", ratio, FEAST_AIM, True))
    different = differing(ours.reports[-1].pop("answer"), theirs.reports[-1].pop("answer"))
    if different:
        outcome.failures.append(f"values differ from Feast's: {different}")
    for each in (*ours.reports, *theirs.reports):
        each.pop("answer", None)


def differing(ours: dict[str, list[Any]], theirs: dict[str, list[Any]]) -> str:
    """The first value that differs; keys without a row are null here, and NaN or 0 for pandas."""
    for name, values in ours.items():
        for row, (mine, other) in enumerate(zip(values, theirs[name], strict=True)):
            if mine is None or other is None or ours["price"][row] is None:
                continue
            if not math.isclose(float(mine), float(other), rel_tol=1e-6, abs_tol=1e-6):
                return f"{name}, row {row}: {mine} and {other}"
    return ""


def add_native(outcome: Outcome, store: Path, sizes: Sizes) -> None:
    """What five expressions add to a lookup of 100 entities through the C++ API."""
    program = DATA / "tidemark_on_demand_bench"
    view = sizes.job()["views"][0]
    command = [str(program), str(store), str(sizes.keys), view["name"], *view["features"][:5]]
    if not program.exists():
        outcome.failures.append(f"{program.name} is not built: run `make compile`")
        return
    done = subprocess.run([*command, "--", "computed"], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        outcome.failures.append(f"{program.name}: {done.stderr[-500:]}")
        return
    native = json.loads(done.stdout)
    outcome.numbers["C++ lookup of 100"] = native
    added = Ratio(
        "us added to 100 entities by 5 expressions", native["added_us"], ADDED_US_AIM, False
    )
    outcome.ratios.append(added)


def add_offline(outcome: Outcome, settings: Settings) -> None:
    """Six expressions over 10M rows, ours and DuckDB's, both on two threads."""
    program = settings.root / "build/release/bin/tidemark_adbc_bench"
    flags = [f"--benchmark_repetitions={settings.repeats}", "--benchmark_format=json"]
    if settings.scale < 1.0:
        flags = ["--benchmark_min_time=0.01s", "--benchmark_format=json"]
    done = subprocess.run([str(program), *flags], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        outcome.failures.append(f"{program.name}: {done.stderr[-500:]}")
        return
    times: dict[str, float] = {}
    for each in json.loads(done.stdout)["benchmarks"]:
        if each.get("aggregate_name", "median") == "median":
            times[each["run_name"]] = each["real_time"]
    ours = {name.split("/")[1]: ms for name, ms in times.items() if name.startswith("Ours/")}
    duckdb = {name.split("/")[1]: ms for name, ms in times.items() if name.startswith("DuckDb/")}
    speeds = {number: duckdb[number] / ms for number, ms in ours.items()}
    outcome.numbers["speed by expression / DuckDB's"] = {
        number: round(speed, 2) for number, speed in speeds.items()
    }
    name = "the slowest of 6 expressions / DuckDB's speed"
    outcome.ratios.append(Ratio(name, min(speeds.values()), DUCKDB_AIM, True))
