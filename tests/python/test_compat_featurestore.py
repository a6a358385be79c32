"""Scripts written for a small store on S3, Glue and Athena, on tidemark.compat.featurestore.

Goal: the functions work together as scripts used them, nested columns and numeric times included;
what fails is told as (False, reason), in words, and never raised.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from server_process import ServerProcess

from tidemark import FeatureStore
from tidemark.compat import featurestore
from tidemark.compat.featurestore import (
    add_partitions,
    create_fg,
    dump_fg,
    read_fg,
    register_table,
    upload_fg,
    use_store,
)
from tidemark.errors import UnavailableError

T0 = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
ACTIVITY = ("business", "user", "activity", "v0001")
TABLE = "feature_store.business_user_activity_v0001"


@pytest.fixture(autouse=True)
def store(tmp_path: Path) -> Iterator[FeatureStore]:
    made = FeatureStore(tmp_path / "store")
    use_store(made)
    yield made
    use_store(None)


def nested_frame() -> pd.DataFrame:
    """A sample of all shapes; pyarrow knows the map by its type."""
    table = pa.table(
        {
            "event_time": pa.array([T0, T0 + dt.timedelta(hours=1)], pa.timestamp("us", tz="UTC")),
            "user_id": pa.array(["a", "b"]),
            "clicks": pa.array([3, None], pa.int64()),
            "device": pa.array([{"os": "linux", "version": 6}, {"os": "mac", "version": None}]),
            "tags": pa.array([["x", "y"], []], pa.list_(pa.string())),
            "orders": pa.array([[{"id": 1, "paid": 9.5}], [{"id": 2, "paid": None}]]),
            "counts": pa.array(
                [[("a", 1)], [("b", 2), ("c", 3)]], pa.map_(pa.string(), pa.int64())
            ),
        }
    )
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def test_the_classic_script_runs(store: FeatureStore) -> None:
    frame = nested_frame()
    success, response = create_fg(*ACTIVITY, "event_time", None, frame)
    assert (success, response) == (True, f"table {TABLE} is made")
    success, response = upload_fg(*ACTIVITY, frame)
    assert (success, response) == (True, f"2 rows are in table {TABLE}")

    success, query_id, path, response = dump_fg(f"select * from {TABLE};")
    assert success, response
    assert query_id
    assert path
    assert query_id in path
    out_df, out_schema = read_fg(query_id)
    assert isinstance(out_df, pd.DataFrame)
    wanted = pa.Table.from_pandas(frame, preserve_index=False)
    got = pa.table({name: pa.array(out_df[name], out_schema.field(name).type) for name in frame})
    assert sorted(got.to_pylist(), key=str) == sorted(wanted.to_pylist(), key=str)
    types = {name: str(out_schema.field(name).type) for name in ("tags", "counts", "clicks")}
    assert types["clicks"] == "int64"
    assert types["counts"].startswith("map<string, int64")
    assert types["tags"].startswith("list<")
    assert pa.types.is_struct(out_schema.field("device").type)
    assert pa.types.is_struct(out_schema.field("orders").type.value_type)


def test_queries_are_written_as_for_athena() -> None:
    frame = nested_frame()
    assert create_fg(*ACTIVITY, "event_time", None, frame)[0]
    for clicks in (1, 2):
        frame["clicks"] = [clicks, clicks]
        assert upload_fg(*ACTIVITY, frame)[0]
    success, query_id, _, response = dump_fg(
        f"""SELECT * FROM (
              SELECT *, row_number() OVER (PARTITION BY User_Id ORDER BY EVENT_TIME DESC,
                Api_Invocation_Time DESC, write_time DESC) AS row_num
              FROM {TABLE} WHERE EVENT_TIME <= timestamp '2026-05-02 00:00:00')
            WHERE row_num = 1 AND NOT is_deleted ;
        """
    )
    assert success, response
    assert query_id
    latest, _ = read_fg(query_id)
    assert isinstance(latest, pd.DataFrame)
    assert sorted(latest["user_id"]) == ["a", "b"]
    assert latest["clicks"].tolist() == [2, 2]


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("s", int(T0.timestamp())),
        ("s", T0.timestamp() + 0.25),
        ("ms", int(T0.timestamp()) * 10**3),
        ("us", int(T0.timestamp()) * 10**6),
        ("ns", int(T0.timestamp()) * 10**9),
    ],
)
def test_times_may_be_numbers(store: FeatureStore, unit: str, value: float) -> None:
    frame = pd.DataFrame({"at": [value], "x": [1]})
    success, response = create_fg("a", "b", "c", 1, "at", unit, frame)
    assert success, response
    assert upload_fg("a", "b", "c", "v1", frame)[0]
    rows = store.get_training_features("a_b_c_v0001").to_arrow()
    assert rows["at"].to_pylist() == [value]
    seconds = value / {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    [when] = (
        rows["__event_timestamp"].to_pylist()
        if "__event_timestamp" in rows.column_names
        else [dt.datetime.fromtimestamp(seconds, dt.UTC)]
    )
    assert when.timestamp() == pytest.approx(seconds)


@pytest.mark.parametrize("times", [["2026-01-01T00:00:00Z", "2026-01-02"], pd.to_datetime([1, 2])])
def test_a_unit_says_nothing_of_times_that_are_no_numbers(store: FeatureStore, times: Any) -> None:
    frame = pd.DataFrame({"event_time": times, "n": [1, 2]})
    success, response = create_fg("a", "b", "c", 1, "event_time", "s", frame)
    assert success, response
    success, response = upload_fg("a", "b", "c", 1, frame)
    assert success, response
    assert count("feature_store.a_b_c_v0001") == 2


def attributes(root: Path, *days: int) -> Path:
    for day in days:
        folder = root / f"demand_attributes/y=2019/m=07/d={day:02}"
        folder.mkdir(parents=True)
        rows = pa.table({"item": [day, day], "demand": [0.5, 1.5], "at": [T0, T0]})
        pq.write_table(rows, folder / "part-00000.snappy.parquet", compression="snappy")
    return root / "demand_attributes"


def count(table: str) -> int:
    success, query_id, _, response = dump_fg(f"select count(*) as n from {table};")
    assert success, response
    assert query_id
    out_df, _ = read_fg(query_id)
    assert isinstance(out_df, pd.DataFrame)
    return int(out_df["n"][0])


def test_data_that_lies_in_files_is_registered(tmp_path: Path) -> None:
    root = attributes(tmp_path, 1, 2, 3)
    file = root / "y=2019/m=07/d=01/part-00000.snappy.parquet"
    success, response = register_table("feature_store", "demand", str(file))
    assert success, response
    assert count("feature_store.demand") == 2
    success, response = add_partitions(
        "feature_store", "demand", ["y=2019/m=07/d=02/", f"{root}/y=2019/m=07/d=03"]
    )
    assert success, response
    assert response == "2 partitions are added to table feature_store.demand, 0 were there"
    assert count("feature_store.demand") == 6


def test_partitions_come_in_any_number(tmp_path: Path) -> None:
    root = tmp_path / "many"
    days = [f"y=2019/m={month:02}/d={day:02}/" for month in range(1, 6) for day in range(1, 29)]
    for day in days:
        (root / day).mkdir(parents=True)
        pq.write_table(pa.table({"item": [1], "at": [T0]}), root / day / "part-0.parquet")
    assert register_table("feature_store", "many", str(root / days[0] / "part-0.parquet"))[0]
    success, response = add_partitions("feature_store", "many", days[1:])
    assert success, response
    assert count("feature_store.many") == len(days) == 140


def test_failures_are_told_and_not_raised(tmp_path: Path) -> None:
    frame = nested_frame()
    root = attributes(tmp_path, 1)
    file = str(root / "y=2019/m=07/d=01/part-00000.snappy.parquet")
    refused: list[tuple[tuple[Any, ...], str]] = [
        (upload_fg(*ACTIVITY, frame), "business_user_activity_v0001"),
        (
            create_fg("bad name", "b", "c", 1, "event_time", None, frame),
            "'bad name' is not made of",
        ),
        (create_fg("a", "b", "c", "first", "event_time", None, frame), "version 'first'"),
        (create_fg("a", "b", "c", 1, "when", None, frame), "no column 'when'"),
        (create_fg("a", "b", "c", 1, "event_time", "s", 5), "is not rows"),
        (register_table("absent", "demand", file), "absent"),
        (register_table("feature_store", "demand", f"{file}.gone"), "gone"),
        (add_partitions("feature_store", "demand", ["y=2019/m=07/d=01/"]), "demand"),
    ]
    assert create_fg(*ACTIVITY, "event_time", None, frame)[0]
    assert register_table("feature_store", "demand", file)[0]
    refused += [
        (create_fg(*ACTIVITY, "event_time", None, frame), "business_user_activity_v0001"),
        (upload_fg(*ACTIVITY, frame.drop(columns="tags")), "tags"),
        (register_table("feature_store", "demand", file), "demand"),
        (add_partitions("feature_store", "demand", ["y=2019/m=07/d=09/"]), "d=09"),
        (add_partitions("feature_store", "demand", ["july"]), "july"),
        (add_partitions("feature_store", "demand", None), "None"),  # type: ignore[arg-type]
        (add_partitions("feature_store", "demand", [7]), "not 7"),  # type: ignore[list-item]
        (register_table("feature_store", "other", None), "path"),  # type: ignore[arg-type]
    ]
    for (success, response), reason in refused:
        assert success is False
        assert reason in response

    for sql, reason in [
        ("select * from feature_store.absent;", "absent"),
        ("selec 1", "selec"),
        ("select * from read_parquet('/etc/passwd')", "/etc/passwd"),
        (None, "NoneType"),
    ]:
        success, query_id, path, response = dump_fg(sql)
        assert (success, query_id, path) == (False, None, None)
        assert reason in response
    for query_id in ("00000000-0000-0000-0000-000000000000", "../../etc/passwd", ""):
        success, response = read_fg(query_id)
        assert success is False
        assert isinstance(response, str)


def test_the_store_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"at": [T0], "x": [1]})

    def made_in(folder: Path) -> bool:
        return any(
            each.name == "a_b_c_v0001"
            for each in FeatureStore(folder, create=False).list_feature_views()
        )

    use_store(str(tmp_path / "one"))
    assert create_fg("a", "b", "c", 1, "at", None, frame)[0]
    monkeypatch.setenv("TIDEMARK_STORE", str(tmp_path / "two"))
    use_store(None)
    assert create_fg("a", "b", "c", 1, "at", None, frame)[0]
    assert made_in(tmp_path / "one")
    assert made_in(tmp_path / "two")
    with pytest.raises(UnavailableError, match="cannot be reached"):
        use_store("http://127.0.0.1:9")  # where nobody listens
    assert create_fg("a", "b", "c", 1, "at", None, frame)[0] is False  # still the second
    with ServerProcess(tmp_path / "one") as server:
        use_store(server.url)
        assert create_fg("a", "b", "c", 1, "at", None, frame)[0] is False  # it is there
        assert create_fg("a", "b", "c", 2, "at", None, frame)[0]
        monkeypatch.setenv("TIDEMARK_STORE", server.url)
        use_store(None)
        assert create_fg("a", "b", "c", 2, "at", None, frame)[0] is False
    monkeypatch.setenv("TIDEMARK_STORE", "http://127.0.0.1:9")
    use_store(None)
    made, problem = create_fg("a", "b", "c", 3, "at", None, frame)
    assert made is False
    assert "http://127.0.0.1:9 cannot be reached" in problem
    assert featurestore.read_fg("x")[0] is False
