"""Feature groups through boto3's control plane client.

Goal: every rule of making, describing, listing, changing, tagging, searching and deleting groups,
and groups that were made elsewhere.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from feature_store import client, definition, record, values_of
from program import PROGRAM
from server_process import ServerProcess, create_key

Query = Callable[[str], list[dict[str, Any]]]


def refused(call: Callable[..., Any], **request: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**request)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(caught.value.response["Error"]["Code"])


def test_create_and_describe(control: Any, tmp_path: Path) -> None:
    ttl = {"Unit": "Days", "Value": 30}
    request = definition(
        FeatureGroupName="Customers-1",
        Description="who buys",
        OnlineStoreConfig={
            "EnableOnlineStore": True,
            "TtlDuration": ttl,
            "StorageType": "Standard",
        },
        ThroughputConfig={"ThroughputMode": "OnDemand"},
        Tags=[{"Key": "team", "Value": "growth"}],
    )
    made = control.create_feature_group(**request)
    arn = "arn:aws:sagemaker:us-east-1:123456789012:feature-group/customers-1"
    assert made["FeatureGroupArn"] == arn
    for name in ("Customers-1", "customers-1", arn):
        told = control.describe_feature_group(FeatureGroupName=name)
        assert told["FeatureGroupName"] == "Customers-1"
        assert told["FeatureGroupArn"] == arn
        for member in (
            "FeatureDefinitions",
            "Description",
            "RoleArn",
            "OnlineStoreConfig",
            "ThroughputConfig",
            "RecordIdentifierFeatureName",
            "EventTimeFeatureName",
        ):
            assert told[member] == request[member]
        assert told["FeatureGroupStatus"] == "Created"
        assert told["OfflineStoreStatus"] == {"Status": "Active"}
        assert datetime.now(UTC) - told["CreationTime"] < timedelta(minutes=5)
        offline = told["OfflineStoreConfig"]
        assert offline["DataCatalogConfig"]["Database"] == "feature_store"
        assert offline["S3StorageConfig"]["S3Uri"] == "s3://tidemark/offline"
        folder = offline["S3StorageConfig"]["ResolvedOutputS3Uri"]
        assert folder.endswith("/data")
        assert str(tmp_path) in folder
    assert control.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "growth"}]


def test_names_are_taken_in_any_case(control: Any) -> None:
    control.create_feature_group(**definition())
    assert refused(control.create_feature_group, **definition()) == "ResourceInUse"
    again = definition(FeatureGroupName="CUSTOMERS")
    assert refused(control.create_feature_group, **again) == "ResourceInUse"
    with pytest.raises(control.exceptions.ResourceInUse):
        control.create_feature_group(**definition())


FEATURES = definition()["FeatureDefinitions"]
IN_MEMORY = {"EnableOnlineStore": True, "StorageType": "InMemory"}


@pytest.mark.parametrize(
    "changes",
    [
        {"FeatureGroupName": "-a"},
        {"FeatureGroupName": "a_"},
        {"FeatureGroupName": "a.b"},
        {"FeatureGroupName": "x" * 65},
        {"RecordIdentifierFeatureName": "nothing"},
        {"EventTimeFeatureName": "nothing"},
        {"EventTimeFeatureName": "age"},
        {"EventTimeFeatureName": "customer_id"},
        {"RecordIdentifierFeatureName": "score"},
        {"FeatureDefinitions": [*FEATURES, {"FeatureName": "write_time", "FeatureType": "String"}]},
        {"FeatureDefinitions": [*FEATURES, {"FeatureName": "is_deleted", "FeatureType": "String"}]},
        {
            "FeatureDefinitions": [
                *FEATURES,
                {"FeatureName": "api_invocation_time", "FeatureType": "String"},
            ]
        },
        {"FeatureDefinitions": [*FEATURES, FEATURES[2]]},
        {"FeatureDefinitions": [*FEATURES, {"FeatureName": "x", "FeatureType": "Boolean"}]},
        {"FeatureDefinitions": [*FEATURES, {"FeatureName": "x y", "FeatureType": "String"}]},
        {
            "FeatureDefinitions": [
                *FEATURES,
                {"FeatureName": "x", "FeatureType": "String", "CollectionType": "List"},
            ]
        },
        {
            "OnlineStoreConfig": IN_MEMORY,
            "FeatureDefinitions": [
                *FEATURES,
                {"FeatureName": "x", "FeatureType": "Fractional", "CollectionType": "Vector"},
            ],
        },
        {
            "OnlineStoreConfig": IN_MEMORY,
            "FeatureDefinitions": [
                *FEATURES,
                {
                    "FeatureName": "x",
                    "FeatureType": "Integral",
                    "CollectionType": "Vector",
                    "CollectionConfig": {"VectorConfig": {"Dimension": 2}},
                },
            ],
        },
        {
            "OnlineStoreConfig": IN_MEMORY,
            "FeatureDefinitions": [
                *FEATURES,
                {
                    "FeatureName": "x",
                    "FeatureType": "Fractional",
                    "CollectionType": "Vector",
                    "CollectionConfig": {"VectorConfig": {"Dimension": 8193}},
                },
            ],
        },
        {"OnlineStoreConfig": None, "OfflineStoreConfig": None},
        {"OnlineStoreConfig": {"EnableOnlineStore": False}, "OfflineStoreConfig": None},
        {"OnlineStoreConfig": {"EnableOnlineStore": True, "StorageType": "Slow"}},
        {
            "OnlineStoreConfig": {
                "EnableOnlineStore": True,
                "TtlDuration": {"Unit": "Moons", "Value": 1},
            }
        },
        {"OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "s3://somebody-elses"}}},
        {"OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "/etc"}}},
        {
            "OfflineStoreConfig": {
                "S3StorageConfig": {"S3Uri": "s3://tidemark/x"},
                "TableFormat": "Csv",
            }
        },
        {"RoleArn": "x" * 30},
        {"Description": "x" * 129},
        {"Tags": [{"Key": f"k{i}", "Value": "v"} for i in range(51)]},
        {"Tags": [{"Key": "sagemaker.created", "Value": "0"}]},
        {"Tags": [{"Key": "aws:x", "Value": "0"}]},
        {"ThroughputConfig": {"ThroughputMode": "Provisioned"}},
    ],
)
def test_what_is_no_group_is_refused(control: Any, changes: dict[str, Any]) -> None:
    assert refused(control.create_feature_group, **definition(**changes)) == "ValidationException"
    assert control.list_feature_groups()["FeatureGroupSummaries"] == []


def test_iceberg_needs_text_event_times(control: Any) -> None:
    features = [dict(each) for each in FEATURES]
    features[1]["FeatureType"] = "Fractional"
    iceberg = {"S3StorageConfig": {"S3Uri": "s3://tidemark/x"}, "TableFormat": "Iceberg"}
    wrong = definition(FeatureDefinitions=features, OfflineStoreConfig=iceberg)
    assert refused(control.create_feature_group, **wrong) == "ValidationException"
    control.create_feature_group(**definition(OfflineStoreConfig=iceberg))


def test_places_that_stand_for_the_store(control: Any, tmp_path: Path) -> None:
    places = (
        "s3://tidemark",
        "s3://sagemaker-us-east-1-123456789012/x",
        str(tmp_path / "offline"),
        f"file://{tmp_path}/offline",
    )
    for i, uri in enumerate(places):
        config = {"S3StorageConfig": {"S3Uri": uri}}
        control.create_feature_group(
            **definition(FeatureGroupName=f"g{i}", OfflineStoreConfig=config)
        )


def test_settings(tmp_path: Path) -> None:
    flags = (
        "--sagemaker-account",
        "111122223333",
        "--sagemaker-region",
        "eu-west-1",
        "--sagemaker-s3-uri",
        "s3://mine,s3://yours/x",
    )
    with ServerProcess(tmp_path, *flags) as server:
        control = client("sagemaker", server)
        config = {"S3StorageConfig": {"S3Uri": "s3://yours/x/y"}}
        made = control.create_feature_group(**definition(OfflineStoreConfig=config))
        assert made["FeatureGroupArn"].startswith("arn:aws:sagemaker:eu-west-1:111122223333:")
        other = definition(FeatureGroupName="other")
        assert refused(control.create_feature_group, **other) == "ValidationException"


def test_a_group_has_a_feature_of_its_own(control: Any) -> None:
    bare = definition(FeatureDefinitions=FEATURES[:2])
    assert refused(control.create_feature_group, **bare) == "ValidationException"
    control.create_feature_group(**definition(FeatureDefinitions=FEATURES[:3]))


def test_lists(control: Any) -> None:
    for name in ("beta", "alpha", "gamma"):
        control.create_feature_group(**definition(FeatureGroupName=name))
    control.create_feature_group(**definition(FeatureGroupName="alphabet", OfflineStoreConfig=None))

    def names(**options: Any) -> list[str]:
        answer = control.list_feature_groups(**options)
        return [each["FeatureGroupName"] for each in answer["FeatureGroupSummaries"]]

    assert names(SortBy="Name") == ["alpha", "alphabet", "beta", "gamma"]
    assert names(SortBy="Name", SortOrder="Descending")[0] == "gamma"
    assert names(SortBy="CreationTime") == ["beta", "alpha", "gamma", "alphabet"]
    assert names(NameContains="alpha") == ["alpha", "alphabet"]
    assert names(OfflineStoreStatusEquals="Active", SortBy="Name") == ["alpha", "beta", "gamma"]
    assert names(FeatureGroupStatusEquals="Deleting") == []
    assert names(CreationTimeAfter=datetime.now(UTC) + timedelta(hours=1)) == []
    assert len(names(CreationTimeBefore=datetime.now(UTC) + timedelta(hours=1))) == 4
    paged = control.get_paginator("list_feature_groups").paginate(
        SortBy="Name", PaginationConfig={"PageSize": 3}
    )
    assert [
        each["FeatureGroupName"] for page in paged for each in page["FeatureGroupSummaries"]
    ] == ["alpha", "alphabet", "beta", "gamma"]
    assert refused(control.list_feature_groups, MaxResults=101) == "ValidationException"
    assert refused(control.list_feature_groups, NextToken="x") == "ValidationException"
    assert refused(control.list_feature_groups, SortBy="Size") == "ValidationException"


def test_features_are_added(control: Any, runtime: Any) -> None:
    control.create_feature_group(**definition())
    runtime.put_record(
        FeatureGroupName="customers",
        Record=record(customer_id="c1", at="2024-05-01T12:00:00Z", age="1"),
    )
    added = [{"FeatureName": "visits", "FeatureType": "Integral"}]
    control.update_feature_group(FeatureGroupName="customers", FeatureAdditions=added)
    told = control.describe_feature_group(FeatureGroupName="customers")
    assert told["FeatureDefinitions"] == FEATURES + added
    assert told["LastUpdateStatus"] == {"Status": "Successful"}
    got = runtime.get_record(FeatureGroupName="customers", RecordIdentifierValueAsString="c1")
    assert values_of(got)["age"] == "1"
    runtime.put_record(
        FeatureGroupName="customers",
        Record=record(customer_id="c1", at="2024-05-01T13:00:00Z", visits="5"),
    )
    got = runtime.get_record(FeatureGroupName="customers", RecordIdentifierValueAsString="c1")
    assert values_of(got)["visits"] == "5"
    update = control.update_feature_group
    again = {"FeatureGroupName": "customers", "FeatureAdditions": added}
    assert refused(update, **again) == "ValidationException"
    assert refused(update, FeatureGroupName="customers") == "ValidationException"
    assert refused(update, **{**again, "FeatureGroupName": "nowhere"}) == "ResourceNotFound"


def test_online_store_changes(control: Any) -> None:
    control.create_feature_group(**definition())
    for config in ({"StorageType": "Standard_V2"}, {"TtlDuration": {"Unit": "Hours", "Value": 2}}):
        control.update_feature_group(FeatureGroupName="customers", OnlineStoreConfig=config)
        told = control.describe_feature_group(FeatureGroupName="customers")["OnlineStoreConfig"]
        assert config.items() <= told.items()
    for config in ({"StorageType": "Standard"}, {"StorageType": "InMemory"}):
        assert (
            refused(
                control.update_feature_group, FeatureGroupName="customers", OnlineStoreConfig=config
            )
            == "ValidationException"
        )
    throughput = {
        "ThroughputMode": "Provisioned",
        "ProvisionedReadCapacityUnits": 5,
        "ProvisionedWriteCapacityUnits": 6,
    }
    control.update_feature_group(FeatureGroupName="customers", ThroughputConfig=throughput)
    told = control.describe_feature_group(FeatureGroupName="customers")
    assert told["ThroughputConfig"] == throughput


def test_a_deleted_group_is_gone_and_its_name_free(
    control: Any, runtime: Any, query: Query
) -> None:
    control.create_feature_group(**definition())
    runtime.put_record(
        FeatureGroupName="customers", Record=record(customer_id="c1", at="2024-05-01T12:00:00Z")
    )
    control.delete_feature_group(FeatureGroupName="customers")
    with pytest.raises(control.exceptions.ResourceNotFound):
        control.describe_feature_group(FeatureGroupName="customers")
    with pytest.raises(runtime.exceptions.ResourceNotFound):
        runtime.get_record(FeatureGroupName="customers", RecordIdentifierValueAsString="c1")
    assert refused(control.delete_feature_group, FeatureGroupName="customers") == "ResourceNotFound"
    features = [dict(each) for each in FEATURES]
    features[0]["FeatureType"] = "Integral"  # another type of identifier, too
    control.create_feature_group(**definition(FeatureDefinitions=features))
    got = runtime.get_record(FeatureGroupName="customers", RecordIdentifierValueAsString="1")
    assert "Record" not in got
    assert query("SELECT count(*) AS n FROM customers") == [{"n": 0}]


def test_identifiers_of_one_name_and_two_types(control: Any, runtime: Any) -> None:
    control.create_feature_group(**definition())
    features = [dict(each) for each in FEATURES]
    features[0]["FeatureType"] = "Integral"
    control.create_feature_group(
        **definition(FeatureGroupName="numbers", FeatureDefinitions=features)
    )
    for group in ("customers", "numbers"):
        runtime.put_record(
            FeatureGroupName=group,
            Record=record(customer_id="7", at="2024-05-01T12:00:00Z", age="1"),
        )
        got = runtime.get_record(FeatureGroupName=group, RecordIdentifierValueAsString="7")
        assert values_of(got)["customer_id"] == "7"


def test_feature_metadata(control: Any) -> None:
    control.create_feature_group(**definition())
    for name in ("age", "customer_id", "at"):
        control.update_feature_metadata(
            FeatureGroupName="customers",
            FeatureName=name,
            Description=f"about {name}",
            ParameterAdditions=[{"Key": "pii", "Value": "no"}, {"Key": "unit", "Value": "years"}],
        )
        control.update_feature_metadata(
            FeatureGroupName="customers", FeatureName=name, ParameterRemovals=["unit"]
        )
        told = control.describe_feature_metadata(FeatureGroupName="customers", FeatureName=name)
        assert told["Description"] == f"about {name}"
        assert told["Parameters"] == [{"Key": "pii", "Value": "no"}]
        assert told["FeatureType"] == ("Integral" if name == "age" else "String")
        assert told["LastModifiedTime"] >= told["CreationTime"]
    about = {"FeatureGroupName": "customers", "FeatureName": "nothing"}
    assert refused(control.describe_feature_metadata, **about) == "ResourceNotFound"
    assert refused(control.update_feature_metadata, **about) == "ResourceNotFound"
    long = {"FeatureGroupName": "customers", "FeatureName": "age", "Description": "x" * 256}
    assert refused(control.update_feature_metadata, **long) == "ValidationException"


def test_tags(control: Any) -> None:
    arn = control.create_feature_group(**definition())["FeatureGroupArn"]
    added = control.add_tags(
        ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    )
    assert added["Tags"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    control.delete_tags(ResourceArn=arn, TagKeys=["a", "nothing", "sagemaker.created"])
    assert control.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    many = [{"Key": f"k{i}", "Value": "v"} for i in range(50)]
    assert refused(control.add_tags, ResourceArn=arn, Tags=many) == "ResourceLimitExceeded"
    assert refused(control.list_tags, ResourceArn=arn + "x") == "ResourceNotFound"


def test_search(control: Any) -> None:
    for name in ("alpha", "beta"):
        control.create_feature_group(
            **definition(FeatureGroupName=name, Tags=[{"Key": "team", "Value": name[:1]}])
        )

    def found(resource: str, key: str, *filters: tuple[str, str, str], **options: Any) -> list[str]:
        expression = {
            "Filters": [{"Name": n, "Operator": o, "Value": v} for n, o, v in filters],
            **({"Operator": options.pop("any")} if "any" in options else {}),
        }
        answer = control.search(Resource=resource, SearchExpression=expression, **options)
        return [each[resource][key] for each in answer["Results"]]

    def groups(*filters: tuple[str, str, str], **options: Any) -> list[str]:
        return found("FeatureGroup", "FeatureGroupName", *filters, **options)

    assert groups(("FeatureGroupName", "Contains", "ALP")) == ["alpha"]
    assert groups(("Tags.team", "Equals", "b")) == ["beta"]
    assert groups(("FeatureDefinitions.FeatureName", "Equals", "score")) == ["alpha", "beta"]
    assert groups(("FeatureGroupName", "NotEquals", "alpha")) == ["beta"]
    assert groups(("FeatureGroupName", "In", "alpha,gamma")) == ["alpha"]
    assert groups(("CreationTime", "GreaterThan", "2999-01-01T00:00:00Z")) == []
    assert groups(
        ("Description", "NotExists", "x"), SortBy="FeatureGroupName", SortOrder="Descending"
    ) == ["beta", "alpha"]
    either = (("FeatureGroupName", "Equals", "alpha"), ("Tags.team", "Equals", "b"))
    assert groups(*either) == []
    assert groups(*either, any="Or") == ["alpha", "beta"]
    assert found("FeatureMetadata", "FeatureGroupName", ("FeatureName", "Equals", "age")) == [
        "alpha",
        "beta",
    ]
    answer = control.search(Resource="FeatureGroup", MaxResults=1)
    assert len(answer["Results"]) == 1
    assert answer["NextToken"]
    assert refused(control.search, Resource="Endpoint") == "ValidationException"


def test_groups_that_are_not_in_the_catalog(control: Any, runtime: Any, tmp_path: Path) -> None:
    config = {"S3StorageConfig": {"S3Uri": "s3://tidemark/x"}, "DisableGlueTableCreation": True}
    control.create_feature_group(**definition(OfflineStoreConfig=config))
    told = control.describe_feature_group(FeatureGroupName="customers")["OfflineStoreConfig"]
    assert told["DisableGlueTableCreation"] is True
    assert "DataCatalogConfig" not in told
    done = subprocess.run(
        [str(PROGRAM), "--store", str(tmp_path), "sql", "SELECT * FROM customers"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0


def test_tables_made_elsewhere_are_groups(control: Any, runtime: Any, tmp_path: Path) -> None:
    definitions = {
        "entities": [{"name": "driver", "join_keys": [{"name": "driver_id", "type": "int64"}]}],
        "feature_views": [
            {
                "name": "trips",
                "entities": ["driver"],
                "tags": {"team": "rides"},
                "fields": [
                    {"name": "count", "type": "int32"},
                    {"name": "seen", "type": "list<string>"},
                    {"name": "active", "type": "bool"},
                    {"name": "rating", "type": "float32"},
                ],
                "table": {"timestamp_field": "event_timestamp"},
            },
            {
                "name": "nested",
                "entities": ["driver"],
                "fields": [{"name": "x", "type": "map<string, int64>"}],
                "table": {"timestamp_field": "event_timestamp"},
            },
        ],
    }
    path = tmp_path / "definitions.json"
    path.write_text(json.dumps(definitions))
    subprocess.run(
        [str(PROGRAM), "--store", str(tmp_path), "apply", str(path)],
        check=True,
        capture_output=True,
    )
    told = control.describe_feature_group(FeatureGroupName="trips")
    assert [(each["FeatureName"], each["FeatureType"]) for each in told["FeatureDefinitions"]] == [
        ("driver_id", "Integral"),
        ("event_timestamp", "String"),
        ("count", "Integral"),
        ("seen", "String"),
        ("active", "String"),
        ("rating", "Fractional"),
    ]
    assert told["OnlineStoreConfig"]["StorageType"] == "InMemory"
    assert datetime.now(UTC) - told["CreationTime"] < timedelta(minutes=5)
    listed = control.list_feature_groups()["FeatureGroupSummaries"]
    assert [each["FeatureGroupName"] for each in listed] == ["trips"]
    runtime.put_record(
        FeatureGroupName="trips",
        Record=record(
            driver_id="1",
            event_timestamp="2024-05-01T12:00:00.5Z",
            count="3",
            seen=["a"],
            active="true",
            rating="0.5",
        ),
    )
    got = runtime.get_record(FeatureGroupName="trips", RecordIdentifierValueAsString="1")
    assert values_of(got) == {
        "driver_id": "1",
        "event_timestamp": "2024-05-01T12:00:00.500000Z",
        "count": "3",
        "seen": ["a"],
        "active": "true",
        "rating": "0.5",
    }
    ttl = {"TtlDuration": {"Unit": "Days", "Value": 1}}
    control.update_feature_group(FeatureGroupName="trips", OnlineStoreConfig=ttl)
    told = control.describe_feature_group(FeatureGroupName="trips")["OnlineStoreConfig"]
    assert told == {"EnableOnlineStore": True, "StorageType": "InMemory", **ttl}


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"FeatureGroupName":5}', b"\xff", b"[" * 100_000])
def test_hostile_requests(server: ServerProcess, body: bytes) -> None:
    for operation in ("CreateFeatureGroup", "DescribeFeatureGroup", "Search", "AddTags"):
        headers = {
            "X-Amz-Target": f"SageMaker.{operation}",
            "Content-Type": "application/x-amz-json-1.1",
        }
        answer = server.request("POST", "/", body, headers)
        assert answer.status == 400
        assert answer.json()["__type"] in ("SerializationException", "ValidationException")
        assert answer.headers["x-amzn-requestid"]
    for target in ("SageMaker.CreateModel", "Other.Thing", ""):
        answer = server.request("POST", "/", b"{}", {"X-Amz-Target": target})
        assert answer.status == 400
        assert answer.json()["__type"] == "UnknownOperationException"


def test_keys(tmp_path: Path) -> None:
    """Once there are keys, signatures are asked for, and each operation for its scope."""
    made = create_key(tmp_path, ["read", "write", "admin"])
    reader = create_key(tmp_path, ["read"])
    with ServerProcess(tmp_path) as server:
        key = {"key_id": made["id"], "secret": made["aws_secret_access_key"]}
        control = client("sagemaker", server, **key)
        runtime = client("sagemaker-featurestore-runtime", server, **key)
        arn = control.create_feature_group(**definition())["FeatureGroupArn"]
        runtime.put_record(
            FeatureGroupName=arn, Record=record(customer_id="a b", at="2024-05-01T12:00:00Z")
        )
        wanted = {"FeatureGroupName": arn, "RecordIdentifierValueAsString": "a b"}
        assert "Record" in runtime.get_record(**wanted)

        def code(**with_key: str) -> str:
            with pytest.raises(ClientError) as caught:
                client("sagemaker-featurestore-runtime", server, **with_key).get_record(**wanted)
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
            return str(caught.value.response["Error"]["Code"])

        assert code(key_id="AKIANOBODY") == "UnrecognizedClientException"
        assert code(key_id=made["id"], secret="wrong") == "InvalidSignatureException"
        answer = server.request("GET", "/FeatureGroup/x?RecordIdentifierValueAsString=1")
        assert answer.status == 403
        assert answer.json()["__type"] == "MissingAuthenticationTokenException"

        key = {"key_id": reader["id"], "secret": reader["aws_secret_access_key"]}
        assert "Record" in client("sagemaker-featurestore-runtime", server, **key).get_record(
            **wanted
        )
        with pytest.raises(ClientError) as caught:
            client("sagemaker-featurestore-runtime", server, **key).put_record(
                FeatureGroupName=arn, Record=record(customer_id="c", at="2024-05-01T12:00:00Z")
            )
        assert caught.value.response["Error"]["Code"] == "AccessForbidden"
        with pytest.raises(ClientError) as caught:
            client("sagemaker", server, **key).delete_feature_group(FeatureGroupName="customers")
        assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
        assert client("sagemaker", server, **key).describe_feature_group(FeatureGroupName=arn)
