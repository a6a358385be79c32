"""The SageMaker Python SDK 3, unchanged.

Goal: its feature store classes and batched ingest against our server.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest
from server_process import ServerProcess


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    """One server for all tests: the SDK keeps its first clients while the process lives."""
    with (
        TemporaryDirectory() as folder,
        ServerProcess(Path(folder)) as server,
        pytest.MonkeyPatch.context() as variables,
    ):
        for name, value in {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIATEST",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            variables.setenv(name, value)
        yield


def frame(rows: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": pd.Series([f"c{i}" for i in range(rows)], dtype="string"),
            "at": pd.Series(["2024-05-01T12:00:00Z"] * rows, dtype="string"),
            "age": pd.Series(range(rows), dtype="int64"),
        }
    )


def make(name: str, data: pd.DataFrame) -> Any:
    from sagemaker.core.resources import FeatureGroup
    from sagemaker.core.shapes import OfflineStoreConfig, OnlineStoreConfig, S3StorageConfig
    from sagemaker.mlops.feature_store.feature_utils import load_feature_definitions_from_dataframe

    group = FeatureGroup.create(
        feature_group_name=name,
        record_identifier_feature_name="customer_id",
        event_time_feature_name="at",
        feature_definitions=load_feature_definitions_from_dataframe(data),
        online_store_config=OnlineStoreConfig(enable_online_store=True, storage_type="Standard_V2"),
        offline_store_config=OfflineStoreConfig(
            s3_storage_config=S3StorageConfig(s3_uri="s3://tidemark/features")
        ),
        role_arn="arn:aws:iam::123456789012:role/features",
    )
    group.wait_for_status("Created", poll=1, timeout=30)
    return group


def values_of(record: Any) -> dict[str, str]:
    return {each.feature_name: each.value_as_string for each in record}


def test_create_ingest_read_delete() -> None:
    from sagemaker.core.shapes import FeatureValue
    from sagemaker.mlops.feature_store.feature_utils import as_hive_ddl, ingest_dataframe

    data = frame(60)
    group = make("customers", data)
    ingest_dataframe("customers", data, use_batch_write_record=True)
    got = group.get_record(record_identifier_value_as_string="c59")
    assert values_of(got.record) == {
        "customer_id": "c59",
        "at": "2024-05-01T12:00:00Z",
        "age": "59",
    }
    group.update_record(
        record_identifier_value_as_string="c59",
        features=[FeatureValue(feature_name="age", value_as_string="60")],
    )
    got = group.get_record(record_identifier_value_as_string="c59")
    assert values_of(got.record)["age"] == "60"
    listed = group.list_records(max_results=100)
    assert sorted(listed.record_identifiers) == sorted(data["customer_id"])
    assert "LOCATION" in as_hive_ddl("customers")
    group.delete()
    group.wait_for_delete(poll=1, timeout=30)


def test_rows_that_fail_are_told_by_their_index() -> None:
    from sagemaker.mlops.feature_store.feature_utils import ingest_dataframe
    from sagemaker.mlops.feature_store.ingestion_manager_pandas import IngestionError

    good = frame(30)
    group = make("guests", good)
    bad = good.astype({"age": "object"})
    bad.loc[27, "age"] = "27.0"
    with pytest.raises(IngestionError) as caught:
        ingest_dataframe("guests", bad, use_batch_write_record=True)
    assert caught.value.failed_rows == [27]
    assert group.get_record(record_identifier_value_as_string="c29").record


def test_records_one_by_one_in_batches_and_lists() -> None:
    from sagemaker.core.resources import FeatureGroup
    from sagemaker.core.shapes import BatchGetRecordIdentifier, FeatureValue

    def record(identifier: str, time: str, age: str) -> list[Any]:
        values = {"customer_id": identifier, "at": time, "age": age}
        return [FeatureValue(feature_name=k, value_as_string=v) for k, v in values.items()]

    group = make("shoppers", frame(1))
    for i in range(3):
        group.put_record(record=record(f"c{i}", "2024-05-01T12:00:00Z", str(i)))
    asked = BatchGetRecordIdentifier(
        feature_group_name="shoppers", record_identifiers_value_as_string=["c0", "c2", "nobody"]
    )
    got = group.batch_get_record(identifiers=[asked])
    ages = {
        each.record_identifier_value_as_string: values_of(each.record)["age"]
        for each in got.records
    }
    assert ages == {"c0": "0", "c2": "2"}
    group.delete_record(record_identifier_value_as_string="c0", event_time="2024-05-01T13:00:00Z")
    again = group.batch_get_record(identifiers=[asked])
    assert [each.record_identifier_value_as_string for each in again.records] == ["c2"]
    listed = [each.feature_group_name for each in FeatureGroup.get_all(name_contains="shop")]
    assert listed == ["shoppers"]
    told = FeatureGroup.get(feature_group_name="shoppers")
    assert told.feature_group_status == "Created"
    assert told.event_time_feature_name == "at"
