"""boto3's clients of SageMaker Feature Store, and what is sent and answered."""

from __future__ import annotations

from typing import Any, Protocol

import boto3
from botocore.config import Config


class Address(Protocol):
    """A server, or what stands before one."""

    url: str


def client(
    service: str,
    server: Address,
    key_id: str = "AKIATEST",
    secret: str = "secret",
    attempts: int = 1,
) -> Any:
    return boto3.client(
        service,
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}),
    )


def definition(**changes: Any) -> dict[str, Any]:
    """A request to make a group with both stores; a change to None leaves a member out."""
    request: dict[str, Any] = {
        "FeatureGroupName": "customers",
        "RecordIdentifierFeatureName": "customer_id",
        "EventTimeFeatureName": "at",
        "FeatureDefinitions": [
            {"FeatureName": "customer_id", "FeatureType": "String"},
            {"FeatureName": "at", "FeatureType": "String"},
            {"FeatureName": "age", "FeatureType": "Integral"},
            {"FeatureName": "score", "FeatureType": "Fractional"},
            {"FeatureName": "city", "FeatureType": "String"},
        ],
        "OnlineStoreConfig": {"EnableOnlineStore": True},
        "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "s3://tidemark/offline"}},
        "RoleArn": "arn:aws:iam::123456789012:role/features",
        **changes,
    }
    return {name: value for name, value in request.items() if value is not None}


def record(**values: str | list[str]) -> list[dict[str, Any]]:
    return [
        {"FeatureName": name, "ValueAsStringList": value}
        if isinstance(value, list)
        else {"FeatureName": name, "ValueAsString": value}
        for name, value in values.items()
    ]


def values_of(answer: dict[str, Any]) -> dict[str, Any] | None:
    """The record of an answer as a dict; None for no record."""
    if "Record" not in answer:
        return None
    return {
        each["FeatureName"]: each.get("ValueAsString", each.get("ValueAsStringList"))
        for each in answer["Record"]
    }
