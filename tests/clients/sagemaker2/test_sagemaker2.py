"""The SageMaker Python SDK 2, unchanged.

Goal: a group is made of a frame, ingested by several threads, described, read and deleted by the
calls that notebooks make.
"""

from __future__ import annotations

import boto3
import pandas as pd
import pytest
from sagemaker.feature_store.feature_group import FeatureGroup, IngestionError
from sagemaker.feature_store.inputs import FeatureValue, TtlDuration
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


def make(session: Session, data: pd.DataFrame) -> FeatureGroup:
    group = FeatureGroup(name="customers", sagemaker_session=session)
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
