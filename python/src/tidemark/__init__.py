"""Tidemark: a feature store for training sets and online lookups.

Importing this package is cheap: pyarrow, pandas and the native engine are loaded when they are
first used.
"""

from tidemark.backfill import BackfillReport
from tidemark.batch_feature_view import BatchFeatureView
from tidemark.data_format import AvroFormat, CsvFormat, JsonFormat, ParquetFormat, ProtoFormat
from tidemark.dataset import Dataset
from tidemark.entity import Entity
from tidemark.errors import TidemarkError
from tidemark.feature_service import FeatureService
from tidemark.feature_store import FeatureStore
from tidemark.feature_view import FeatureView
from tidemark.field import Field
from tidemark.historical import RetrievalJob
from tidemark.kept_files import FileDataset
from tidemark.label_view import ConflictPolicy, LabelView
from tidemark.on_demand_feature_view import (
    OnDemandFeatureView,
    RequestSource,
    on_demand_feature_view,
)
from tidemark.online import OnlineResponse
from tidemark.places import RelocatedTable
from tidemark.project import Project
from tidemark.saved_dataset import SavedDataset
from tidemark.source import FileSource, IcebergSource, PushSource, TableOptions
from tidemark.sql import SqlResult
from tidemark.stream_feature_view import StreamFeatureView
from tidemark.stream_source import KafkaSource, KinesisSource
from tidemark.tables import IngestReport, PushMode, table_name
from tidemark.value_type import ValueType
from tidemark.warehouse_source import (
    AdbcSource,
    BigQuerySource,
    PostgreSQLSource,
    RedshiftSource,
    SnowflakeSource,
)

__version__ = "0.1.0"

__all__ = [
    "AdbcSource",
    "AvroFormat",
    "BackfillReport",
    "BatchFeatureView",
    "BigQuerySource",
    "ConflictPolicy",
    "CsvFormat",
    "Dataset",
    "Entity",
    "FeatureService",
    "FeatureStore",
    "FeatureView",
    "Field",
    "FileDataset",
    "FileSource",
    "IcebergSource",
    "IngestReport",
    "JsonFormat",
    "KafkaSource",
    "KinesisSource",
    "LabelView",
    "OnDemandFeatureView",
    "OnlineResponse",
    "ParquetFormat",
    "PostgreSQLSource",
    "Project",
    "ProtoFormat",
    "PushMode",
    "PushSource",
    "RedshiftSource",
    "RelocatedTable",
    "RequestSource",
    "RetrievalJob",
    "SavedDataset",
    "SnowflakeSource",
    "SqlResult",
    "StreamFeatureView",
    "TableOptions",
    "TidemarkError",
    "ValueType",
    "__version__",
    "on_demand_feature_view",
    "table_name",
]
