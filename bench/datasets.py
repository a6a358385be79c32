"""Names the benchmark's data sets: their sizes, columns, ttls and where their files are cached.

Only the standard library is used, so that the process that starts the contestants stays small:
on Linux a child's peak memory, as wait4 gives it, is never less than its parent's at the start.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent
DATA = BENCH / "data"
DAY_US = 86_400_000_000
# 2025-01-01 and 90 days on, in microseconds UTC.
START_US = 1_735_689_600_000_000
SPAN_US = 90 * DAY_US
FORMAT = 1  # part of every file's name; raise it when the generator changes


@dataclass(frozen=True)
class Sizes:
    """How large one data set is; `ttl` False means that feature rows never go stale."""

    entity_rows: int
    views: int
    history_rows: int
    keys: int
    features: int = 8
    ttl: bool = True
    seed: int = 7

    def scaled(self, scale: float) -> Sizes:
        """The same shape with fewer rows and keys, for a smoke run."""
        if scale == 1.0:
            return self
        values = asdict(self)
        for name in ("entity_rows", "history_rows", "keys"):
            values[name] = max(100, int(values[name] * scale))
        return Sizes(**values)

    def entity_path(self) -> Path:
        """The file of entity rows."""
        kind = "" if self.ttl else "-nottl"
        name = f"entity-{FORMAT}-s{self.seed}-e{self.entity_rows}-k{self.keys}{kind}"
        return DATA / f"{name}.parquet"

    def view_path(self, view: int) -> Path:
        """The history file of one view."""
        name = f"view{view}-{FORMAT}-s{self.seed}-h{self.history_rows}-k{self.keys}"
        return DATA / f"{name}-f{self.features}.parquet"

    def ttl_us(self, view: int) -> int:
        """10, 20 or 30 days, so that between a third and a twentieth of the winners are stale."""
        return (10 + 10 * (view % 3)) * DAY_US if self.ttl else 0

    def paths(self) -> list[Path]:
        """All files of the data set."""
        return [self.entity_path(), *(self.view_path(view) for view in range(self.views))]

    def job(self) -> dict[str, Any]:
        """What a contestant is told: paths, names and ttls, as JSON values."""
        features = [f"f{i}" for i in range(self.features)]
        return {
            "entity_path": str(self.entity_path()),
            "entity_rows": self.entity_rows,
            "start_us": START_US,
            "end_us": START_US + SPAN_US,
            "views": [
                {
                    "name": f"v{view}",
                    "path": str(self.view_path(view)),
                    "features": features,
                    "ttl_us": self.ttl_us(view),
                }
                for view in range(self.views)
            ],
        }


def missing(sizes: Iterable[Sizes]) -> list[Sizes]:
    """The data sets of which at least one file is not in the cache yet."""
    return [each for each in sizes if not all(path.exists() for path in each.paths())]
