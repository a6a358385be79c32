"""The rows of feature tables: ingest, joins from them, small writes, the log's tail, commits."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from datasets import BENCH, DATA, Sizes
from joins import FEW, LARGE, LIMIT, TIDEMARK, make_reference, run_once
from outcome import Outcome, Ratio, Settings
from processes import Contestant, ContestantError, Figures, prepare, run_contestant, spawn, warm

INGEST = Contestant("tidemark", "tidemark_tables.py", {"phase": "ingest"}, ours=True)
INGEST_UNSORTED = Contestant(
    "tidemark-unsorted", "tidemark_tables.py", {"phase": "ingest"}, ours=True
)
ARROW_WRITE = Contestant("pyarrow-write", "arrow_write.py")
FILL = Contestant("fill", "tidemark_tables.py", {"phase": "fill"}, ours=True)
OWN = Contestant(
    "own-tables", "tidemark_tables.py", {"phase": "join", "order": "ordered"}, ours=True
)
LIMIT_SNAPPY = Contestant("limit-snappy", "limit.py")
TAIL = Contestant("tidemark-tail", "tidemark_tail.py", ours=True)
COMMIT = Contestant("tidemark-commit", "tidemark_commit.py", ours=True)

# Ten columns: the key, the event time, the features.
FRAME = replace(LARGE, entity_rows=1000, views=1, ttl=False)
INGEST_AIM = 0.7
OWN_LIMIT_AIM = 1.15
OWN_UNSORTED_AIM = 1.4
RATE_AIM = 10.0
P99_AIM = 4.0
TAIL_AIM = 1.1
COMMIT_AIM_MS = 100.0

# Rows of 8 features take 116 bytes in the log: the last is 64 MB, where a log is flushed.
TAILS = (1, 50_000, 550_000)


def record(
    outcome: Outcome, contestant: Contestant, ran: tuple[dict[str, Any], float, float]
) -> None:
    """One repeat's figures."""
    report, cpu, peak = ran
    figures = outcome.figures.setdefault(contestant.name, Figures())
    figures.seconds.append(report["seconds"])
    figures.cpu_seconds.append(cpu)
    figures.peak_mb.append(peak)
    figures.reports.append(report)
    print(f"  {contestant.name:<16} {report['seconds']:9.3f} s {peak:8.0f} MB", flush=True)


def run_one(
    settings: Settings, contestant: Contestant, job: dict[str, Any], outcome: Outcome, folder: Path
) -> dict[str, Any] | None:
    """Runs a contestant in a folder, which stays; its report, or None when it failed."""
    python = settings.our_python if contestant.ours else settings.python
    try:
        ran = run_contestant(contestant, job, python, folder)
    except ContestantError as failure:
        outcome.failures.append(f"{contestant.name}: {failure}")
        return None
    record(outcome, contestant, ran)
    return ran[0]


def sorted_frame(settings: Settings, sizes: Sizes) -> Path:
    """The ten columns of the first view in the order of key and event time, made once."""
    path = DATA / f"sorted-{sizes.view_path(0).name}"
    if not path.exists():
        command = [
            settings.python,
            str(BENCH / "sorted_frame.py"),
            str(sizes.view_path(0)),
            str(path),
        ]
        spawn(command, settings.work / "sorted.log")
    return path


def check_ingested(settings: Settings, frame: Path, files: list[str], outcome: Outcome) -> None:
    """The data files hold the frame's rows, in its order."""
    command = [settings.python, str(BENCH / "compare.py"), "frame", str(frame), *files]
    verdict = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    if not verdict["equal"]:
        outcome.failures.append(f"ingest: {verdict['why']}")


def run_ingest(settings: Settings) -> Outcome:
    """A frame in memory into a new table, against a bare write of a Parquet file."""
    sizes = FRAME.scaled(settings.scale)
    title = "ingest of 10M rows x 10 columns, against pyarrow's write_table with the same codec"
    outcome = Outcome("ingest", title, asdict(sizes))
    prepare(settings.python, [sizes], settings.work)
    frame = sorted_frame(settings, sizes)
    warm([frame, sizes.view_path(0)])
    columns = ["key", "event_timestamp", *sizes.job()["views"][0]["features"]]
    for repeat in range(settings.repeats):
        print(f"row ingest, repeat {repeat + 1} of {settings.repeats}", flush=True)
        for contestant in (ARROW_WRITE, INGEST, INGEST_UNSORTED):
            if not settings.wants(contestant.name):
                continue
            folder = settings.work / f"ingest-{contestant.name}"
            source = sizes.view_path(0) if contestant is INGEST_UNSORTED else frame
            job = sizes.job() | {
                "frame_path": str(source),
                "columns": columns,
                "store_path": str(folder / "store"),
            }
            report = run_one(settings, contestant, job, outcome, folder)
            if report is not None and contestant is INGEST and repeat == 0:
                check_ingested(settings, frame, report["data_files"], outcome)
            shutil.rmtree(folder, ignore_errors=True)
    theirs, ours = outcome.figures.get(ARROW_WRITE.name), outcome.figures.get(INGEST.name)
    if theirs is not None and ours is not None:
        speed = theirs.median() / ours.median()
        outcome.ratios.append(Ratio("speed / write_table", speed, INGEST_AIM, True))
        synced = theirs.median() + theirs.median_of("sync_seconds")
        outcome.numbers["speed / write_table and sync"] = round(synced / ours.median(), 2)
        outcome.numbers["bytes / write_table's"] = round(
            ours.median_of("bytes") / theirs.median_of("bytes"), 3
        )
    return outcome


def run_own_join(settings: Settings) -> Outcome:
    """The join of row 1 from feature tables that hold its histories."""
    sizes = LARGE.scaled(settings.scale)
    title = "point-in-time join from own sorted tables, 1M entity rows x 3 x 10M rows x 8 features"
    outcome = Outcome("3", title, asdict(sizes))
    prepare(settings.python, [sizes], settings.work)
    reference = make_reference(settings, sizes)
    store = settings.work / "3-store"
    job = sizes.job() | {"reference_path": str(reference), "store_path": str(store)}
    try:
        filled, _, _ = run_contestant(FILL, job, settings.our_python, settings.work / "3-fill")
    except ContestantError as failure:
        outcome.failures.append(f"fill: {failure}")
        return outcome
    own = job | {
        "views": [
            view | {"paths": files}
            for view, files in zip(job["views"], filled["data_files"], strict=True)
        ]
    }
    warm(sizes.paths())
    warm([Path(path) for files in filled["data_files"] for path in files])
    for repeat in range(settings.repeats):
        print(f"row 3, repeat {repeat + 1} of {settings.repeats}", flush=True)
        contestants = ((LIMIT, own), (OWN, own), (TIDEMARK, job), (LIMIT_SNAPPY, job))
        for contestant, its_job in contestants:
            if settings.wants(contestant.name):
                keep = {"kept_store": str(store)} if contestant is OWN else {}
                run_once(settings, contestant, its_job | keep, outcome)
    shutil.rmtree(store, ignore_errors=True)
    add_own_ratios(outcome)
    return outcome


def add_own_ratios(outcome: Outcome) -> None:
    """Against the limit of the tables' own files, and our time from unsorted ones."""
    ours = outcome.figures.get(OWN.name)
    if ours is None:
        return
    limit, unsorted = outcome.figures.get(LIMIT.name), outcome.figures.get(TIDEMARK.name)
    if limit is not None:
        ratio = ours.median() / limit.median()
        outcome.ratios.append(Ratio("time / limit", ratio, OWN_LIMIT_AIM, False))
    if unsorted is not None:
        ratio = unsorted.median() / ours.median()
        outcome.ratios.append(Ratio("unsorted time / ours", ratio, OWN_UNSORTED_AIM, True))
    snappy = outcome.figures.get(LIMIT_SNAPPY.name)
    if snappy is not None:
        outcome.numbers["time / limit of the unsorted files"] = round(
            ours.median() / snappy.median(), 2
        )


def run_program(command: list[str], outcome: Outcome) -> dict[str, Any] | None:
    """A native program's JSON; None when it is missing or failed."""
    if not Path(command[0]).exists():
        outcome.failures.append(f"{Path(command[0]).name} is not built: run `make compile`")
        return None
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        outcome.failures.append(f"{Path(command[0]).name}: {done.stderr[-500:]}")
        return None
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run_small_writes(settings: Settings) -> Outcome:
    """Durable writes of one row, by one writer and by 32: the log alone, and by the C++ API."""
    title = "durable writes of one row: 32 writers against one, beside a bare fdatasync"
    outcome = Outcome("small-writes", title, {"writers": 32})
    rounds, seconds = str(max(3, settings.repeats)), "2" if settings.scale == 1.0 else "0.3"
    programs = {
        "log": settings.root / "build" / "release" / "bin" / "tidemark_wal_bench",
        "ingest": DATA / "tidemark_small_writes",
    }
    for what, program in programs.items():
        folder = settings.work / f"small-writes-{what}"
        found = run_program([str(program), str(folder), rounds, seconds], outcome)
        shutil.rmtree(folder, ignore_errors=True)
        if found is None:
            continue
        outcome.numbers[f"{what}, all turns"] = found
        add_write_ratios(what, found, outcome)
    return outcome


def add_write_ratios(what: str, found: dict[str, Any], outcome: Outcome) -> None:
    """Medians over the rounds, and of the ratios within each round."""
    for name, turns in found.items():
        if not isinstance(turns, dict):
            continue
        for figure, unit in (("rates", "rows/s"), ("p50_us", "p50 us"), ("p99_us", "p99 us")):
            median = statistics.median(turns[figure])
            outcome.numbers[f"{what}, {name}, {unit}"] = round(median)
    for one, many in (("one", "many"), ("both_one", "both_many")):
        if many not in found:
            continue
        rate = median_ratio(found[many]["rates"], found[one]["rates"])
        p99 = median_ratio(found[many]["p99_us"], found["bare"]["p99_us"])
        where = what if many == "many" else f"{what}, also online"
        if many == "many":
            outcome.ratios.append(Ratio(f"{where}: 32 writers' rate / one's", rate, RATE_AIM, True))
            outcome.ratios.append(Ratio(f"{where}: p99 / bare fdatasync's", p99, P99_AIM, False))
        else:
            outcome.numbers[f"{where}: 32 writers' rate / one's"] = round(rate, 1)
            outcome.numbers[f"{where}: p99 / bare fdatasync's"] = round(p99, 1)


def median_ratio(numbers: list[float], by: list[float]) -> float:
    """The median of the ratios, round by round."""
    return statistics.median(a / b for a, b in zip(numbers, by, strict=True))


def run_tail(settings: Settings) -> Outcome:
    """A training read with rows in the log, against the same without."""
    sizes = replace(LARGE.scaled(settings.scale), views=1)
    few = replace(FEW.scaled(settings.scale), views=1)
    title = "training read right after a write: 10M rows in files and a log tail, against no tail"
    outcome = Outcome("tail", title, asdict(sizes))
    prepare(settings.python, [sizes, few], settings.work)
    warm(sizes.paths())
    folder = settings.work / "tail"
    job = sizes.job() | {
        "store_path": str(folder / "store"),
        "out_path": str(folder / "result.parquet"),
        "entity_paths": [str(few.entity_path()), str(sizes.entity_path())],
        "tails": [max(1, int(rows * settings.scale)) for rows in TAILS],
        "turns": settings.repeats,
    }
    print("row tail", flush=True)
    report = run_one(settings, TAIL, job, outcome, folder)
    shutil.rmtree(folder, ignore_errors=True)
    for step in report["steps"] if report is not None else ():
        tail, bare = step["seconds"]["tail"], step["seconds"]["bare"]
        entities = "1M" if step["entity_path"] == str(sizes.entity_path()) else "10k"
        name = f"{step['tail_rows']:,} rows, {entities} asked / no tail"
        ratio = statistics.median(tail) / statistics.median(bare)
        outcome.ratios.append(Ratio(name, ratio, TAIL_AIM, False))
        outcome.numbers[f"{name}: seconds"] = (
            f"{statistics.median(tail):.3f} / {statistics.median(bare):.3f}"
        )
    return outcome


def run_commit(settings: Settings) -> Outcome:
    """Commits to a table with 10,000 data files."""
    title = "flush of one row to a table with 10,000 data files"
    files = max(100, int(10_000 * settings.scale))
    outcome = Outcome("commit", title, {"files": files})
    folder = settings.work / "commit"
    job = {
        "store_path": str(folder / "store"),
        "files": files,
        "files_per_commit": max(10, files // 40),
        "commits": 20 * max(1, settings.repeats),
    }
    print("row commit", flush=True)
    report = run_one(settings, COMMIT, job, outcome, folder)
    shutil.rmtree(folder, ignore_errors=True)
    if report is None:
        return outcome
    if report["files"] < files:
        outcome.failures.append(f"the table has {report['files']} files instead of {files}")
    median, slowest = statistics.median(report["commit_ms"]), max(report["commit_ms"])
    outcome.ratios.append(Ratio("median ms", median, COMMIT_AIM_MS, False))
    outcome.ratios.append(Ratio("slowest ms", slowest, COMMIT_AIM_MS, False))
    outcome.ratios.append(
        Ratio("slowest ms while filling", max(report["filling_ms"]), COMMIT_AIM_MS, False)
    )
    outcome.numbers["data files"] = report["files"]
    return outcome
