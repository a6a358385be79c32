"""Goal: Ctrl-C ends every long command of the program at once, with the exit code of an interrupt,
and leaves nothing by halves: the same command afterwards does all of the work.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_command_line import PROGRAM

from tidemark import Entity, FeatureStore, FeatureView, Field, FileSource
from tidemark.types import Float64, Int64

ROWS = 1_000_000
INTERRUPTED = 130  # as shells have it: 128 and the signal's number
END = "2026-03-01"
KEY = Entity(name="key", join_keys=[Field("key", Int64)])


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    start = np.datetime64("2026-01-01", "us")
    columns = {
        "key": np.arange(ROWS) * 7919 % ROWS,
        "event_timestamp": start + np.arange(ROWS).astype("timedelta64[s]"),
        "x": np.random.default_rng(7).standard_normal(ROWS),
    }
    pq.write_table(pa.table(columns), path, row_group_size=100_000)
    return path


@pytest.fixture
def store(tmp_path: Path, rows: Path) -> FeatureStore:
    made = FeatureStore(tmp_path / "store")
    source = FileSource(str(rows), timestamp_field="event_timestamp")
    schema = [Field("x", Float64)]
    made.apply(
        [
            KEY,
            FeatureView(name="files", entities=[KEY], schema=schema, source=source),
            FeatureView(name="own", entities=[KEY], schema=schema, online=False),
        ]
    )
    return made


def bytes_below(folder: Path) -> int:
    found = [path for path in folder.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in found if path.exists())


def heed_interrupts() -> None:
    """A shell may have its background jobs pass over them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(store: FeatureStore, *arguments: str, until: Callable[[], bool] | None = None) -> int:
    """The program's exit code; with `until` it gets Ctrl-C when that is true, or ends by itself."""
    child = subprocess.Popen(
        [PROGRAM, "--store", store.repo_path, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TIDEMARK_URL": ""},
        preexec_fn=heed_interrupts,
    )
    if until is not None:
        while child.poll() is None and not until():
            pass
        child.send_signal(signal.SIGINT)
    told = child.communicate(timeout=120)[1]
    assert until is None or "interrupted" in told, told
    return child.returncode


def test_a_load_goes_on_where_it_was_interrupted(store: FeatureStore) -> None:
    online = Path(store.repo_path) / ".tidemark" / "online"
    command = ("materialize-incremental", END)
    assert run(store, *command, until=lambda: bytes_below(online) > 1 << 20) == INTERRUPTED
    assert store.describe("files")["online"] is None
    assert run(store, *command) == 0
    asked = [{"key": key} for key in (0, 1, ROWS - 1)]
    found = store.get_online_features(["files:x"], asked, include_status=True).to_dict()
    assert found["x__status"] == ["PRESENT"] * 3
    assert store.online_stats()["rows"] == ROWS


def test_a_training_set_appears_whole_or_not_at_all(store: FeatureStore, rows: Path) -> None:
    folder = Path(store.repo_path).parent / "sets"
    folder.mkdir()
    command = ("get-historical", str(rows), "-f", "files", "--full-feature-names")
    command += ("--out", str(folder / "set.parquet"))
    assert run(store, *command, until=lambda: bytes_below(folder) > 0) == INTERRUPTED
    assert list(folder.iterdir()) == []
    assert run(store, *command) == 0
    assert pq.read_metadata(folder / "set.parquet").num_rows == ROWS


def test_rows_are_written_whole_or_not_at_all(store: FeatureStore, rows: Path) -> None:
    tables = Path(store.repo_path) / ".tidemark" / "tables"
    before = bytes_below(tables)
    command = ("ingest", "own", str(rows))
    assert run(store, *command, until=lambda: bytes_below(tables) > before + 4096) == INTERRUPTED
    assert store.snapshots("own") == []
    assert store.get_training_features("own", features=["x"]).to_arrow().num_rows == 0
    assert run(store, *command) == 0
    assert [each.rows for each in store.snapshots("own")] == [ROWS]
