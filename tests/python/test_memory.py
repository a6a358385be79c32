"""memory_limit is kept: the peak of a process of its own, less that of one that only opens a store.

Each piece of work would need far more than the limit, which a run without one proves. Where rows
go online, memory of the process's own counts: pages of the online store's file that LMDB has mapped
are the system's page cache, which takes them back when it needs them, and a load in parts touches
all of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

LIMIT_MB = 256
KEYS = 600_000
PIECE_ROWS = 200_000
TEXT_BYTES = 250
START = np.datetime64("2026-01-01T00:00:00", "us")

# VmHWM and not ru_maxrss, which a child takes over from the process that started it. Linux keeps no
# such mark of RssAnon, so a thread looks at it while the work runs; it may miss a peak of a few
# milliseconds.
PROGRAM = """
import datetime as dt
import sys
import threading
from pathlib import Path

import pyarrow.parquet

from tidemark import Entity, FeatureStore, FeatureView, FileSource
from tidemark.errors import OutOfSpaceError
from tidemark.types import Int64

QUERIES = [
    "select * from stats",
    "select * from stats order by text",
    "select text, count(*) as n from stats group by text",
    "select a.text, b.text as other from stats a join stats b on a.key = b.key and b.f0 > 0",
    "select * from (select *, row_number() over (partition by key order by event_timestamp desc)"
    " as n from stats) where n = 1",
]
# What the engine does not count.
TEXTS = "select key, max(text) as text from stats group by key"

def status_kb(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))

def watch():
    while True:
        seen.append(status_kb("RssAnon"))
        if done.wait(0.002):
            break

seen, done = [], threading.Event()
watcher = threading.Thread(target=watch)
watcher.start()
folder, limit, work = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
store_folder = folder / f"{work}-{limit}"
store_folder.mkdir()
(store_folder / "tidemark.yaml").write_text(f"memory_limit: {limit}\\nthreads: 2\\n")
store = FeatureStore(store_folder)
source = FileSource(str(folder / "history.parquet"), timestamp_field="event_timestamp")
entity = Entity(name="key", join_keys={"key": Int64})
names = ["stats", "more", "rest"] if work == "join-views" else ["stats"]
store.apply([entity, *(FeatureView(name=name, entities=[entity], source=source) for name in names)])
if work.startswith("join"):
    rows = folder / ("rows.csv" if work == "join-csv" else "rows.parquet")
    job = store.get_historical_features(rows, names, full_feature_names=True)
    job.to_parquet(store_folder / "set.parquet")
elif work == "load":
    store.materialize_incremental(dt.datetime(2026, 6, 1, tzinfo=dt.UTC))
elif work == "write":
    rows = pyarrow.parquet.ParquetFile(folder / "history.parquet", pre_buffer=False)
    reader = pyarrow.RecordBatchReader.from_batches(rows.schema_arrow, rows.iter_batches(10_000))
    store.write_to_online_store("stats", reader)
elif work.startswith("sql"):
    ended = 0
    for query in {"sql": QUERIES, "sql-rows": QUERIES[:1], "sql-texts": [TEXTS]}[work]:
        try:
            for batch in store.sql(query).batches():
                pass
            ended += 1
        except OutOfSpaceError:
            pass
    store.dump(QUERIES[0])
    print(ended, file=sys.stderr)
done.set()
watcher.join()
print(status_kb("VmHWM"), max(seen))
"""


def history_piece(first: int, random: np.random.Generator) -> pa.Table:
    """Each key once; four floats, and a text of 250 letters that nothing shortens."""
    letters = random.integers(97, 123, PIECE_ROWS * TEXT_BYTES, dtype=np.uint8)
    offsets = np.arange(0, PIECE_ROWS * TEXT_BYTES + 1, TEXT_BYTES, dtype=np.int32)
    text = pa.StringArray.from_buffers(PIECE_ROWS, pa.py_buffer(offsets), pa.py_buffer(letters))
    columns = {
        "key": np.arange(first, first + PIECE_ROWS),
        "event_timestamp": np.full(PIECE_ROWS, START),
        "text": text,
    }
    return pa.table(columns | {f"f{i}": random.standard_normal(PIECE_ROWS) for i in range(4)})


def write_history(path: Path, random: np.random.Generator) -> None:
    pieces = [history_piece(first, random) for first in range(0, KEYS, PIECE_ROWS)]
    with pq.ParquetWriter(path, pieces[0].schema, use_dictionary=False) as writer:
        for piece in pieces:
            writer.write_table(piece, row_group_size=50_000)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600,000 rows of 300 bytes with a key each, and as many entity rows."""
    folder = tmp_path_factory.mktemp("memory")
    random = np.random.default_rng(7)
    write_history(folder / "history.parquet", random)
    at = np.full(KEYS, START + np.timedelta64(1, "h"))
    rows = pa.table({"key": random.permutation(KEYS), "event_timestamp": at})
    pq.write_table(rows, folder / "rows.parquet", row_group_size=100_000)
    lines = [f"{key},2026-01-01T01:00:00Z\n" for key in rows["key"].to_pylist()]
    (folder / "rows.csv").write_text("key,event_timestamp\n" + "".join(lines))
    return folder


class Peak(NamedTuple):
    """In MB."""

    all: float
    own: float
    ended: int  # queries of "sql"


def peak(data: Path, work: str, limit_mb: int) -> Peak:
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(data), f"{limit_mb}MiB", work]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    kilobytes = [int(each) for each in done.stdout.split()]
    return Peak(kilobytes[0] / 1024, kilobytes[1] / 1024, int(done.stderr or 0))


@pytest.fixture(scope="module")
def opened(data: Path) -> Peak:
    return peak(data, "open", LIMIT_MB)


@pytest.mark.parametrize("work", ["join-parquet", "join-csv", "join-views"])
def test_memory_limit_of_training_sets_is_kept(data: Path, opened: Peak, work: str) -> None:
    assert peak(data, work, LIMIT_MB).all - opened.all <= LIMIT_MB


@pytest.mark.parametrize("work", ["load", "write"])
def test_memory_limit_of_rows_that_go_online_is_kept(data: Path, opened: Peak, work: str) -> None:
    assert peak(data, work, LIMIT_MB).own - opened.own <= LIMIT_MB


def test_the_work_is_larger_than_the_limit(data: Path, opened: Peak) -> None:
    assert peak(data, "join-parquet", 8_000).all - opened.all > 1.5 * LIMIT_MB
    assert peak(data, "load", 8_000).own - opened.own > LIMIT_MB


@pytest.mark.parametrize(
    ("work", "limit_mb", "ended"),
    [("sql-rows", 160, 1), ("sql", 256, 4), ("sql-texts", 160, 0), ("sql-texts", 1024, 1)],
)
def test_memory_limit_of_queries_is_kept(
    data: Path, opened: Peak, work: str, limit_mb: int, ended: int
) -> None:
    """Streams and a dump. What holds all of its rows may be refused under a small limit."""
    found = peak(data, work, limit_mb)
    assert found.all - opened.all <= limit_mb
    assert found.ended >= ended
