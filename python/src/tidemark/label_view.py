"""A label view: labels that people or programs write, and write again, for entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import Enum

from tidemark.entity import Entity
from tidemark.errors import UnsupportedError
from tidemark.feature_view import FeatureView
from tidemark.field import Field
from tidemark.source import BatchSource
from tidemark.stream_source import StreamSource


class ConflictPolicy(Enum):
    """Which label counts where several were written for one entity."""

    LAST_WRITE_WINS = "last_write_wins"
    LABELER_PRIORITY = "labeler_priority"
    MAJORITY_VOTE = "majority_vote"


class LabelView(FeatureView):
    """A feature view whose features are labels; the store keeps it as a feature view.

    The latest label counts, as the latest row does everywhere: the other policies are refused.
    `labeler_field`, which field says who wrote a label, and `reference_feature_view`, whose
    entities are labelled, are for readers of the file.
    """

    def __init__(
        self,
        *,
        name: str,
        source: BatchSource | StreamSource | None = None,
        schema: Sequence[Field] | None = None,
        entities: Sequence[Entity | str] | None = None,
        ttl: timedelta | str | int | None = None,
        online: bool = True,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        owner: str = "",
        labeler_field: str = "labeler",
        conflict_policy: ConflictPolicy = ConflictPolicy.LAST_WRITE_WINS,
        reference_feature_view: str | None = None,
    ) -> None:
        if conflict_policy != ConflictPolicy.LAST_WRITE_WINS:
            raise UnsupportedError(
                f"conflict_policy={conflict_policy}: the latest row of an entity counts here, as "
                "LAST_WRITE_WINS says",
                f"label view {name}",
            )
        super().__init__(
            name=name,
            source=source,
            schema=schema,
            entities=entities,
            ttl=ttl,
            online=online,
            description=description,
            tags=tags,
            owner=owner,
        )
        self.labeler_field = labeler_field
        self.conflict_policy = conflict_policy
        self.reference_feature_view = reference_feature_view
