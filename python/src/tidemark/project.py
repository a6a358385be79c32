"""A project, as a repository of definitions may name it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tidemark.errors import InvalidArgumentError


@dataclass(init=False)
class Project:
    """The project that the definitions beside it are for: `apply` refuses them in another one.

    A store keeps a project's name only; what else is said of it here stays in the file.
    """

    name: str
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    owner: str = ""

    def __init__(
        self,
        *,
        name: str,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        owner: str = "",
    ) -> None:
        if not name:
            raise InvalidArgumentError("a project has a name")
        self.name = name
        self.description = description
        self.tags = dict(tags or {})
        self.owner = owner
