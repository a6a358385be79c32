"""Records through boto3's runtime client.

Goal: every rule of PutRecord, GetRecord, DeleteRecord, the batches, UpdateRecord and ListRecords
holds for the unchanged client, online and offline.
"""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from feature_store import definition, record, values_of
from server_process import ServerProcess

Query = Callable[[str], list[dict[str, Any]]]


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def at(**before: float) -> str:
    return (datetime.now(UTC) - timedelta(**before)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def group(control: Any) -> str:
    control.create_feature_group(**definition())
    return "customers"


def put(
    runtime: Any,
    group: str,
    identifier: str = "c1",
    time: str = "2024-05-01T12:00:00Z",
    **more: Any,
) -> Any:
    options = {name: more.pop(name) for name in ("TargetStores", "TtlDuration") if name in more}
    return runtime.put_record(
        FeatureGroupName=group, Record=record(customer_id=identifier, at=time, **more), **options
    )


def get(runtime: Any, group: str, identifier: str = "c1", **options: Any) -> dict[str, Any] | None:
    return values_of(
        runtime.get_record(
            FeatureGroupName=group, RecordIdentifierValueAsString=identifier, **options
        )
    )


def delete(runtime: Any, group: str, time: str, identifier: str = "c1", **options: Any) -> Any:
    return runtime.delete_record(
        FeatureGroupName=group, RecordIdentifierValueAsString=identifier, EventTime=time, **options
    )


def test_a_record_is_read_back_and_is_offline(runtime: Any, group: str, query: Query) -> None:
    answer = put(runtime, group, age="42", score="0.5", city="Zürich 雪 \U0001f30a")
    assert answer["ResponseMetadata"]["RequestId"]
    want = {"customer_id": "c1", "at": "2024-05-01T12:00:00Z", "age": "42", "score": "0.5"}
    assert get(runtime, group) == {**want, "city": "Zürich 雪 \U0001f30a"}
    assert get(runtime, group, FeatureNames=["score", "at"]) == {
        "score": "0.5",
        "at": "2024-05-01T12:00:00Z",
    }
    rows = query("SELECT customer_id, age, score, city, is_deleted FROM customers")
    assert rows == [
        {
            "customer_id": "c1",
            "age": 42,
            "score": 0.5,
            "city": "Zürich 雪 \U0001f30a",
            "is_deleted": False,
        }
    ]


def test_what_is_left_out_is_null_and_replaces(runtime: Any, group: str) -> None:
    put(runtime, group, age="42", city="")
    assert get(runtime, group) == {
        "customer_id": "c1",
        "at": "2024-05-01T12:00:00Z",
        "age": "42",
        "city": "",
    }
    put(runtime, group, time="2024-05-01T12:00:01Z", score="1")
    assert get(runtime, group) == {
        "customer_id": "c1",
        "at": "2024-05-01T12:00:01Z",
        "score": "1.0",
    }
    assert get(runtime, group, "nobody") is None


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-01T12:00:00Z",
        "2024-05-01T12:00:00.5Z",
        "2024-05-01T12:00:00.500Z",
        "2024-05-01T12:00:00.123456789Z",
        "2024-05-01T12:00:00.000000Z",
        "1969-12-31T23:59:59.9999999Z",
    ],
)
def test_event_times_come_back_byte_for_byte(runtime: Any, group: str, text: str) -> None:
    put(runtime, group, time=text)
    assert get(runtime, group)["at"] == text


def test_event_times_are_compared_as_instants(runtime: Any, group: str, query: Query) -> None:
    put(runtime, group, time="2024-05-01T12:00:00.500Z", city="later")
    put(runtime, group, time="2024-05-01T12:00:00Z", city="earlier")
    assert get(runtime, group)["city"] == "later"
    assert query("SELECT count(*) AS n FROM customers") == [{"n": 2}]  # history is kept


def test_times_that_differ_below_a_microsecond_are_equal(runtime: Any, group: str) -> None:
    put(runtime, group, time="2024-05-01T12:00:00.000000900Z", city="first")
    put(runtime, group, time="2024-05-01T12:00:00.000000100Z", city="second")
    assert get(runtime, group) == {
        "customer_id": "c1",
        "at": "2024-05-01T12:00:00.000000100Z",
        "city": "second",
    }


def test_fractional_event_times(control: Any, runtime: Any) -> None:
    features = definition()["FeatureDefinitions"]
    features[1]["FeatureType"] = "Fractional"
    control.create_feature_group(**definition(FeatureDefinitions=features))
    put(runtime, "customers", time="999999999", city="old")
    put(runtime, "customers", time="1000000000", city="new")
    put(runtime, "customers", time="999999999.5", city="between")
    assert get(runtime, "customers") == {"customer_id": "c1", "at": "1000000000.0", "city": "new"}
    put(runtime, "customers", time="1714564800.1234567")
    assert float(get(runtime, "customers")["at"]) == 1714564800.1234567
    with pytest.raises(ClientError) as caught:
        put(runtime, "customers", time="nan")
    assert code_of(caught) == ("ValidationError", 400)


@pytest.mark.parametrize(
    "values",
    [
        {"age": "3.0"},
        {"age": "x"},
        {"age": ""},
        {"age": "9223372036854775808"},
        {"score": "1,5"},
        {"score": "1e999"},
        {"nothing": "1"},
        {"time": "2024-05-01 12:00:00Z"},
        {"time": "2024-05-01T12:00:00"},
        {"time": "2024-05-01T12:00:00+01:00"},
        {"time": "2024-13-01T12:00:00Z"},
        {"time": "2024-05-01T12:00:00.1234567890Z"},
        {"identifier": "x" * 2049},
        {"city": "x" * 358_401},
        {"city": ["a"]},
        {"TargetStores": ["Nowhere"]},
        {"TargetStores": ["OnlineStore"] * 3},
        {"TtlDuration": {"Unit": "Years", "Value": 1}},
        {"TtlDuration": {"Unit": "Weeks", "Value": 2**62}},
    ],
)
def test_what_does_not_fit_is_refused(
    runtime: Any, group: str, query: Query, values: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as caught:
        put(runtime, group, **values)
    assert code_of(caught) == ("ValidationError", 400)
    assert query("SELECT count(*) AS n FROM customers") == [{"n": 0}]


def test_a_record_needs_identifier_and_event_time(runtime: Any, group: str) -> None:
    for values in ({"at": "2024-05-01T12:00:00Z"}, {"customer_id": "c1"}):
        with pytest.raises(ClientError) as caught:
            runtime.put_record(FeatureGroupName=group, Record=record(**values))
        assert code_of(caught) == ("ValidationError", 400)
    twice = record(customer_id="c1", at="2024-05-01T12:00:00Z") + record(customer_id="c2")
    with pytest.raises(ClientError, match="twice"):
        runtime.put_record(FeatureGroupName=group, Record=twice)


def test_unknown_groups(runtime: Any) -> None:
    with pytest.raises(
        ClientError, match="Resource Not Found: Amazon SageMaker can't find"
    ) as put_:
        put(runtime, "nowhere")
    assert code_of(put_) == ("ValidationError", 400)
    with pytest.raises(ClientError) as deleted:
        delete(runtime, "nowhere", "2024-05-01T12:00:00Z")
    assert code_of(deleted) == ("ValidationError", 400)
    with pytest.raises(runtime.exceptions.ResourceNotFound) as got:
        get(runtime, "nowhere")
    assert code_of(got) == ("ResourceNotFound", 404)
    with pytest.raises(ClientError) as odd:
        get(runtime, "-odd")
    assert code_of(odd) == ("ValidationError", 400)


def test_groups_by_arn_and_in_any_case(control: Any, runtime: Any, group: str) -> None:
    arn = control.describe_feature_group(FeatureGroupName=group)["FeatureGroupArn"]
    put(runtime, arn, city="by arn")
    assert get(runtime, "CUSTOMERS")["city"] == "by arn"
    assert get(runtime, arn)["city"] == "by arn"


def test_target_stores(control: Any, runtime: Any, group: str, query: Query) -> None:
    put(runtime, group, city="online", TargetStores=["OnlineStore"])
    put(runtime, group, "c2", city="offline", TargetStores=["OfflineStore"])
    assert get(runtime, group)["city"] == "online"
    assert get(runtime, group, "c2") is None
    assert query("SELECT city FROM customers") == [{"city": "offline"}]
    control.create_feature_group(**definition(FeatureGroupName="online", OfflineStoreConfig=None))
    put(runtime, "online", city="x")
    assert get(runtime, "online")["city"] == "x"
    control.create_feature_group(**definition(FeatureGroupName="offline", OnlineStoreConfig=None))
    put(runtime, "offline", city="y")
    assert query("SELECT city FROM offline") == [{"city": "y"}]
    for name, store in (("online", "OfflineStore"), ("offline", "OnlineStore")):
        with pytest.raises(ClientError) as caught:
            put(runtime, name, TargetStores=[store])
        assert code_of(caught) == ("ValidationError", 400)
    with pytest.raises(ClientError) as caught:
        get(runtime, "offline")
    assert code_of(caught) == ("ValidationError", 400)


def test_soft_deletion(runtime: Any, group: str, query: Query) -> None:
    put(runtime, group, time="2024-05-01T12:00:00Z", city="x")
    delete(runtime, group, "2024-05-01T11:00:00Z")
    assert get(runtime, group)["city"] == "x"  # an older deletion hides nothing
    delete(runtime, group, "2024-05-01T13:00:00Z")
    assert get(runtime, group) is None
    put(runtime, group, time="2024-05-01T12:30:00Z", city="late")
    assert get(runtime, group) is None  # the marker is later
    rows = query('SELECT "at", city, is_deleted FROM customers ORDER BY write_time')
    assert [(row["at"][11:16], row["city"], row["is_deleted"]) for row in rows] == [
        ("12:00", "x", False),
        ("11:00", None, True),
        ("13:00", None, True),
        ("12:30", "late", False),
    ]
    put(runtime, group, time="2024-05-01T14:00:00Z", city="back")
    assert get(runtime, group)["city"] == "back"
    delete(runtime, group, "2024-05-01T13:00:00Z", "nobody")  # absent: no error


def test_hard_deletion(runtime: Any, group: str, query: Query) -> None:
    put(runtime, group, time="2024-05-01T12:00:00Z")
    for time_ in ("2024-05-01T11:00:00Z", "2024-05-01T12:00:00Z"):
        with pytest.raises(ClientError) as caught:
            delete(runtime, group, time_, DeletionMode="HardDelete")
        assert code_of(caught) == ("ValidationError", 400)
    assert get(runtime, group) is not None
    assert query("SELECT count(*) AS n FROM customers") == [{"n": 1}]
    delete(runtime, group, "2024-05-01T13:00:00Z", DeletionMode="HardDelete")
    assert get(runtime, group) is None
    listed = runtime.list_records(FeatureGroupName=group, IncludeSoftDeletedRecords=True)
    assert listed["RecordIdentifiers"] == []
    assert query("SELECT count(*) AS n FROM customers WHERE is_deleted") == [{"n": 1}]
    put(runtime, group, time="2024-05-01T12:30:00Z")
    assert get(runtime, group) is None  # our choice: an older record stays ignored
    with pytest.raises(ClientError) as caught:
        delete(runtime, group, "2024-05-01T14:00:00Z", DeletionMode="Gone")
    assert code_of(caught) == ("ValidationError", 400)


def test_ttl(runtime: Any, group: str) -> None:
    put(runtime, group, time=at(minutes=1), TtlDuration={"Unit": "Hours", "Value": 1})
    answer = runtime.get_record(
        FeatureGroupName=group,
        RecordIdentifierValueAsString="c1",
        ExpirationTimeResponse="Enabled",
    )
    written = datetime.fromisoformat(values_of(answer)["at"])
    assert datetime.fromisoformat(answer["ExpiresAt"]) == written + timedelta(hours=1)
    assert "ExpiresAt" not in runtime.get_record(
        FeatureGroupName=group, RecordIdentifierValueAsString="c1"
    )
    put(runtime, group, time=at(seconds=30), TtlDuration={"Unit": "Seconds", "Value": 10})
    assert get(runtime, group) is None  # expired on arrival, and it is the latest
    put(runtime, group, "c2", time=at(seconds=0), TtlDuration={"Unit": "Seconds", "Value": 3})
    assert get(runtime, group, "c2") is not None
    until = time.monotonic() + 30
    while get(runtime, group, "c2") is not None:
        assert time.monotonic() < until
    put(runtime, group, "c3")
    answer = runtime.get_record(
        FeatureGroupName=group,
        RecordIdentifierValueAsString="c3",
        ExpirationTimeResponse="Enabled",
    )
    assert "ExpiresAt" not in answer
    with pytest.raises(ClientError) as caught:
        get(runtime, group, ExpirationTimeResponse="Maybe")
    assert code_of(caught) == ("ValidationError", 400)


def test_the_groups_ttl_is_for_records_without_one(
    control: Any, runtime: Any, query: Query
) -> None:
    config = {"EnableOnlineStore": True, "TtlDuration": {"Unit": "Days", "Value": 1}}
    control.create_feature_group(**definition(OnlineStoreConfig=config))
    put(runtime, "customers", time=at(days=2))
    put(runtime, "customers", "c2", time=at(days=2), TtlDuration={"Unit": "Weeks", "Value": 1})
    assert get(runtime, "customers") is None
    assert get(runtime, "customers", "c2") is not None
    assert query("SELECT count(expires_at) AS n FROM customers") == [{"n": 2}]
    control.meta.events.register(
        "before-call.sagemaker.UpdateFeatureGroup",
        lambda params, **_: params.update(
            body=b'{"FeatureGroupName":"customers","OnlineStoreConfig":'
            b'{"TtlDuration":{"Unit":null,"Value":null}}}'
        ),
    )
    control.update_feature_group(FeatureGroupName="customers", OnlineStoreConfig={})
    put(runtime, "customers", "c3", time=at(days=2))
    assert get(runtime, "customers", "c3") is not None
    assert get(runtime, "customers") is None  # what was written before keeps its expiry


def test_batch_get(control: Any, runtime: Any, group: str) -> None:
    control.create_feature_group(**definition(FeatureGroupName="Others"))
    put(runtime, group, city="a")
    put(
        runtime, group, "c2", city="b", time=at(minutes=1), TtlDuration={"Unit": "Days", "Value": 1}
    )
    put(runtime, "Others", "o1", age="7")
    answer = runtime.batch_get_record(
        ExpirationTimeResponse="Enabled",
        Identifiers=[
            {
                "FeatureGroupName": group,
                "RecordIdentifiersValueAsString": ["c1", "gone", "c2"],
                "FeatureNames": ["city"],
            },
            {"FeatureGroupName": "others", "RecordIdentifiersValueAsString": ["o1"]},
            {"FeatureGroupName": "nowhere", "RecordIdentifiersValueAsString": ["x", "y"]},
        ],
    )
    found = [
        (
            each["FeatureGroupName"],
            each["RecordIdentifierValueAsString"],
            values_of(each),
            "ExpiresAt" in each,
        )
        for each in answer["Records"]
    ]
    assert found == [
        (group, "c1", {"city": "a"}, False),
        (group, "c2", {"city": "b"}, True),
        ("others", "o1", {"customer_id": "o1", "at": "2024-05-01T12:00:00Z", "age": "7"}, False),
    ]
    errors = [
        (each["RecordIdentifierValueAsString"], each["ErrorCode"]) for each in answer["Errors"]
    ]
    assert errors == [("x", "ResourceNotFound"), ("y", "ResourceNotFound")]
    assert answer["UnprocessedIdentifiers"] == []
    with pytest.raises(ClientError) as caught:
        runtime.batch_get_record(
            Identifiers=[{"FeatureGroupName": group, "RecordIdentifiersValueAsString": ["c"] * 101}]
        )
    assert code_of(caught) == ("ValidationError", 400)
    with pytest.raises(ClientError) as caught:
        get(runtime, group, FeatureNames=["nothing"])
    assert code_of(caught) == ("ValidationError", 400)


def test_batch_write(control: Any, runtime: Any, group: str, query: Query) -> None:
    control.create_feature_group(**definition(FeatureGroupName="others"))
    now = at(minutes=5)
    entries = [
        {"FeatureGroupName": group, "Record": record(customer_id=f"c{i}", at=now, age=str(i))}
        for i in range(20)
    ]
    entries += [
        {"FeatureGroupName": group, "Record": record(customer_id="bad", at=now, age="3.0")},
        {"FeatureGroupName": "nowhere", "Record": record(customer_id="c", at=now)},
        {
            "FeatureGroupName": "others",
            "Record": record(customer_id="o", at=now),
            "TargetStores": ["OfflineStore"],
        },
        {
            "FeatureGroupName": "others",
            "Record": record(customer_id="p", at=now),
            "TtlDuration": {"Unit": "Seconds", "Value": 1},
        },
    ]
    answer = runtime.batch_write_record(Entries=entries, TtlDuration={"Unit": "Hours", "Value": 1})
    assert [(each["Entry"], each["ErrorCode"]) for each in answer["Errors"]] == [
        (entries[20], "ValidationError"),
        (entries[21], "ResourceNotFound"),
    ]
    assert answer["UnprocessedEntries"] == []
    assert [get(runtime, group, f"c{i}")["age"] for i in range(20)] == [str(i) for i in range(20)]
    assert get(runtime, "others", "o") is None
    assert get(runtime, "others", "p") is None  # its own ttl goes before the request's
    assert query("SELECT count(*) AS n FROM customers") == [{"n": 20}]
    assert query("SELECT count(*) AS n FROM others") == [{"n": 2}]
    with pytest.raises(ClientError) as caught:
        runtime.batch_write_record(Entries=entries + entries[:10])
    assert code_of(caught) == ("ValidationError", 400)


@pytest.fixture
def updatable(control: Any) -> str:
    config = {"EnableOnlineStore": True, "StorageType": "Standard_V2"}
    control.create_feature_group(**definition(OnlineStoreConfig=config))
    return "customers"


def update(runtime: Any, group: str, identifier: str = "c1", **values: Any) -> Any:
    options = {name: values.pop(name) for name in ("TargetStores", "TtlDuration") if name in values}
    return runtime.update_record(
        FeatureGroupName=group,
        RecordIdentifierValueAsString=identifier,
        Features=record(**values),
        **options,
    )


def test_update(runtime: Any, updatable: str, query: Query) -> None:
    put(runtime, updatable, time="2024-05-01T12:00:00.10Z", age="1", city="x")
    update(runtime, updatable, age="2")
    want = {"customer_id": "c1", "at": "2024-05-01T12:00:00.10Z", "age": "2", "city": "x"}
    assert get(runtime, updatable) == want
    update(runtime, updatable, at="2024-05-01T13:00:00Z", score="0.5")
    assert get(runtime, updatable) == {**want, "at": "2024-05-01T13:00:00Z", "score": "0.5"}
    with pytest.raises(runtime.exceptions.ConflictException) as conflict:
        update(runtime, updatable, at="2024-05-01T12:59:59Z", age="3")
    assert code_of(conflict) == ("ConflictException", 409)
    with pytest.raises(runtime.exceptions.ResourceNotFound):
        update(runtime, updatable, "nobody", age="1")
    assert query("SELECT count(*) AS n FROM customers") == [{"n": 3}]
    delete(runtime, updatable, "2024-05-01T14:00:00Z")
    with pytest.raises(runtime.exceptions.ResourceNotFound):
        update(runtime, updatable, age="1")


def test_updates_keep_the_ttl(runtime: Any, updatable: str) -> None:
    put(runtime, updatable, time=at(minutes=30), TtlDuration={"Unit": "Hours", "Value": 1})

    def expires_at() -> datetime:
        answer = runtime.get_record(
            FeatureGroupName=updatable,
            RecordIdentifierValueAsString="c1",
            ExpirationTimeResponse="Enabled",
        )
        return datetime.fromisoformat(answer["ExpiresAt"])

    before = expires_at()
    update(runtime, updatable, age="1")
    assert expires_at() == before
    later = at(minutes=10)
    update(runtime, updatable, at=later)
    assert expires_at() == datetime.fromisoformat(later) + timedelta(hours=1)
    update(runtime, updatable, at=later, TtlDuration={"Unit": "Days", "Value": 1})
    assert expires_at() == datetime.fromisoformat(later) + timedelta(days=1)


def test_updates_that_are_refused(control: Any, runtime: Any, updatable: str) -> None:
    put(runtime, updatable)
    wrong: list[dict[str, Any]] = [
        {"age": "x"},
        {"nothing": "1"},
        {"customer_id": "other", "age": "1"},
        {"age": "1", "TtlDuration": {"Unit": "Days", "Value": 1}},
        {"age": "1", "TargetStores": ["OfflineStore"]},
    ]
    for values in wrong:
        with pytest.raises(ClientError) as caught:
            update(runtime, updatable, **values)
        assert code_of(caught) == ("ValidationError", 400)
    control.create_feature_group(**definition(FeatureGroupName="standard"))
    put(runtime, "standard")
    with pytest.raises(ClientError) as caught:
        update(runtime, "standard", age="1")
    assert code_of(caught) == ("ValidationError", 400)


def test_updates_at_once_are_all_kept(runtime: Any, updatable: str) -> None:
    put(runtime, updatable)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for done in [
            pool.submit(update, runtime, updatable, **{name: value})
            for name, value in (("age", "1"), ("score", "2.5"), ("city", "x")) * 10
        ]:
            done.result()
    assert get(runtime, updatable) == {
        "customer_id": "c1",
        "at": "2024-05-01T12:00:00Z",
        "age": "1",
        "score": "2.5",
        "city": "x",
    }


def test_list_records(runtime: Any, group: str) -> None:
    for i in range(23):
        put(runtime, group, f"c{i:02}")
    delete(runtime, group, "2024-05-01T13:00:00Z", "c05")
    delete(runtime, group, "2024-05-01T13:00:00Z", "c06", DeletionMode="HardDelete")
    put(
        runtime, group, "c07", time="2024-05-01T13:00:00Z", TtlDuration={"Unit": "Days", "Value": 1}
    )
    seen: list[str] = []
    pages = 0
    token: dict[str, str] = {}
    while True:
        page = runtime.list_records(FeatureGroupName=group, MaxResults=7, **token)
        seen += page["RecordIdentifiers"]
        pages += 1
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert seen == [f"c{i:02}" for i in range(23) if i not in (5, 6, 7)]
    assert pages == 3
    everything = runtime.list_records(FeatureGroupName=group, IncludeSoftDeletedRecords=True)
    assert everything["RecordIdentifiers"] == [f"c{i:02}" for i in range(23) if i not in (6, 7)]
    for options in ({"MaxResults": 101}, {"NextToken": "nonsense"}):
        with pytest.raises(ClientError) as caught:
            runtime.list_records(FeatureGroupName=group, **options)
        assert code_of(caught) == ("ValidationError", 400)
    with pytest.raises(runtime.exceptions.ResourceNotFound):
        runtime.list_records(FeatureGroupName="nowhere")


def test_collections(control: Any, runtime: Any) -> None:
    features = definition()["FeatureDefinitions"] + [
        {"FeatureName": "seen", "FeatureType": "Integral", "CollectionType": "List"},
        {"FeatureName": "tags", "FeatureType": "String", "CollectionType": "Set"},
        {
            "FeatureName": "embedding",
            "FeatureType": "Fractional",
            "CollectionType": "Vector",
            "CollectionConfig": {"VectorConfig": {"Dimension": 3}},
        },
    ]
    config = {"EnableOnlineStore": True, "StorageType": "InMemory"}
    control.create_feature_group(
        **definition(FeatureDefinitions=features, OnlineStoreConfig=config)
    )
    lists = {"seen": ["3", "1", "3"], "tags": ["b", "a", "b"], "embedding": ["0.5", "1", "-2"]}
    put(runtime, "customers", **lists)
    got = get(runtime, "customers")
    assert got["seen"] == ["3", "1", "3"]
    assert sorted(got["tags"]) == ["a", "b"]
    assert got["embedding"] == ["0.5", "1.0", "-2.0"]
    update(runtime, "customers", age="1")
    assert get(runtime, "customers") == {**got, "age": "1"}
    wrong = ({"seen": "1"}, {"seen": ["x"]}, {"embedding": ["1", "2"]}, {"age": ["1"]})
    for values in wrong:
        with pytest.raises(ClientError) as caught:
            put(runtime, "customers", **values)
        assert code_of(caught) == ("ValidationError", 400)


def test_a_retry_changes_nothing(
    runtime: Any, group: str, server: ServerProcess, query: Query
) -> None:
    body = (
        '{"Record":[{"FeatureName":"customer_id","ValueAsString":"c1"},'
        '{"FeatureName":"at","ValueAsString":"2024-05-01T12:00:00Z"}]}'
    )
    once = {"amz-sdk-invocation-id": "one", "Content-Type": "application/json"}
    for headers in (once, once, {"Idempotency-Key": "two"}, {"Idempotency-Key": "two"}):
        assert server.request("PUT", f"/FeatureGroup/{group}", body, headers).status == 200
    assert query("SELECT count(*) AS n FROM customers") == [{"n": 2}]
    gone = (
        f"/FeatureGroup/{group}?RecordIdentifierValueAsString=c1"
        "&EventTime=2024-05-01T13:00:00Z&DeletionMode=HardDelete"
    )
    for _ in range(2):
        assert (
            server.request("DELETE", gone, headers={"amz-sdk-invocation-id": "three"}).status == 200
        )
    assert query("SELECT count(*) AS n FROM customers") == [{"n": 3}]


def test_identifiers_of_all_kinds(control: Any, runtime: Any, group: str) -> None:
    for identifier in ("a b+c/d%&=?#", "é雪", "x" * 2048, "0"):
        put(runtime, group, identifier, city=identifier[:5])
        assert get(runtime, group, identifier)["city"] == identifier[:5]
    features = definition()["FeatureDefinitions"]
    features[0]["FeatureType"] = "Integral"
    control.create_feature_group(
        **definition(FeatureGroupName="numbers", FeatureDefinitions=features)
    )
    put(runtime, "numbers", "-7", city="x")
    assert get(runtime, "numbers", "-7")["customer_id"] == "-7"
    with pytest.raises(ClientError) as caught:
        get(runtime, "numbers", "seven")
    assert code_of(caught) == ("ValidationError", 400)
    assert runtime.list_records(FeatureGroupName="numbers")["RecordIdentifiers"] == ["-7"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"Record":1}',
        b'{"Record":[]}',
        b'{"Record":[1]}',
        b'{"Record":[{}]}',
        b'{"Record":[{"FeatureName":1}]}',
        b'{"Record":[{"FeatureName":"at"}]}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"Record":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"Record":[{"FeatureName":"at","ValueAsString":NaN}]}',
        b'{"Record":[{"FeatureName":"at","ValueAsString":"\\ud800"}]}',
        b'{"TtlDuration":{"Unit":"Days","Value":1e400}}',
        b'{"Record":[{"FeatureName":"at","ValueAsString":"x","ValueAsStringList":["x"]}]}',
    ],
)
def test_hostile_bodies(group: str, server: ServerProcess, body: bytes) -> None:
    for method, path in (
        ("PUT", f"/FeatureGroup/{group}"),
        ("POST", "/BatchWriteRecord"),
        ("POST", "/BatchGetRecord"),
        ("POST", f"/FeatureGroup/{group}/Record"),
    ):
        answer = server.request(method, path, body)
        assert answer.status == 400, (path, answer)
        assert answer.json()["__type"] == answer.headers["x-amzn-errortype"]
        assert answer.headers["x-amzn-requestid"]
