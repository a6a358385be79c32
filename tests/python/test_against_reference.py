"""The whole path of the SDK against the rule in its plainest form, on random small cases.

Every case is an entity row and a view. A world is a store with a few views over random files; its
training set, and what it serves after loading, must be what `answer` says. TIDEMARK_TEST_SEED
repeats a run, TIDEMARK_TEST_CASES asks for more cases.
"""

from __future__ import annotations

import datetime as dt
import random
import shutil
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from random_values import CASES, DECLARED, FEATURES, KEYS, SEED, UTC, Kind, utc

from tidemark import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource

ROWS = 80  # of a training set or a lookup
MICROSECOND = dt.timedelta(microseconds=1)

# --- The rule ---


@dataclass
class Row:
    """A row of a source; `place` is where it lies: path, then row."""

    key: tuple[Any, ...]
    event: dt.datetime
    created: dt.datetime | None
    values: dict[str, Any]
    place: tuple[str, int] = ("", 0)


def answer(
    rows: list[Row],
    key: tuple[Any, ...],
    at: dt.datetime,
    ttl: dt.timedelta | None,
    known_by: dt.datetime | None = None,
) -> tuple[str, dict[str, Any]]:
    """What is known of `key` at a time: OUTSIDE_MAX_AGE, NOT_FOUND or PRESENT, and the values."""
    known = [
        row
        for row in rows
        if row.key == key
        and row.event <= at
        and (known_by is None or (row.created is not None and row.created <= known_by))
    ]
    if not known:
        return "NOT_FOUND", {}
    found = max(known, key=lambda row: (row.event, row.created or row.event, row.place))
    if ttl and found.event < at - ttl:
        return "OUTSIDE_MAX_AGE", {}
    return "PRESENT", found.values


# --- Random columns ---

TIMES = [
    pa.timestamp("us", tz="UTC"),
    pa.timestamp("us"),
    pa.timestamp("ns", tz="America/New_York"),
    pa.timestamp("ms", tz="+05:30"),
    pa.timestamp("s", tz="UTC"),
    pa.string(),
]
STEPS = {
    "s": dt.timedelta(seconds=1),
    "ms": dt.timedelta(milliseconds=1),
    "us": MICROSECOND,
    "ns": MICROSECOND,
}


def fits(value: Any, carrier: pa.DataType) -> bool:
    try:
        back = pa.array(
            [value], carrier.value_type if pa.types.is_dictionary(carrier) else carrier
        )[0].as_py()
    except (pa.ArrowInvalid, OverflowError):
        return False
    return isinstance(value, float) is False or back == value


def iso(random_: random.Random, value: dt.datetime) -> str:
    """A time as text: with T or a space, and as UTC, of another zone, or without one."""
    shape = random_.randrange(4)
    if shape == 0:
        return value.isoformat().replace("+00:00", "Z")
    if shape == 1:
        return value.replace(tzinfo=None).isoformat(sep=" ")
    zone = dt.timezone(dt.timedelta(minutes=random_.choice([330, -480, 0])))
    return value.astimezone(zone).isoformat(sep="T" if shape == 2 else " ")


def column(random_: random.Random, values: list[Any], type_: pa.DataType) -> pa.Array:
    """An Arrow column of Python values; times go through UTC, whatever the type says of zones."""
    if pa.types.is_timestamp(type_):
        made = pa.array(values, pa.timestamp("us", tz="UTC"))
        plain = made.cast(pa.timestamp("us")).cast(pa.timestamp(type_.unit))
        return plain.cast(pa.int64()).cast(type_)
    if pa.types.is_string(type_) and values and isinstance(values[0], dt.datetime):
        return pa.array([iso(random_, value) for value in values], pa.string())
    if pa.types.is_dictionary(type_):
        return pa.array(values, type_.value_type).dictionary_encode()
    return pa.array(values, type_)


# --- Random worlds ---


@dataclass
class View:
    name: str
    keys: dict[str, str]  # join key: kind
    features: dict[str, str]  # feature: kind
    ttl: dt.timedelta | None
    created: bool
    rows: list[Row] = field(default_factory=list)
    path: str = ""
    file_format: str = "parquet"

    def definitions(self, entities: dict[tuple[str, ...], Entity]) -> FeatureView:
        return FeatureView(
            name=self.name,
            entities=[entities[tuple(self.keys)]] if self.keys else [],
            schema=[Field(name, DECLARED[kind]) for name, kind in self.features.items()],
            ttl=self.ttl,
            source=FileSource(
                self.path,
                timestamp_field="happened",
                created_timestamp_column="made" if self.created else "",
                file_format=self.file_format,
            ),
        )


class World:
    """Views over random files, in a store; times lie on a grid: ties and edges are frequent."""

    def __init__(self, seed: str, folder: Path, now: dt.datetime | None = None) -> None:
        self.random = random.Random(seed)
        self.folder = folder
        folder.mkdir()
        pick = self.random.choice
        if pick([True, False]):
            (folder / "tidemark.yaml").write_text(
                f"memory_limit: {pick(['16MiB', '64MiB'])}\nthreads: {pick([1, 2])}\n"
            )
        self.time_type = pick(TIMES)
        unit = self.time_type.unit if pa.types.is_timestamp(self.time_type) else "us"
        self.step = STEPS[unit] * pick([1, 1, 60])
        base = pick([utc(2024, 2, 28, 23), utc(1969, 12, 31, 23, 59, 59)])
        self.times = [base + self.step * index for index in range(self.random.randint(1, 30))]
        self.ttls: list[dt.timedelta | None] = [None, self.step * 3, self.step * 9]
        if now is not None:
            # Served at the clock's now: all is half hours away from a boundary, whatever it says.
            cut = now.replace(microsecond=0)
            self.times = [cut - dt.timedelta(hours=hours) for hours in range(1, 30)]
            self.ttls = [
                None,
                dt.timedelta(hours=5, minutes=30),
                dt.timedelta(hours=20, minutes=30),
            ]
        self.keys = {
            name: pick(list(KEYS)) for name in ("k0", "k1", "K-2")[: self.random.randint(1, 3)]
        }
        self.entities: dict[tuple[str, ...], Entity] = {}
        self.views = [self.make_view(index) for index in range(self.random.randint(1, 3))]
        self.store = FeatureStore(folder)
        views = [view.definitions(self.entities) for view in self.views]
        self.store.apply([*self.entities.values(), *views])

    def make_view(self, index: int) -> View:
        names = [name for name in self.keys if self.random.random() < 0.7]
        keys = {name: self.keys[name] for name in names}
        if keys and tuple(keys) not in self.entities:
            self.entities[tuple(keys)] = Entity(
                name=f"entity{len(self.entities)}",
                join_keys={name: KEYS[kind].declared for name, kind in keys.items()},
            )
        csv = self.random.random() < 0.25 and all(KEYS[kind].in_csv for kind in keys.values())
        kinds = [name for name, kind in FEATURES.items() if kind.in_csv or not csv]
        view = View(
            name=f"view{index}",
            keys=keys,
            features={
                f"f{at}": self.random.choice(kinds) for at in range(self.random.randint(1, 4))
            },
            ttl=self.random.choice(self.ttls),
            created=self.random.random() < 0.5,
            file_format="csv" if csv else "parquet",
        )
        self.write(view)
        return view

    def random_row(self, view: View, carriers: dict[str, pa.DataType]) -> Row:
        def value(name: str, kind: Kind, nullable: bool) -> Any:
            if nullable and self.random.random() < 0.2:
                return None
            return self.random.choice([each for each in kind.values if fits(each, carriers[name])])

        event = self.random.choice(self.times)
        return Row(
            key=tuple(value(name, KEYS[kind], False) for name, kind in view.keys.items()),
            event=event,
            created=event + self.step * self.random.choice([0, 0, 0, 1, 5])
            if view.created
            else None,
            values={
                name: value(name, FEATURES[kind], True) for name, kind in view.features.items()
            },
        )

    def write(self, view: View) -> None:
        """Writes the view's rows as one file, several, or a folder with Hive partitions."""
        kinds = {name: KEYS[kind] for name, kind in view.keys.items()}
        kinds |= {name: FEATURES[kind] for name, kind in view.features.items()}
        carriers = {name: self.random.choice(kind.carriers) for name, kind in kinds.items()}
        names = view.keys | view.features
        may_part = [name for name in names if names[name] in ("string", "int64", "int32")]
        layout = self.random.choice(["file", "glob", "folder", "hive" if may_part else "file"])
        part_by = self.random.choice(may_part) if layout == "hive" else None
        home = self.folder / f"data-{view.name}"
        home.mkdir()
        patterns = {"file": f"/a0.{view.file_format}", "glob": f"/*.{view.file_format}"}
        view.path = home.name + patterns.get(layout, "")
        for number in range(1 if layout == "file" else self.random.randint(1, 4)):
            first = "a" if layout == "file" else self.random.choice("azA")
            path = home / f"{first}{number}.{view.file_format}"
            rows = [self.random_row(view, carriers) for _ in range(self.random.randint(1, 40))]
            if part_by:
                path = self.part_rows(view, part_by, rows, path)
            for index, row in enumerate(rows):
                row.place = (str(path), index)
            self.write_file(view, path, rows, carriers, part_by)
            view.rows += rows

    def part_rows(self, view: View, by: str, rows: list[Row], path: Path) -> Path:
        """Gives all rows one value of the column `by`, and the path of the folder of that value."""
        at = list(view.keys).index(by) if by in view.keys else None
        value = rows[0].values[by] if at is None else rows[0].key[at]
        if isinstance(value, str) and len(value) > 80:
            value = "short"  # a folder's name has its limit
        for row in rows:
            if at is None:
                row.values[by] = value
            else:
                row.key = (*row.key[:at], value, *row.key[at + 1 :])
        quoted = urllib.parse.quote(str(value), safe="")
        folder = path.parent / f"{by}={'__HIVE_DEFAULT_PARTITION__' if value is None else quoted}"
        folder.mkdir(exist_ok=True)
        return folder / path.name

    def write_file(
        self,
        view: View,
        path: Path,
        rows: list[Row],
        carriers: dict[str, pa.DataType],
        dropped: str | None,
    ) -> None:
        columns = {"happened": column(self.random, [row.event for row in rows], self.time_type)}
        if view.created:
            columns["made"] = column(self.random, [row.created for row in rows], self.time_type)
        for index, name in enumerate(view.keys):
            columns[name] = column(self.random, [row.key[index] for row in rows], carriers[name])
        for name in view.features:
            columns[name] = column(self.random, [row.values[name] for row in rows], carriers[name])
        columns.pop(dropped or "", None)
        table = pa.table(columns)
        if view.file_format == "csv":
            for index, name in enumerate(table.column_names):
                if pa.types.is_dictionary(table.schema.field(name).type):
                    table = table.set_column(index, name, table[name].cast(pa.string()))
            pa_csv.write_csv(table, path)
        else:
            pq.write_table(table, path, row_group_size=self.random.choice([3, 7, 100]))

    # --- Training sets ---

    def entity_rows(self, count: int) -> pa.Table:
        edges = [dt.timedelta(0), -MICROSECOND, MICROSECOND, *(ttl for ttl in self.ttls if ttl)]
        edges += [ttl + MICROSECOND for ttl in self.ttls if ttl]
        times = [self.random.choice(self.times) + self.random.choice(edges) for _ in range(count)]
        type_ = self.random.choice([TIMES[0], TIMES[1], TIMES[2], TIMES[5]])
        columns = {
            "note": pa.array(range(count), pa.int16()),
            "event_timestamp": column(self.random, times, type_),
        }
        self.at = times
        self.keys_asked: dict[str, list[Any]] = {}
        for name, kind in self.keys.items():
            carrier = self.random.choice(KEYS[kind].carriers)
            values = [value for value in KEYS[kind].values if fits(value, carrier)]
            self.keys_asked[name] = [self.random.choice(values) for _ in range(count)]
            columns[name] = column(self.random, self.keys_asked[name], carrier)
        return pa.table(columns)

    def check_training_set(self) -> int:
        """Asks for the features of all views in one of the ways there are; returns the cases."""
        count = self.random.choice([0, 1, ROWS, ROWS, ROWS, ROWS])
        table = self.entity_rows(count)
        known_by: Any = None
        if all(view.created for view in self.views):
            known_by = self.random.choice([None, "event", self.random.choice(self.times)])
        asked = [name for view in self.views for name in view.features]
        full = len(set(asked)) < len(asked) or self.random.random() < 0.5
        prefixes = {view.name: view.name for view in self.views}
        features: Any = [f"{view.name}:{name}" for view in self.views for name in view.features]
        way = self.random.choice(["references", "service", "aliases"])
        if way == "service":
            self.store.apply(FeatureService(name="all", features=features))
            features = self.random.choice(["all", self.store.get_feature_service("all")])
        if way == "aliases":
            # Every view under another name, its keys taken from other columns.
            features = []
            for view in self.views:
                prefixes[view.name] = f"as_{view.name}"
                keys = {key: f"of_{key}" for key in view.keys}
                known = self.store.get_feature_view(view.name)
                features.append(known.with_name(f"as_{view.name}").with_join_key_map(keys))
            table = table.rename_columns(
                [f"of_{name}" if name in self.keys else name for name in table.column_names]
            )
        statuses = self.random.random() < 0.7
        job = self.store.get_historical_features(
            self.as_input(table), features, full, known_by=known_by, include_status=statuses
        )
        made = self.as_output(job)
        assert made.num_rows == count
        for name in table.column_names:
            assert made[name].to_pylist() == table[name].to_pylist(), name
        for view in self.views:
            expected = [
                answer(view.rows, key, at, view.ttl, at if known_by == "event" else known_by)
                for key, at in zip(self.keys_of(view, count), self.at, strict=True)
            ]
            prefix = f"{prefixes[view.name]}__" if full else ""
            self.compare(view, expected, made, prefix, statuses)
        return count * len(self.views)

    def check_range(self) -> int:
        """The latest row of every entity in a range, of the views that share their keys."""
        by_keys: dict[tuple[str, ...], list[View]] = {}
        for view in self.views:
            by_keys.setdefault(tuple(view.keys), []).append(view)
        cases = 0
        for keys, views in by_keys.items():
            first, last = sorted(self.random.choices(self.times, k=2))
            end = last + self.random.choice([dt.timedelta(0), MICROSECOND, self.step * 4])
            known_by: Any = None
            if all(view.created for view in views):
                known_by = self.random.choice([None, "event", self.random.choice(self.times)])
            job = self.store.get_historical_features(
                features=[view.name for view in views],
                full_feature_names=True,
                start_date=first,
                end_date=end,
                known_by=known_by,
                include_status=True,
            )
            made = self.as_output(job)
            assert set(made["event_timestamp"].to_pylist()) <= {end}
            by = end if known_by == "event" else known_by
            rows = {view.name: [row for row in view.rows if row.event >= first] for view in views}
            asked = [
                tuple(row) for row in zip(*(made[key].to_pylist() for key in keys), strict=True)
            ] or [()] * made.num_rows
            known = {row.key for each in rows.values() for row in each}
            found = {
                key
                for key in known
                for view in views
                if answer(rows[view.name], key, end, None, by)[0] == "PRESENT"
            }
            assert len(asked) == len(set(asked))
            assert set(asked) == found
            for view in views:
                expected = [answer(rows[view.name], key, end, view.ttl, by) for key in asked]
                self.compare(view, expected, made, f"{view.name}__", True)
            cases += made.num_rows * len(views)
        return cases

    def keys_of(self, view: View, count: int) -> list[tuple[Any, ...]]:
        if not view.keys:
            return [()] * count
        return list(zip(*(self.keys_asked[name] for name in view.keys), strict=True))

    def compare(
        self,
        view: View,
        expected: list[tuple[str, dict[str, Any]]],
        made: pa.Table,
        prefix: str,
        statuses: bool,
    ) -> None:
        for name, kind in view.features.items():
            label = f"{prefix}{name}"
            assert made.schema.field(label).type == FEATURES[kind].declared, label
            values = [found.get(name) for _, found in expected]
            assert made[label].to_pylist() == values, f"{label} ({kind})"
            if statuses:
                words = [
                    "NULL_VALUE" if status == "PRESENT" and found[name] is None else status
                    for status, found in expected
                ]
                assert made[f"{label}__status"].to_pylist() == words, label

    def as_input(self, table: pa.Table) -> Any:
        """The entity rows as one of the things that users have, if it carries the types exactly."""
        simple = all(kind in ("int64", "int32", "string", "bool") for kind in self.keys.values())
        forms: list[Callable[[], Any]] = [
            lambda: table,
            lambda: table.to_reader(max_chunksize=self.random.randint(1, 50)),
            lambda: pl.from_arrow(table),
            lambda: self.file_of(table),
        ]
        if simple:
            forms.append(lambda: table.to_pandas())
        return self.random.choice(forms)()

    def file_of(self, table: pa.Table) -> Path:
        pq.write_table(
            table, self.folder / "rows.parquet", row_group_size=self.random.choice([5, 1000])
        )
        return self.folder / "rows.parquet"

    def as_output(self, job: Any) -> pa.Table:
        form = self.random.randrange(3)
        if form == 0:
            return job.to_arrow()
        if form == 1:
            return job.to_arrow_stream().read_all()
        job.to_parquet(self.folder / "training.parquet")
        return pq.read_table(self.folder / "training.parquet")

    # --- Online ---

    def check_online(self) -> int:
        """Loads in one or several steps, then writes more; asks after each; returns the cases."""
        now = dt.datetime.now(UTC)
        start = self.times[-1] - dt.timedelta(days=1)
        way = self.random.choice(["at once", "ranges", "incremental", "late file"])
        if way == "ranges":
            middle = self.random.choice(self.times) + dt.timedelta(minutes=30)
            ranges = [(start, middle), (middle, now)]
            self.random.shuffle(ranges)
            for first, last in ranges:
                self.store.materialize(first, last)
        elif way == "incremental":
            self.store.materialize_incremental(self.random.choice(self.times))
            self.store.materialize_incremental(now)
        elif way == "late file":
            late = [path for view in self.views for path in self.hide_a_file(view)]
            self.store.materialize_incremental(now)
            for path in late:
                path.with_name(f"_{path.name}").rename(path)
            self.store.materialize_incremental(now)
        else:
            self.store.materialize(start, now)
        self.compare_online()
        self.write_online()
        self.compare_online()
        return 2 * ROWS * len(self.views)

    def hide_a_file(self, view: View) -> list[Path]:
        """Takes one of several files away: names that begin with an underscore are not read."""
        paths = sorted({Path(row.place[0]) for row in view.rows})
        if len(paths) < 2:
            return []
        path = self.random.choice(paths)
        path.rename(path.with_name(f"_{path.name}"))
        return [path]

    def write_online(self) -> None:
        """More rows by write_to_online_store, late ones among them."""
        for view in self.views:
            carriers = {name: KEYS[kind].carriers[0] for name, kind in view.keys.items()}
            carriers |= {name: FEATURES[kind].carriers[0] for name, kind in view.features.items()}
            rows = [self.random_row(view, carriers) for _ in range(self.random.randint(1, 20))]
            columns = {
                "happened": pa.array([row.event for row in rows], pa.timestamp("us", tz="UTC"))
            }
            if view.created:
                columns["made"] = pa.array(
                    [row.created for row in rows], pa.timestamp("us", tz="UTC")
                )
            for index, name in enumerate(view.keys):
                columns[name] = column(
                    self.random, [row.key[index] for row in rows], carriers[name]
                )
            for name in view.features:
                columns[name] = column(
                    self.random, [row.values[name] for row in rows], carriers[name]
                )
            for index, row in enumerate(rows):
                row.place = ("~written later", index)
            self.store.write_to_online_store(view.name, pa.table(columns))
            view.rows += rows

    def compare_online(self) -> None:
        self.keys_asked = {
            name: [self.random.choice(KEYS[kind].values) for _ in range(ROWS)]
            for name, kind in self.keys.items()
        }
        now = dt.datetime.now(UTC)
        for view in self.views:
            columns = {name: self.keys_asked[name] for name in view.keys}
            asked: Any = columns
            if not columns or self.random.random() < 0.5:
                asked = [{name: columns[name][row] for name in columns} for row in range(ROWS)]
            features = [f"{view.name}:{name}" for name in view.features]
            answered = self.store.get_online_features(features, asked, include_status=True)
            expected = [answer(view.rows, key, now, view.ttl) for key in self.keys_of(view, ROWS)]
            self.compare(view, expected, answered.to_arrow(), "", True)


# --- Tests ---


@pytest.mark.filterwarnings("ignore")  # of finer times and of rows that are not due
@pytest.mark.parametrize(("part", "share"), [("historical", 0.7), ("online", 0.3)])
def test_random_worlds(tmp_path: Path, part: str, share: float) -> None:
    cases, index = 0, 0
    while cases < CASES * share:
        name = f"{SEED}-{part}-{index}"
        index += 1
        try:
            world = World(name, tmp_path / name, dt.datetime.now(UTC) if part == "online" else None)
            if part == "online":
                cases += world.check_online()
            else:
                cases += world.check_training_set() + world.check_range()
            world.store.close()
        except BaseException:
            print(f"world {name}: repeat with TIDEMARK_TEST_SEED={SEED}")
            raise
        shutil.rmtree(tmp_path / name)
