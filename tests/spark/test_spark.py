"""Goal: Spark reads every kind of table through the catalog, and after a flush gets the rows that
we do.

Run by `make test-spark`, which fetches Spark; not a part of `make test`. TIDEMARK_SPARK_PYTHON is
an interpreter with pyspark, TIDEMARK_SPARK_JARS are Iceberg's runtime and the SQLite driver.
"""

import base64
import datetime as dt
import decimal
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import step_coded

from tidemark import Entity, FeatureStore, FeatureView, Field, TableOptions
from tidemark.types import Float64, Int32, Int64, String

if "TIDEMARK_SPARK_PYTHON" not in os.environ:
    pytest.skip("run by `make test-spark`", allow_module_level=True)

ROOT = Path(__file__).parents[2]
READER = Path(__file__).parent / "read_tables.py"
sys.path.insert(0, str(ROOT / "tests" / "iceberg"))

T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
USER = Entity(name="user", join_keys=[Field("user_id", Int64)])


def spark(folder, warehouse):
    """What Spark finds in the catalog of `folder`."""
    command = [os.environ["TIDEMARK_SPARK_PYTHON"], READER, folder / "registry.db", warehouse]
    done = subprocess.run(
        [*command, os.environ["TIDEMARK_SPARK_JARS"]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def plain(value):
    """A value in the form that read_tables.py prints."""
    if value is None or value is pd.NaT:
        return None
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value


def in_order(rows):
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def view(name, fields, **table):
    return FeatureView(name=name, entities=[USER], schema=fields, table=TableOptions(**table))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One table of each kind, written in each way there is, and flushed."""
    made = FeatureStore(tmp_path_factory.mktemp("spark") / "store")
    number = [Field("n", Int32)]
    kinds = {
        "plain": {},
        "by_key": {"partitions": ("user_id",)},
        "by_bucket": {"partitions": ("bucket(4, user_id)",)},
        "by_day": {"partitions": ("day",)},
        "text_times": {"timestamp_type": "string"},
        "number_times": {"timestamp_type": "int64", "time_unit": "ms"},
        "own_created": {"created_timestamp_column": "created"},
        "hidden": {"catalog": False},
    }
    for name, table in kinds.items():
        made.create_table(view(name, number, **table))
        for step in range(3):
            times = [T0 + (24 * step + user) * HOUR for user in range(5)]
            rows = pd.DataFrame(
                {"user_id": range(5), "event_timestamp": times, "n": [step, None, 7, -1, step]}
            ).astype({"n": "Int32"})
            if name == "text_times":
                rows["event_timestamp"] = [time.isoformat() for time in times]
            elif name == "number_times":
                rows["event_timestamp"] = [int(time.timestamp() * 1000) for time in times]
            elif name == "own_created":
                rows["created"] = [time + HOUR for time in times]
            made.ingest(name, rows)
            if step < 2:
                made.flush([name])
    made.delete("plain", {"user_id": [1, 2]}, T0 + 100 * HOUR)
    # A schema that grew: the older files have neither the column nor the width.
    made.apply([view("plain", [Field("n", Int64), Field("city", String)])])
    made.ingest(
        "plain",
        pd.DataFrame(
            {"user_id": [9], "event_timestamp": [T0], "n": [5_000_000_000], "city": ["Zürich"]}
        ),
    )
    # So many rows that they go straight to files.
    made.create_table(view("large", [Field("value", Float64)]))
    large = {
        "user_id": range(60_000),
        "event_timestamp": T0,
        "value": [i / 7 for i in range(60_000)],
    }
    made.ingest("large", pd.DataFrame(large))
    made.flush()
    return made


@pytest.fixture(scope="module")
def seen(store):
    return spark(Path(store.repo_path) / ".tidemark", f"{store.repo_path}/.tidemark/tables")


def test_the_catalog_lists_all_but_the_hidden(seen):
    assert seen["listed"] == [
        "by_bucket",
        "by_day",
        "by_key",
        "large",
        "number_times",
        "own_created",
        "plain",
        "text_times",
    ]


def test_after_a_flush_spark_gets_the_rows_that_we_do(store, seen):
    for name in seen["listed"]:
        ours = store.get_training_features(name).to_arrow()
        rows = [{column: row[column] for column in ours.column_names} for row in seen["rows"][name]]
        assert rows, name
        if name != "plain":  # deletions are rows of the table, which reads leave to the rule
            assert in_order(rows) == in_order([plain(row) for row in ours.to_pylist()]), name
    plain_rows = seen["rows"]["plain"]
    assert len(plain_rows) == 3 * 5 + 2 + 1
    assert [row["user_id"] for row in plain_rows if row["is_deleted"]] in ([1, 2], [2, 1])
    [grown] = [row for row in plain_rows if row["city"] is not None]
    assert (grown["user_id"], grown["n"], grown["city"]) == (9, 5_000_000_000, "Zürich")


def test_spark_reads_registered_files_by_their_columns_names(tmp_path):
    """Without ids in the files, of two schemas and partitions, nested ones too."""
    first = {
        "n": pa.array([1, None], pa.int32()),
        "at": pa.array([T0, T0 + HOUR], pa.timestamp("us", tz="UTC")),
        "places": [[{"city": "Zürich", "zones": [1, 2]}], None],
        "tags": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
    }
    second = {"extra": ["new"], "n": pa.array([5_000_000_000]), "at": [T0 + 2 * HOUR]}
    for partition, columns in (("y=2025/place=a%20b", first), ("y=2026/place=c", second)):
        folder = tmp_path / "lake" / partition
        folder.mkdir(parents=True)
        pq.write_table(pa.table(columns), folder / "part-0.parquet")
    store = FeatureStore(tmp_path / "store")
    store.register_table("feature_store", "lake", tmp_path / "lake" / "y=2025")
    store.add_partitions("feature_store", "lake", ["y=2026/place=c"])
    seen = spark(tmp_path / "store" / ".tidemark", f"{store.repo_path}/.tidemark/tables")
    assert seen["listed"] == ["lake"]
    ours = store.sql("select * from lake").to_arrow()
    rows = [{column: row[column] for column in ours.column_names} for row in seen["rows"]["lake"]]
    assert in_order(rows) == in_order([plain(row) for row in ours.to_pylist()])
    assert sorted(row["y"] for row in rows) == [2025, 2025, 2026]
    assert {row["place"] for row in rows} == {"a b", "c"}


def test_spark_reads_columns_that_are_written_as_steps(tmp_path):
    made = FeatureStore(tmp_path / "store")
    step_coded.make(made)
    ours = made.get_training_features("steps").to_arrow()
    seen = spark(tmp_path / "store" / ".tidemark", f"{made.repo_path}/.tidemark/tables")
    rows = [{column: row[column] for column in ours.column_names} for row in seen["rows"]["steps"]]
    assert len(rows) == step_coded.ROWS
    assert in_order(rows) == in_order([plain(row) for row in ours.to_pylist()])


def test_spark_reads_what_the_iceberg_adapter_writes(tmp_path):
    from test_other_engines import EXPECTED, NAMES, PROGRAM

    subprocess.run([PROGRAM, tmp_path], check=True)
    seen = spark(tmp_path, str(tmp_path / "tables"))
    assert seen["listed"] == NAMES
    for name in NAMES:
        assert in_order(seen["rows"][name]) == in_order([plain(row) for row in EXPECTED[name]]), (
            name
        )
