"""Runs the bare LMDB load of the winners in key order, in a fresh folder."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from timing import Job, Report, Stopwatch, contest

ROWS_PER_TRANSACTION = 100_000


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """The program times itself, without reading the records."""
    folder = Path(job["store_path"])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [job["program"], job["records_path"], str(folder), job["variant"]]
    printed = subprocess.run(
        [*command, str(ROWS_PER_TRANSACTION)], check=True, capture_output=True
    ).stdout
    report: Report = json.loads(printed)
    return report


if __name__ == "__main__":
    contest(work)
