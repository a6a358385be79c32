"""What entities, feature views and feature services have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class Definition:
    """Something that a user defines and a registry keeps, under its name.

    Printing one that came from a store shows the registered spec; printing another shows the
    definition itself.
    """

    name: str
    description: str
    tags: dict[str, str]
    owner: str
    renamed_from: str | None
    _registered: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of definitions."""
        raise NotImplementedError

    def _shown(self) -> dict[str, Any]:
        """The form that is printed: without secrets."""
        return self.to_dict()

    def _metadata(self) -> dict[str, Any]:
        made = {"description": self.description, "owner": self.owner, "tags": self.tags}
        if self.renamed_from:
            made["renamed_from"] = self.renamed_from
        return {name: value for name, value in made.items() if value}

    def __str__(self) -> str:
        shown = self._registered if self._registered is not None else self._shown()
        return json.dumps(shown, indent=2, ensure_ascii=False)
