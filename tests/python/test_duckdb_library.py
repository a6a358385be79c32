"""Goal: DuckDB's library is there when SQL is asked for, not before, and bears a neighbour.

The Python package `duckdb` brings a library of its own, of another version, into the same process.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

SET_UP = """
import threading
import pyarrow as pa
import pyarrow.parquet as pq

TIMES = pa.array([1, 2, 3], pa.timestamp("us", "UTC"))
ROWS = pa.table({"k": [1, 2, 3], "x": [1.5, 2.5, None], "event_timestamp": TIMES})
pq.write_table(ROWS, "rows.parquet")


def theirs():
    import duckdb

    assert duckdb.__version__ == "1.5.5", duckdb.__version__
    connection = duckdb.connect()
    answer = connection.sql("select sum(k), max(event_timestamp) from 'rows.parquet'").fetchone()
    assert answer[0] == 6, answer
    assert connection.sql("select version()").fetchone() == ("v1.5.5",)


def ours():
    from tidemark import Entity, FeatureStore, FeatureView, FileSource

    store = FeatureStore(".")
    if not store.list_feature_views():
        source = FileSource(path="rows.parquet", timestamp_field="event_timestamp")
        entity = Entity(name="k", join_keys=["k"])
        store.apply([entity, FeatureView(name="rows", entities=[entity], source=source)])
    query = "select sum(k)::bigint s, version() v from feature_store.rows where {} > '1970-01-01'"
    rows = store.sql(query.format("event_timestamp")).to_arrow().to_pylist()
    assert rows == [{"s": 6, "v": "v1.5.6"}], rows
    try:
        store.sql("select nonsense from feature_store.rows").to_arrow()
    except Exception as error:
        assert "nonsense" in str(error), error
    else:
        raise AssertionError("an unknown column was found")
"""


def run(folder: Path, code: str) -> str:
    (folder / "tidemark.yaml").write_text("offline_store:\n  maintenance: false\n")
    done = subprocess.run(
        [sys.executable, "-c", SET_UP + textwrap.dedent(code)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("order", ["theirs(); ours()", "ours(); theirs()"])
def test_beside_the_package_duckdb(tmp_path: Path, order: str) -> None:
    pytest.importorskip("duckdb")
    run(
        tmp_path,
        f"""
        {order}
        for _ in range(3):
            ours()
            theirs()
        threads = [threading.Thread(target=each) for each in (ours, theirs) * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        """,
    )


def test_loaded_when_it_is_needed(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
        def is_loaded():
            return "libduckdb" in open("/proc/self/maps").read()

        import tidemark

        assert not is_loaded()
        tidemark.FeatureStore(".")
        assert not is_loaded()
        ours()
        assert is_loaded()
        """,
    )
