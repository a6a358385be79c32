"""The SageMaker Python SDK 2, unchanged.

Goal: a group is made of a frame, ingested by several threads and processes, described, listed,
searched, read one by one and in batches, and deleted by the calls that notebooks make.
"""

from __future__ import annotations

import boto3
import pandas as pd
import pytest
from botocore.exceptions import ClientError
from sagemaker.feature_store.feature_group import FeatureGroup, IngestionError
from sagemaker.feature_store.feature_store import FeatureStore
from sagemaker.feature_store.inputs import (
    DeletionModeEnum,
    FeatureValue,
    Filter,
    FilterOperatorEnum,
    Identifier,
    ResourceEnum,
    TargetStoreEnum,
    TtlDuration,
)
from sagemaker.session import Session
from server_process import ServerProcess


@pytest.fixture
def session(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> Session:
    # The threads of `ingest` make clients of their own, which only the environment leads here.
    for name, value in {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    aws = boto3.Session(region_name="us-east-1")
    return Session(
        boto_session=aws,
        sagemaker_client=aws.client("sagemaker"),
        sagemaker_featurestore_runtime_client=aws.client("sagemaker-featurestore-runtime"),
        default_bucket="sagemaker-us-east-1-123456789012",
    )


def frame(rows: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": pd.Series([f"c{i}" for i in range(rows)], dtype="string"),
            "at": pd.Series(["2024-05-01T12:00:00Z"] * rows, dtype="string"),
            "age": pd.Series(range(rows), dtype="int64"),
            "score": [i / 4 if i % 3 else float("nan") for i in range(rows)],
        }
    )


def make(session: Session, data: pd.DataFrame, name: str = "customers") -> FeatureGroup:
    group = FeatureGroup(name=name, sagemaker_session=session)
    group.load_feature_definitions(data_frame=data)
    group.create(
        s3_uri="s3://sagemaker-us-east-1-123456789012/features",
        record_identifier_name="customer_id",
        event_time_feature_name="at",
        role_arn="arn:aws:iam::123456789012:role/features",
        enable_online_store=True,
        tags=[{"Key": "team", "Value": "growth"}],
    )
    return group


def test_create_ingest_read_delete(session: Session) -> None:
    data = frame(60)
    group = make(session, data)
    told = group.describe()
    assert told["FeatureGroupStatus"] == "Created"
    assert told["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"].endswith("/data")
    group.ingest(data_frame=data, max_workers=3, wait=True)
    assert group.get_record("c7") == [
        {"FeatureName": "customer_id", "ValueAsString": "c7"},
        {"FeatureName": "at", "ValueAsString": "2024-05-01T12:00:00Z"},
        {"FeatureName": "age", "ValueAsString": "7"},
        {"FeatureName": "score", "ValueAsString": "1.75"},
    ]
    assert group.get_record("c3", feature_names=["score", "age"]) == [
        {"FeatureName": "age", "ValueAsString": "3"}
    ]  # NaN is dropped by the client: null
    assert group.get_record("nobody") is None
    assert group.list_tags() == [{"Key": "team", "Value": "growth"}]
    assert "CREATE EXTERNAL TABLE" in group.as_hive_ddl()
    group.delete_record("c7", "2024-05-01T13:00:00Z")
    assert group.get_record("c7") is None
    group.put_record(
        [FeatureValue("customer_id", "c7"), FeatureValue("at", "2024-05-01T14:00:00Z")],
        ttl_duration=TtlDuration("Weeks", 5200),
    )
    assert group.get_record("c7") is not None
    group.update_feature_metadata("age", description="in years")
    assert group.describe_feature_metadata("age")["Description"] == "in years"
    group.delete()
    with pytest.raises(session.sagemaker_client.exceptions.ResourceNotFound):
        group.describe()


def test_rows_that_fail_are_told_by_their_index(session: Session) -> None:
    good = frame(6)
    group = make(session, good)
    bad = good.astype({"age": "object"})
    bad.loc[4, "age"] = "4.0"
    with pytest.raises(IngestionError) as caught:
        group.ingest(data_frame=bad, max_workers=2, wait=True)
    assert caught.value.failed_rows == [4]
    assert group.get_record("c4") is None
    assert group.get_record("c5") is not None


def test_processes_ingest_too(session: Session) -> None:
    group = make(session, frame(1))
    group.ingest(data_frame=frame(30), max_workers=2, max_processes=2, wait=True)
    assert group.get_record("c29") is not None
    assert session.sagemaker_featurestore_runtime_client.list_records(
        FeatureGroupName="customers", MaxResults=100
    )["RecordIdentifiers"] == sorted(f"c{i}" for i in range(30))


def test_the_store_lists_searches_and_reads_in_batches(session: Session) -> None:
    data = frame(4)
    for name in ("customers", "guests", "shops"):
        make(session, data, name).ingest(data_frame=data, max_workers=1, wait=True)
    store = FeatureStore(sagemaker_session=session)
    listed = store.list_feature_groups(sort_by="Name", sort_order="Descending", max_results=2)
    names = [each["FeatureGroupName"] for each in listed["FeatureGroupSummaries"]]
    assert names == ["shops", "guests"]
    rest = store.list_feature_groups(
        sort_by="Name", sort_order="Descending", max_results=2, next_token=listed["NextToken"]
    )
    assert [each["FeatureGroupName"] for each in rest["FeatureGroupSummaries"]] == ["customers"]
    contains = Filter("FeatureGroupName", "uest", FilterOperatorEnum.CONTAINS)
    found = store.search(ResourceEnum.FEATURE_GROUP, filters=[contains])["Results"]
    assert [each["FeatureGroup"]["FeatureGroupName"] for each in found] == ["guests"]

    got = store.batch_get_record(
        [
            Identifier("customers", ["c1", "nobody"], ["age"]),
            Identifier("guests", ["c2"]),
            Identifier("strangers", ["c3"]),
        ]
    )
    records = {
        (each["FeatureGroupName"], each["RecordIdentifierValueAsString"]): {
            value["FeatureName"]: value["ValueAsString"] for value in each["Record"]
        }
        for each in got["Records"]
    }
    assert records == {
        ("customers", "c1"): {"age": "1"},
        ("guests", "c2"): {
            "customer_id": "c2",
            "at": "2024-05-01T12:00:00Z",
            "age": "2",
            "score": "0.5",
        },
    }
    [error] = got["Errors"]
    assert (error["FeatureGroupName"], error["ErrorCode"]) == ("strangers", "ResourceNotFound")


def test_stores_and_modes_of_deletion(session: Session) -> None:
    group = make(session, frame(1))
    record = [FeatureValue("customer_id", "c1"), FeatureValue("at", "2024-05-01T12:00:00Z")]
    group.put_record(record, target_stores=[TargetStoreEnum.OFFLINE_STORE])
    assert group.get_record("c1") is None
    group.put_record(record, target_stores=[TargetStoreEnum.ONLINE_STORE])
    assert group.get_record("c1") is not None
    with pytest.raises(ClientError, match="later"):
        group.delete_record("c1", "2024-05-01T11:00:00Z", DeletionModeEnum.HARD_DELETE)
    group.delete_record("c1", "2024-05-01T13:00:00Z", DeletionModeEnum.HARD_DELETE)
    assert group.get_record("c1") is None


def test_datasets_ask_for_athena_which_is_refused_by_name(session: Session) -> None:
    """Goal: datasets are made by queries of Athena, which are not served; the error says so."""
    group = make(session, frame(1))
    store = FeatureStore(sagemaker_session=session)
    dataset = store.create_dataset(base=group, output_path="s3://tidemark/datasets")
    with pytest.raises(ClientError, match=r"AmazonAthena\.StartQueryExecution.* is none of"):
        dataset.to_csv_file()
