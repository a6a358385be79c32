"""Writes the columns of a view's history that are not its created time, in the order of key and
event time.

python sorted_frame.py view.parquet sorted.parquet
"""

from __future__ import annotations

import os
import sys

import pyarrow.parquet as pq


def write_sorted(view_path: str, out_path: str) -> None:
    """Ties stay in the order of the file."""
    history = pq.read_table(view_path).drop_columns(["created"])
    ordered = history.sort_by([("key", "ascending"), ("event_timestamp", "ascending")])
    partial = f"{out_path}.partial"
    pq.write_table(ordered, partial, compression="snappy")
    os.replace(partial, out_path)


if __name__ == "__main__":
    write_sorted(sys.argv[1], sys.argv[2])
