"""On-demand feature views, through the SDK: computed by SQL or by Python, offline and online.

Goal: a computed feature is the same in a training set and in a lookup at the same time; what cannot
be computed is said with the view and the field.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program import PROGRAM
from server_process import Answer, ServerProcess

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
from tidemark.types import Array, Bool, Float64, Int64, String, UnixTimestamp

HOUR = dt.datetime(2026, 5, 1, 8, tzinfo=dt.UTC)

driver = Entity(name="driver", join_keys={"driver_id": Int64})
ride = RequestSource(name="ride", schema=[Field("km", Float64), Field("booked", UnixTimestamp)])


def stored(folder: Path) -> FeatureView:
    rows = {
        "driver_id": [1, 2, 3],
        "event_timestamp": [HOUR, HOUR, HOUR],
        "rate": [1.5, 2.0, None],
        "trips": [10, 20, 0],
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


def by_sql(stats: FeatureView) -> OnDemandFeatureView:
    return OnDemandFeatureView(
        name="fares",
        sources=[stats, ride],
        schema=[
            Field("price", Float64),
            Field("is_new", Bool),
            Field("wait", Float64),
            Field("label", String),
            Field("twice", Array(Float64)),
        ],
        mode="sql",
        expressions={
            "price": "round(km * coalesce(rate, 1), 2)",
            "is_new": "trips < 15",
            "wait": "extract(epoch from booked - TIMESTAMP '2026-05-01')",
            "label": "upper(name) || ' ' || trips",
            "twice": "vector",
        },
    )


@on_demand_feature_view(
    sources=["stats", "fares", ride], schema=[Field("total", Float64), Field("rank", Int64)]
)
def bills(inputs: pd.DataFrame) -> pd.DataFrame:
    """What a ride costs."""
    made = pd.DataFrame()
    made["total"] = inputs["price"] + inputs["trips"] * 0.5
    made["rank"] = np.where(inputs["km"] > 3, 1, 2)  # noqa: F821
    return made


@on_demand_feature_view(
    sources=["bills"], schema=[Field("note", String)], mode="python", singleton=True
)
def notes(row: dict[str, Any]) -> dict[str, Any]:
    import math

    total = row["total"]
    return {"note": None if total is None or math.isnan(total) else f"{total:.2f} EUR"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FeatureStore]:
    with FeatureStore(tmp_path) as opened:
        stats = stored(tmp_path)
        opened.apply([driver, stats, by_sql(stats), bills, notes])
        opened.apply([FeatureService(name="model", features=[by_sql(stats)[["price"]], notes])])
        opened.materialize_incremental(dt.datetime.now(dt.UTC))
        yield opened


ENTITIES = {"driver_id": [1, 2, 3, 4], "km": [2.0, 5.0, 4.0, None], "booked": [HOUR] * 4}
FEATURES = ["fares", "stats:trips", "bills", "notes:note"]


def training_set(store: FeatureStore, features: Any, **options: Any) -> pa.Table:
    rows = pa.table({**ENTITIES, "event_timestamp": [HOUR + dt.timedelta(hours=1)] * 4})
    return store.get_historical_features(rows, features, **options).to_arrow()


def test_offline_and_online_agree(store: FeatureStore) -> None:
    offline = training_set(store, FEATURES).to_pydict()
    online = store.get_online_features(FEATURES, ENTITIES).to_dict()
    assert offline["price"] == [3.0, 10.0, 4.0, None]
    assert offline["is_new"] == [True, False, True, None]
    assert offline["wait"] == [28800.0] * 4
    assert offline["label"] == ["ANN 10", "BOB 20", None, None]
    assert offline["twice"] == [[1.0, 2.0], [0.5], None, None]
    assert offline["total"] == [8.0, 20.0, 4.0, None]
    assert offline["rank"] == [2, 1, 1, 2]
    assert offline["note"] == ["8.00 EUR", "20.00 EUR", "4.00 EUR", None]
    names = [
        *["price", "is_new", "wait", "label", "twice"],
        *["trips", "total", "rank", "note"],
    ]
    assert list(online) == ["driver_id", *names]
    assert {name: online[name] for name in names} == {name: offline[name] for name in names}


EVERY_FAMILY = {
    "arithmetic": (Float64, "trips / 4 + 1.5 * rate - 3 // 2 % 2 + rate ^ 2"),
    "logic": (Bool, "trips > 5 AND rate <> 2 OR NOT (trips = 0)"),
    "choice": (String, "CASE trips WHEN 10 THEN 'ten' WHEN 20 THEN 'twenty' END"),
    "nulls": (Int64, "coalesce(nullif(trips, 0), -1)"),
    "casts": (Int64, "CAST(trips AS VARCHAR)::bigint + coalesce(TRY_CAST(name AS BIGINT), 1)"),
    "texts": (String, "lower(name) || upper(name) || substr(name, 2, 1) || concat(trim(' x '))"),
    "patterns": (Bool, "regexp_matches(name, '^A') AND length(name) = 3"),
    "parts": (Array(String), "split(name, 'n')"),
    "rounding": (Float64, "abs(rate) + round(rate, 1) + floor(rate) + ceil(rate)"),
    "powers": (Float64, "ln(rate) + exp(rate) + sqrt(rate) + power(rate, 2)"),
    "extremes": (Float64, "greatest(rate, 1.75) - least(rate, 1.75)"),
    "times": (UnixTimestamp, "date_trunc('month', booked + INTERVAL 1 month)"),
    "spans": (Int64, "date_diff('year', booked, now()) + extract(hour FROM booked)"),
    "hashes": (Int64, "hash(name, trips, rate)"),
    "sums": (Float64, "list_sum(vector) + list_avg(vector) + length(vector)"),
    "products": (Float64, "list_dot_product(vector, vector)"),
    "members": (Bool, "list_contains(vector, 0.5)"),
}


def test_every_family_of_functions_agrees(store: FeatureStore) -> None:
    view = OnDemandFeatureView(
        name="all",
        sources=["stats", ride],
        schema=[Field(name, dtype) for name, (dtype, _) in EVERY_FAMILY.items()],
        mode="sql",
        expressions={name: text for name, (_, text) in EVERY_FAMILY.items()},
    )
    store.apply([view])
    now = dt.datetime.now(dt.UTC)
    rows = pa.table({**ENTITIES, "event_timestamp": [now] * 4})
    offline = store.get_historical_features(rows, ["all"]).to_arrow().to_pydict()
    online = store.get_online_features(["all"], ENTITIES).to_dict()
    for name in EVERY_FAMILY:
        assert offline[name] == online[name], name
    assert offline["arithmetic"] == [6.0, 11.0, None, None]
    assert offline["texts"][0] == "annANNnx"
    assert offline["parts"][1] == ["Bob"]
    assert offline["times"][0] == dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
    assert offline["sums"][:2] == [6.5, 2.0]


def test_a_service_serves_computed_features(store: FeatureStore) -> None:
    rows = [{"driver_id": 2, "km": 5, "booked": HOUR}]
    assert store.get_online_features("model", rows).to_dict() == {
        "driver_id": [2],
        "price": [10.0],
        "note": ["20.00 EUR"],
    }
    full = store.get_online_features("model", rows, full_feature_names=True)
    assert full.to_dict()["notes__note"] == ["20.00 EUR"]
    assert training_set(store, "model")["price"].to_pylist() == [3.0, 10.0, 4.0, None]


def test_statuses(store: FeatureStore) -> None:
    wanted = ["fares:price", "stats:trips", "bills:total"]
    answer = store.get_online_features(wanted, ENTITIES)
    expected = {
        "price": ["PRESENT"] * 3 + ["NULL_VALUE"],
        "trips": ["PRESENT"] * 3 + ["NOT_FOUND"],
        "total": ["PRESENT"] * 3 + ["NULL_VALUE"],
    }
    assert answer.statuses == expected
    table = training_set(store, wanted, include_status=True)
    assert {name: table[f"{name}__status"].to_pylist() for name in expected} == expected
    assert answer.to_arrow(include_status=True)["total__status"].to_pylist() == expected["total"]


def test_no_rows(store: FeatureStore) -> None:
    rows = pa.table({name: pa.array(values)[:0] for name, values in ENTITIES.items()})
    rows = rows.append_column("event_timestamp", pa.array([], pa.timestamp("us", tz="UTC")))
    made = store.get_historical_features(rows, FEATURES).to_arrow()
    assert made.num_rows == 0
    assert made.schema == training_set(store, FEATURES).schema
    assert store.get_online_features(["fares:price"], {"driver_id": [], "km": []}).to_dict() == {
        "driver_id": [],
        "price": [],
    }


def test_files_and_streams(store: FeatureStore, tmp_path: Path) -> None:
    rows = pa.table({**ENTITIES, "event_timestamp": [HOUR + dt.timedelta(hours=1)] * 4})
    for features in (["fares:price"], ["bills:total", "fares:price"]):
        job = store.get_historical_features(rows, features)
        assert job.to_parquet(tmp_path / "out.parquet").rows == 4
        assert pq.read_table(tmp_path / "out.parquet").equals(job.to_arrow())
        assert pa.table(job.to_arrow_stream()).num_rows == 4
        job.to_csv(tmp_path / "out.csv")
        assert len((tmp_path / "out.csv").read_text().splitlines()) == 5
    assert sorted(each.name for each in tmp_path.glob("*.unfinished")) == []


def test_definitions_come_back(store: FeatureStore) -> None:
    made = store.get_on_demand_feature_view("fares")
    assert made.expressions["is_new"] == "trips < 15"
    assert made.requests == [ride]
    assert [each.name for each in store.list_on_demand_feature_views()] == [
        "bills",
        "fares",
        "notes",
    ]
    assert "def bills(inputs" in store.get_on_demand_feature_view("bills").source_code
    assert not store.plan([store.get_on_demand_feature_view(name) for name in ("fares", "bills")])
    apart = store.plan([FeatureService(name="model", features=["fares:price"])])
    assert next(str(each) for each in apart).startswith("~ feature service model")


def test_request_data_that_do_not_fit(store: FeatureStore) -> None:
    rows = {"driver_id": [1], "km": [1.0]}
    with pytest.raises(tidemark.errors.NotFoundError, match="request data 'booked'"):
        store.get_online_features(["fares:wait"], rows)
    with pytest.raises(tidemark.errors.TypeMismatchError, match="request data km is float64"):
        store.get_online_features(["fares:price"], {"driver_id": [1], "km": ["far"]})
    assert store.get_online_features(["fares:price"], {"driver_id": [1], "km": [2]}).to_dict()[
        "price"
    ] == [3.0]
    table = pa.table({"driver_id": [1], "event_timestamp": [HOUR]})
    with pytest.raises(tidemark.errors.NotFoundError, match="needs request data 'km'"):
        store.get_historical_features(table, ["fares:price"]).to_arrow()
    with pytest.raises(tidemark.errors.NotFoundError, match="needs request data 'km'"):
        store.get_historical_features(table, ["bills:total"]).to_arrow()


def apply_sql(store: FeatureStore, expression: str, dtype: Any = Float64) -> None:
    view = OnDemandFeatureView(
        name="x",
        sources=["stats"],
        schema=[Field("f", dtype)],
        mode="sql",
        expressions={"f": expression},
    )
    store.apply([view])


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("trips + name", r"\+ takes numbers, not string \(character 9\)"),
        ("rat * 2", "there is no column 'rat' .did you mean 'rate'"),
        ("lower(", "expected a value but found the end of the expression"),
        ("name", "the expression gives string, but float64 is wanted"),
    ],
)
def test_expressions_are_checked_at_apply(
    store: FeatureStore, expression: str, message: str
) -> None:
    with pytest.raises(tidemark.TidemarkError, match=message) as raised:
        apply_sql(store, expression)
    assert "on-demand feature view x: field f" in str(raised.value)


def test_values_without_a_result(store: FeatureStore) -> None:
    apply_sql(store, "ln(trips)")
    message = "on-demand feature view x: field f: row 2: there is no logarithm of zero"
    with pytest.raises(tidemark.errors.InvalidDataError, match=message):
        training_set(store, ["x:f"])
    with pytest.raises(tidemark.errors.InvalidDataError, match=message):
        store.get_online_features(["x:f"], {"driver_id": [1, 2, 3]})


def test_explain_tells_what_a_value_is_computed_from(store: FeatureStore) -> None:
    why = store.explain("fares:price", {"driver_id": 3, "km": 4.0})
    assert (why["status"], why["value"]) == ("PRESENT", 4.0)
    assert why["expression"] == "round(km * coalesce(rate, 1), 2)"
    assert why["online"] == {"status": "PRESENT", "value": 4.0}
    rate, km = why["inputs"]
    assert (rate["feature"], rate["status"], rate["value"]) == ("stats:rate", "NULL_VALUE", None)
    assert rate["row"]["row"] == 2
    assert rate["key"] == {"driver_id": 3}
    assert km == {"request": "km", "value": 4.0}
    before = store.explain("fares:price", {"driver_id": 1, "km": 2.0}, HOUR - dt.timedelta(hours=1))
    assert before["value"] == 2.0
    assert before["inputs"][0]["decision"] == "every row of this key is later than that"
    waited = store.explain("fares:wait", {"booked": HOUR})
    assert (waited["value"], waited["online"]) == (28800.0, None)
    with pytest.raises(tidemark.errors.InvalidArgumentError, match="the key lacks 'km'"):
        store.explain("fares:price", {"driver_id": 3})
    with pytest.raises(tidemark.errors.InvalidArgumentError, match="is not computed by 'trips'"):
        store.explain("fares:price", {"driver_id": 3, "km": 1.0, "trips": 2})
    with pytest.raises(tidemark.errors.UnsupportedError, match="only with --python-workers"):
        store.explain("bills:total", {"driver_id": 1, "km": 1.0})


def run(store: FeatureStore, body: str, mode: str = "python") -> Any:
    view = OnDemandFeatureView(
        name="y",
        sources=["stats"],
        schema=[Field("f", Int64)],
        mode=mode,
        source_code=f"def f(inputs):\n    {body}\n",
        function_name="f",
    )
    store.apply([view])
    return store.get_online_features(["y:f"], {"driver_id": [1, 2]}).to_dict()["f"]


@pytest.mark.parametrize("mode", ["python", "pandas"])
def test_functions_that_go_wrong(store: FeatureStore, mode: str) -> None:
    make = "pd.DataFrame" if mode == "pandas" else "dict"
    assert run(store, f"return {make}({{'f': inputs['trips']}})", mode) == [10, 20]
    for body, message in [
        ("raise ValueError('no')", "y: the function raised ValueError: no"),
        ("return 7", "y: the function returned int, not a "),
        (f"return {make}({{'g': inputs['trips']}})", "y: the function returned no field 'f'"),
        (f"return {make}({{'f': [1]}})", "y: field f has 1 values for 2 rows"),
        (f"return {make}({{'f': ['a', 'b']}})", "y: field f is int64"),
        (f"return {make}({{'f': [1.5, 2.0]}})", "y: field f is int64"),
    ]:
        with pytest.raises(tidemark.errors.InvalidDataError, match=message):
            run(store, body, mode)


def test_functions_are_kept_as_their_text_alone() -> None:
    outside = 2

    def refused(inputs: Any) -> Any:
        return {"f": [value * outside for value in inputs["trips"]]}

    def imports(inputs: Any) -> Any:
        return {"f": Path(inputs["name"])}

    for function, name in ((refused, "outside"), (imports, "Path")):
        with pytest.raises(tidemark.errors.InvalidArgumentError, match=f"the function uses {name}"):
            on_demand_feature_view(sources=["stats"], schema=[Field("f", Int64)], mode="python")(
                function
            )


def test_views_stay_defined_together(store: FeatureStore) -> None:
    with pytest.raises(
        tidemark.errors.InvalidArgumentError, match="on-demand feature view 'bills' uses"
    ):
        store.delete_feature_view("stats")
    circle = [
        OnDemandFeatureView(
            name=name,
            sources=[other],
            schema=[Field("f", Int64)],
            mode="sql",
            expressions={"f": "f"},
        )
        for name, other in (("a", "b"), ("b", "a"))
    ]
    with pytest.raises(tidemark.errors.InvalidArgumentError, match="computed from itself"):
        store.apply(circle)


# --- Servers and the program ---


@pytest.fixture
def server(store: FeatureStore) -> Iterator[ServerProcess]:
    store.apply([FeatureService(name="sql_model", features=["fares:price", "stats:trips"])])
    started = ServerProcess(Path(store.repo_path))
    yield started
    started.stop()


def test_a_lookup_as_feast_asks(server: ServerProcess) -> None:
    entities = {"driver_id": [1, 2, 4], "km": [2, 5.0, None]}
    asked = {"feature_service": "sql_model", "entities": entities}
    answer = server.post_json("/get-online-features", asked)
    assert answer.status == 200, answer.text
    made = answer.json()
    assert made["metadata"]["feature_names"] == ["driver_id", "price", "trips"]
    assert made["results"][1]["values"] == [3.0, 10.0, None]
    assert made["results"][1]["statuses"] == ["PRESENT", "PRESENT", "NULL_VALUE"]
    assert made["results"][2]["statuses"] == ["PRESENT", "PRESENT", "NOT_FOUND"]
    asked = {"features": ["fares:price", "fares:label"], "entities": {"driver": [2], "km": [5]}}
    assert server.post_json("/get-online-features", asked).json()["results"][2]["values"] == [
        "BOB 20"
    ]


def test_bad_request_data_over_feasts_route(server: ServerProcess) -> None:
    for entities, message in [
        ({"driver_id": [1]}, "Missing request data 'km' of type float64"),
        ({"driver_id": [1], "km": ["far"]}, "request data"),
        ({"driver_id": [1], "km": [1, 2]}, "All entity rows must have the same columns"),
    ]:
        asked = {"features": ["fares:price"], "entities": entities}
        answer = server.post_json("/get-online-features", asked)
        assert 400 <= answer.status < 500
        assert message in answer.text
    asked = {"features": ["fares:price"], "entities": {"driver_id": [1]}}
    answer = server.post_json("/get-online-features", asked)
    told = json.loads(answer.json())  # as Feast's client raises it
    assert (answer.status, told["class"]) == (404, "RequestDataNotFoundInEntityRowsException")
    asked = {"features": ["bills:total"], "entities": {"driver_id": [1]}}
    answer = server.post_json("/get-online-features", asked)
    assert answer.status == 501
    assert "only with --python-workers N" in answer.text


def test_a_lookup_as_semantix_asks(server: ServerProcess) -> None:
    def ask(name: str, *features: str, **entities: list[Any]) -> Answer:
        asked = [{"entity": each, "value": values} for each, values in entities.items()]
        query = f"entities={quote_plus(json.dumps(asked))}"
        if features:
            query += f"&feature_refs={quote_plus(json.dumps(list(features)))}"
        return server.get(f"/{name}/online-features?{query}")

    answer = ask("sql_model", driver_id=[1, 2, 4], km=[2, 5.0, None])
    assert answer.status == 200, answer.text
    made = answer.json()
    assert list(made) == ["driver_id", "km", "price", "trips"]
    assert made["price"] == [3.0, 10.0, None]
    assert ask("sql_model", "price", driver_id=[1], km=[2]).json() == {
        "driver_id": [1],
        "km": [2.0],
        "price": [3.0],
    }
    assert ask("fares", "label", driver_id=[2]).json()["label"] == ["BOB 20"]
    for answer, message in [
        (ask("sql_model", driver_id=[1]), "'km'"),
        (ask("sql_model", driver_id=[1], km=["far"]), "km"),
        (ask("sql_model", "none", driver_id=[1], km=[2]), "none"),
        (ask("sql_model", driver_id=[1], km=[1, 2]), "km"),
    ]:
        assert 400 <= answer.status < 500, answer.text
        assert message in answer.text


def test_the_servers_own_routes(server: ServerProcess) -> None:
    asked = {
        "features": ["fares:price"],
        "entities": [{"driver_id": 1, "km": 2.5}, {"driver_id": 2, "km": None}],
    }
    answer = server.post_json("/v1/projects/default/online", asked)
    assert answer.status == 200, answer.text
    assert answer.json()["values"] == [[3.75, None]]
    rows = [{"driver_id": 1, "event_timestamp": "2026-05-02T00:00:00Z", "km": 2.5}]
    asked = {"features": ["fares:price"], "entity_rows": rows}
    answer = server.post_json("/v1/projects/default/historical", asked)
    assert answer.status == 200, answer.text
    assert "3.75" in answer.text
    answer = server.get("/v1/projects/default/on-demand-views")
    assert [each["name"] for each in answer.json()] == ["bills", "fares", "notes"]


def test_a_store_on_a_server(store: FeatureStore, server: ServerProcess) -> None:
    with FeatureStore(url=server.url) as remote:
        here = store.get_online_features(FEATURES, ENTITIES)
        there = remote.get_online_features(FEATURES, ENTITIES)
        assert there.to_dict() == here.to_dict()
        assert there.statuses == here.statuses
        assert training_set(remote, FEATURES).equals(training_set(store, FEATURES))
        with pytest.raises(tidemark.errors.NotFoundError, match="request data 'km'"):
            remote.get_online_features(["fares:price"], {"driver_id": [1]})


def test_the_program(store: FeatureStore) -> None:
    def run(*arguments: str) -> str:
        command = [str(PROGRAM), "--store", store.repo_path, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    wanted = ["get-online", "--features", "fares:price,stats:trips", "--output", "csv"]
    assert run(*wanted, "driver_id=1,km=4") == "driver_id,price,trips\n1,6.0,10\n"
    assert "lacks request data km (float64)" in run(*wanted, "driver_id=1")
    assert "request data km is of type float64, and 'far' is not" in run(
        *wanted, "driver_id=1,km=far"
    )
    explained = run("explain", "fares:price", "driver_id=1,km=4", "--output", "json")
    assert '"feature": "stats:rate"' in explained
    assert "bills,pandas" in run("on-demand-views", "list", "--output", "csv")
    assert "only with --python-workers N" in run(
        "get-online", "--features", "bills:total", "driver_id=1"
    )
