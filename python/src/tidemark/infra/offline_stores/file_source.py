"""Files as sources, under the name of the module in which Feast has them."""

from __future__ import annotations

from tidemark.feature_logging import FileLoggingDestination
from tidemark.saved_dataset import SavedDatasetFileStorage
from tidemark.source import FileSource

__all__ = ["FileLoggingDestination", "FileSource", "SavedDatasetFileStorage"]
