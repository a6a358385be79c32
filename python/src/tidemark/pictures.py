"""Pictures of statistics and comparisons, drawn by matplotlib where it is installed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tidemark.errors import InvalidArgumentError, UnsupportedError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tidemark.comparison import ColumnComparison, Comparison
    from tidemark.statistics import ColumnStatistics, Statistics

_ACROSS = 3
_INCHES = (4.5, 3.0)  # of one column's picture
_LABEL_MAX = 18
_LABELS_MAX = 24


def of_statistics(statistics: Statistics) -> Figure:
    """A picture of each column: a histogram of numbers, top values else."""
    figure, places = _figure([each.name for each in statistics.columns])
    for column, axes in zip(statistics.columns, places, strict=True):
        _draw_column(column, axes)
        axes.set_title(
            f"{column.name}: {column.count} values, {column.nulls + column.nans} missing"
        )
    return figure


def of_comparison(comparison: Comparison) -> Figure:
    """A picture of each column: the share of each bin, the reference's beside the current's."""
    figure, places = _figure([each.name for each in comparison.columns])
    for column, axes in zip(comparison.columns, places, strict=True):
        _draw_bins(column, axes, comparison)
        axes.set_title(f"{column.name}: PSI {column.psi:.3f}, JS {column.jensen_shannon:.3f}")
    return figure


def _figure(names: Sequence[str]) -> tuple[Figure, list[Any]]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UnsupportedError(
            "pictures need matplotlib: pip install matplotlib; to_df() has the same as a table"
        ) from None
    if not names:
        raise InvalidArgumentError("there are no columns to draw")
    across = min(_ACROSS, len(names))
    down = math.ceil(len(names) / across)
    figure = Figure(figsize=(_INCHES[0] * across, _INCHES[1] * down), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False).flatten().tolist()
    for unused in grid[len(names) :]:
        unused.set_axis_off()
    return figure, grid[: len(names)]


def _draw_column(column: ColumnStatistics, axes: Any) -> None:
    if column.histogram is not None:
        edges = column.histogram.edges
        widths = [high - low for low, high in itertools.pairwise(edges)]
        axes.bar(edges[:-1], column.histogram.counts, width=widths, align="edge")
    elif column.top:
        places = range(len(column.top))
        axes.barh(places, [count for _, count in column.top])
        axes.set_yticks(places, [_short(str(value)) for value, _ in column.top])
        axes.invert_yaxis()
    else:
        axes.bar(["values", "missing"], [column.count, column.nulls + column.nans])


def _draw_bins(column: ColumnComparison, axes: Any, comparison: Comparison) -> None:
    sides = [
        (-0.2, comparison.reference, [each.reference for each in column.bins]),
        (+0.2, comparison.current, [each.current for each in column.bins]),
    ]
    for number, (shift, name, counts) in enumerate(sides):
        whole = sum(counts)
        label = f"{name} ({'reference' if number == 0 else 'current'})"
        places = [place + shift for place in range(len(counts))]
        axes.bar(places, [count / whole for count in counts], width=0.4, label=label)
    if len(column.bins) <= _LABELS_MAX:
        labels = [_short(each.label) for each in column.bins]
        axes.set_xticks(range(len(labels)), labels, rotation=60, ha="right", fontsize="x-small")
    axes.legend(fontsize="x-small")


def _short(text: str) -> str:
    plain = text.replace("$", r"\$")  # a pair of them would be a formula
    return plain if len(text) <= _LABEL_MAX else plain[: _LABEL_MAX - 3] + "..."
