"""How Tidemark's time and memory grow: entity rows, history, views and features, each tenfold, and
a history of 100M rows with 100k entity rows, which must fit in 1 GB.
"""

from __future__ import annotations

from dataclasses import replace

from datasets import Sizes
from joins import DUCKDB, TIDEMARK, JoinRow, run_join
from outcome import Outcome, Ratio, Settings

BASE = Sizes(entity_rows=100_000, views=3, history_rows=1_000_000, keys=100_000)
CASES = {
    "base": BASE,
    "entity rows x10": replace(BASE, entity_rows=1_000_000),
    "history x10": replace(BASE, history_rows=10_000_000),
    "views x10": replace(BASE, views=30),
    "features x10": replace(BASE, features=80),
    "history 100M": replace(BASE, views=1, history_rows=100_000_000),
}
HUGE_AIM_MB = 1000.0


def run_growth(settings: Settings) -> Outcome:
    """Every case with Tidemark, and with DuckDB where only one dimension grows."""
    outcome = Outcome("growth", "growth of time and memory, each dimension tenfold", {})
    for name, sizes in CASES.items():
        contestants = (TIDEMARK,) if name == "history 100M" else (TIDEMARK, DUCKDB)
        row = JoinRow(f"growth-{name.replace(' ', '-')}", name, sizes, contestants, None, {})
        case = run_join(settings, row)
        outcome.failures += [f"{name}: {each}" for each in case.failures]
        for contestant, figures in case.figures.items():
            outcome.figures[f"{contestant}, {name}"] = figures
    for contestant in ("tidemark", "duckdb"):
        base = outcome.figures.get(f"{contestant}, base")
        for name in CASES:
            grown = outcome.figures.get(f"{contestant}, {name}")
            if base is None or grown is None or name == "base":
                continue
            key = f"{contestant}, {name}"
            outcome.numbers[f"{key}: time / base"] = round(grown.median() / base.median(), 2)
            outcome.numbers[f"{key}: memory / base"] = round(grown.peak() / base.peak(), 2)
    huge = outcome.figures.get("tidemark, history 100M")
    if huge is not None:
        ratio = Ratio("peak MB at 100M history rows", huge.peak(), HUGE_AIM_MB, False)
        outcome.ratios.append(ratio)
    return outcome
