"""`FeatureStore`: rows in, training rows and newest values out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tidemark.compat.semantix.tables_place import find_tables

if TYPE_CHECKING:
    import pandas as pd


class FeatureStore:
    """Rows of a place: `FeatureStore()`, or `FeatureStore(remote_server="http://host:6566")`."""

    def __init__(self, remote_server: str | None = None) -> None:
        self._tables = find_tables(remote_server)

    async def ingest(
        self,
        feature_table_name: str,
        to_ingest: pd.DataFrame,
        renames: Mapping[str, str] | None = None,
        all_columns: Sequence[str] | None = None,
    ) -> None:
        """Appends the rows of a frame, its columns renamed and chosen if asked."""
        frame = to_ingest if renames is None else to_ingest.rename(columns=dict(renames))
        if all_columns is not None:
            frame = frame[list(all_columns)]
        await asyncio.to_thread(self._tables.push, feature_table_name, frame)

    async def get_training_features(
        self,
        feature_table_name: str,
        entities: Sequence[str] | None = None,
        features: Sequence[str] | None = None,
        date_from: str | None = None,
        date_to: str | None = None,
    ) -> pd.DataFrame:
        """All rows of a period, both ends included, in the order of their event times.

        `entities` and `features` are names of columns; an end that is left out is open.
        """
        return await asyncio.to_thread(
            self._tables.training, feature_table_name, entities, features, date_from, date_to
        )

    async def get_online_features(
        self,
        feature_table_name: str,
        entities: Mapping[str, Sequence[Any]],
        features: Sequence[str],
    ) -> dict[str, list[Any]]:
        """Of each entity the values with the latest event time: a list for each column.

        `entities` is `{"id": [1, 2]}`; an entity that there is not has None.
        """
        return await asyncio.to_thread(self._tables.online, feature_table_name, entities, features)
