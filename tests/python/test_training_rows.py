"""Training rows as arrays, tensors, batches and parts.

Goal: no value changes on its way, and a split is what its stated rule says, row for row: the rules
are written out a second time here, in plain Python.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import sys
import types
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from conftest import at
from hypothesis import given
from hypothesis import strategies as st

from tidemark import Dataset, Entity, FeatureStore, FeatureView, FileDataset, FileSource
from tidemark.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    InvalidDataError,
    IoError,
    NotFoundError,
    TypeMismatchError,
    UnsupportedError,
)

TIMES = pa.timestamp("us", tz="UTC")


def numbered(count: int) -> Dataset:
    """Rows that know their number, of seven entities, two rows to a second."""
    return Dataset(
        pa.table(
            {
                "row": pa.array(range(count), pa.int64()),
                "user": pa.array([i * i % 7 for i in range(count)], pa.int64()),
                "event_timestamp": pa.array([i // 2 * 1_000_000 for i in range(count)], TIMES),
            }
        )
    )


def rows_of(part: Dataset) -> list[int]:
    found: list[int] = part.to_arrow()["row"].to_pylist()
    return found


# --- Arrays and tensors ---


def test_arrays_keep_types_and_show_what_is_missing() -> None:
    rows = Dataset(
        pa.table(
            {
                "whole": pa.array([1, 2**53 + 1], pa.int64()),
                "gaps": pa.array([None, 2**53 + 1], pa.int64()),
                "flag": pa.array([True, None], pa.bool_()),
                "ratio": pa.array([0.5, None], pa.float32()),
                "text": ["a", None],
                "when": pa.array([at(8), None], TIMES),
                "day": pa.array([dt.date(2026, 5, 1), None], pa.date32()),
                "vector": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32())),
                "ragged": pa.array([[1], None], pa.list_(pa.int64())),
                "price": pa.array([Decimal("1.50"), None], pa.decimal128(5, 2)),
            }
        )
    )
    got = rows.to_numpy()
    assert got["whole"].dtype == np.int64
    assert got["whole"].tolist() == [1, 2**53 + 1]
    assert isinstance(got["gaps"], np.ma.MaskedArray)
    assert got["gaps"].dtype == np.int64
    assert got["gaps"].tolist() == [None, 2**53 + 1]
    assert got["flag"].tolist() == [True, None]
    assert got["ratio"].dtype == np.float32
    assert got["ratio"][0] == 0.5
    assert np.isnan(got["ratio"][1])
    assert got["text"].tolist() == ["a", None]
    assert got["when"].dtype == np.dtype("datetime64[us]")
    assert np.isnat(got["when"][1])
    assert got["day"].tolist() == [dt.date(2026, 5, 1), None]
    assert got["vector"].shape == (2, 2)
    assert got["vector"].dtype == np.float32
    assert [None if each is None else each.tolist() for each in got["ragged"]] == [[1], None]
    assert got["price"].tolist() == [Decimal("1.50"), None]
    filled = rows.to_numpy(["gaps", "ratio"], missing=-1)
    assert list(filled) == ["gaps", "ratio"]
    assert filled["gaps"].tolist() == [-1, 2**53 + 1]
    assert filled["ratio"].tolist() == [0.5, -1.0]


def test_arrays_of_no_rows_and_of_many_batches() -> None:
    schema = pa.schema([("a", pa.int64()), ("v", pa.list_(pa.float64()))])
    assert {k: len(v) for k, v in Dataset(schema.empty_table()).to_numpy().items()} == {
        "a": 0,
        "v": 0,
    }
    pieces = [pa.table({"a": [i], "v": [[float(i)]]}, schema) for i in range(3)]
    got = Dataset(pa.concat_tables(pieces)).to_numpy()
    assert got["a"].tolist() == [0, 1, 2]
    assert got["v"].tolist() == [[0.0], [1.0], [2.0]]


def test_a_value_for_the_missing_must_fit() -> None:
    rows = Dataset(pa.table({"n": pa.array([1, None], pa.int32())}))
    for value in (float("nan"), 0.5, 2**40):
        with pytest.raises(TypeMismatchError, match="column 'n' is int32"):
            rows.to_numpy(missing=value)
    with pytest.raises(InvalidArgumentError, match="there is no column 'm'"):
        rows.to_numpy(["m"])
    with pytest.raises(InvalidArgumentError, match="columns is a list"):
        rows.to_numpy("n")


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """In the place of torch, which is large: what is used of it, `from_numpy`, gives the array."""
    made = types.ModuleType("torch")
    made.from_numpy = lambda array: ("tensor", array)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", made)
    return made


def test_tensors(torch: types.ModuleType) -> None:
    rows = Dataset(
        pa.table(
            {
                "n": pa.array([1, None], pa.int64()),
                "x": [0.5, None],
                "v": pa.array([[1.0, 2.0], [3.0, 4.0]]),
                "text": ["a", None],
                "when": pa.array([at(8), None], TIMES),
            }
        )
    )
    with pytest.raises(TypeMismatchError, match="'n' is int64 and has 1 missing values"):
        rows.to_tensor()
    got = rows.to_tensor(default_value=0)
    assert got["n"][0] == "tensor"
    assert got["n"][1].dtype == np.int64
    assert got["n"][1].tolist() == [1, 0]
    assert got["x"][1].tolist() == [0.5, 0.0]
    assert got["v"][1].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert got["v"][1].flags.writeable
    assert got["text"] == ["a", None]
    assert got["when"] == [at(8), None]
    with pytest.raises(UnsupportedError, match="tensors are torch's"):
        rows.to_tensor(kind="tensorflow")


def test_without_torch_and_without_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = numbered(2)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UnsupportedError, match="pip install torch"):
        rows.to_tensor()
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(UnsupportedError, match="pip install numpy"):
        rows.to_numpy()


# --- Batches ---


def test_batches_have_the_size_that_is_asked_for() -> None:
    pieces = [numbered(count).to_arrow() for count in (3, 0, 4, 1, 12)]
    rows = Dataset(pa.concat_tables(pieces))
    for size in (1, 3, 4, 7, 19, 20, 100):
        batches = list(rows.to_batches(size))
        assert {each.num_rows for each in batches[:-1]} <= {size}
        assert 0 < batches[-1].num_rows <= size
        assert pa.Table.from_batches(batches) == rows.to_arrow().combine_chunks()
    assert list(numbered(0).to_batches(5)) == []
    for size in (0, -1, True, 2.5):
        with pytest.raises(InvalidArgumentError, match="a number from 1 up"):
            rows.to_batches(size)  # type: ignore[arg-type]


def test_batches_of_a_training_set_come_as_they_are_made(
    store: FeatureStore, tmp_path: Path
) -> None:
    count = 300_000
    spine = pa.table({"driver_id": [1001] * count, "event_timestamp": pa.array([at(9)] * count)})
    pq.write_table(spine, tmp_path / "spine.parquet")
    job = store.get_historical_features(str(tmp_path / "spine.parquet"), ["driver_stats:trips"])
    before = pa.total_allocated_bytes()
    sizes, peak = [], 0
    for batch in job.to_batches(1000):
        sizes.append(batch.num_rows)
        peak = max(peak, pa.total_allocated_bytes() - before)
    assert sizes == [1000] * 300
    assert peak < spine.nbytes


# --- Parts ---


def random_parts(count: int, seed: int, shares: list[float]) -> list[list[int]]:
    """The rule of a random split, in plain Python."""
    mask = 2**64 - 1
    state, draws = seed & mask, []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        draws.append(z ^ (z >> 31))
    order = sorted(range(count), key=lambda row: draws[row])
    ends = [int(sum(shares[: i + 1]) * count + 0.5) for i in range(len(shares) - 1)] + [count]
    begins = [0, *ends[:-1]]
    return [sorted(order[begin:end]) for begin, end in zip(begins, ends, strict=True)]


@given(st.integers(0, 60), st.integers(-(2**70), 2**70))
def test_at_random_is_the_stated_rule(count: int, seed: int) -> None:
    split = numbered(count).split("random", (0.5, 0.25, 0.25), seed=seed)
    assert [rows_of(part) for part in split.values()] == random_parts(
        count, seed, [0.5, 0.25, 0.25]
    )


def test_at_random_the_first_draws_of_splitmix64() -> None:
    from tidemark.split import draws

    # As java.util.SplittableRandom and the reference in C give them.
    assert draws(0, 3).to_pylist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert draws(1234567, 2).to_pylist() == [6457827717110365317, 3203168211198807973]


def test_by_entity_is_the_stated_rule() -> None:
    count = 2000
    names = [None if i % 19 == 0 else f"né{i % 83}" for i in range(count)]
    keys = pa.table(
        {
            "row": range(count),
            "user": pa.array([i % 31 for i in range(count)], pa.int32()),
            "name": names,
        }
    )
    split = Dataset(keys).split("entity", {"a": 0.3, "b": 0.3, "c": 0.4}, columns=["user", "name"])
    wanted: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    for row in range(count):
        text = json.dumps([0, names[row], row % 31], separators=(",", ":"), ensure_ascii=False)
        share = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
        wanted["a" if share < 0.3 else "b" if share < 0.6 else "c"].append(row)
    assert {name: rows_of(part) for name, part in split.items()} == wanted


def test_by_entity_golden_values() -> None:
    from tidemark.split import entity_fraction

    zone = dt.timezone(dt.timedelta(hours=2))
    for text, seed, key in [
        (b"[0,1001]", 0, [1001]),
        (b'[7,"\xc3\x85se",true]', 7, ["Åse", True]),
        (b'[0,"2026-05-01T08:00:00.000000Z"]', 0, [dt.datetime(2026, 5, 1, 10, tzinfo=zone)]),
        (b'[0,"2026-05-01","00ff","1.50"]', 0, [dt.date(2026, 5, 1), b"\0\xff", Decimal("1.50")]),
    ]:
        wanted = int.from_bytes(hashlib.sha256(text).digest()[:8], "big")
        assert entity_fraction(seed, key) == wanted
    assert round(entity_fraction(0, [1001]) / 2**64, 6) == 0.099326


def test_by_entity_rows_may_come_and_go() -> None:
    all_rows = numbered(100)
    fewer = Dataset(all_rows.to_arrow().slice(40, 30))
    for seed in range(5):
        whole = all_rows.split("entity", (0.5, 0.5), columns=["user"], seed=seed)
        kept = fewer.split("entity", (0.5, 0.5), columns=["user"], seed=seed)
        assert set(rows_of(kept.train)) <= set(rows_of(whole.train))
        assert set(rows_of(kept.test)) <= set(rows_of(whole.test))


def test_by_time_no_part_knows_what_comes_after() -> None:
    rows = numbered(101)
    split = rows.split("time", (0.7, 0.2, 0.1))
    times = [part.to_arrow()["event_timestamp"].to_pylist() for part in split.values()]
    assert max(times[0]) < min(times[1])
    assert max(times[1]) < min(times[2])
    assert [len(part) for part in split.values()] == [70, 20, 11]
    assert sorted(row for part in split.values() for row in rows_of(part)) == list(range(101))


def test_by_time_at_boundaries_in_any_form_of_time() -> None:
    moments = [at(8), at(9), at(10), at(11)]
    forms = [
        pa.array(moments, TIMES),
        pa.array(moments, TIMES).cast(pa.timestamp("s", "UTC")),
        pa.array([each.replace(tzinfo=None) for each in moments], pa.timestamp("ns")),
        pa.array(
            ["2026-05-01 08:00", "2026-05-01T11:00+02:00", "2026-05-01T10:00Z", "2026-05-01T11:00Z"]
        ),
    ]
    for form in forms:
        rows = Dataset(pa.table({"row": range(4), "when": form}))
        split = rows.split("time", at=[at(9), "2026-05-01T10:30Z"], columns=["when"])
        assert [rows_of(part) for part in split.values()] == [[0], [1, 2], [3]]
    days = pa.array([dt.date(2026, 5, 1), dt.date(2026, 5, 2)], pa.date32())
    split = Dataset(pa.table({"row": range(2), "day": days})).split(
        "time", at=[dt.date(2026, 5, 2)], columns=["day"]
    )
    assert [rows_of(part) for part in split.values()] == [[0], [1]]


@pytest.mark.parametrize("by", ["time", "random", "entity"])
@pytest.mark.parametrize("shares", [(1.0, 0.0), (0.0, 1.0), (0.0, 0.5, 0.5), (1 / 3,) * 3])
@pytest.mark.parametrize("count", [0, 1, 10])
def test_every_row_is_in_one_part(by: str, shares: tuple[float, ...], count: int) -> None:
    columns = ["user"] if by == "entity" else None
    split = numbered(count).split(by, shares, columns=columns)
    assert sorted(row for part in split.values() for row in rows_of(part)) == list(range(count))
    assert all(rows_of(part) == sorted(rows_of(part)) for part in split.values())
    for part, share in zip(split.values(), shares, strict=True):
        if share in (0.0, 1.0):
            assert len(part) == share * count


def test_parts_of_a_training_set(store: FeatureStore, entity_rows: pa.Table) -> None:
    job = store.get_historical_features(entity_rows, ["driver_stats:trips", "driver_stats:rating"])
    by_entity = job.split("entity", (0.5, 0.5))
    assert len(by_entity.train) + len(by_entity.test) == 6
    drivers = [set(each.to_arrow()["driver_id"].to_pylist()) for each in by_entity.values()]
    assert not drivers[0] & drivers[1]
    by_time = job.split("time", at=[at(9)])
    assert by_time.train.to_arrow()["order"].to_pylist() == [5]
    assert by_time.test.to_df()["trips"].dtype == "Int64"
    again = by_time.test.split("entity", (0.5, 0.5))
    assert sum(len(part) for part in again.values()) == 5
    assert repr(by_time) == "Split(train: 1 rows, test: 5 rows)"
    with pytest.raises(NotFoundError, match="no part 'validation'; there are: train, test"):
        _ = by_time.validation


def test_the_entity_of_a_split_is_said_where_it_is_not_clear(
    store: FeatureStore, folder: Path
) -> None:
    pq.write_table(
        pa.table({"city": ["Oslo"], "event_timestamp": [at(8)], "temp": [3.5]}),
        folder / "weather.parquet",
    )
    weather = FeatureView(
        name="weather", entities=[Entity(name="city")], source=FileSource("weather.parquet")
    )
    store.apply(weather)
    rows = {"driver_id": [1001], "town": ["Oslo"], "event_timestamp": [at(9)]}
    job = store.get_historical_features(
        rows,
        ["driver_stats:trips", weather.with_join_key_map({"city": "town"})],
    )
    with pytest.raises(InvalidArgumentError, match="the views' join keys are: driver_id; town"):
        job.split("entity")
    assert sum(len(part) for part in job.split("entity", columns=["town"]).values()) == 1
    assert (
        sum(
            len(part)
            for part in store.get_historical_features(rows, "model").split("entity").values()
        )
        == 1
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "hash"}, "split by 'time', 'entity' or 'random'"),
        ({"by": "random", "fractions": (0.5, 0.4)}, "sum up to 0.9, not to 1"),
        ({"by": "random", "fractions": (1.5, -0.5)}, "each is a number from 0 to 1"),
        ({"by": "random", "fractions": (0.25,) * 4}, "fractions has 4 parts"),
        ({"by": "random", "fractions": {}}, "each is a number"),
        ({"by": "random", "at": [at(9)]}, "`at` goes with by='time'"),
        ({"by": "time", "at": [at(9)], "fractions": (0.5, 0.5)}, "`at` goes with by='time'"),
        ({"by": "time", "at": []}, "a list of one time"),
        ({"by": "time", "at": "2026-05-01"}, "a list of one time"),
        ({"by": "time", "at": [at(9), at(8)]}, "must ascend"),
        ({"by": "time", "columns": ["row"]}, "a split by time needs timestamps"),
        ({"by": "time", "columns": ["when"]}, "there is no column 'when'"),
        ({"by": "entity"}, "which columns are the entity"),
        ({"by": "entity", "columns": "user"}, "columns is a list"),
        ({"by": "entity", "columns": ["nobody"]}, "there is no column 'nobody'"),
        ({"by": "entity", "columns": ["ratio"]}, "cannot be the key of an entity"),
        ({"by": "random", "seed": 1.5}, "seed=1.5 is not an integer"),
    ],
)
def test_splits_that_make_no_sense(arguments: dict[str, Any], message: str) -> None:
    rows = Dataset(numbered(10).to_arrow().append_column("ratio", pa.array([0.5] * 10)))
    with pytest.raises((InvalidArgumentError, NotFoundError)) as raised:
        rows.split(**arguments)
    assert message in str(raised.value)


def test_a_row_without_a_time_is_in_no_part() -> None:
    rows = Dataset(pa.table({"event_timestamp": pa.array([at(9), None], TIMES)}))
    with pytest.raises(InvalidDataError, match="has 1 rows without a time"):
        rows.split("time")


# --- Files ---


def test_parts_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    rows = numbered(5)
    assert rows.to_parquet(tmp_path / "rows.parquet") == 5
    assert pq.read_table(tmp_path / "rows.parquet") == rows.to_arrow()
    assert rows.to_csv(tmp_path / "rows.csv") == 5
    assert pa_csv.read_csv(tmp_path / "rows.csv")["row"].to_pylist() == [0, 1, 2, 3, 4]
    with pytest.raises(InvalidArgumentError, match=r"must end in \.parquet"):
        rows.to_parquet(tmp_path / "rows.csv")
    with pytest.raises(IoError, match="cannot be written"):
        rows.to_parquet(tmp_path / "nowhere" / "rows.parquet")
    nested = Dataset(pa.table({"v": [[1]]}))
    with pytest.raises(IoError, match="cannot be written"):
        nested.to_csv(tmp_path / "nested.csv")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["rows.csv", "rows.parquet"]


# --- Rows that are kept ---


def test_kept_in_a_file_and_in_a_folder(
    store: FeatureStore, entity_rows: pa.Table, tmp_path: Path
) -> None:
    job = store.get_historical_features(entity_rows, ["driver_stats:trips"])
    wanted = job.to_arrow()
    file = job.persist(tmp_path / "rows.parquet")
    folder = job.persist(tmp_path / "rows", rows_per_file=4)
    assert [Path(each).name for each in folder.files] == [
        "part-00000.parquet",
        "part-00001.parquet",
    ]
    for kept in (file, folder, FileDataset(tmp_path / "rows")):
        assert len(kept) == 6
        assert kept.to_arrow() == wanted
        assert [each.num_rows for each in kept.to_batches(5)] == [5, 1]
    assert sum(len(part) for part in folder.split("entity").values()) == 6
    by_time = FileDataset(tmp_path / "rows").split("time", (0.5, 0.5))
    again = by_time.train.persist(tmp_path / "train")
    assert again.to_arrow() == by_time.train.to_arrow()
    assert job.report is not None
    assert sorted(each.name for each in tmp_path.iterdir() if not each.name.startswith(".t")) == [
        "rows",
        "rows.parquet",
        "stats.parquet",
        "train",
    ]


def test_no_rows_are_kept_with_their_schema(tmp_path: Path) -> None:
    for name in ("none.parquet", "none"):
        kept = numbered(0).persist(tmp_path / name)
        assert (len(kept), kept.to_arrow().schema) == (0, numbered(0).to_arrow().schema)


def test_nothing_is_written_over_unasked(tmp_path: Path) -> None:
    for name in ("rows.parquet", "rows"):
        numbered(3).persist(tmp_path / name)
        with pytest.raises(AlreadyExistsError, match="it is there already"):
            numbered(4).persist(tmp_path / name)
        assert len(FileDataset(tmp_path / name)) == 3
        assert len(numbered(5).persist(tmp_path / name, allow_overwrite=True)) == 5
    (tmp_path / "rows" / "notes.txt").write_text("mine")
    with pytest.raises(InvalidArgumentError, match=r"not written over: it has 'notes\.txt'"):
        numbered(4).persist(tmp_path / "rows", allow_overwrite=True)
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(InvalidArgumentError, match="it is no file"):
        numbered(4).persist(tmp_path / "folder.parquet", allow_overwrite=True)
    (tmp_path / "plain").write_text("mine")
    with pytest.raises(InvalidArgumentError, match="no folder of kept rows"):
        numbered(4).persist(tmp_path / "plain", allow_overwrite=True)


def test_what_comes_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    for name in ("rows.parquet", "rows"):

        class Late(Dataset):
            """Another program is faster."""

            target = tmp_path / name

            def to_arrow_stream(self) -> pa.RecordBatchReader:
                numbered(1).persist(self.target)
                return super().to_arrow_stream()

        with pytest.raises(AlreadyExistsError):
            Late(numbered(3).to_arrow()).persist(tmp_path / name)
        assert len(FileDataset(tmp_path / name)) == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["rows", "rows.parquet"]


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    class Broken(Dataset):
        """The third batch cannot be made."""

        def to_arrow_stream(self) -> pa.RecordBatchReader:
            def batches() -> Iterator[pa.RecordBatch]:
                yield from self.to_arrow().to_batches(2)[:2]
                raise InvalidDataError("a bad row")

            return pa.RecordBatchReader.from_batches(self.to_arrow().schema, batches())

    for name in ("rows.parquet", "rows"):
        with pytest.raises(InvalidDataError, match="a bad row"):
            Broken(numbered(6).to_arrow()).persist(tmp_path / name, rows_per_file=2)
        with pytest.raises(IoError, match="cannot be written"):
            numbered(1).persist(tmp_path / "nowhere" / name)
    with pytest.raises(InvalidArgumentError, match="rows_per_file=0"):
        numbered(1).persist(tmp_path / "rows", rows_per_file=0)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NotFoundError, match="no Parquet file here"):
        FileDataset(tmp_path)
