"""Writes a run's results as JSON with the machine and commit, and prints them as a table."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from outcome import Outcome, Settings

BUSY_CORES = 0.2  # more than this used by others, and the figures say little
PACKAGES = ("duckdb", "polars", "pyarrow", "feast", "numpy", "redis", "dask", "pandas")


def read_field(path: str, name: str) -> str:
    """The value of the first `name : value` line of a file such as /proc/cpuinfo."""
    for line in Path(path).read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return "unknown"


def machine() -> dict[str, Any]:
    """What the figures were taken on; the load tells whether it was idle."""
    return {
        "processor": read_field("/proc/cpuinfo", "model name"),
        "cores_used": len(os.sched_getaffinity(0)),
        "cores": os.cpu_count(),
        "memory": read_field("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "unknown"),
        "load_before": os.getloadavg(),
    }


def commit(root: Path) -> str:
    """The commit, marked when the tree has changes."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def versions() -> dict[str, str]:
    """The peers' versions."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def facts(settings: Settings) -> dict[str, Any]:
    """All that is said once per run; taken before the first row."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(settings.root),
        "machine": machine(),
        "versions": versions(),
        "scale": settings.scale,
        "repeats": settings.repeats,
    }


def save(about: dict[str, Any], outcomes: list[Outcome], folder: Path) -> Path:
    """Writes bench/results/DATE-COMMIT.json."""
    folder.mkdir(exist_ok=True)
    stamp = about["date"].replace(":", "").replace("+0000", "Z")
    path = folder / f"{stamp}-{about['commit']}.json"
    whole = about | {"rows": [each.as_json() for each in outcomes]}
    # Files are named from here on: where this machine keeps them says nothing.
    text = json.dumps(whole, indent=1).replace(f"{folder.parent}/", "")
    path.write_text(text + "\n")
    return path


def show(outcome: Outcome) -> None:
    """Prints one row's figures, ratios and failures."""
    print(f"\nRow {outcome.row}: {outcome.title}")
    if outcome.cores_used_by_others > BUSY_CORES:
        print(f"  THE MACHINE WAS BUSY: others used {outcome.cores_used_by_others:.1f} cores")
    if outcome.figures and outcome.row != "6":
        print(f"  {'contestant':<34}{'median s':>10}{'min':>9}{'max':>9}{'peak MB':>9}")
        for name, figures in outcome.figures.items():
            low, high = min(figures.seconds), max(figures.seconds)
            times = f"{figures.median():>10.3f}{low:>9.3f}{high:>9.3f}"
            print(f"  {name:<34}{times}{figures.peak():>9.0f}")
    for ratio in outcome.ratios:
        aim = f"{'>=' if ratio.at_least else '<='} {ratio.aim:g}"
        met = "met" if ratio.met() else "missed"
        print(f"  {ratio.name:<34}{ratio.value:>14,.2f}   aim {aim:<14}{met}")
    for name, value in outcome.numbers.items():
        print(
            f"  {name:<34}{value if isinstance(value, (int, float, str)) else '(in results)'!s:>14}"
        )
    for failure in outcome.failures:
        print(f"  FAILED {failure}")
