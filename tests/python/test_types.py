"""Types have a text form that reads back, and what is no type is refused."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tidemark import ValueType
from tidemark.errors import InvalidArgumentError
from tidemark.field import Field
from tidemark.types import (
    Array,
    Bool,
    Bytes,
    DataType,
    Date,
    Decimal,
    Float32,
    Float64,
    Int32,
    Int64,
    Invalid,
    List,
    Map,
    String,
    Struct,
    Timestamp,
    UnixTimestamp,
    as_data_type,
    parse,
)

TEXTS = [
    (Bool, "bool", pa.bool_()),
    (Int32, "int32", pa.int32()),
    (Int64, "int64", pa.int64()),
    (Float32, "float32", pa.float32()),
    (Float64, "float64", pa.float64()),
    (String, "string", pa.string()),
    (Bytes, "binary", pa.binary()),
    (UnixTimestamp, "timestamp", pa.timestamp("us", tz="UTC")),
    (Date, "date", pa.date32()),
    (Decimal(10, 2), "decimal(10, 2)", pa.decimal128(10, 2)),
    (Array(Float32), "list<float32>", pa.list_(pa.float32())),
    (Map(String, Int64), "map<string, int64>", pa.map_(pa.string(), pa.int64())),
    (
        Struct({"a": Int64, "odd name": Array(Map(String, Decimal(5)))}),
        "struct<a: int64, `odd name`: list<map<string, decimal(5, 0)>>>",
        pa.struct(
            [
                ("a", pa.int64()),
                ("odd name", pa.list_(pa.map_(pa.string(), pa.decimal128(5, 0)))),
            ]
        ),
    ),
    (Struct({"`": Bool}), "struct<````: bool>", pa.struct([("`", pa.bool_())])),
]


@pytest.mark.parametrize(("dtype", "text", "arrow"), TEXTS, ids=[text for _, text, _ in TEXTS])
def test_text_and_arrow_forms(dtype: DataType, text: str, arrow: pa.DataType) -> None:
    assert str(dtype) == text
    assert parse(text) == dtype
    assert dtype.to_pyarrow() == arrow


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        ("Int64", Int64),
        ("double", Float64),
        ("float", Float64),
        ("INTEGER", Int64),
        ("boolean", Bool),
        ("bytes", Bytes),
        ("UnixTimestamp", UnixTimestamp),
        ("Array(Float32)", Array(Float32)),
        (" list < map<string,int32> > ", List(Map(String, Int32))),
        ("decimal(7)", Decimal(7, 0)),
    ],
)
def test_other_spellings(text: str, dtype: DataType) -> None:
    assert parse(text) == dtype


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("int65", 0),
        ("list<int64", 10),
        ("list<>", 5),
        ("int64 x", 6),
        ("struct<>", 7),
        ("struct<a int64>", 9),
        ("struct<a: int64, a: int64>", 19),
        ("map<string>", 10),
        ("decimal", 7),
        ("decimal(ten)", 8),
        ("struct<`a: int64>", 8),
    ],
)
def test_bad_text_names_the_position(text: str, position: int) -> None:
    with pytest.raises(InvalidArgumentError, match=f"at position {position}\\b"):
        parse(text)


@pytest.mark.parametrize("scale", [(0, 0), (39, 0), (4, 5), (4, -1)])
def test_decimal_limits(scale: tuple[int, int]) -> None:
    with pytest.raises(InvalidArgumentError, match="precision is 1 to 38"):
        Decimal(*scale)


def test_value_types_of_feast() -> None:
    assert as_data_type(ValueType.DOUBLE) == Float64
    assert as_data_type(ValueType.FLOAT) == Float32
    assert as_data_type(ValueType.UNIX_TIMESTAMP_LIST) == List(Timestamp)
    with pytest.raises(InvalidArgumentError, match="UNKNOWN"):
        as_data_type(ValueType.UNKNOWN)


@pytest.mark.parametrize("wrong", [Invalid, Array, Struct, int, None, pa.int64()])
def test_what_is_no_type_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidArgumentError):
        Field("a", wrong)  # type: ignore[arg-type]
