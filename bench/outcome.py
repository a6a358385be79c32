"""What a benchmark row gives: figures, ratios against their aims, and failures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from processes import Figures


@dataclass(frozen=True)
class Settings:
    """What the command line chose."""

    scale: float
    repeats: int
    only: frozenset[str]  # names of contestants; empty means all
    python: str  # the peers' interpreter
    our_python: str  # Tidemark's interpreter
    work: Path  # a folder that this run alone uses
    root: Path  # the repository

    def wants(self, contestant: str) -> bool:
        """Whether a contestant takes part."""
        return not self.only or contestant in self.only


@dataclass(frozen=True)
class Ratio:
    """A measured ratio beside its aim; `at_least` tells on which side of the aim is good."""

    name: str
    value: float
    aim: float
    at_least: bool

    def met(self) -> bool:
        """Whether the aim is reached."""
        return self.value >= self.aim if self.at_least else self.value <= self.aim


@dataclass
class Outcome:
    """One benchmark row."""

    row: str
    title: str
    sizes: dict[str, Any]
    figures: dict[str, Figures] = field(default_factory=dict)
    ratios: list[Ratio] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    cores_used_by_others: float = 0.0  # mean number of cores used by other processes meanwhile

    def as_json(self) -> dict[str, Any]:
        """The form kept in the results."""
        return {
            "row": self.row,
            "title": self.title,
            "sizes": self.sizes,
            "figures": {name: each.as_json() for name, each in self.figures.items()},
            "ratios": [asdict(each) | {"met": each.met()} for each in self.ratios],
            "numbers": self.numbers,
            "failures": self.failures,
            "cores_used_by_others": self.cores_used_by_others,
        }
