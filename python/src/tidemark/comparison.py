"""How far two sets of rows differ, column by column: the measures, and the counts behind them.

Sources of the formulas: the population stability index as in N. Siddiqi, "Credit Risk Scorecards"
(2006); the divergence of J. Lin, "Divergence Measures Based on the Shannon Entropy" (1991).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidemark.column_readers import Column, ColumnReader, Kind
from tidemark.errors import InvalidArgumentError, NotFoundError, TypeMismatchError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# What the index takes for a share of nothing, so that its logarithm is finite.
LEAST_SHARE = 0.0001


@dataclass(frozen=True)
class Bin:
    """Some values of a column, and how many rows of each side have one of them."""

    label: str
    reference: int
    current: int


@dataclass(frozen=True)
class ColumnComparison:
    """One column of both sides; p is a bin's share of the reference's rows, q of the current's.

    `psi`, the population stability index, is the sum over all bins of (q - p) ln(q / p), where a
    share below 0.0001 (an empty bin) counts as 0.0001. Usual reading: below 0.1 no change, above
    0.25 a great one.

    `jensen_shannon`, a divergence from 0 (the same) to 1 (no bin in common), is half the sum of
    p log2(p / m) and q log2(q / m) over all bins, m being (p + q) / 2; an empty bin adds 0.

    Missing values, NaN among them, are a bin of their own. Bins of numbers part at the distinct
    quantiles 1/n, 2/n, ... of the reference's finite values (a value at an edge is above it), and
    the outer ones have no end; values of text and bools that are none of the reference's most
    frequent ones are one bin.
    """

    name: str
    type: str
    psi: float
    jensen_shannon: float
    bins: tuple[Bin, ...]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        bins = [
            {"label": each.label, "reference": each.reference, "current": each.current}
            for each in self.bins
        ]
        return {
            "name": self.name,
            "type": self.type,
            "psi": self.psi,
            "jensen_shannon": self.jensen_shannon,
            "bins": bins,
        }


@dataclass(frozen=True)
class Comparison(Mapping[str, ColumnComparison]):
    """Two sets of rows, compared: `comparison["trips"].psi`.

    `only_reference` and `only_current` are columns that the other side does not have.
    """

    reference: str
    current: str
    reference_rows: int
    current_rows: int
    columns: tuple[ColumnComparison, ...]
    only_reference: tuple[str, ...]
    only_current: tuple[str, ...]

    def __getitem__(self, name: str) -> ColumnComparison:
        for each in self.columns:
            if each.name == name:
                return each
        known = ", ".join(each.name for each in self.columns)
        raise NotFoundError(f"column {name!r} was not compared; these were: {known}")

    def __iter__(self) -> Iterator[str]:
        return (each.name for each in self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return {
            "reference": {"source": self.reference, "rows": self.reference_rows},
            "current": {"source": self.current, "rows": self.current_rows},
            "columns": [each.to_dict() for each in self.columns],
            "only_reference": list(self.only_reference),
            "only_current": list(self.only_current),
        }

    def to_df(self) -> pd.DataFrame:
        """One row for each column, its name the index."""
        import pandas as pd

        return pd.DataFrame(
            {
                "type": [each.type for each in self.columns],
                "psi": [each.psi for each in self.columns],
                "jensen_shannon": [each.jensen_shannon for each in self.columns],
                "bins": [len(each.bins) for each in self.columns],
            },
            pd.Index([each.name for each in self.columns], name="column"),
        )

    def plot(self) -> Figure:
        """A picture of each column's bins, both sides beside each other, by matplotlib."""
        from tidemark import pictures

        return pictures.of_comparison(self)


def compare_columns(
    names: Sequence[str],
    readers: Sequence[ColumnReader],
    chosen: Sequence[Sequence[Column]],
    bins_max: int,
    values_max: int,
) -> Comparison:
    """Compares the columns that both sides have; names, readers and columns of both in order."""
    first, second = ({each.name: each for each in columns} for columns in chosen)
    rows, compared = [0, 0], []
    for name, column in first.items():
        if name not in second:
            continue
        pair = (column, second[name])
        if column.kind != second[name].kind:
            raise TypeMismatchError(
                f"column {name!r} is {column.type} in the reference ({names[0]}) and "
                f"{second[name].type} in {names[1]}: cast one of them"
            )
        bins = _bins(readers, pair, bins_max, values_max)
        rows = [sum(each.reference for each in bins), sum(each.current for each in bins)]
        for side, count in zip(names, rows, strict=True):
            if count == 0:
                raise InvalidArgumentError(f"{side} has no rows: there is nothing to compare")
        compared.append(
            ColumnComparison(
                name, column.type, psi(bins, *rows), jensen_shannon(bins, *rows), tuple(bins)
            )
        )
    if not compared:
        raise InvalidArgumentError(
            f"no column is in both: {', '.join(first)} in {names[0]}; {', '.join(second)} in "
            f"{names[1]}"
        )
    return Comparison(
        reference=names[0],
        current=names[1],
        reference_rows=rows[0],
        current_rows=rows[1],
        columns=tuple(compared),
        only_reference=tuple(name for name in first if name not in second),
        only_current=tuple(name for name in second if name not in first),
    )


def psi(bins: Sequence[Bin], reference_rows: int, current_rows: int) -> float:
    """The population stability index of `ColumnComparison`."""

    def term(each: Bin) -> float:
        p = max(each.reference / reference_rows, LEAST_SHARE)
        q = max(each.current / current_rows, LEAST_SHARE)
        return (q - p) * math.log(q / p)

    return math.fsum(term(each) for each in bins)


def jensen_shannon(bins: Sequence[Bin], reference_rows: int, current_rows: int) -> float:
    """The divergence of `ColumnComparison`."""

    def term(each: Bin) -> float:
        p, q = each.reference / reference_rows, each.current / current_rows
        m = (p + q) / 2
        return sum(share * math.log2(share / m) for share in (p, q) if share > 0) / 2

    return min(1.0, max(0.0, math.fsum(term(each) for each in bins)))


def _bins(
    readers: Sequence[ColumnReader], pair: tuple[Column, Column], bins_max: int, values_max: int
) -> list[Bin]:
    shares = tuple(i / bins_max for i in range(1, bins_max))
    kind = pair[0].kind
    summaries = [
        reader.summary(column, shares or (0.5,))
        for reader, column in zip(readers, pair, strict=True)
    ]
    missing = [each.nulls + each.nans for each in summaries]
    present = [each.rows - count for each, count in zip(summaries, missing, strict=True)]
    if kind == Kind.NUMBER:
        edges = sorted(set(summaries[0].quantiles or ())) if shares else []
        labels = _labels(edges)
        counts = [_between(*side, edges) for side in zip(readers, pair, strict=True)]
    elif kind in (Kind.TEXT, Kind.BOOL):
        values = [value for value, _ in readers[0].top(pair[0], values_max)]
        labels = [*(_shown(value) for value in values), "all others"]
        counts = []
        for reader, column, count in zip(readers, pair, present, strict=True):
            found = reader.counts(column, values)
            counts.append([*found, count - sum(found)])
    else:
        labels, counts = ["present"], [[count] for count in present]
    labels.append("missing")
    both = [[*found, count] for found, count in zip(counts, missing, strict=True)]
    return [Bin(*each) for each in zip(labels, *both, strict=True)]


def _between(reader: ColumnReader, column: Column, edges: Sequence[float]) -> list[int]:
    """How many numbers are below the first edge, from there below the second, and so on."""
    above = [*reader.at_least(column, edges), 0]
    return [one - other for one, other in itertools.pairwise(above)]


def _labels(edges: Sequence[float]) -> list[str]:
    if not edges:
        return ["all"]
    inner = [f"{low:.6g} to {high:.6g}" for low, high in itertools.pairwise(edges)]
    return [f"below {edges[0]:.6g}", *inner, f"{edges[-1]:.6g} and above"]


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
