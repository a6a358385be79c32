"""Python functions of on-demand feature views, run by a server in processes of its own.

Goal: what a server computes is what the SDK computes, online and offline; whatever a function does,
the caller gets an error that names its view, and the server goes on.
"""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import itertools
import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program import PROGRAM, ROOT
from server_process import Answer, ServerProcess, run_program

import tidemark
from tidemark import (
    Entity,
    FeatureService,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    OnDemandFeatureView,
    RequestSource,
    on_demand_feature_view,
)
from tidemark.types import Array, Float64, Int64, String, UnixTimestamp

HOUR = dt.datetime(2026, 5, 1, 8, tzinfo=dt.UTC)
ENVIRONMENT = {"PYTHONPATH": str(ROOT / "python" / "src"), "TIDEMARK_PYTHON": sys.executable}
SECRET = {"TIDEMARK_TEST_PASSWORD": "swordfish"}

driver = Entity(name="driver", join_keys={"driver_id": Int64})
ride = RequestSource(name="ride", schema=[Field("km", Float64), Field("booked", UnixTimestamp)])


def stored(folder: Path) -> FeatureView:
    rows = {
        "driver_id": [1, 2, 3],
        "event_timestamp": [HOUR, HOUR, HOUR],
        "rate": [1.5, 2.0, None],
        "trips": [10, 2**53 + 1, None],
        "name": ["Ann", "Bob", None],
        "vector": [[1.0, 2.0], [0.5], None],
    }
    pq.write_table(pa.table(rows), folder / "stats.parquet")
    return FeatureView(
        name="stats",
        entities=[driver],
        schema=[
            Field("rate", Float64),
            Field("trips", Int64),
            Field("name", String),
            Field("vector", Array(Float64)),
        ],
        source=FileSource(str(folder / "stats.parquet"), timestamp_field="event_timestamp"),
    )


@on_demand_feature_view(
    sources=["stats", "fares", ride],
    schema=[Field("total", Float64), Field("rank", Int64), Field("day", UnixTimestamp)],
)
def bills(inputs: pd.DataFrame) -> pd.DataFrame:
    made = pd.DataFrame()
    made["total"] = inputs["price"] + inputs["rate"] * 0.5
    made["rank"] = np.where(inputs["km"] > 3, 1, 2)
    made["day"] = inputs["booked"].dt.floor("D")
    return made


@on_demand_feature_view(
    sources=["bills", "stats"],
    schema=[Field("note", String), Field("more", Int64)],
    mode="python",
    singleton=True,
)
def notes(row: dict[str, Any]) -> dict[str, Any]:
    import math

    total = row["total"]
    return {
        "note": None if total is None or math.isnan(total) else f"{total:.2f} €",
        "more": None if row["trips"] is None else row["trips"] + 1,
    }


@on_demand_feature_view(sources=["stats"], schema=[Field("doubled", Array(Float64))], mode="python")
def vectors(inputs: dict[str, Any]) -> dict[str, Any]:
    return {"doubled": [each and [one * 2 for one in each] for each in inputs["vector"]]}


def by_sql(name: str, source: Any, field: str, expression: str) -> OnDemandFeatureView:
    return OnDemandFeatureView(
        name=name,
        sources=[source, ride],
        schema=[Field(field, Float64)],
        mode="sql",
        expressions={field: expression},
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FeatureStore]:
    folder = tmp_path_factory.mktemp("workers")
    with FeatureStore(folder) as opened:
        stats = stored(folder)
        fares = by_sql("fares", "stats", "price", "round(km * coalesce(rate, 1), 2)")
        taxed = by_sql("taxed", "bills", "tax", "total * 0.2 + km")
        opened.apply([driver, stats, fares, bills, notes, vectors, taxed])
        opened.apply([FeatureService(name="model", features=["fares:price", notes, "taxed:tax"])])
        opened.materialize_incremental(dt.datetime.now(dt.UTC))
        yield opened


@pytest.fixture(scope="module")
def server(store: FeatureStore) -> Iterator[ServerProcess]:
    flags = ["--python-workers", "2", "--python-time-max", "2s", "--python-memory-max", "512MiB"]
    with ServerProcess(
        Path(store.repo_path), *flags, environment={**ENVIRONMENT, **SECRET}
    ) as started:
        yield started


ENTITIES = {"driver_id": [1, 2, 3, 4], "km": [2.0, 5.0, 4.0, None], "booked": [HOUR] * 4}
FEATURES = ["fares", "stats:trips", "bills", "notes", "vectors:doubled"]


def training_set(store: FeatureStore, features: Any, **options: Any) -> pa.Table:
    rows = pa.table({**ENTITIES, "event_timestamp": [HOUR + dt.timedelta(hours=1)] * 4})
    return store.get_historical_features(rows, features, **options).to_arrow()


def test_a_server_computes_what_the_sdk_does(store: FeatureStore, server: ServerProcess) -> None:
    calls = server.metric("tidemark_python_calls_total")
    with FeatureStore(url=server.url) as remote:
        here = store.get_online_features(FEATURES, ENTITIES)
        there = remote.get_online_features(FEATURES, ENTITIES)
        assert there.to_dict() == here.to_dict()
        assert there.to_dict()["more"] == [11, 2**53 + 2, None, None]
        assert there.to_dict()["note"] == ["3.75 €", "11.00 €", None, None]
        assert there.statuses == here.statuses
        assert server.metric("tidemark_python_calls_total") == calls + 3
        offline = training_set(remote, FEATURES, include_status=True)
        assert offline.equals(training_set(store, FEATURES, include_status=True))
        assert server.metric("tidemark_python_calls_total") > calls + 3
        for name in ("total", "rank", "day", "note", "more", "doubled"):
            assert offline[name].to_pylist() == there.to_dict()[name]


def test_a_service_with_sql_over_a_function(server: ServerProcess) -> None:
    entities = {
        "driver_id": [1, 2, 4],
        "km": [2, 5.0, None],
        "booked": ["2026-05-01T08:00:00Z"] * 3,
    }
    asked = {"feature_service": "model", "entities": entities}
    answer = server.post_json("/get-online-features", asked)
    assert answer.status == 200, answer.text
    made = answer.json()
    names = made["metadata"]["feature_names"]
    values = {name: made["results"][at]["values"] for at, name in enumerate(names)}
    assert values["note"] == ["3.75 €", "11.00 €", None]
    assert values["tax"] == [2.75, 7.2, None]
    assert made["results"][names.index("tax")]["statuses"] == ["PRESENT", "PRESENT", "NULL_VALUE"]
    rows = [{name: given[0] for name, given in entities.items()}]
    answer = server.post_json("/v1/projects/default/online", {"service": "model", "entities": rows})
    assert answer.json()["values"] == [[3.0], ["3.75 €"], [11], [2.75]]
    rows[0]["event_timestamp"] = "2026-05-02T00:00:00Z"
    asked = {"service": "model", "entity_rows": rows}
    answer = server.post_json("/v1/projects/default/historical", asked)
    assert answer.status == 200, answer.text
    assert "3.75 €" in answer.text


def test_many_rows_in_several_calls(store: FeatureStore, server: ServerProcess) -> None:
    count = 40_000
    rows = pa.table(
        {
            "driver_id": np.arange(count) % 4 + 1,
            "km": np.arange(count) / 10,
            "booked": [HOUR] * count,
            "event_timestamp": [HOUR + dt.timedelta(hours=1)] * count,
        }
    )
    with FeatureStore(url=server.url) as remote:
        features = ["bills:total", "bills:day"]
        made = remote.get_historical_features(rows, features).to_arrow()
        assert made.equals(store.get_historical_features(rows, features).to_arrow())


numbers = itertools.count()


def define(store: FeatureStore, body: str) -> str:
    """A view of a name that no lookup was prepared for, with field f."""
    name = f"y{next(numbers)}"
    view = OnDemandFeatureView(
        name=name,
        sources=["stats"],
        schema=[Field("f", Int64)],
        mode="python",
        source_code=f"def f(inputs):\n    {body}\n",
        function_name="f",
    )
    store.apply([view])
    return name


def lookup(server: ServerProcess, view: str) -> Answer:
    asked = {"features": [f"{view}:f"], "entities": [{"driver_id": 1}, {"driver_id": 2}]}
    return server.post_json("/v1/projects/default/online", asked)


def answers(store: FeatureStore, server: ServerProcess, body: str) -> Answer:
    return lookup(server, define(store, body))


GOOD = "return {'f': [1, 2]}"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("raise ValueError('no')", 422, "the function raised ValueError: no"),
        ("return 7", 422, "the function returned int, not a dict"),
        ("return {'g': [1, 2]}", 422, "the function returned no field 'f'"),
        ("return {'f': [1]}", 422, "field f has 1 values for 2 rows"),
        ("return {'f': ['a', 'b']}", 422, "field f is int64"),
        ("return {'f': [1.5, 2.0]}", 422, "field f is int64"),
        ("raise SystemExit(3)", 422, "the function raised SystemExit: 3"),
        (
            "import os; os._exit(3)",
            422,
            "the function ended its process: it ended with exit code 3",
        ),
        ("import os; os.kill(os.getpid(), 11)", 422, "it was ended by signal 11"),
        ("import os; os.fork()", 422, "functions on a server start no processes"),
        ("import subprocess; subprocess.run(['ls'])", 422, "start no processes"),
        ("import os; os.system('ls')", 422, "functions on a server start no processes"),
        ("return {'f': [len(bytearray(3 << 30))] * 2}", 422, "the function raised MemoryError"),
        ("while True: pass", 503, "the function took longer than 2 s and was ended"),
        ("def", 422, "the function cannot be read: SyntaxError"),
        ("import no_such_module", 422, "No module named 'no_such_module'"),
    ],
)
def test_functions_that_go_wrong(
    store: FeatureStore, server: ServerProcess, body: str, status: int, message: str
) -> None:
    errors = server.metric("tidemark_python_errors_total")
    answer = answers(store, server, body)
    assert answer.status == status, answer.text
    assert re.search(r"on-demand feature view y\d+\b", answer.text)
    assert message in answer.text
    assert server.metric("tidemark_python_errors_total") == errors + 1
    answer = answers(store, server, GOOD)
    assert answer.status == 200, answer.text
    assert answer.json()["values"] == [[1, 2]]


def test_what_a_function_prints_is_a_message_of_the_server(
    store: FeatureStore, server: ServerProcess
) -> None:
    answer = answers(store, server, f"print('a word', flush=True); {GOOD}")
    assert answer.json()["values"] == [[1, 2]]
    assert server.wait_for_line(re.compile("a word")) is not None


def test_a_function_sees_nothing_of_the_server(store: FeatureStore, server: ServerProcess) -> None:
    look = (
        "import os; n = len(os.listdir('/proc/self/fd')); "
        "return {'f': [n, int('TIDEMARK_TEST_PASSWORD' in os.environ)]}"
    )
    answer = answers(store, server, look)
    assert answer.status == 200, answer.text
    descriptors, has_secret = answer.json()["values"][0]
    assert has_secret == 0
    assert descriptors <= 5  # input, output, errors, its socket, and the folder that is listed
    assert (
        answers(store, server, "return {'f': [int(input()), 2]}").status == 422
    )  # nothing to read


def test_processes_that_ended_are_replaced(store: FeatureStore, server: ServerProcess) -> None:
    view = define(store, GOOD)
    assert lookup(server, view).status == 200
    restarts = server.metric("tidemark_python_restarts_total")
    workers = children(server)
    assert workers
    for pid in workers:
        end = os.pidfd_open(pid)
        os.kill(pid, 9)
        assert select.select([end], [], [], 30)[0]
        os.close(end)
    assert lookup(server, view).json()["values"] == [[1, 2]]
    assert server.metric("tidemark_python_restarts_total") == restarts + 1


def children(server: ServerProcess) -> list[int]:
    tasks = Path(f"/proc/{server.process.pid}/task")
    return [int(pid) for each in tasks.iterdir() for pid in (each / "children").read_text().split()]


def test_more_calls_than_may_wait(store: FeatureStore) -> None:
    flags = ["--python-workers", "1", "--python-waiting-max", "1", "--python-time-max", "20s"]
    with ServerProcess(Path(store.repo_path), *flags, environment=ENVIRONMENT) as server:
        view = define(store, f"import time; time.sleep(0.5); {GOOD}")
        assert lookup(server, view).status == 200
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            made = list(threads.map(lambda _: lookup(server, view), range(8)))
        assert {each.status for each in made} == {200, 503}
        refused = next(each for each in made if each.status == 503)
        assert "calls of Python functions wait already" in refused.text
        assert server.metric("tidemark_python_refused_total") >= 1


def test_processes_end_with_the_server(store: FeatureStore) -> None:
    flags = ["--python-workers", "1"]
    server = ServerProcess(Path(store.repo_path), *flags, environment=ENVIRONMENT)
    workers = children(server)
    assert len(workers) == 1
    end = os.pidfd_open(workers[0])
    server.kill()
    assert select.select([end], [], [], 30)[0]
    os.close(end)


def test_without_workers_the_message_names_the_option(store: FeatureStore) -> None:
    with ServerProcess(Path(store.repo_path)) as server:
        asked = {"features": ["bills:total"], "entities": {"driver_id": [1]}}
        answer = server.post_json("/get-online-features", asked)
        assert answer.status == 501
        assert "only with --python-workers N" in answer.text
        with FeatureStore(url=server.url) as remote:  # then this process runs them
            made = remote.get_online_features(["notes:more"], ENTITIES).to_dict()
            assert made["more"] == [11, 2**53 + 2, None, None]


def test_an_interpreter_that_cannot_run_them(store: FeatureStore, tmp_path: Path) -> None:
    def started(interpreter: str) -> str:
        command = [str(PROGRAM), "--store", store.repo_path, "serve", "--port", "0"]
        flags = ["--python-workers", "1", "--python", interpreter]
        done = subprocess.run([*command, *flags], capture_output=True, text=True, check=False)
        assert done.returncode == 5 if "broken" in interpreter else 3
        return done.stderr

    assert "the Python interpreter no-such cannot be run" in started("no-such")
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 7\n")
    broken.chmod(0o755)
    assert "cannot run the package tidemark: it ended with exit code 7" in started(str(broken))


def test_the_program_runs_functions(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    wanted = ["get-online", "--features", "notes:more", "--output", "csv", "--python-workers", "1"]
    made = run_program(Path(store.repo_path), *wanted, "driver_id=1,km=4,booked=2026-05-01")
    assert made.stdout == "driver_id,more\n1,11\n"


def test_a_view_by_other_keys(store: FeatureStore, server: ServerProcess) -> None:
    stats = store.get_feature_view("stats")
    apart = stats.with_name("other").with_join_key_map({"driver_id": "other_id"})

    def gap(inputs: dict[str, Any]) -> dict[str, Any]:
        pairs = zip(inputs["stats__rate"], inputs["other__rate"], strict=True)
        return {"gap": [None if a is None or b is None else a - b for a, b in pairs]}

    schema = [Field("gap", Float64)]
    sources = [stats[["rate"]], apart[["rate"]]]
    by_python = OnDemandFeatureView(
        name="gaps", sources=sources, schema=schema, mode="python", udf=gap
    )
    expressions = {"gap": "stats.rate - other.rate"}
    sql = OnDemandFeatureView(
        name="sql_gaps", sources=sources, schema=schema, mode="sql", expressions=expressions
    )
    store.apply([by_python, sql])
    assert store.get_on_demand_feature_view("gaps").sources[1].join_key_map == {
        "driver_id": "other_id"
    }
    entities = {"driver_id": [1, 2, 3], "other_id": [2, 1, 1]}
    features = ["gaps:gap", "sql_gaps:gap"]
    rows = pa.table({**entities, "event_timestamp": [HOUR + dt.timedelta(hours=1)] * 3})
    with FeatureStore(url=server.url) as remote:
        for each in (store, remote):
            made = each.get_online_features(features, entities, full_feature_names=True).to_dict()
            assert made["gaps__gap"] == made["sql_gaps__gap"] == [-0.5, 0.5, None]
            table = each.get_historical_features(rows, features, full_feature_names=True).to_arrow()
            assert table["gaps__gap"].to_pylist() == table["sql_gaps__gap"].to_pylist()
            assert table["gaps__gap"].to_pylist() == [-0.5, 0.5, None]
    wrong = stats.with_join_key_map({"driver": "other_id"})
    with pytest.raises(tidemark.errors.NotFoundError, match="which is no join key of feature view"):
        store.apply([by_sql("z", wrong, "f", "rate")])
