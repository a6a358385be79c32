"""The examples run as they are: the notebook's cells in their order, and the script for cron.

Goal: no example can become untrue. Airflow's DAG is run by tests/clients/airflow, the demo by hand.
"""

from __future__ import annotations

import ast
import datetime as dt
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program import PROGRAM

from tidemark import FeatureStore

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run_cell(code: str, names: dict[str, Any]) -> Any:
    """Runs a cell; gives the value of its last line, which a notebook would show."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    if last is None:
        return None
    assert isinstance(last, ast.Expr)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


def test_the_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    notebook = json.loads((EXAMPLES / "notebook/walkthrough.ipynb").read_text())
    cells = [each for each in notebook["cells"] if each["cell_type"] == "code"]
    assert all(not each["outputs"] and each["execution_count"] is None for each in cells)
    names: dict[str, Any] = {"__name__": "notebook"}
    shown = [run_cell("".join(each["source"]), names) for each in cells]
    printed = capsys.readouterr().out
    assert "1680 rows" in printed
    assert "'open_orders__status': ['PRESENT']" in printed
    assert sum(len(part) for part in names["parts"].values()) == 2000
    assert [type(each).__name__ for each in shown if each is not None] == [
        "DataFrame",
        "Figure",
        "Split",
        "DataFrame",
    ]


def test_the_script_for_cron(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store")
    now = dt.datetime.now(dt.UTC)
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    rows = [
        {"driver_id": [1], "event_timestamp": [now - dt.timedelta(hours=hour)], "trips": [trips]}
        for hour, trips in ((3, 10), (2, 20))
    ]
    store.create_table_from(
        rows[0], name="events", entities=["driver_id"], time_column="event_timestamp"
    )
    pq.write_table(pa.table(rows[0]), incoming / "one file.parquet")
    pq.write_table(pa.table(rows[1]), incoming / "two.parquet")
    shutil.copy(incoming / "two.parquet", tmp_path / "two.parquet")

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [EXAMPLES / "cron/materialize.sh", store.repo_path, "events", incoming],
            env={**os.environ, "TIDEMARK_PROGRAM": str(PROGRAM)},
            capture_output=True,
            text=True,
        )

    assert run().returncode == 0
    assert sorted(each.name for each in (incoming / "done").iterdir()) == [
        "one file.parquet",
        "two.parquet",
    ]
    got = store.get_online_features(["events:trips"], [{"driver_id": 1}]).to_dict()
    assert got["trips"] == [20]
    shutil.copy(tmp_path / "two.parquet", incoming)  # as if the run had been killed before the move
    assert run().returncode == 0
    assert store.statistics("events").rows == 2
    (incoming / "bad.parquet").write_text("no Parquet")
    failed = run()
    assert failed.returncode != 0
    assert "bad.parquet" in failed.stderr
    assert (incoming / "bad.parquet").exists()
