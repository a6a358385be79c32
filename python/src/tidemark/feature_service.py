"""A feature service: a named, versioned list of features, as a model uses them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidemark.definition import Definition
from tidemark.errors import InvalidArgumentError
from tidemark.feature_logging import LoggingConfig
from tidemark.feature_view import FeatureView, FeatureViewProjection
from tidemark.on_demand_feature_view import OnDemandFeatureView

# What a list of features holds: "view:feature", "view", a view, or a view narrowed or renamed.
FeatureLike = str | FeatureView | OnDemandFeatureView | FeatureViewProjection


def selection_of(features: Sequence[Any]) -> list[str | dict[str, Any]]:
    """The JSON form of a list of features, as definitions and requests have it."""
    made: list[str | dict[str, Any]] = []
    for feature in features:
        if isinstance(feature, str):
            made.append(feature)
        elif isinstance(feature, FeatureView | OnDemandFeatureView):
            made.append(feature.projection.to_dict())
        elif isinstance(feature, FeatureViewProjection):
            made.append(feature.to_dict())
        else:
            raise InvalidArgumentError(
                f"{feature!r} is not a feature: use 'view:feature', a FeatureView or view[['a']]"
            )
    return made


@dataclass(init=False)
class FeatureService(Definition):
    """Features of one or several views: `[view, other[["a", "b"]], "third:c"]`."""

    name: str
    features: list[str | dict[str, Any]]  # as `selection_of` gives them
    description: str
    tags: dict[str, str]
    owner: str
    renamed_from: str | None
    logging_config: LoggingConfig | None = field(repr=False, compare=False, default=None)

    def __init__(
        self,
        *,
        name: str,
        features: Sequence[FeatureLike],
        tags: Mapping[str, str] | None = None,
        description: str = "",
        owner: str = "",
        renamed_from: str | None = None,
        logging_config: LoggingConfig | None = None,
    ) -> None:
        if isinstance(features, str | FeatureView | OnDemandFeatureView):
            raise InvalidArgumentError(f"feature service {name}: features is a list")
        self.name = name
        self.features = selection_of(features)
        self.description = description
        self.tags = dict(tags or {})
        self.owner = owner
        self.renamed_from = renamed_from
        self.logging_config = logging_config
        if logging_config is not None:
            warnings.warn(
                f"feature service {name}: served features are not logged: leave logging_config out",
                UserWarning,
                stacklevel=2,
            )

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "features": self.features, **self._metadata()}

    @classmethod
    def from_dict(cls, made: Mapping[str, Any]) -> FeatureService:
        features = [
            each
            if isinstance(each, str)
            else FeatureViewProjection(
                each["view"],
                each.get("alias", ""),
                tuple(each.get("features", ())),
                each.get("join_key_map", {}),
            )
            for each in made["features"]
        ]
        return cls(
            name=made["name"],
            features=features,
            tags=made.get("tags"),
            description=made.get("description", ""),
            owner=made.get("owner", ""),
            renamed_from=made.get("renamed_from"),
        )
