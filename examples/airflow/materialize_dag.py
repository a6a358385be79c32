"""Loads the online store every hour, in both forms: a Python task and a shell task.

Put the file into Airflow's folder of DAGs. The store's folder is the environment's TIDEMARK_STORE;
the Python task needs the package `tidemark` in the workers' environment, the shell task its program
on the path (or TIDEMARK_PROGRAM). A task that failed is safe to run again: what was loaded is not
loaded twice, and what was missed is loaded.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

STORE = os.environ.get("TIDEMARK_STORE", ".")
PROGRAM = os.environ.get("TIDEMARK_PROGRAM", "tidemark")


def materialize(data_interval_end: datetime) -> dict[str, int]:
    """Loads what is new up to the end of the run's interval; tells how many rows changed."""
    from tidemark import FeatureStore

    loaded = FeatureStore(STORE).materialize_incremental(data_interval_end)
    return {each.view: each.rows_written for each in loaded}


with DAG(
    "tidemark_materialize",
    description="Loads the online store of Tidemark",
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
) as dag:
    PythonOperator(task_id="by_python", python_callable=materialize)

with DAG(
    "tidemark_materialize_by_shell",
    description="Loads the online store of Tidemark by its program",
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
) as shell_dag:
    BashOperator(
        task_id="by_shell",
        bash_command='"$PROGRAM" --store "$STORE" materialize-incremental "$UP_TO"',
        env={"PROGRAM": PROGRAM, "STORE": STORE, "UP_TO": "{{ data_interval_end.isoformat() }}"},
        append_env=True,
    )
