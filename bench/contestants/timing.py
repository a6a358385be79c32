"""The contract between a contestant and the benchmark: one JSON job in, one JSON report out."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Job = dict[str, Any]
Report = dict[str, Any]


class Stopwatch:
    """Sums the seconds spent in `with stopwatch.timed():` blocks."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Counts the time of the block."""
        started = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - started


def contest(work: Callable[[Job, Stopwatch], Report]) -> None:
    """Reads the job named on the command line, does the work, writes the report."""
    with open(sys.argv[1]) as file:
        job: Job = json.load(file)
    stopwatch = Stopwatch()
    report = work(job, stopwatch)
    with open(job["report_path"], "w") as file:
        json.dump({"seconds": stopwatch.seconds, **report}, file)
