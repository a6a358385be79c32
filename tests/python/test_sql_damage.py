"""Goal: whatever byte of a file changes, SQL gives the right rows or an error that names the file.

Data files of feature tables have checksums over all of their bytes. Other Parquet files may have
them over their pages; nothing covers their page headers and footers.
"""

from __future__ import annotations

import datetime as dt
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemark import FeatureStore
from tidemark.errors import CancelledError, CorruptionError, NotFoundError, TidemarkError

SEED = 20261122
FLIPS = 16
BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
LATEST = """
    SELECT * FROM (
      SELECT *, row_number() OVER (
        PARTITION BY user ORDER BY event_time DESC, api_invocation_time DESC, write_time DESC
      ) AS row_num FROM visits
    ) WHERE row_num = 1 AND NOT is_deleted ORDER BY user
"""


def rows_of(first: int, count: int) -> pa.Table:
    """Texts that are not told apart by their length; numbers in order, and not."""
    chosen = np.random.default_rng(first)
    numbers = range(first, first + count)
    return pa.table(
        {
            "user": [f"u{number * 7919 % 300}" for number in numbers],
            "event_time": [BEGIN + dt.timedelta(seconds=number) for number in numbers],
            "n": pa.array(numbers, pa.int64()),
            "share": chosen.random(count),
            "word": [chosen.bytes(8).hex() for _ in numbers],
            "tags": pa.array(
                [[f"t{number % 5}"] * (number % 3) for number in numbers], pa.list_(pa.string())
            ),
        }
    )


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / "tidemark.yaml").write_text("offline_store:\n  maintenance: false\n")
    made = FeatureStore(folder)
    made.create_table_from(
        rows_of(0, 1), name="visits", entities=["user"], time_column="event_time"
    )
    for first in (0, 3000):
        made.ingest("visits", rows_of(first, 3000))
        made.flush()
    return made


def answer(store: FeatureStore, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = store.sql(query).to_arrow().to_pylist()
    return rows


def dumped(store: FeatureStore, query: str) -> list[dict[str, Any]]:
    query_id, path = store.dump(query)
    _, schema = store.read_dump(query_id)
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    assert schema.names == list(rows[0])
    store.remove_dump(query_id)
    return rows


def reads(store: FeatureStore, table: str) -> list[Callable[[], list[dict[str, Any]]]]:
    order = "ORDER BY n"
    return [
        lambda: answer(store, f"SELECT * FROM {table} {order}"),
        lambda: answer(store, f"SELECT count(*) AS c FROM {table}"),
        lambda: answer(store, f"SELECT sum(n) AS s, max(share) AS m FROM {table} WHERE n > 100"),
        lambda: answer(store, f"SELECT v.word FROM {table} v WHERE v.user = 'u17' {order}"),
        lambda: answer(store, f"SELECT tags, n FROM {table} LIMIT 20"),
        lambda: dumped(store, f"SELECT user, word, tags FROM {table} {order}"),
    ]


def flip(path: Path, offset: int, mask: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= mask
    path.write_bytes(content)


def judge(
    asked: list[Callable[[], list[dict[str, Any]]]], right: list[Any], path: Path
) -> tuple[int, list[str]]:
    """How many reads failed as they should, and what was wrong."""
    failed, wrong = 0, []
    for number, (ask, expected) in enumerate(zip(asked, right, strict=True)):
        try:
            if ask() != expected:
                wrong.append(f"query {number}: other rows")
        except CorruptionError as error:
            failed += 1
            if path.name not in str(error):
                wrong.append(f"query {number}: the file is not named: {error}")
        except TidemarkError as error:
            wrong.append(f"query {number}: {error.code}: {error}")
    return failed, wrong


def test_no_flipped_byte_of_a_data_file_gives_other_rows(store: FeatureStore) -> None:
    asked = [*reads(store, "visits"), lambda: answer(store, LATEST)]
    right = [ask() for ask in asked]
    files = sorted(Path(store.repo_path).glob(".tidemark/tables/*/data/*.parquet"))
    assert len(files) == 2
    chosen = random.Random(SEED)
    for number in range(FLIPS):
        path = files[number % 2]
        size = path.stat().st_size
        # The second half of the tries in the footer, by which DuckDB skips what it need not read.
        first = 0 if number < FLIPS // 2 else size - 3000
        offset, mask = chosen.randrange(first, size), 1 << chosen.randrange(8)
        flip(path, offset, mask)
        failed, wrong = judge(asked, right, path)
        assert not wrong, f"byte {offset} of {size}: {wrong}"
        assert failed > 0, f"byte {offset} of {size}: read, and nobody noticed"
        flip(path, offset, mask)
    assert judge(asked, right, files[0]) == (0, [])


def test_no_flipped_byte_of_a_page_gives_other_rows(store: FeatureStore, tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    folder.mkdir()
    files = [folder / "a.parquet", folder / "b.parquet"]
    for number, path in enumerate(files):
        pq.write_table(
            rows_of(3000 * number, 3000),
            path,
            write_page_checksum=True,
            row_group_size=1000,
            data_page_size=4000,
            compression="none" if number else "zstd",
        )
    store.create_database("lake")
    store.register_table("lake", "visits", folder)
    asked = reads(store, "lake.visits")
    right = [ask() for ask in asked]
    chosen = random.Random(SEED + 1)
    noticed = 0
    for number in range(FLIPS):
        path = files[number % 2]
        when = path.stat().st_mtime_ns
        offset, mask = chosen.randrange(4, pages_end(path)), 1 << chosen.randrange(8)
        flip(path, offset, mask)
        os.utime(path, ns=(when, when))  # registered tables notice files that were written to
        with FeatureStore(store.repo_path) as fresh:  # what rots is found by the next process
            failed, wrong = judge(reads(fresh, "lake.visits"), right, path)
        assert not wrong, f"byte {offset} of {path}: {wrong}"
        noticed += failed > 0
        flip(path, offset, mask)
        os.utime(path, ns=(when, when))
    assert noticed > FLIPS * 3 // 4  # the others are in headers, and change nothing


def pages_end(path: Path) -> int:
    metadata = pq.ParquetFile(path).metadata
    last = metadata.row_group(metadata.num_row_groups - 1)
    column = last.column(last.num_columns - 1)
    begin = column.dictionary_page_offset or column.data_page_offset
    return int(begin + column.total_compressed_size)


def test_files_that_the_settings_open_are_verified_too(tmp_path: Path) -> None:
    (tmp_path / "tidemark.yaml").write_text("sql: {extra_files: [extra/*.parquet]}\n")
    (tmp_path / "extra").mkdir()
    path = tmp_path / "extra" / "a.parquet"
    pq.write_table(rows_of(0, 1000), path, write_page_checksum=True, compression="none")
    store = FeatureStore(tmp_path)
    query = f"SELECT max(word) AS m FROM '{path}'"
    assert len(answer(store, query)) == 1
    column = pq.ParquetFile(path).metadata.row_group(0).column(4)
    begin = column.dictionary_page_offset or column.data_page_offset
    flip(path, begin + column.total_compressed_size // 2, 1)
    with pytest.raises(CorruptionError, match=r"a\.parquet"):
        answer(store, query)


def test_damage_in_partitions_that_are_not_asked_for(store: FeatureStore, tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    for day in (1, 2):
        (folder / f"d={day}").mkdir(parents=True)
        pq.write_table(
            rows_of(day * 1000, 1000),
            folder / f"d={day}" / "a.parquet",
            write_page_checksum=True,
            compression="none",
        )
    store.create_database("lake")
    store.register_table("lake", "visits", folder)
    path = folder / "d=2" / "a.parquet"
    when = path.stat().st_mtime_ns
    flip(path, 5000, 1)
    os.utime(path, ns=(when, when))
    for condition in ("d = 1", "d < 2 AND n >= 0", "v.D IN (0, 1)"):
        assert answer(store, f"SELECT count(word) AS c FROM lake.visits v WHERE {condition}") == [
            {"c": 1000}
        ]
    for condition in ("true", "d = 2", "d = 1 OR n > 0"):
        with pytest.raises(CorruptionError, match=r"d=2/a\.parquet"):
            answer(store, f"SELECT * FROM lake.visits WHERE {condition}")


def test_verifying_keeps_to_the_limits(store: FeatureStore) -> None:
    files = sorted(Path(store.repo_path).glob(".tidemark/tables/*/data/*.parquet"))
    flip(files[0], files[0].stat().st_size // 2, 1)
    with pytest.raises(NotFoundError, match="wrd"):  # a mistake is told before files are read
        answer(store, "SELECT wrd FROM visits")
    with pytest.raises(CancelledError, match="time limit of 1 ms"):
        store.sql("SELECT count(word) FROM visits, range(100000000)", time_limit="1ms").to_arrow()
