"""The DAG of examples/airflow, run by Airflow: `dag.test()` in a home of its own.

Goal: both forms load what is new, up to the end of the run's interval; running again is safe.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program import ROOT

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)

# Run in a process of its own: `script DAG_ID END` runs the DAG and prints the states of its tasks.
SCRIPT = """
import datetime as dt, json, sys
from airflow.models.dagbag import DagBag
dags = DagBag(sys.argv[1], include_examples=False)
assert not dags.import_errors, dags.import_errors
dag = dags.get_dag(sys.argv[2])
for task in dag.tasks:
    task.retries = 0
run = dag.test(logical_date=dt.datetime.fromisoformat(sys.argv[3]))
print("STATES " + json.dumps({each.task_id: str(each.state) for each in run.get_task_instances()}))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a store in `store` and Airflow's database."""
    store = tmp_path / "store"
    store.mkdir()
    hours = [NOW - dt.timedelta(hours=each) for each in (5, 4, 1)]
    rows = {"driver_id": [1, 2, 1], "event_timestamp": hours, "trips": [10, 20, 30]}
    pq.write_table(pa.table(rows), store / "stats.parquet")
    (store / "features.yaml").write_text(
        "entities:\n"
        "  - {name: driver, join_keys: [{name: driver_id, type: int64}]}\n"
        "feature_views:\n"
        "  - name: stats\n"
        "    entities: [driver]\n"
        "    fields: {trips: int64}\n"
        "    source: {type: file, path: stats.parquet, timestamp_field: event_timestamp}\n"
    )
    program(store, "apply")
    run([Path(sys.executable).with_name("airflow"), "db", "migrate"], tmp_path)
    run([Path(sys.executable).with_name("airflow"), "dags", "reserialize"], tmp_path)
    return tmp_path


def run(command: list[Any], home: Path) -> str:
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "examples/airflow"),
        "PYTHONPATH": str(ROOT / "python/src"),
        "TIDEMARK_STORE": str(home / "store"),
        "TIDEMARK_PROGRAM": str(ROOT / "python/src/tidemark/bin/tidemark"),
    }
    done = subprocess.run(
        [str(each) for each in command], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def program(store: Path, *arguments: str) -> str:
    return run(
        [ROOT / "python/src/tidemark/bin/tidemark", "--store", store, *arguments], store.parent
    )


def trips(home: Path) -> Any:
    out = program(
        home / "store", "--output", "csv", "get-online", "-f", "stats:trips", "driver_id=1"
    )
    return out.splitlines()[-1]


@pytest.mark.parametrize(
    ("dag", "task"),
    [("tidemark_materialize", "by_python"), ("tidemark_materialize_by_shell", "by_shell")],
)
def test_a_run_loads_what_is_new(home: Path, dag: str, task: str) -> None:
    for end, wanted in ((NOW - dt.timedelta(hours=3), "1,10"), (NOW, "1,30"), (NOW, "1,30")):
        out = run(
            [sys.executable, "-c", SCRIPT, ROOT / "examples/airflow", dag, end.isoformat()], home
        )
        states = json.loads(out.rpartition("STATES ")[2])
        assert states == {task: "success"}, out
        assert trips(home) == wanted
