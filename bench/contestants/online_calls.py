"""Times online lookups one by one, the same way for every contestant."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from timing import Job, Report

Rows = list[dict[str, Any]]


def time_calls(job: Job, call: Callable[[Rows], dict[str, Any]]) -> Report:
    """Median and 99th percentile of single calls, in microseconds, per batch size.

    Each batch is timed for about `seconds_per_batch`, on different keys every time, after a tenth
    of that to warm up; at least 20 calls count.
    """
    report: Report = {"seconds": 0.0}
    for name, batches in job["batches"].items():
        times: list[float] = []
        began = time.perf_counter()
        warm_until = began + job["seconds_per_batch"] / 10
        stop_at = warm_until + job["seconds_per_batch"]
        for turn in range(1_000_000):
            started = time.perf_counter()
            if started > stop_at and len(times) >= 20:
                break
            call(batches[turn % len(batches)])
            if started > warm_until:
                times.append(time.perf_counter() - started)
        times.sort()
        report[f"p50_us_{name}"] = times[len(times) // 2] * 1e6
        report[f"p99_us_{name}"] = times[len(times) * 99 // 100] * 1e6
        report[f"calls_{name}"] = len(times)
    report["answer"] = call(job["check_rows"])
    return report
