"""Formats of batch and stream sources."""

from tidemark.data_format import AvroFormat, FileFormat, ParquetFormat, ProtoFormat, StreamFormat

__all__ = ["AvroFormat", "FileFormat", "ParquetFormat", "ProtoFormat", "StreamFormat"]
