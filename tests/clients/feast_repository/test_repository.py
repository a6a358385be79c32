"""The repository that `feast init` makes, in Feast and here, with nothing changed but imports.

Goal: every value that Feast gives, online and for every entity row that it does not drop, comes out
here too, and its registry is taken over.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from program import ROOT

SIDE = Path(__file__).with_name("repository.py")
OURS = {
    **os.environ,
    "PYTHONPATH": str(ROOT / "python/src"),
    "TIDEMARK_PYTHON": str(ROOT / ".venv/bin/python"),
}


def run(command: list[Any], folder: Path, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(each) for each in command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Sides:
    """The same repository twice: `theirs` is asked through Feast, `ours` through Tidemark."""

    def __init__(self, folder: Path) -> None:
        run([sys.executable, "-m", "feast.cli.cli", "init", "-t", "local", "drivers"], folder)
        self.theirs = folder / "drivers" / "feature_repo"
        self.ours = folder / "ours"
        shutil.copytree(self.theirs, self.ours)
        for file in self.ours.glob("*.py"):
            file.write_text(re.sub(r"\bfeast\b", "tidemark", file.read_text()))
        run([sys.executable, "-m", "feast.cli.cli", "apply"], self.theirs)
        self.applied = run([ROOT / "python/src/tidemark/bin/tidemark", "apply"], self.ours, OURS)

    def ask(self, call: str) -> tuple[Any, Any]:
        """What both said: (Feast, Tidemark)."""
        run([sys.executable, SIDE, "feast", call, self.theirs], self.theirs)
        run([ROOT / ".venv/bin/python", SIDE, "tidemark", call, self.ours], self.ours, OURS)
        files = [folder / f"{call}.json" for folder in (self.theirs, self.ours)]
        if not files[0].exists():
            return None, None
        theirs, ours = (json.loads(each.read_text()) for each in files)
        return theirs, ours


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Sides:
    return Sides(tmp_path_factory.mktemp("feast"))


def entity_rows(sides: Sides) -> pd.DataFrame:
    """Times within, before and after the data, at its rows' own times, and past their ttl."""
    stats = pd.read_parquet(sides.theirs / "data/driver_stats.parquet")
    random = np.random.default_rng(5)
    times = pd.to_datetime(stats["event_timestamp"], utc=True)
    last = times.max()
    hours = random.uniform(-17 * 24, 3 * 24, 600)
    moments = [last + pd.Timedelta(hours=each) for each in hours]
    moments[:200] = times.sample(200, random_state=5)
    return pd.DataFrame(
        {
            "row": range(600),
            "driver_id": random.choice([1001, 1002, 1003, 1004, 1005, 7], 600),
            "val_to_add": random.integers(-9, 9, 600),
            "val_to_add_2": random.integers(10, 99, 600),
            "event_timestamp": pd.Series(moments).dt.floor("us"),
        }
    )


def as_objects(answers: dict[str, dict[str, list[Any]]]) -> dict[str, dict[str, list[Any]]]:
    """JSON that is text, as it was written, as the objects that Feast makes of it online."""
    for answer in answers.values():
        texts = answer["driver_config"]
        answer["driver_config"] = [None if each is None else json.loads(each) for each in texts]
    return answers


def test_apply_takes_the_repository_as_it_is(sides: Sides) -> None:
    for view in ("driver_hourly_stats", "driver_hourly_stats_fresh", "driver_quality_labels"):
        assert f"+ feature view {view}" in sides.applied
    assert "+ on demand feature view transformed_conv_rate" in sides.applied
    assert "+ feature service driver_activity_v3" in sides.applied
    assert not (sides.ours / "data/registry.db").exists()


def test_historical_values_are_those_of_feast(sides: Sides) -> None:
    rows = entity_rows(sides)
    for folder in (sides.theirs, sides.ours):
        rows.to_parquet(folder / "entities.parquet")
    theirs, ours = sides.ask("historical")
    assert list(ours) == [str(row) for row in rows["row"]], "N rows in, N rows out"
    assert len(theirs) > len(rows) / 2
    assert sum(each["conv_rate"] is not None for each in theirs.values()) > len(rows) / 4
    for row, values in theirs.items():
        assert ours[row] == values, rows.iloc[int(row)].to_dict()


def test_online_values_are_those_of_feast(sides: Sides) -> None:
    sides.ask("materialize")
    theirs, ours = sides.ask("online")
    assert theirs["list"]["conv_rate"][0] is not None
    assert as_objects(ours) == theirs
    sides.ask("push")
    theirs, ours = sides.ask("online")
    assert theirs["fresh"]["avg_daily_trips"][0] == 1000
    assert as_objects(ours) == theirs


def test_a_registry_is_taken_over(sides: Sides, tmp_path: Path) -> None:
    shutil.copytree(sides.ours / "data", tmp_path / "data")
    printed = run(
        [
            ROOT / ".venv/bin/python",
            *("-m", "tidemark.migrate", sides.theirs / "data/registry.db"),
            *("--python", sys.executable),
        ],
        tmp_path,
        OURS,
    )
    (tmp_path / "features.json").write_text(printed)
    program = ROOT / "python/src/tidemark/bin/tidemark"
    (tmp_path / "tidemark.yaml").write_text("project: drivers\n")
    applied = run([program, "apply"], tmp_path, OURS)
    assert sorted(applied.splitlines()) == sorted(sides.applied.splitlines())
