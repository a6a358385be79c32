"""Generates the benchmark's Parquet files, the same bytes for the same sizes and seed.

Every file is written in pieces of one row group, so any size fits in little memory. A view's rows
are in no order. On purpose there are rows with equal key and event time and different created
times, within a row group and across them, and entity rows that lie exactly on a feature row's time
and exactly on the edge of its ttl. Created times differ within a tie, so every engine that is right
gives the same answer.

    python data.py '{"entity_rows": 1000, "views": 1, "history_rows": 10000, "keys": 1000}'
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import DATA, SPAN_US, START_US, Sizes

PIECE_ROWS = 1024 * 1024  # pyarrow's default row group
ANCHORS = 1000  # (key, event time) pairs that every piece of every view holds rows of
TIME = pa.timestamp("us", tz="UTC")


def anchors(sizes: Sizes) -> tuple[np.ndarray, np.ndarray]:
    """Keys and event times that are shared by the pieces of a view and by some entity rows."""
    random = np.random.default_rng([sizes.seed, 1])
    keys = random.integers(0, sizes.keys, ANCHORS)
    return keys, START_US + random.integers(0, SPAN_US, ANCHORS)


def view_piece(sizes: Sizes, view: int, first_row: int, rows: int) -> pa.Table:
    """Rows [first_row, first_row + rows) of a view."""
    random = np.random.default_rng([sizes.seed, 2, view, first_row])
    keys = random.integers(0, sizes.keys, rows)
    events = START_US + random.integers(0, SPAN_US, rows)
    # 5% of the rows repeat another row's key and event time (targets are drawn with repetition,
    # so some ties are of three and more), 0.2% repeat an anchor's.
    copies = random.choice(rows, rows // 20, replace=False)
    targets = random.integers(0, rows, copies.size)
    keys[copies], events[copies] = keys[targets], events[targets]
    anchored = random.choice(rows, max(1, rows // 500), replace=False)
    anchor_keys, anchor_events = anchors(sizes)
    which = random.integers(0, ANCHORS, anchored.size)
    keys[anchored], events[anchored] = anchor_keys[which], anchor_events[which]
    # The row number in the low 27 bits makes created times of one tie distinct; the delay above
    # it (0 to 27 times 134 s) makes their order another one than the file's.
    delays = (random.integers(0, 28, rows) << 27) + first_row + np.arange(rows)
    columns: dict[str, pa.Array] = {
        "key": pa.array(keys),
        "event_timestamp": pa.array(events, TIME),
        "created": pa.array(events + delays, TIME),
    }
    for feature in range(sizes.features):
        values = random.standard_normal(rows)
        nulls = random.random(rows) < 0.01 if feature == 0 else None
        columns[f"f{feature}"] = pa.array(values, mask=nulls)
    return pa.table(columns)


def entity_piece(sizes: Sizes, first_row: int, rows: int) -> pa.Table:
    """Rows [first_row, first_row + rows) of the entity rows; 2% of the keys have no history."""
    random = np.random.default_rng([sizes.seed, 3, first_row])
    keys = random.integers(0, sizes.keys + sizes.keys // 50, rows)
    times = START_US + random.integers(0, SPAN_US, rows)
    anchored = random.choice(rows, rows // 50, replace=False)
    anchor_keys, anchor_events = anchors(sizes)
    which = random.integers(0, ANCHORS, anchored.size)
    keys[anchored] = anchor_keys[which]
    # On the time itself, 1 us before, on the edge of view 0's ttl and 1 us past it.
    ttl_us = sizes.ttl_us(0)
    edges = np.array([0, -1, ttl_us, ttl_us + 1])[random.integers(0, 4, anchored.size)]
    times[anchored] = anchor_events[which] + edges
    return pa.table(
        {
            "entity_row": pa.array(first_row + np.arange(rows)),
            "key": pa.array(keys),
            "event_timestamp": pa.array(times, TIME),
            "label": pa.array(random.standard_normal(rows)),
        }
    )


def write(path: Path, sizes: Sizes, view: int | None) -> None:
    """Writes one file piece by piece and gives it its name only when it is whole."""
    total = sizes.entity_rows if view is None else sizes.history_rows
    partial = path.with_suffix(".partial")
    writer: pq.ParquetWriter | None = None
    for first_row in range(0, total, PIECE_ROWS):
        rows = min(PIECE_ROWS, total - first_row)
        if view is None:
            piece = entity_piece(sizes, first_row, rows)
        else:
            piece = view_piece(sizes, view, first_row, rows)
        if writer is None:
            writer = pq.ParquetWriter(partial, piece.schema, compression="snappy")
        writer.write_table(piece, row_group_size=PIECE_ROWS)
    assert writer is not None, "a data set has at least one row"
    writer.close()
    os.replace(partial, path)


def generate(sizes: Sizes) -> None:
    """Writes what the cache does not have yet."""
    assert sizes.history_rows < 1 << 27, "the row number must fit in 27 bits"
    DATA.mkdir(exist_ok=True)
    if not sizes.entity_path().exists():
        write(sizes.entity_path(), sizes, None)
    for view in range(sizes.views):
        if not sizes.view_path(view).exists():
            write(sizes.view_path(view), sizes, view)


if __name__ == "__main__":
    generate(Sizes(**json.loads(sys.argv[1])))
