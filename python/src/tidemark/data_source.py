"""Sources, under the name of the module in which Feast has them."""

from __future__ import annotations

from tidemark.on_demand_feature_view import RequestSource
from tidemark.source import FileSource, PushSource
from tidemark.stream_source import KafkaSource, KinesisSource
from tidemark.tables import PushMode

__all__ = ["FileSource", "KafkaSource", "KinesisSource", "PushMode", "PushSource", "RequestSource"]
