"""The types that a field or a join key can have.

    Field(name="rating", dtype=Float64)
    Field(name="tags", dtype=Array(String))
    Field(name="address", dtype=Struct({"city": String, "zip": Int32}))

A type has the text form that definitions in YAML and JSON use (`str(Array(String))` is
`list<string>`), and `parse` reads it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidemark.errors import InvalidArgumentError
from tidemark.value_type import ValueType

if TYPE_CHECKING:
    import pyarrow as pa

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_]+")


class DataType:
    """A type: a value, compared by value."""

    def to_pyarrow(self) -> pa.DataType:
        """The Arrow type of a column of this type."""
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class PrimitiveType(DataType):
    """A type without parameters."""

    name: str

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return _CONSTANTS.get(self.name, self.name)

    def to_pyarrow(self) -> pa.DataType:
        import pyarrow as pa

        made: dict[str, pa.DataType] = {
            "bool": pa.bool_(),
            "int32": pa.int32(),
            "int64": pa.int64(),
            "float32": pa.float32(),
            "float64": pa.float64(),
            "string": pa.string(),
            "binary": pa.binary(),
            "timestamp": pa.timestamp("us", tz="UTC"),
            "date": pa.date32(),
        }
        return made[self.name]


Bool = PrimitiveType("bool")
Int32 = PrimitiveType("int32")
Int64 = PrimitiveType("int64")
Float32 = PrimitiveType("float32")
Float64 = PrimitiveType("float64")
String = PrimitiveType("string")
Bytes = PrimitiveType("binary")
UnixTimestamp = PrimitiveType("timestamp")  # microseconds since 1970, UTC
Timestamp = UnixTimestamp
Date = PrimitiveType("date")
Json = String  # JSON as text, which is kept as it is written
Invalid = PrimitiveType("invalid")  # Feast's name for "no type"; no definition takes it

_CONSTANTS = {
    "bool": "Bool",
    "int32": "Int32",
    "int64": "Int64",
    "float32": "Float32",
    "float64": "Float64",
    "string": "String",
    "binary": "Bytes",
    "timestamp": "UnixTimestamp",
    "date": "Date",
    "invalid": "Invalid",
}


@dataclass(frozen=True)
class Decimal(DataType):
    """An exact decimal of up to 38 digits, `scale` of them behind the point."""

    precision: int
    scale: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.precision <= 38 or not 0 <= self.scale <= self.precision:
            raise InvalidArgumentError(
                f"decimal({self.precision}, {self.scale}): precision is 1 to 38, "
                "scale 0 to precision"
            )

    def __str__(self) -> str:
        return f"decimal({self.precision}, {self.scale})"

    def to_pyarrow(self) -> pa.DataType:
        import pyarrow as pa

        return pa.decimal128(self.precision, self.scale)


@dataclass(frozen=True, init=False)
class List(DataType):
    """A list of values of one type; Feast calls it `Array`."""

    item: DataType

    def __init__(self, item: DataTypeLike) -> None:
        object.__setattr__(self, "item", as_data_type(item))

    def __str__(self) -> str:
        return f"list<{self.item}>"

    def to_pyarrow(self) -> pa.DataType:
        import pyarrow as pa

        return pa.list_(self.item.to_pyarrow())


Array = List


@dataclass(frozen=True, init=False)
class Struct(DataType):
    """Named values of different types."""

    fields: tuple[tuple[str, DataType], ...]

    def __init__(self, fields: Mapping[str, DataTypeLike]) -> None:
        if not fields:
            raise InvalidArgumentError("a Struct needs at least one field")
        made = tuple((name, as_data_type(dtype)) for name, dtype in fields.items())
        object.__setattr__(self, "fields", made)

    def __str__(self) -> str:
        inner = ", ".join(f"{_quote(name)}: {dtype}" for name, dtype in self.fields)
        return f"struct<{inner}>"

    def to_pyarrow(self) -> pa.DataType:
        import pyarrow as pa

        return pa.struct([(name, dtype.to_pyarrow()) for name, dtype in self.fields])


@dataclass(frozen=True, init=False)
class Map(DataType):
    """Keys, never null, with a value each. Map alone, without types, is one of texts to texts."""

    key: DataType
    value: DataType

    def __init__(self, key: DataTypeLike, value: DataTypeLike) -> None:
        object.__setattr__(self, "key", as_data_type(key))
        object.__setattr__(self, "value", as_data_type(value))

    def __str__(self) -> str:
        return f"map<{self.key}, {self.value}>"

    def to_pyarrow(self) -> pa.DataType:
        import pyarrow as pa

        return pa.map_(self.key.to_pyarrow(), self.value.to_pyarrow())


# What is accepted where a type is asked for: a type, Feast's ValueType, or the text form.
DataTypeLike = DataType | ValueType | str

_FROM_VALUE_TYPE = {
    "BYTES": Bytes,
    "STRING": String,
    "INT32": Int32,
    "INT64": Int64,
    "DOUBLE": Float64,
    "FLOAT": Float32,
    "BOOL": Bool,
    "UNIX_TIMESTAMP": UnixTimestamp,
}

_NAMES: dict[str, DataType] = {
    "bool": Bool,
    "boolean": Bool,
    "int32": Int32,
    "int64": Int64,
    "int": Int64,
    "integer": Int64,
    "float32": Float32,
    "float64": Float64,
    "float": Float64,
    "double": Float64,
    "string": String,
    "binary": Bytes,
    "bytes": Bytes,
    "timestamp": UnixTimestamp,
    "unixtimestamp": UnixTimestamp,
    "date": Date,
}


_ARROW_NAMES: dict[tuple[str, ...], DataType] = {
    ("bool",): Bool,
    ("int8", "int16", "int32", "uint8", "uint16"): Int32,
    ("int64", "uint32", "uint64"): Int64,
    ("halffloat", "float"): Float32,
    ("double",): Float64,
    ("string", "large_string", "string_view"): String,
    ("binary", "large_binary", "binary_view"): Bytes,
    ("date32[day]", "date64[ms]"): Date,
}


def as_data_type(dtype: Any) -> DataType:
    """The type that `dtype` stands for; InvalidArgumentError if it stands for none."""
    if isinstance(dtype, str):
        return parse(dtype)
    if isinstance(dtype, ValueType):
        return _from_value_type(dtype)
    if isinstance(dtype, DataType):
        if dtype == Invalid:
            raise InvalidArgumentError(
                "the type Invalid holds no values: use one of tidemark.types, such as Int64"
            )
        return dtype
    if dtype is Map:
        return Map(String, String)
    if isinstance(dtype, type) and issubclass(dtype, DataType):
        raise InvalidArgumentError(
            f"{dtype.__name__} needs its parameters, such as Array(Int64), Map(String, Int64), "
            "Struct({'a': Int64}) or Decimal(10, 2)"
        )
    raise InvalidArgumentError(
        f"{dtype!r} is not a type: use one of tidemark.types (Int64, Array(String), ...), "
        "a ValueType, or text such as 'int64'"
    )


def _from_value_type(value_type: ValueType) -> DataType:
    name, _, is_list = value_type.name.partition("_LIST")
    base = _FROM_VALUE_TYPE.get(name)
    if base is None:
        raise InvalidArgumentError(f"ValueType.{value_type.name} is not the type of a value")
    return List(base) if value_type.name.endswith("_LIST") or is_list else base


def from_pyarrow(dtype: pa.DataType) -> DataType:
    """The type that a column of an Arrow type is kept as. Nested ones included."""
    import pyarrow as pa

    is_type = pa.types
    if is_type.is_dictionary(dtype):
        return from_pyarrow(dtype.value_type)
    if is_type.is_list(dtype) or is_type.is_large_list(dtype) or is_type.is_fixed_size_list(dtype):
        return List(from_pyarrow(dtype.value_type))
    if is_type.is_struct(dtype):
        return Struct({field.name: from_pyarrow(field.type) for field in dtype})
    if is_type.is_map(dtype):
        return Map(from_pyarrow(dtype.key_type), from_pyarrow(dtype.item_type))
    if is_type.is_decimal(dtype):
        return Decimal(dtype.precision, dtype.scale)
    if is_type.is_timestamp(dtype):
        return UnixTimestamp
    for names, kept in _ARROW_NAMES.items():
        if str(dtype) in names:
            return kept
    raise InvalidArgumentError(f"a column of type {dtype} cannot be kept: cast it first")


def _quote(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else "`" + name.replace("`", "``") + "`"


def parse(text: str) -> DataType:
    """Reads a type's text form: `int64`, `list<string>`, `decimal(10, 2)`, `Array(Int64)`."""
    reader = _Reader(text)
    dtype = reader.read_type()
    reader.skip_space()
    if reader.position != len(text):
        raise reader.error("nothing more")
    return dtype


class _Reader:
    """Reads types from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def error(self, wanted: str) -> InvalidArgumentError:
        found = repr(self.text[self.position :]) if self.position < len(self.text) else "the end"
        return InvalidArgumentError(
            f"type {self.text!r}: {wanted} is wanted at position {self.position}, "
            f"where {found} stands"
        )

    def skip_space(self) -> None:
        while self.position < len(self.text) and self.text[self.position].isspace():
            self.position += 1

    def accept(self, token: str) -> bool:
        self.skip_space()
        if not self.text.startswith(token, self.position):
            return False
        self.position += len(token)
        return True

    def expect(self, *tokens: str) -> str:
        for token in tokens:
            if self.accept(token):
                return token
        raise self.error(" or ".join(repr(token) for token in tokens))

    def read_word(self, wanted: str) -> str:
        self.skip_space()
        found = _PLAIN_NAME.match(self.text, self.position)
        if not found:
            raise self.error(wanted)
        self.position = found.end()
        return found.group()

    def read_name(self) -> str:
        if not self.accept("`"):
            return self.read_word("a name")
        name = ""
        while True:
            end = self.text.find("`", self.position)
            if end < 0:
                raise self.error("a closing back-tick")
            name += self.text[self.position : end]
            self.position = end + 1
            if not self.text.startswith("`", self.position):
                return name
            name += "`"
            self.position += 1

    def read_number(self) -> int:
        start = self.position
        word = self.read_word("a number")
        if not (word.isascii() and word.isdigit()):
            self.position = start
            raise self.error("a number")
        return int(word)

    def read_type(self) -> DataType:
        self.skip_space()
        start = self.position
        word = self.read_word("a type")
        name = word.lower()
        if name in _NAMES:
            return _NAMES[name]
        if name == "decimal":
            return self.read_decimal()
        if name in ("list", "array"):
            close = ">" if self.expect("<", "(") == "<" else ")"
            item = self.read_type()
            self.expect(close)
            return List(item)
        if name == "map":
            close = ">" if self.expect("<", "(") == "<" else ")"
            key = self.read_type()
            self.expect(",")
            value = self.read_type()
            self.expect(close)
            return Map(key, value)
        if name == "struct":
            return self.read_struct()
        self.position = start
        raise self.error("a type such as int64, string, list<float64>")

    def read_decimal(self) -> DataType:
        self.expect("(")
        precision = self.read_number()
        scale = self.read_number() if self.accept(",") else 0
        self.expect(")")
        return Decimal(precision, scale)

    def read_struct(self) -> DataType:
        self.expect("<")
        fields: dict[str, DataTypeLike] = {}
        while True:
            name = self.read_name()
            self.expect(":")
            if name in fields:
                raise self.error(f"another name than {name!r}, which is taken,")
            fields[name] = self.read_type()
            if self.expect(",", ">") == ">":
                return Struct(fields)
