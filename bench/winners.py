"""Makes what loads are checked against: the latest row of every key of a view.

Writes the winners as Parquet in key order, and as records of key and value bytes of the size that
Tidemark's packed row has, for the bare LMDB load.

    python winners.py view.parquet winners.parquet [winners.bin]
"""

from __future__ import annotations

import sys

import duckdb
import numpy as np

KEY_BYTES = 12  # 4 of view id, 8 of sign-flipped big-endian int64
HEADER_BYTES = 48  # of the packed row (docs/formats.md)


def write_winners(view_path: str, out_path: str) -> None:
    """The greatest row by (event time, created time) of every key."""
    source = f"read_parquet('{view_path}', file_row_number=true)"
    order = "epoch_us(event_timestamp)::HUGEINT * 9223372036854775808 + epoch_us(created)"
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"""
        COPY (SELECT * EXCLUDE (file_row_number) FROM {source} JOIN
                (SELECT arg_max(file_row_number, {order}) AS file_row_number
                 FROM {source} GROUP BY key)
              USING (file_row_number) ORDER BY key)
        TO '{out_path}' (FORMAT parquet)""")


def write_records(winners_path: str, out_path: str) -> None:
    """Fixed-size records: key, header, null bitmap, values."""
    columns = duckdb.read_parquet(winners_path).fetchnumpy()
    features = sorted(name for name in columns if name.startswith("f"))
    value_bytes = HEADER_BYTES + -(-len(features) // 8) + 8 * len(features)
    rows = len(columns["key"])
    records = np.zeros((rows, KEY_BYTES + value_bytes), np.uint8)
    flipped = columns["key"].astype(np.int64).view(np.uint64) ^ np.uint64(1 << 63)
    records[:, 4:KEY_BYTES] = flipped.astype(">u8").view(np.uint8).reshape(rows, 8)
    for place, name in enumerate(features):
        values = np.ma.filled(columns[name], 0.0).astype("<f8")
        end = KEY_BYTES + value_bytes - 8 * (len(features) - place - 1)
        records[:, end - 8 : end] = values.view(np.uint8).reshape(rows, 8)
    with open(out_path, "wb") as file:
        np.array([rows, KEY_BYTES, value_bytes], "<u8").tofile(file)
        records.tofile(file)


if __name__ == "__main__":
    write_winners(sys.argv[1], sys.argv[2])
    if len(sys.argv) > 3:
        write_records(sys.argv[2], sys.argv[3])
