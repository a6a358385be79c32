"""Feast 0.9's interface: `from tidemark.compat.feast09 import Client, FeatureTable, ...`.

A script written for Feast 0.9 runs when its import lines and the address in `Client(core_url=...)`
are changed; docs/older-products.md shows what else is different.
"""

from tidemark.compat.feast09.client import Client
from tidemark.compat.feast09.data_format import AvroFormat, ParquetFormat, ProtoFormat
from tidemark.compat.feast09.data_source import (
    BigQuerySource,
    FileSource,
    KafkaSource,
    KinesisSource,
)
from tidemark.compat.feast09.duration import Duration
from tidemark.compat.feast09.entity import Entity
from tidemark.compat.feast09.feature import Feature
from tidemark.compat.feast09.feature_table import FeatureTable
from tidemark.compat.feast09.job import RetrievalJob, SparkJobStatus
from tidemark.compat.feast09.online_response import OnlineResponse
from tidemark.compat.feast09.value_type import ValueType

__all__ = [
    "AvroFormat",
    "BigQuerySource",
    "Client",
    "Duration",
    "Entity",
    "Feature",
    "FeatureTable",
    "FileSource",
    "KafkaSource",
    "KinesisSource",
    "OnlineResponse",
    "ParquetFormat",
    "ProtoFormat",
    "RetrievalJob",
    "SparkJobStatus",
    "ValueType",
]
