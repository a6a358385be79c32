"""Goal: a stream feature view comes back from a registry as it was stated, what it computes is
checked when it is applied, and what Feast has beyond it is refused with what to do.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from program import PROGRAM

from tidemark import (
    Entity,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    JsonFormat,
    KafkaSource,
    StreamFeatureView,
    TableOptions,
)
from tidemark.errors import (
    InvalidArgumentError,
    NotFoundError,
    TypeMismatchError,
    UnsupportedError,
)
from tidemark.stream_feature_view import stream_feature_view
from tidemark.types import Float64, Int64, String

USER = Entity(name="user", join_keys={"user": Int64})
SOURCE = KafkaSource(
    name="orders",
    kafka_bootstrap_servers="nowhere:9092",
    topic="orders",
    message_format=JsonFormat(),
)


def orders(**more: Any) -> StreamFeatureView:
    stated: dict[str, Any] = {
        "name": "orders",
        "entities": [USER],
        "schema": [Field("total", Float64), Field("shop", String)],
        "source": SOURCE,
        "inputs": [Field("price", Float64), Field("qty", Int64)],
        "expressions": {"total": "price * qty"},
        "filter": "qty > 0",
    }
    return StreamFeatureView(**stated | more)


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "store")


def test_it_comes_back_as_it_was_stated(store: FeatureStore) -> None:
    plain = FeatureView(name="plain", entities=[USER], schema=[Field("n", Int64)], source=SOURCE)
    store.apply([USER, orders(), plain])
    view = store.get_stream_feature_view("orders")
    assert isinstance(view, StreamFeatureView)
    assert view.expressions == {"total": "price * qty"}
    assert view.filter == "qty > 0"
    assert [(each.name, each.dtype) for each in view.inputs] == [("price", Float64), ("qty", Int64)]
    assert isinstance(store.get_feature_view("orders"), StreamFeatureView)
    assert [each.name for each in store.list_stream_feature_views()] == ["orders"]
    assert not store.apply([view])
    with pytest.raises(NotFoundError, match="get_feature_view gives it"):
        store.get_stream_feature_view("plain")
    spec = store.describe("orders")["spec"]
    assert spec["streamTransformation"] == {
        "inputs": [
            {"name": "price", "valueType": "DOUBLE"},
            {"name": "qty", "valueType": "INT64"},
        ],
        "expressions": {"total": "price * qty"},
        "filter": "qty > 0",
    }


def test_one_that_changes_nothing_stays_one(store: FeatureStore) -> None:
    store.apply([USER, orders(inputs=None, expressions=None, filter="")])
    assert store.get_stream_feature_view("orders").expressions == {}


def test_a_change_is_told_expression_by_expression(store: FeatureStore) -> None:
    store.apply([USER, orders()])
    plan = store.plan([orders(expressions={"total": "price"}, filter="")])
    text = str(plan)
    assert "expression of 'total': 'price * qty' -> 'price'" in text
    assert "filter: 'qty > 0' -> (none)" in text
    assert "not computed again" in text


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"filter": "qty >"}, InvalidArgumentError, "orders: transformation: filter: "),
        ({"filter": "qty + 1"}, TypeMismatchError, "filter: "),
        ({"expressions": {"total": "prize"}}, NotFoundError, r"expression of total: .*prize"),
        ({"expressions": {"total": "'x'"}}, TypeMismatchError, "expression of total: "),
        ({"expressions": {"sum": "1"}}, NotFoundError, "no such feature"),
        ({"expressions": {"user": "1"}}, UnsupportedError, "a join key is not computed"),
    ],
)
def test_expressions_are_checked_when_they_are_applied(
    store: FeatureStore, changed: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        store.apply([USER, orders(**changed)])
    assert store.list_feature_views() == []


def test_what_feast_has_beyond_it_is_refused_with_what_to_do() -> None:
    with pytest.raises(UnsupportedError, match="expressions="):
        orders(udf=lambda frame: frame)
    with pytest.raises(UnsupportedError, match="mode='spark'"):
        orders(mode="spark")
    with pytest.raises(UnsupportedError, match="windows over a stream"):
        orders(aggregations=["sum"])
    with pytest.raises(UnsupportedError, match="define a StreamFeatureView"):
        stream_feature_view(name="orders", mode="spark")
    with pytest.raises(InvalidArgumentError, match="not FileSource"):
        orders(source=FileSource("orders.parquet"))


def test_the_column_of_event_times_is_stated_once(store: FeatureStore) -> None:
    view = orders(timestamp_field="at")
    assert view.table == TableOptions(timestamp_field="at")
    with pytest.raises(InvalidArgumentError, match="give one"):
        orders(timestamp_field="at", table=TableOptions(timestamp_field="when"))
    store.apply([USER, view])
    assert store.get_stream_feature_view("orders").table.timestamp_field == "at"


def test_yaml_states_it_too(store: FeatureStore, tmp_path: Path) -> None:
    (tmp_path / "orders.yaml").write_text(
        "entities: [{name: user, join_keys: [{name: user, type: int64}]}]\n"
        "feature_views:\n"
        "  - name: orders\n"
        "    entities: [user]\n"
        "    fields: {total: float64}\n"
        "    stream_source:\n"
        "      {type: kafka, name: orders, kafka_bootstrap_servers: 'nowhere:9092', "
        "topic: orders,\n"
        "       message_format: json}\n"
        "    transformation:\n"
        "      inputs: {price: float64, qty: int64}\n"
        "      expressions: {total: price * qty}\n"
        "      filter: qty > 0\n"
    )
    command = [PROGRAM, "--store", tmp_path / "store", "apply", tmp_path / "orders.yaml"]
    subprocess.run(command, check=True, capture_output=True)
    assert store.get_stream_feature_view("orders").filter == "qty > 0"
