"""Runs contestants, each in a process of its own, and measures wall time, CPU and peak memory.

A contestant is a Python file in contestants/ that reads one JSON job and writes one JSON report
with at least `seconds`, the time of the work alone without interpreter start and imports.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets import BENCH, Sizes, missing

THREADS = 2
ENVIRONMENT = {
    "POLARS_MAX_THREADS": str(THREADS),
    "OMP_NUM_THREADS": str(THREADS),
    "TZ": "UTC",
    "FEAST_USAGE": "False",
    "PYTHONDONTWRITEBYTECODE": "1",
}


class ContestantError(Exception):
    """A contestant ended with an error; the message holds the end of what it printed."""


@dataclass(frozen=True)
class Contestant:
    """One thing that is measured: its name in the results, its program, and its own settings."""

    name: str
    script: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    ours: bool = False  # runs in Tidemark's environment, not in the peers'


@dataclass
class Figures:
    """What the repeats of one contestant gave."""

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)

    def median(self) -> float:
        """Median seconds of the work."""
        return statistics.median(self.seconds)

    def peak(self) -> float:
        """Median peak resident memory in MB (10^6 bytes)."""
        return statistics.median(self.peak_mb)

    def median_of(self, key: str) -> float:
        """Median of a number that the contestant's reports hold."""
        return statistics.median(float(report[key]) for report in self.reports)

    def as_json(self) -> dict[str, Any]:
        """The form kept in the results."""
        return {
            "median_seconds": self.median(),
            "min_seconds": min(self.seconds),
            "max_seconds": max(self.seconds),
            "median_peak_mb": self.peak(),
            "median_cpu_seconds": statistics.median(self.cpu_seconds),
            "seconds": self.seconds,
            "last_report": self.reports[-1],
        }


def busy_seconds() -> float:
    """CPU seconds that the whole machine has spent since it started, idle and waiting left out."""
    ticks = [int(each) for each in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """CPU seconds of this process and of all children that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class OthersMeter:
    """How many cores processes that are not ours have used since the meter was made."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._busy = busy_seconds()
        self._own = own_seconds()

    def cores(self) -> float:
        """Their mean number; a Redis server of ours counts as another's until it has ended."""
        others = (busy_seconds() - self._busy) - (own_seconds() - self._own)
        return max(0.0, others / (time.monotonic() - self._started))


def pin_to_two_cores() -> None:
    """Children inherit this, so no contestant has more than two cores whatever it asks for."""
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:THREADS]))


def spawn(command: list[str], log: Path, limit_seconds: float = 3600) -> tuple[float, float, float]:
    """Runs a command to its end; returns wall seconds, CPU seconds and peak memory in MB."""
    with log.open("wb") as out:
        started = time.perf_counter()
        child = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env=os.environ | ENVIRONMENT
        )
        previous = signal.signal(signal.SIGALRM, lambda *_: child.kill())
        signal.alarm(int(limit_seconds))
        try:
            _, status, usage = os.wait4(child.pid, 0)
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, previous)
        wall = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        tail = log.read_text(errors="replace")[-1500:]
        raise ContestantError(f"{command[1]} ended with {child.returncode}:\n{tail}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6


def run_contestant(
    contestant: Contestant, job: Mapping[str, Any], python: str, folder: Path
) -> tuple[dict[str, Any], float, float]:
    """Runs it once on a job; returns its report, CPU seconds and peak memory in MB."""
    folder.mkdir(parents=True, exist_ok=True)
    report_path = folder / f"{contestant.name}.report.json"
    report_path.unlink(missing_ok=True)
    job_path = folder / f"{contestant.name}.job.json"
    whole = {**job, **contestant.settings, "report_path": str(report_path), "threads": THREADS}
    job_path.write_text(json.dumps(whole))
    script = BENCH / "contestants" / contestant.script
    wall, cpu, peak = spawn([python, str(script), str(job_path)], folder / f"{contestant.name}.log")
    report: dict[str, Any] = json.loads(report_path.read_text())
    report["process_seconds"] = wall
    return report, cpu, peak


def prepare(python: str, data_sets: list[Sizes], folder: Path) -> None:
    """Generates the data sets that are not cached."""
    folder.mkdir(parents=True, exist_ok=True)
    for sizes in missing(data_sets):
        print(f"generating {sizes}", flush=True)
        spawn([python, str(BENCH / "data.py"), json.dumps(sizes.__dict__)], folder / "data.log")


def warm(paths: list[Path]) -> None:
    """Reads files once, so that every contestant finds them in the page cache."""
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 22):
                pass


@contextmanager
def redis_server(folder: Path) -> Iterator[int]:
    """A Redis of our own on a free loopback port, without persistence; stopped by its own id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    command += ["--appendonly", "no", "--dir", str(folder)]
    with (folder / "redis.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            for _ in range(500):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.01)
            yield port
        finally:
            server.terminate()
            server.wait()
