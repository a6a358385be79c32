"""Goal: pyiceberg and DuckDB read every table that the Iceberg adapter writes, with the same rows.

The tables are written by build/release/bin/iceberg_tables (iceberg_tables.cc beside this file).
"""

from __future__ import annotations

import datetime as dt
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import duckdb_iceberg
import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table

Row = dict[str, Any]

PROGRAM = Path(__file__).parents[2] / "build" / "release" / "bin" / "iceberg_tables"
NAMES = ["all_types", "empty", "evolved", "many_commits", "partitioned", "rewritten"]


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[misc,arg-type]


def partitioned_rows() -> list[Row]:
    countries = [None, "DE", "FR", "FR"]
    return [
        {
            "user": f"user {i % 7}",
            "event": utc(2026, 1, i % 3 + 1, 10, 0, i),
            "country": countries[i % 4],
            "amount": float(commit * 100 + i),
        }
        for commit in range(3)
        for i in range(20)
    ]


def all_types_rows() -> list[Row]:
    filled = {
        "id": 2,
        "flag": True,
        "small": -7,
        "ratio": 0.5,
        "price": 1.25,
        "name": "zoë",
        "raw": b"xyz",
        "seen": utc(2026, 1, 2, 3, 4, 5, 678901),
        "day": dt.date(2024, 10, 4),
        "cents": Decimal("12.34"),
        "wide": Decimal("-98765432109876543210.12345"),
        "tags": ["a", None, "b"],
        "place": {"lat": 1.5, "near": [1, 2]},
        "counts": [("x", 1), ("y", None)],
        "visits": [{"at": utc(2026, 1, 1), "page": "home"}, None],
    }
    nulls = {name: (1 if name == "id" else None) for name in filled}
    edges = {
        "id": 3,
        "flag": False,
        "small": 2147483647,
        "ratio": 0.0,
        "price": 1e300,
        "name": "",
        "raw": b"",
        "seen": utc(1969, 12, 31, 23, 59, 59, 999999),
        "day": dt.date(1969, 12, 31),
        "cents": Decimal("-0.01"),
        "wide": Decimal("0.00001"),
        "tags": [],
        "place": {"lat": None, "near": None},
        "counts": [],
        "visits": [],
    }
    return [filled, nulls, edges]


EXPECTED: dict[str, list[Row]] = {
    "all_types": all_types_rows(),
    "empty": [],
    "evolved": [
        {"id": 1, "count": 10, "score": 0.5, "new-name": "a", "extra": None},
        {"id": 2, "count": 5_000_000_000, "score": 0.1, "new-name": "b", "extra": [1, None]},
    ],
    "many_commits": [{"id": i} for i in range(40)],
    "partitioned": partitioned_rows(),
    "rewritten": [{"id": i} for i in range(8) if i != 1],
}


def in_order(rows: list[Row]) -> list[Row]:
    def key(row: Row) -> list[str]:
        return [
            value.isoformat() if isinstance(value, dt.datetime) else str(value)
            for value in row.values()
        ]

    return sorted(rows, key=key)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("iceberg")
    subprocess.run([PROGRAM, made], check=True)
    return made


@pytest.fixture(scope="module")
def catalog(folder: Path) -> SqlCatalog:
    return SqlCatalog("tidemark", uri=f"sqlite:///{folder}/registry.db")


@pytest.fixture(scope="module")
def duck(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    return duckdb_iceberg.connect(tmp_path_factory.mktemp("extensions"))


def load(catalog: SqlCatalog, name: str) -> Table:
    return catalog.load_table(("feature_store", name))


def test_the_catalog_lists_what_is_to_be_listed(catalog: SqlCatalog) -> None:
    assert sorted(name for _, name in catalog.list_tables("feature_store")) == NAMES
    assert catalog.list_namespaces() == [("feature_store",)]


@pytest.mark.parametrize("name", NAMES)
def test_pyiceberg_reads_the_rows(catalog: SqlCatalog, name: str) -> None:
    rows = load(catalog, name).scan().to_arrow().to_pylist()
    expected = [dict(row) for row in EXPECTED[name]]
    for row in expected:
        # pyiceberg reads a null list of structs as an empty one, from files of its own too.
        if "visits" in row and row["visits"] is None:
            row["visits"] = []
    assert in_order(rows) == in_order(expected)


@pytest.mark.parametrize("name", NAMES)
def test_duckdb_reads_the_rows(
    catalog: SqlCatalog, duck: duckdb.DuckDBPyConnection, name: str
) -> None:
    location = load(catalog, name).metadata_location
    rows = duck.execute("SELECT * FROM iceberg_scan(?)", [location]).to_arrow_table().to_pylist()
    assert in_order(rows) == in_order(EXPECTED[name])


@pytest.mark.parametrize(
    ("table", "condition", "keep"),
    [
        ("partitioned", "user = 'user 3'", lambda row: row["user"] == "user 3"),
        ("partitioned", "country is null", lambda row: row["country"] is None),
        (
            "partitioned",
            "event >= '2026-01-03T00:00:00+00:00'",
            lambda row: row["event"] >= utc(2026, 1, 3),
        ),
        ("many_commits", "id >= 38", lambda row: row["id"] >= 38),
        ("all_types", "cents < 0", lambda row: row["cents"] is not None and row["cents"] < 0),
    ],
)
def test_files_skipped_by_their_bounds_have_no_row(
    catalog: SqlCatalog, table: str, condition: str, keep: Any
) -> None:
    scan = load(catalog, table).scan(row_filter=condition)
    rows = scan.to_arrow().to_pylist()
    assert in_order(rows) == in_order([row for row in EXPECTED[table] if keep(row)])
    every = len(list(load(catalog, table).scan().plan_files()))
    assert len(list(scan.plan_files())) < every or every == 1


def test_snapshots_and_tags(catalog: SqlCatalog) -> None:
    table = load(catalog, "many_commits")
    assert len(table.metadata.snapshots) == 40
    assert [snapshot.sequence_number for snapshot in table.metadata.snapshots] == list(range(1, 41))
    tagged = table.metadata.refs["first_ten"].snapshot_id
    rows = table.scan(snapshot_id=tagged).to_arrow().to_pylist()
    assert in_order(rows) == in_order([{"id": i} for i in range(10)])
    assert len(table.current_snapshot().manifests(table.io)) == 2 + 8  # type: ignore[union-attr]


def test_statistics_of_the_files(catalog: SqlCatalog) -> None:
    files = load(catalog, "all_types").inspect.files().to_pylist()
    assert len(files) == 1
    metrics = files[0]["readable_metrics"]
    assert metrics["id"]["lower_bound"] == 1
    assert metrics["id"]["upper_bound"] == 3
    assert metrics["name"]["null_value_count"] == 1
    assert metrics["name"]["upper_bound"] == "zoë"
    assert metrics["wide"]["lower_bound"] == Decimal("-98765432109876543210.12345")
    assert metrics["seen"]["lower_bound"] == utc(1969, 12, 31, 23, 59, 59, 999999)
    assert files[0]["sort_order_id"] == 1
    assert files[0]["split_offsets"] == [4]


def test_pyiceberg_commits_to_a_table_of_ours(tmp_path: Path) -> None:
    subprocess.run([PROGRAM, tmp_path], check=True)
    catalog = SqlCatalog("tidemark", uri=f"sqlite:///{tmp_path}/registry.db")
    table = load(catalog, "rewritten")
    table.append(pa.table({"id": [70, 80]}, schema=table.schema().as_arrow()))
    rows = load(catalog, "rewritten").scan().to_arrow()
    assert sorted(rows["id"].to_pylist()) == [0, 2, 3, 4, 5, 6, 7, 70, 80]
