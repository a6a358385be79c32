"""A table whose sorted columns are written as steps (Parquet's DELTA_BINARY_PACKED), which small
tables never are.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tidemark import Entity, FeatureStore, FeatureView, Field
from tidemark.types import Int32, Int64

ROWS = 60_000  # more than go through the log: one sorted file, of several pages
STEPS = {"user_id", "shop", "rank", "ordinal"}
T0 = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


def make(store: FeatureStore, name: str = "steps") -> None:
    """Keys of all sizes of steps, values with nulls, of 4 and 8 bytes."""
    user = Entity(name="user", join_keys=[Field("user_id", Int64)])
    shop = Entity(name="shop", join_keys=[Field("shop", Int64)])
    schema = [Field("rank", Int32), Field("ordinal", Int64), Field("noise", Int64)]
    store.create_table(FeatureView(name=name, entities=[shop, user], schema=schema))
    number = np.arange(ROWS, dtype=np.int64)
    # From the least number to the greatest, so that steps between blocks do not fit into 63 bits.
    shops = np.where(number < ROWS // 2, np.iinfo(np.int64).min, np.iinfo(np.int64).max - ROWS)
    shops = shops + number // 3
    rank = pa.array((number // 5).astype(np.int32) - ROWS // 10, mask=number % 11 == 0)
    ordinal = pa.array(number // 2 + (1 << 40), mask=number % 7 == 0)
    noise = np.random.default_rng(5).integers(-(1 << 62), 1 << 62, ROWS)
    rows = {
        "user_id": number - 17,
        "shop": shops,
        "event_timestamp": pa.array(T0 + number % 3 * 1_000_000, pa.timestamp("us", "UTC")),
        "rank": rank,
        "ordinal": ordinal,
        "noise": noise,
    }
    store.ingest(name, pa.table(rows), to="offline")


def encodings(folder: Path) -> dict[str, set[str]]:
    """By column, those of all data files of a store of one table."""
    found: dict[str, set[str]] = {}
    for path in folder.glob(".tidemark/tables/*/data/*.parquet"):
        group = pq.ParquetFile(path).metadata.row_group(0)
        for i in range(group.num_columns):
            column = group.column(i)
            found.setdefault(column.path_in_schema, set()).update(column.encodings)
    return found
