"""The limit of a join from Parquet to Parquet: a bare scan of its input plus a bare write of its
result, both by Arrow C++ on two threads, each in the fastest way found.

Scan: row groups one after the other, columns decoded in parallel, over a memory map; faster here
than the dataset scanner and than batches. Write: each thread writes one half of the rows to a file
of its own, without trying dictionaries. One file on one thread is recorded beside it. A view may
lie in several files (`paths`), as a feature table does.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
from timing import Job, Report, Stopwatch, contest


def scan(path: str, columns: list[str]) -> None:
    """Decodes the columns of every row group and drops them."""
    file = pq.ParquetFile(path, memory_map=True, pre_buffer=False)
    for row_group in range(file.num_row_groups):
        file.read_row_group(row_group, columns=columns, use_threads=True)


def write(table: pa.Table, path: str, parts: int) -> float:
    """Writes the table as `parts` files at once; returns the seconds it took."""
    rows = -(-table.num_rows // parts)

    def write_part(part: int) -> None:
        pq.write_table(
            table.slice(part * rows, rows),
            f"{path}.{part}",
            compression="snappy",
            use_dictionary=False,
        )

    started = time.perf_counter()
    with ThreadPoolExecutor(parts) as pool:
        list(pool.map(write_part, range(parts)))
    return time.perf_counter() - started


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """Times the scan and the write; `seconds` is their sum."""
    pa.set_cpu_count(job["threads"])
    with stopwatch.timed():
        scan(job["entity_path"], ["key", "event_timestamp"])
        for view in job["views"]:
            for path in view.get("paths", [view["path"]]):
                scan(path, ["key", "event_timestamp", "created", *view["features"]])
    scan_seconds = stopwatch.seconds
    result = pq.read_table(job["reference_path"])
    write_seconds = write(result, job["out_path"], job["threads"])
    return {
        "seconds": scan_seconds + write_seconds,
        "scan_seconds": scan_seconds,
        "write_seconds": write_seconds,
        "write_seconds_one_thread": write(result, job["out_path"], 1),
        "versions": {"pyarrow": pa.__version__},
    }


if __name__ == "__main__":
    contest(work)
