"""Random values of every type that keys and features may have, for the tests against references.

TIDEMARK_TEST_SEED repeats a run, TIDEMARK_TEST_CASES asks for more cases.
"""

from __future__ import annotations

import datetime as dt
import decimal
import os
import random
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tidemark.types import (
    Array,
    Bool,
    Bytes,
    Date,
    Decimal,
    Float32,
    Float64,
    Int32,
    Int64,
    Map,
    String,
    Struct,
    Timestamp,
)

SEED = int(os.environ.get("TIDEMARK_TEST_SEED", random.SystemRandom().randrange(2**32)))
CASES = int(os.environ.get("TIDEMARK_TEST_CASES", 21_000))
UTC = dt.UTC


@dataclass(frozen=True)
class Kind:
    """A type of a key or feature: as declared, the Arrow types that may carry it, its values."""

    declared: Any
    carriers: tuple[pa.DataType, ...]
    values: tuple[Any, ...]
    in_csv: bool = True


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


TEXT = (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string()))
KEYS = {
    "int64": Kind(
        Int64,
        (pa.int64(), pa.int32(), pa.int16()),
        (1, 2, 3, -7, 0, 2**31 - 1, 2**53 + 1, 2**53, -(2**63), 2**63 - 1),
    ),
    "int32": Kind(Int32, (pa.int32(), pa.int64()), (1, 2, 3, -7, 2**31 - 1)),
    "string": Kind(
        String, TEXT, ("a", "A", "b c", "é", "x" * 450, "x" * 449 + "y", "1", "None", "a,'b\"")
    ),
    "bytes": Kind(
        Bytes,
        (pa.binary(), pa.large_binary()),
        (b"", b"\0", b"\0\0", b"\xff" * 600, b"\xff" * 599 + b"\0", b"a"),
        False,
    ),
    "bool": Kind(Bool, (pa.bool_(),), (True, False)),
    "timestamp": Kind(
        Timestamp,
        (pa.timestamp("us", tz="UTC"), pa.timestamp("us", tz="Asia/Tokyo"), pa.timestamp("us")),
        (
            utc(1969, 12, 31, 23, 59, 59, 999999),
            utc(1970, 1, 1),
            utc(2024, 2, 29, 12, 0, 0, 1),
            utc(2024, 2, 29, 12),
        ),
    ),
}
POINT = pa.struct([("x", pa.int64()), ("y", pa.string())])
FEATURES = {
    "int64": Kind(
        pa.int64(), (pa.int64(), pa.int32()), (0, -1, 7, 2**31 - 1, 2**53 + 1, 2**63 - 1, -(2**63))
    ),
    "int32": Kind(pa.int32(), (pa.int32(),), (0, -1, 2**31 - 1)),
    "float64": Kind(pa.float64(), (pa.float64(), pa.float32()), (0.5, -0.25, 1e30, float("inf"))),
    "float32": Kind(pa.float32(), (pa.float32(),), (0.5, -0.25)),
    "string": Kind(pa.string(), TEXT, ("a", "ü", "long " * 40, 'q"u,o', "two\nlines")),
    "bool": Kind(pa.bool_(), (pa.bool_(),), (True, False)),
    "date": Kind(pa.date32(), (pa.date32(),), (dt.date(1969, 7, 20), dt.date(2024, 2, 29))),
    "timestamp": Kind(
        pa.timestamp("us", tz="UTC"),
        (pa.timestamp("us", tz="UTC"), pa.timestamp("us")),
        KEYS["timestamp"].values,
    ),
    "decimal": Kind(
        pa.decimal128(20, 3),
        (pa.decimal128(20, 3),),
        (decimal.Decimal("0.001"), decimal.Decimal("-99999999999999999.999")),
    ),
    "binary": Kind(
        pa.binary(), (pa.binary(), pa.large_binary()), (b"", b"\0\xff", b"z" * 300), False
    ),
    "list": Kind(
        pa.list_(pa.int64()),
        (pa.list_(pa.int64()), pa.large_list(pa.int64())),
        ([], [1, None, 2**60], [7] * 40),
        False,
    ),
    "struct": Kind(
        POINT, (POINT,), ({"x": 1, "y": "a"}, {"x": None, "y": "b"}, {"x": None, "y": None}), False
    ),
    "map": Kind(
        pa.map_(pa.string(), pa.int64()),
        (pa.map_(pa.string(), pa.int64()),),
        ([], [("a", 1), ("b", None)]),
        False,
    ),
}
DECLARED: dict[str, Any] = {
    "int64": Int64,
    "int32": Int32,
    "float64": Float64,
    "float32": Float32,
    "string": String,
    "bool": Bool,
    "date": Date,
    "timestamp": Timestamp,
    "decimal": Decimal(20, 3),
    "binary": Bytes,
    "list": Array(Int64),
    "struct": Struct({"x": Int64, "y": String}),
    "map": Map(String, Int64),
}
