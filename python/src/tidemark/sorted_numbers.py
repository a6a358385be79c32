"""Numbers of one column, sorted once by numpy, so that everything asked of them is read off.

Sorting takes a few milliseconds for a million numbers; counting distinct and frequent values by
hashing, and quantiles by themselves, take ten times as long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


def sorts(dtype: pa.DataType) -> bool:
    """Whether numbers of this type are sorted here, and numpy is there to do it."""
    import pyarrow as pa

    if not (pa.types.is_integer(dtype) or pa.types.is_floating(dtype)):
        return False
    try:
        import numpy  # noqa: F401
    except ImportError:  # an extra package: Arrow answers without it
        return False
    return True


class SortedNumbers:
    """The values of a column that are there, in order; NaN comes last."""

    def __init__(self, values: pa.ChunkedArray) -> None:
        import numpy as np

        self.rows = len(values)
        self.nulls = values.null_count
        present = values.drop_null() if self.nulls else values
        self._sorted = np.sort(present.to_numpy())
        self._is_float = self._sorted.dtype.kind == "f"
        count = len(self._sorted)
        low, high, end = 0, count, count
        if self._is_float:
            low = int(np.searchsorted(self._sorted, -math.inf, "right"))
            high = int(np.searchsorted(self._sorted, math.inf, "left"))
            end = int(np.searchsorted(self._sorted, math.nan, "left"))
        self.nans = count - end
        self.infinite = low + end - high
        self._numbers = self._sorted[:end]
        self._finite = self._sorted[low:high]

    @property
    def distinct(self) -> int:
        """How many different finite values there are."""
        import numpy as np

        values = self._finite
        return int(np.count_nonzero(values[1:] != values[:-1])) + 1 if len(values) else 0

    @property
    def ends(self) -> tuple[Any, Any]:
        """The least and the greatest finite value; None where there is none."""
        if not len(self._finite):
            return None, None
        return self._finite[0].item(), self._finite[-1].item()

    def mean_and_std(self) -> tuple[float | None, float | None]:
        """Of the finite values; the standard deviation of a sample needs two of them."""
        import numpy as np

        count = len(self._finite)
        if not count:
            return None, None
        with np.errstate(all="ignore"):
            values = self._finite.astype(np.float64, copy=False)
            mean = values.mean()
            if count == 1:
                return float(mean), None
            off = values - mean
            return float(mean), math.sqrt(float(np.dot(off, off)) / (count - 1))

    def quantiles(self, shares: Sequence[float]) -> tuple[float, ...] | None:
        """Linear between the two nearest finite values."""
        last = len(self._finite) - 1
        if last < 0:
            return None
        found = []
        for share in shares:
            place = last * share
            below = math.floor(place)
            one = float(self._finite[below])
            other = float(self._finite[min(below + 1, last)])
            part = place - below
            found.append(one if part == 0 or one == other else (1 - part) * one + part * other)
        return tuple(found)

    def top(self, count: int) -> list[tuple[Any, int]]:
        """The most frequent values, infinite ones too; equals in the order of values."""
        import numpy as np

        starts = _starts(self._numbers)
        counts = np.diff(starts, append=len(self._numbers))
        places = np.arange(len(counts))
        if len(counts) > count:
            least = np.partition(counts, len(counts) - count)[len(counts) - count]
            above = np.flatnonzero(counts > least)
            places = np.concatenate((above, np.flatnonzero(counts == least)[: count - len(above)]))
        best = sorted((-int(counts[place]), int(place)) for place in places)
        return [(self._numbers[starts[place]].item(), -times) for times, place in best]

    def at_least(self, marks: Sequence[float]) -> list[int]:
        """How many numbers there are, and for each mark how many that are not below it."""
        import numpy as np

        numbers = self._numbers.astype(np.float64, copy=False)
        below = np.searchsorted(numbers, np.asarray(marks, np.float64), "left")
        return [len(numbers), *(int(len(numbers) - each) for each in below)]


def _starts(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where in sorted values each different one begins."""
    import numpy as np

    if not len(values):
        return np.empty(0, np.intp)
    return np.concatenate(([0], np.flatnonzero(values[1:] != values[:-1]) + 1))
