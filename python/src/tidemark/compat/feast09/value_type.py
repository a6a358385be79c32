"""Feast's enumeration of types."""

from tidemark.types import DataType, as_data_type
from tidemark.value_type import ValueType

__all__ = ["ValueType", "value_type_name", "value_type_of"]

_NAMES = {str(as_data_type(each)): each for each in ValueType if each is not ValueType.UNKNOWN}


def value_type_of(dtype: DataType) -> ValueType | DataType:
    """The `ValueType` that stands for a type, or the type itself where Feast has none."""
    return _NAMES.get(str(dtype), dtype)


def value_type_name(dtype: ValueType | DataType) -> str:
    """How a type is printed."""
    return dtype.name if isinstance(dtype, ValueType) else str(dtype)
