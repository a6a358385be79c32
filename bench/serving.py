"""The online rows: materialize into the online store, and look features up in process."""

from __future__ import annotations

import json
import random
import shutil
import statistics
import subprocess
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from datasets import BENCH, DATA, Sizes
from outcome import Outcome, Ratio, Settings
from processes import (
    Contestant,
    ContestantError,
    Figures,
    prepare,
    redis_server,
    run_contestant,
    warm,
)

TIDEMARK = Contestant("tidemark", "tidemark_online.py", ours=True)
FEAST_SQLITE = Contestant("feast-sqlite", "feast_online.py", {"online": "sqlite"})
FEAST_REDIS = Contestant("feast-redis", "feast_online.py", {"online": "redis"})
BARE_PUT = Contestant("bare-lmdb-put", "bare_lmdb.py", {"variant": "put"})
BARE_APPEND = Contestant("bare-lmdb-append", "bare_lmdb.py", {"variant": "append"})

# The history of the large join, without ttl: its rows lie in the past and would answer as stale.
LOAD = Sizes(entity_rows=1000, views=1, history_rows=10_000_000, keys=1_000_000, ttl=False)
# Feast takes minutes for what Tidemark does in seconds; its rows per second count.
FEAST_LOAD = Sizes(entity_rows=1000, views=1, history_rows=100_000, keys=10_000, ttl=False)
LOOKUP = Sizes(entity_rows=1000, views=5, history_rows=20_000, keys=10_000, features=10, ttl=False)
CHECK_ROWS = 1000
RECORDS_FORMAT = 2  # part of their files' names; raise it when winners.py writes others
BATCHES = 200  # distinct batches of keys per batch size


def check_rows(sizes: Sizes) -> list[dict[str, int]]:
    """Entity rows to compare; a few of their keys are unknown."""
    chosen = random.Random(sizes.seed)
    return [{"key": chosen.randrange(sizes.keys * 51 // 50)} for _ in range(CHECK_ROWS)]


def records_path(winners: Path) -> Path:
    """The LMDB records of a winners' file; the version changes with their layout."""
    return winners.with_suffix(f".records{RECORDS_FORMAT}")


def make_winners(settings: Settings, sizes: Sizes) -> list[tuple[str, str]]:
    """[view, file of the latest row per key], made once; the first also as LMDB records."""
    winners = []
    for view in sizes.job()["views"]:
        out = DATA / f"winners-{Path(view['path']).name}"
        records = records_path(out)
        if not (out.exists() and records.exists()):
            command = [settings.python, str(BENCH / "winners.py"), view["path"]]
            subprocess.run([*command, str(out), str(records)], check=True)
        winners.append((view["name"], str(out)))
    return winners


def check_answer(
    settings: Settings, folder: Path, contestant: Contestant, winners: list[tuple[str, str]]
) -> dict[str, Any]:
    """Compares the answer in a contestant's report with the winners."""
    report = str(folder / f"{contestant.name}.report.json")
    command = [settings.python, str(BENCH / "compare.py"), "answer", report, json.dumps(winners)]
    verdict: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, capture_output=True).stdout
    )
    return verdict


def measure(
    settings: Settings,
    contestant: Contestant,
    job: dict[str, Any],
    outcome: Outcome,
    winners: list[tuple[str, str]],
) -> None:
    """One run of one contestant, checked when it gives an answer, recorded in the outcome."""
    folder = settings.work / f"{outcome.row}-{contestant.name}"
    python = settings.our_python if contestant.ours else settings.python
    whole = job | {"store_path": str(folder / "store")}
    try:
        report, cpu, peak = run_contestant(contestant, whole, python, folder)
    except ContestantError as failure:
        outcome.failures.append(f"{contestant.name}: {failure}")
        return
    if "answer" in report:
        report["check"] = check_answer(settings, folder, contestant, winners)
        del report["answer"]
        if not report["check"]["equal"]:
            text = f"{contestant.name}: {report['check']['why']}"
            if contestant.ours:
                outcome.failures.append(text)
            else:
                outcome.numbers[f"{contestant.name} values differing"] = text
    figures = outcome.figures.setdefault(contestant.name, Figures())
    figures.seconds.append(report["seconds"])
    figures.cpu_seconds.append(cpu)
    figures.peak_mb.append(peak)
    figures.reports.append(report)


def load_round(settings: Settings, outcome: Outcome, sets: dict[str, Sizes], port: int) -> None:
    """Every contestant loads once, into a fresh store."""
    for contestant in (TIDEMARK, BARE_PUT, BARE_APPEND, FEAST_SQLITE, FEAST_REDIS):
        if not settings.wants(contestant.name):
            continue
        sizes = sets["feast" if contestant.name.startswith("feast") else "ours"]
        winners = make_winners(settings, sizes)
        shutil.rmtree(settings.work / f"{outcome.row}-{contestant.name}", ignore_errors=True)
        if contestant is FEAST_REDIS:
            subprocess.run(
                ["redis-cli", "-p", str(port), "flushall"], check=True, capture_output=True
            )
        job = sizes.job() | {
            "phase": "materialize",
            "check_rows": check_rows(sizes),
            "redis_port": port,
            "program": str(DATA / "bare_lmdb"),
            "records_path": str(records_path(Path(winners[0][1]))),
        }
        measure(settings, contestant, job, outcome, winners)
        figures = outcome.figures.get(contestant.name)
        if figures is not None:
            rows = sizes.history_rows if "bare" not in contestant.name else sizes.keys
            figures.reports[-1]["rows_per_second"] = rows / figures.reports[-1]["seconds"]
            print(
                f"  {contestant.name:<16} {figures.reports[-1]['seconds']:9.3f} s "
                f"{figures.reports[-1]['rows_per_second']:12,.0f} rows/s",
                flush=True,
            )
        shutil.rmtree(settings.work / f"{outcome.row}-{contestant.name}", ignore_errors=True)


def run_materialize(settings: Settings) -> Outcome:
    """Row 5."""
    sets = {"ours": LOAD.scaled(settings.scale), "feast": FEAST_LOAD.scaled(settings.scale)}
    title = "materialize 10M rows over 1M keys, Parquet to online, durable"
    outcome = Outcome("5", title, {name: asdict(sizes) for name, sizes in sets.items()})
    prepare(settings.python, list(sets.values()), settings.work)
    for sizes in sets.values():
        make_winners(settings, sizes)
        warm(sizes.paths())
    with redis_server(settings.work) as port:
        for repeat in range(settings.repeats):
            print(f"row 5, repeat {repeat + 1} of {settings.repeats}", flush=True)
            load_round(settings, outcome, sets, port)
    for name, figures in outcome.figures.items():
        rate = figures.median_of("rows_per_second")
        outcome.numbers[f"{name} rows/s"] = round(rate)
    add_load_ratios(outcome)
    return outcome


def add_load_ratios(outcome: Outcome) -> None:
    """Rows per second against Feast, and the put phase against the bare loads."""
    ours = outcome.figures.get("tidemark")
    if ours is None:
        return
    rate = ours.median_of("rows_per_second")
    outcome.ratios.append(Ratio("rows read/s", rate, 1.5e6, True))
    for name in ("feast-sqlite", "feast-redis"):
        if name in outcome.figures:
            theirs = outcome.figures[name].median_of("rows_per_second")
            outcome.ratios.append(Ratio(f"rows/s / {name}", rate / theirs, 30.0, True))
    put_seconds = statistics.median(report["phases"]["put_seconds"] for report in ours.reports)
    for name in ("bare-lmdb-put", "bare-lmdb-append"):
        if name in outcome.figures:
            ratio = outcome.figures[name].median() / put_seconds
            outcome.ratios.append(Ratio(f"put phase speed / {name}", ratio, 0.7, True))


def lookup_job(sizes: Sizes, port: int, seconds: float) -> dict[str, Any]:
    """The job of a lookup: batches of 1 and of 100 keys that have history."""
    chosen = random.Random(sizes.seed + 1)
    batches = {
        str(count): [
            [{"key": chosen.randrange(sizes.keys)} for _ in range(count)] for _ in range(BATCHES)
        ]
        for count in (1, 100)
    }
    return sizes.job() | {
        "check_rows": check_rows(sizes),
        "redis_port": port,
        "batches": batches,
        "seconds_per_batch": seconds,
    }


def run_lookup(settings: Settings) -> Outcome:
    """Row 6: every store is loaded once, then the contestants take turns."""
    sizes = replace(
        LOOKUP.scaled(settings.scale), keys=max(1000, LOOKUP.scaled(settings.scale).keys)
    )
    title = "online, in process, 1 and 100 entities x 50 features (5 views x 10)"
    outcome = Outcome("6", title, asdict(sizes))
    prepare(settings.python, [sizes], settings.work)
    winners = make_winners(settings, sizes)
    contestants = [c for c in (TIDEMARK, FEAST_SQLITE, FEAST_REDIS) if settings.wants(c.name)]
    with ExitStack() as stack:
        port = stack.enter_context(redis_server(settings.work))
        job = lookup_job(sizes, port, 2.0 if settings.scale == 1.0 else 0.3)
        for contestant in contestants:
            shutil.rmtree(settings.work / f"6-{contestant.name}", ignore_errors=True)
            measure(settings, contestant, job | {"phase": "materialize"}, outcome, winners)
        outcome.figures.clear()
        for repeat in range(settings.repeats):
            print(f"row 6, repeat {repeat + 1} of {settings.repeats}", flush=True)
            for contestant in contestants:
                measure(settings, contestant, job | {"phase": "lookup"}, outcome, winners)
                show_lookup(contestant.name, outcome)
    for name, figures in outcome.figures.items():
        for key in ("p50_us_1", "p99_us_1", "p50_us_100", "p99_us_100"):
            outcome.numbers[f"{name} {key}"] = round(figures.median_of(key), 1)
    add_lookup_ratios(outcome)
    add_native(settings, sizes, outcome)
    return outcome


def show_lookup(name: str, outcome: Outcome) -> None:
    """One line of the last repeat."""
    if name in outcome.figures:
        report = outcome.figures[name].reports[-1]
        one, hundred = report["p50_us_1"], report["p50_us_100"]
        print(f"  {name:<16} {one:9.1f} us at 1 {hundred:9.1f} us at 100", flush=True)


def add_lookup_ratios(outcome: Outcome) -> None:
    """Medians against Feast; the aim stands for 100 entities, 1 entity is recorded."""
    ours = outcome.figures.get("tidemark")
    for name in ("feast-sqlite", "feast-redis"):
        theirs = outcome.figures.get(name)
        if ours is None or theirs is None:
            continue
        hundred = theirs.median_of("p50_us_100") / ours.median_of("p50_us_100")
        outcome.ratios.append(Ratio(f"{name} at 100 / ours", hundred, 100.0, True))
        one = theirs.median_of("p50_us_1") / ours.median_of("p50_us_1")
        outcome.numbers[f"{name} at 1 / ours"] = round(one, 1)


def add_native(settings: Settings, sizes: Sizes, outcome: Outcome) -> None:
    """Lookups through the C++ API against bare gets, in one process on the store loaded before.

    The program takes turns within itself and compares every value; its JSON is kept whole.
    """
    program = DATA / "tidemark_online_bench"
    store = settings.work / "6-tidemark" / "store"
    if not settings.wants(TIDEMARK.name):
        return
    if not program.exists():
        outcome.failures.append(f"{program.name} is not built: run `make compile`")
        return
    # LMDB allows one environment of a file in a process: the bare side opens a copy.
    bare = settings.work / "6-bare"
    shutil.rmtree(bare, ignore_errors=True)
    bare.mkdir()
    [data] = store.glob(".tidemark/**/data.mdb")
    shutil.copyfile(data, bare / "data.mdb")
    views = [view["name"] for view in sizes.job()["views"]]
    command = [str(program), str(store), str(bare), str(sizes.keys), *views]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        outcome.failures.append(f"{program.name}: {done.stderr[-500:]}")
        return
    native = json.loads(done.stdout)
    outcome.numbers["C++ lookups"] = native
    for count, ratio in native["ratios"].items():
        outcome.numbers[f"C++ lookup us at {count}"] = native["lookup_us"][count]
        outcome.numbers[f"bare LMDB get us at {count}"] = native["bare_us"][count]
        outcome.ratios.append(Ratio(f"lookup at {count} / bare LMDB get", ratio, 2.0, False))
