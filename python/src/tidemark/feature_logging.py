"""What a feature service may say about logging the features that were served, as in Feast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FileLoggingDestination:
    """A folder for logged features."""

    path: str
    s3_endpoint_override: str = ""
    partition_by: Sequence[str] | None = None


@dataclass(frozen=True)
class LoggingConfig:
    """Where served features would be logged, and which share of them.

    Nothing is logged: a service with such a configuration says so with a warning.
    """

    destination: FileLoggingDestination
    sample_rate: float = 1.0
