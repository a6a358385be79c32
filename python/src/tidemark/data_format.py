"""File formats of a file source."""

from __future__ import annotations

from dataclasses import dataclass

from tidemark.errors import InvalidArgumentError


@dataclass(frozen=True)
class FileFormat:
    """A format by its name; use one of the classes below."""

    name: str


class ParquetFormat(FileFormat):
    """Parquet files."""

    def __init__(self) -> None:
        super().__init__("parquet")


class CsvFormat(FileFormat):
    """CSV files with a header line."""

    def __init__(self) -> None:
        super().__init__("csv")


def format_name(file_format: FileFormat | str | None) -> str | None:
    """`"parquet"`, `"csv"` or None (by the ending of the files)."""
    if file_format is None or isinstance(file_format, FileFormat):
        return file_format.name if file_format else None
    name = file_format.lower()
    if name == "iceberg":
        raise InvalidArgumentError("an Iceberg table is not a file: use IcebergSource(path)")
    if name not in ("parquet", "csv"):
        raise InvalidArgumentError(
            f"file format {file_format!r} is not known: use 'parquet' or 'csv'"
        )
    return name
