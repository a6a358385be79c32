"""Goal: pyiceberg and DuckDB read columns that are written as steps, whole and by conditions that
leave pages out, as we do.
"""

from __future__ import annotations

from pathlib import Path

import duckdb_iceberg
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import step_coded
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import And, EqualTo, GreaterThanOrEqual, LessThan

from tidemark import FeatureStore

COLUMNS = ["shop", "user_id", "event_timestamp", "rank", "ordinal", "noise"]


def in_order(table: pa.Table) -> pa.Table:
    """With the types that we give: others' have no time zone, or say what is never null."""
    types = [pa.int64(), pa.int64(), pa.timestamp("us", "UTC"), pa.int32(), pa.int64(), pa.int64()]
    schema = pa.schema(list(zip(COLUMNS, types, strict=True)))
    return table.select(COLUMNS).cast(schema).sort_by("user_id").combine_chunks()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("steps")
    with FeatureStore(made) as store:
        step_coded.make(store)
    return made


@pytest.fixture(scope="module")
def ours(folder: Path) -> pa.Table:
    with FeatureStore(folder) as store:
        return in_order(store.get_training_features("steps").to_arrow())


def test_columns_are_written_as_steps(folder: Path, ours: pa.Table) -> None:
    found = step_coded.encodings(folder)
    assert {name for name, each in found.items() if "DELTA_BINARY_PACKED" in each} == (
        step_coded.STEPS
    )
    assert ours.num_rows == step_coded.ROWS
    assert ours["ordinal"].null_count == (step_coded.ROWS + 6) // 7


def test_pyiceberg_reads_them(folder: Path, ours: pa.Table) -> None:
    registry = folder / ".tidemark" / "registry.db"
    table = SqlCatalog("tidemark", uri=f"sqlite:///{registry}").load_table("feature_store.steps")
    assert in_order(table.scan().to_arrow()) == ours
    some = table.scan(And(GreaterThanOrEqual("user_id", 31_000), LessThan("user_id", 31_007)))
    assert in_order(some.to_arrow()) == ours.slice(31_017, 7)
    shop = ours["shop"][45_000].as_py()
    assert in_order(table.scan(EqualTo("shop", shop)).to_arrow()) == ours.slice(45_000, 3)


def test_duckdb_reads_them(folder: Path, ours: pa.Table, tmp_path: Path) -> None:
    registry = folder / ".tidemark" / "registry.db"
    catalog = SqlCatalog("tidemark", uri=f"sqlite:///{registry}")
    place = catalog.load_table("feature_store.steps").metadata_location
    names = ", ".join(COLUMNS)

    def read(condition: str) -> pa.Table:
        with duckdb_iceberg.connect(tmp_path / condition[:5]) as connection:
            query = f"SELECT {names} FROM iceberg_scan('{place}') WHERE {condition}"
            return in_order(connection.execute(query).to_arrow_table())

    assert read("true") == ours
    assert read("user_id BETWEEN 100 AND 105") == ours.slice(117, 6)
    last = pc.max(ours["ordinal"]).as_py()
    assert read(f"ordinal = {last}") == ours.filter(pc.equal(ours["ordinal"], last))
