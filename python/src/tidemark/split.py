"""Training sets in parts: by time, by entity, or at random, each by a rule that is stated.

The rules are in `TrainingRows.split`. Nothing here depends on a library's random numbers or hashes,
so that a split made today is the split that is made anywhere later.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tidemark.dataset import Dataset
from tidemark.errors import InvalidArgumentError, InvalidDataError, NotFoundError
from tidemark.times import time_us
from tidemark.training_rows import EntityColumns, Moment, TrainingRows

if TYPE_CHECKING:
    import pyarrow as pa

_NAMES = {2: ("train", "test"), 3: ("train", "validation", "test")}
_USUAL = (0.8, 0.1, 0.1)
_USUAL_TIME = "event_timestamp"
_TWO_TO_64 = 2**64
_SUM_MAY_BE_OFF = 1e-9


@dataclass(frozen=True)
class Request:
    """The arguments of `TrainingRows.split`."""

    by: str
    fractions: Mapping[str, float] | Sequence[float] | None
    at: Sequence[Moment] | None
    columns: Sequence[str] | None
    seed: int


class Split(Mapping[str, Dataset]):
    """The parts of a training set by their names, in their order: `split["train"]`."""

    def __init__(self, parts: Mapping[str, Dataset]) -> None:
        self._parts = dict(parts)

    @property
    def train(self) -> Dataset:
        return self["train"]

    @property
    def validation(self) -> Dataset:
        return self["validation"]

    @property
    def test(self) -> Dataset:
        return self["test"]

    def __getitem__(self, name: str) -> Dataset:
        try:
            return self._parts[name]
        except KeyError:
            raise NotFoundError(
                f"there is no part {name!r}; there are: {', '.join(self._parts)}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __repr__(self) -> str:
        rows = ", ".join(f"{name}: {len(part)} rows" for name, part in self._parts.items())
        return f"Split({rows})"


def make(
    rows: TrainingRows, request: Request, time_column: str, entity_columns: EntityColumns | None
) -> Split:
    """Reads the rows and puts them into parts."""
    import pyarrow.compute as pc

    names, shares = _parts_of(request)
    keys = _key_columns(request, entity_columns) if request.by == "entity" else []
    table = rows.to_arrow()
    if request.by == "time":
        part = _by_time(_times(table, request, time_column), request, shares)
    elif request.by == "entity":
        part = _by_entity(table, keys, request.seed, shares)
    else:
        part = _at_random(table.num_rows, request.seed, shares)
    parts = {
        name: Dataset(
            table.filter(pc.equal(part, number)),
            time_column=time_column,
            entity_columns=entity_columns,
        )
        for number, name in enumerate(names)
    }
    for each in parts.values():
        each._of_store = rows._of_store
    return Split(parts)


def _parts_of(request: Request) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Names of the parts and their shares; no shares if the boundaries are times."""
    if request.by not in ("time", "entity", "random"):
        raise InvalidArgumentError(f"by={request.by!r}: split by 'time', 'entity' or 'random'")
    if isinstance(request.seed, bool) or not isinstance(request.seed, int):
        raise InvalidArgumentError(f"seed={request.seed!r} is not an integer")
    if request.at is not None:
        if request.by != "time" or request.fractions is not None:
            raise InvalidArgumentError("`at` goes with by='time', and without fractions")
        if isinstance(request.at, str) or len(request.at) + 1 not in _NAMES:
            raise InvalidArgumentError(
                f"at={request.at!r}: a list of one time (train, test) or two (train, validation, "
                "test)"
            )
        return _NAMES[len(request.at) + 1], ()
    fractions = _USUAL if request.fractions is None else request.fractions
    if isinstance(fractions, Mapping):
        names, shares = tuple(fractions), tuple(fractions.values())
    elif len(fractions) in _NAMES:
        names, shares = _NAMES[len(fractions)], tuple(fractions)
    else:
        raise InvalidArgumentError(
            f"fractions has {len(fractions)} parts: give two, three, or {{name: fraction}}"
        )
    if not all(math.isfinite(share) and share >= 0 for share in shares) or not shares:
        raise InvalidArgumentError(f"fractions={shares}: each is a number from 0 to 1")
    if abs(math.fsum(shares) - 1) > _SUM_MAY_BE_OFF:
        raise InvalidArgumentError(f"fractions={shares} sum up to {math.fsum(shares)}, not to 1")
    return names, shares


def _marks(shares: Sequence[float], whole: int) -> list[int]:
    """Where parts end, all but the last, if `whole` is where the last one ends."""
    sums = [math.fsum(shares[: end + 1]) for end in range(len(shares) - 1)]
    return [min(whole, math.floor(each * whole + 0.5)) for each in sums]


def _part_of(values: pa.Array, marks: Sequence[Any]) -> pa.Array:
    """For each value how many of the marks, which ascend, are not above it: its part."""
    import pyarrow as pa
    import pyarrow.compute as pc

    part = pa.repeat(pa.scalar(0, pa.int8()), len(values))
    for mark in marks:
        is_behind = pc.greater_equal(values, pa.scalar(mark, values.type))
        part = pc.add(part, is_behind.cast(pa.int8()))
    return part


# --- By time ---


def _by_time(times_us: pa.Array, request: Request, shares: Sequence[float]) -> pa.Array:
    import pyarrow.compute as pc

    if request.at is not None:
        marks = [time_us(each) for each in request.at]
        if any(one > other for one, other in itertools.pairwise(marks)):
            raise InvalidArgumentError("the times of `at` must ascend")
        return _part_of(times_us, marks)
    order = pc.array_sort_indices(times_us)
    ends = [each for each in _marks(shares, len(times_us)) if each < len(times_us)]
    marks = [times_us[order[end].as_py()].as_py() for end in ends]
    return _part_of(times_us, marks)


def _times(table: pa.Table, request: Request, time_column: str) -> pa.Array:
    """Microseconds since 1970 of the rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    name = _time_name(table, request, time_column)
    column = table.column(name).combine_chunks()
    if column.null_count:
        raise InvalidDataError(f"column {name!r} has {column.null_count} rows without a time")
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        if pa.types.is_date(column.type):
            column = column.cast(pa.timestamp("s"))
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
        return column.cast(pa.int64())
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        texts = column.dictionary_encode()
        values = [time_us(each) for each in texts.dictionary.to_pylist()]
        return pc.take(pa.array(values, pa.int64()), texts.indices)
    raise InvalidArgumentError(
        f"column {name!r} is {column.type}: a split by time needs timestamps, dates or ISO-8601 "
        "text"
    )


def _time_name(table: pa.Table, request: Request, time_column: str) -> str:
    import pyarrow as pa

    if request.columns is not None:
        if isinstance(request.columns, str) or len(request.columns) != 1:
            raise InvalidArgumentError("by='time': columns is a list of the time column's name")
        time_column = request.columns[0]
    elif not time_column:
        times = [each.name for each in table.schema if pa.types.is_timestamp(each.type)]
        if _USUAL_TIME in table.column_names:
            time_column = _USUAL_TIME
        elif len(times) == 1:
            time_column = times[0]
        else:
            raise InvalidArgumentError(
                f"which column has the rows' times? Name it: columns=[...]; timestamps are in: "
                f"{', '.join(times) or 'none'}"
            )
    _check_column(table, time_column)
    return time_column


def _check_column(table: pa.Table, name: str) -> None:
    count = table.column_names.count(name)
    if count != 1:
        raise NotFoundError(
            f"there {'is no column' if count == 0 else 'is more than one column'} {name!r}; "
            f"there are: {', '.join(table.column_names)}"
        )


# --- By entity ---


def _key_columns(request: Request, entity_columns: EntityColumns | None) -> list[str]:
    if request.columns is not None:
        if isinstance(request.columns, str) or not request.columns:
            raise InvalidArgumentError("by='entity': columns is a list of the keys' names")
        return sorted(set(request.columns))
    found = {tuple(sorted(each)) for each in (entity_columns() if entity_columns else []) if each}
    if len(found) != 1:
        shown = "; ".join(", ".join(each) for each in sorted(found)) or "none"
        raise InvalidArgumentError(
            "by='entity': which columns are the entity that must not be in two parts? Name them: "
            f"columns=[...]; the views' join keys are: {shown}"
        )
    return list(found.pop())


def _by_entity(
    table: pa.Table, keys: Sequence[str], seed: int, shares: Sequence[float]
) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in keys:
        _check_column(table, name)
    encoded = [table.column(name).combine_chunks().dictionary_encode("encode") for name in keys]
    place = pa.repeat(pa.scalar(0, pa.int64()), table.num_rows)
    for column in encoded:  # pairs so far, made dense again, and the next column
        dense = place.dictionary_encode().indices.cast(pa.int64())
        step = pc.multiply_checked(dense, pa.scalar(len(column.dictionary), pa.int64()))
        place = pc.add_checked(step, column.indices.cast(pa.int64()))
    entities = place.dictionary_encode()
    first = pc.index_in(entities.dictionary, value_set=place)  # a row of each entity
    columns = [column.take(first).to_pylist() for column in encoded]
    fractions = [entity_fraction(seed, key) for key in zip(*columns, strict=True)]
    marks = _marks(shares, _TWO_TO_64)
    parts = [sum(each >= mark for mark in marks) for each in fractions]
    return pc.take(pa.array(parts, pa.int8()), entities.indices)


def entity_fraction(seed: int, key: Sequence[Any]) -> int:
    """2^64 times the fraction of an entity, by the rule that `TrainingRows.split` states."""
    text = json.dumps(
        [seed, *(_json_of(value) for value in key)], ensure_ascii=False, separators=(",", ":")
    )
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _json_of(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        utc = value.astimezone(UTC) if value.tzinfo else value
        return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    raise InvalidArgumentError(
        f"{value!r} cannot be the key of an entity: keys are integers, text, bytes, bools, dates, "
        "times or decimals"
    )


# --- At random ---


def _at_random(rows: int, seed: int, shares: Sequence[float]) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    order = pc.sort_indices(
        pa.table({"draw": draws(seed, rows), "row": pa.arange(0, rows)}),
        sort_keys=[("draw", "ascending"), ("row", "ascending")],
    )
    place = pc.inverse_permutation(order.cast(pa.int64())).cast(pa.int64())
    return _part_of(place, _marks(shares, rows))


def draws(seed: int, count: int) -> pa.Array:
    """The first numbers of SplitMix64 seeded with `seed` modulo 2^64.

    Source: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators" (2014);
    its constants are those of java.util.SplittableRandom.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    def number(value: int) -> pa.Scalar:
        return pa.scalar(value % _TWO_TO_64, pa.uint64())

    def mixed(values: pa.Array, shift: int, factor: int) -> pa.Array:
        shifted = pc.shift_right(values, number(shift))
        return pc.multiply(pc.bit_wise_xor(values, shifted), number(factor))

    steps = pa.arange(1, count + 1).cast(pa.uint64())
    state = pc.add(pc.multiply(steps, number(0x9E3779B97F4A7C15)), number(seed))
    once = mixed(state, 30, 0xBF58476D1CE4E5B9)
    return mixed(mixed(once, 27, 0x94D049BB133111EB), 31, 1)
