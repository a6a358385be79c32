"""SageMaker Feature Store's two APIs, in plain HTTP as its clients put it on the wire.

Goal: every rule of the wire that a client of our own choosing could not show: spelling of requests
and answers, limits at their edges, what older and other clients send, and, against a model of the
rules, any order of writes. What boto3 and the SDKs make of it is in tests/clients.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import random
import re
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from server_process import Answer, ServerProcess, create_key, run_program

ARN = "arn:aws:sagemaker:us-east-1:123456789012:feature-group/"
NOON = "2024-05-01T12:00:00Z"
FEATURES: list[dict[str, Any]] = [
    {"FeatureName": "age", "FeatureType": "Integral"},
    {"FeatureName": "at", "FeatureType": "String"},
    {"FeatureName": "customer_id", "FeatureType": "String"},
    {"FeatureName": "score", "FeatureType": "Fractional"},
    {"FeatureName": "city", "FeatureType": "String"},
]
VALUE_MAX = 358_400


def definition(name: str, **changes: Any) -> dict[str, Any]:
    """A group with both stores; a change to None leaves a member out."""
    request: dict[str, Any] = {
        "FeatureGroupName": name,
        "RecordIdentifierFeatureName": "customer_id",
        "EventTimeFeatureName": "at",
        "FeatureDefinitions": FEATURES,
        "OnlineStoreConfig": {"EnableOnlineStore": True, "StorageType": "Standard_V2"},
        "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "s3://tidemark/groups"}},
        "RoleArn": "arn:aws:iam::123456789012:role/features",
        **changes,
    }
    return {member: value for member, value in request.items() if value is not None}


def record(identifier: str, at: str = NOON, **values: Any) -> list[dict[str, Any]]:
    all_values = {"customer_id": identifier, "at": at, **values}
    return [
        {"FeatureName": name, "ValueAsStringList" if isinstance(v, list) else "ValueAsString": v}
        for name, v in all_values.items()
    ]


class Api:
    """Both APIs of a server; groups that tests make have names of their own."""

    def __init__(self, server: ServerProcess, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self._made = 0

    def control(self, operation: str, **request: Any) -> Answer:
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"SageMaker.{operation}",
        }
        return self.server.request("POST", "/", json.dumps(request), headers)

    def group(self, **changes: Any) -> str:
        self._made += 1
        name = changes.pop("FeatureGroupName", f"Group-{self._made}")
        made = self.control("CreateFeatureGroup", **definition(name, **changes))
        assert made.status == 200, made.text
        return str(name)

    def send(self, method: str, path: str, body: Any = None) -> Answer:
        headers = {} if body is None else {"Content-Type": "application/json"}
        text = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
        return self.server.request(method, path, text, headers)

    def put(self, group: str, identifier: str, at: str = NOON, **values: Any) -> Answer:
        more = {m: values.pop(m) for m in ("TargetStores", "TtlDuration") if m in values}
        body = {"Record": record(identifier, at, **values), **more}
        return self.send("PUT", f"/FeatureGroup/{quote(group, safe='')}", body)

    def get_answer(self, group: str, identifier: str, query: str = "") -> Answer:
        asked = f"RecordIdentifierValueAsString={quote(identifier, safe='')}{query}"
        return self.send("GET", f"/FeatureGroup/{quote(group, safe='')}?{asked}")

    def get(self, group: str, identifier: str, query: str = "") -> dict[str, Any] | None:
        answer = self.get_answer(group, identifier, query)
        assert answer.status == 200, answer.text
        if "Record" not in answer.json():
            return None
        return values_of(answer.json()["Record"])

    def delete(self, group: str, identifier: str, at: str, query: str = "") -> Answer:
        asked = f"RecordIdentifierValueAsString={quote(identifier, safe='')}&EventTime={quote(at)}"
        return self.send("DELETE", f"/FeatureGroup/{quote(group, safe='')}?{asked}{query}")

    def update(self, group: str, identifier: str, values: dict[str, str], **more: Any) -> Answer:
        features = [{"FeatureName": n, "ValueAsString": v} for n, v in values.items()]
        body = {"RecordIdentifierValueAsString": identifier, "Features": features, **more}
        return self.send("POST", f"/FeatureGroup/{quote(group, safe='')}/Record", body)

    def sql(self, query: str) -> list[dict[str, Any]]:
        """Asked by another process: what is offline."""
        done = run_program(self.folder, "--output", "json", "sql", query, check=False)
        assert done.returncode == 0, done.stderr
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows


def values_of(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {v["FeatureName"]: v.get("ValueAsString", v.get("ValueAsStringList")) for v in found}


def refused(answer: Answer, code: str, status: int = 400) -> str:
    """What an error says, which both header and body name."""
    assert (answer.status, answer.json()["__type"]) == (status, code), answer.text
    assert answer.headers["x-amzn-errortype"] == code
    message = answer.json().get("message", answer.json().get("Message"))
    assert message
    return str(message)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("sagemaker")
    with ServerProcess(folder) as server:
        yield Api(server, folder)


@pytest.fixture(scope="module")
def group(api: Api) -> str:
    """Of all tests that need none of their own: their identifiers differ."""
    return api.group()


# Requests and answers as they are spelt


def test_heads_of_answers(api: Api) -> None:
    group = api.group()
    answers = [
        (api.control("DescribeFeatureGroup", FeatureGroupName=group), 200),
        (api.control("DescribeFeatureGroup", FeatureGroupName="nowhere"), 400),
        (api.put(group, "c1"), 200),
        (api.get_answer(group, "c1"), 200),
        (api.get_answer("nowhere", "c1"), 404),
        (api.delete(group, "c1", "2024-05-01T13:00:00Z"), 200),
    ]
    for at, (answer, status) in enumerate(answers):
        assert answer.status == status
        kind = "application/x-amz-json-1.1" if at < 2 else "application/json"
        assert answer.headers["content-type"] == kind
        assert str(uuid.UUID(answer.headers["x-amzn-requestid"]))
    ids = [answer.headers["x-amzn-requestid"] for answer, _ in answers]
    assert len(set(ids)) == len(ids)
    empty = [answers[2][0], answers[5][0]]
    empty.append(api.update(group, "c2", {"age": "1"}))
    refused(empty.pop(), "ResourceNotFound", 404)
    api.put(group, "c2")
    empty.append(api.update(group, "c2", {"age": "1"}))
    empty.append(api.control("UpdateFeatureMetadata", FeatureGroupName=group, FeatureName="age"))
    empty.append(api.control("DeleteFeatureGroup", FeatureGroupName=group))
    for answer in empty:
        assert answer.status == 200, answer.text
        assert answer.text in ("", "{}")


def test_members_that_are_not_known_or_null_are_passed_over(api: Api) -> None:
    group = api.group(Unknown={"deep": [1]}, Description=None, Tags=[])
    body = {
        "Record": [{**each, "ValueAsStringList": None, "New": 1} for each in record("c1", age="7")],
        "TargetStores": None,
        "TtlDuration": None,
        "SomethingNew": [{}],
    }
    assert api.send("PUT", f"/FeatureGroup/{group}", body).status == 200
    assert api.get(group, "c1") == {"customer_id": "c1", "at": NOON, "age": "7"}
    asked = {
        "Identifiers": [
            {
                "FeatureGroupName": group,
                "RecordIdentifiersValueAsString": ["c1"],
                "FeatureNames": None,
                "New": True,
            }
        ],
        "ExpirationTimeResponse": None,
    }
    assert len(api.send("POST", "/BatchGetRecord", asked).json()["Records"]) == 1
    listed = api.send("POST", f"/FeatureGroup/{group}/ListRecords", {"NextToken": None, "x": 1})
    assert listed.json() == {"RecordIdentifiers": ["c1"]}
    asked_for = {"FeatureGroupName": group, "NextToken": None, "New": {}}
    assert api.control("DescribeFeatureGroup", **asked_for).status == 200
    again = definition("Null-1", OnlineStoreConfig={"EnableOnlineStore": True, "TtlDuration": None})
    again |= {"ThroughputConfig": None, "Tags": None, "Description": None}
    assert api.control("CreateFeatureGroup", **again).status == 200


def test_paths_and_queries_are_decoded_once(api: Api, group: str) -> None:
    arn = ARN + group.lower()
    for identifier in ("a+b", "a b", "a%2Bb", "a/b", "x&y=z", "\u00e9\u96ea"):
        assert api.put(arn, identifier, city=identifier).status == 200
        assert (api.get(arn, identifier) or {})["city"] == identifier
    lower = quote(arn, safe="").lower()  # %3a, %2f
    plain_plus = f"/FeatureGroup/{lower}?RecordIdentifierValueAsString=a+b"
    assert values_of(api.send("GET", plain_plus).json()["Record"])["city"] == "a+b"
    elsewhere = f"arn:aws-cn:sagemaker:cn-north-1:999999999999:feature-group/{group.upper()}"
    assert (api.get(elsewhere, "a b") or {})["city"] == "a b"
    for wrong in (arn.replace(":123456789012:", ":12345:"), arn.replace("feature-group", "model")):
        refused(api.get_answer(wrong, "a b"), "ValidationError")
    for method, rest in (("GET", ""), ("DELETE", f"&EventTime={NOON}&DeletionMode=Hard%zz")):
        garbled = f"/FeatureGroup/{lower}?RecordIdentifierValueAsString=a{rest or '&FeatureName=%'}"
        assert "%25" in refused(api.send(method, garbled), "ValidationError")
    two = api.get(group, "a b", "&FeatureName=city&FeatureName=at")
    assert two == {"city": "a b", "at": NOON}
    plural = api.get(group, "a b", "&FeatureNames=city")
    assert plural is not None
    assert len(plural) == 3, "the query's name is FeatureName: another one is passed over"


def test_texts_come_back_byte_for_byte(api: Api, group: str) -> None:
    texts = ["", " ", "\u0000", "\u0001\u007f\u2028", '"\\/\b\f\n\r\t', "\U0001f30a\ufffd", "NULL"]
    for at, text in enumerate(texts):
        body = json.dumps(
            {"Record": record(f"text-{at}", city=text)}
        )  # \uXXXX, surrogates in pairs
        assert api.send("PUT", f"/FeatureGroup/{group}", body).status == 200, text
        assert (api.get(group, f"text-{at}") or {})["city"] == text


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("age", "-9223372036854775808", "-9223372036854775808"),
        ("age", "007", "7"),
        ("age", "+5", "5"),
        ("score", "1e-7", 1e-7),
        ("score", "-0.1", -0.1),
        ("score", "9007199254740993", 9007199254740992.0),
        ("score", "1.7976931348623157e308", 1.7976931348623157e308),
        ("score", "5", 5.0),
    ],
)
def test_numbers_come_back_equal(
    api: Api, group: str, name: str, given: str, told: str | float
) -> None:
    assert api.put(group, given, **{name: given}).status == 200
    found = (api.get(group, given) or {})[name]
    assert (float(found) if isinstance(told, float) else found) == told


def test_times_are_numbers_of_seconds_and_expiry_is_text(api: Api) -> None:
    before = dt.datetime.now(dt.UTC).timestamp() - 1
    group = api.group()
    told = api.control("DescribeFeatureGroup", FeatureGroupName=group).json()
    about = {"FeatureGroupName": group, "FeatureName": "age"}
    feature = api.control("DescribeFeatureMetadata", **about).json()
    found = api.control("ListFeatureGroups", NameContains=group).json()["FeatureGroupSummaries"][0]
    for each in (told, feature, found):
        assert before <= each["CreationTime"] <= before + 600
    for each in (told, feature):
        assert each["LastModifiedTime"] >= each["CreationTime"]
    listed = api.control("ListFeatureGroups", CreationTimeAfter=before, NameContains=group).json()
    assert len(listed["FeatureGroupSummaries"]) == 1
    at = dt.datetime.now(dt.UTC).replace(microsecond=0)
    text = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    api.put(group, "c1", text, TtlDuration={"Unit": "Minutes", "Value": 90})
    answer = api.get_answer(group, "c1", "&ExpirationTimeResponse=Enabled").json()
    expected = (at + dt.timedelta(minutes=90)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert answer["ExpiresAt"] == expected


# Errors


def test_what_cannot_be_read_and_what_is_not_known(api: Api, group: str) -> None:
    refused(api.send("PUT", f"/FeatureGroup/{group}", "{"), "SerializationException")
    refused(api.send("PUT", f"/FeatureGroup/{group}", {"Record": 5}), "SerializationException")
    headers = {"X-Amz-Target": "SageMaker.DescribeFeatureGroup"}
    answer = api.server.request("POST", "/", "{", headers)
    refused(answer, "SerializationException")
    assert "message" in answer.json()
    signed = {"X-Amz-Date": "20240501T120000Z"}
    refused(api.server.request("POST", "/", "{}", signed), "UnknownOperationException")
    missing = api.server.request("GET", "/FeatureGroup/x/y/z", headers=signed)
    assert missing.status == 404
    assert missing.json()["__type"] == missing.headers["x-amzn-errortype"]


def test_unknown_groups_by_operation(api: Api) -> None:
    """Goal: each operation's own code; writes say it in the words that clients look for."""
    words = "Resource Not Found: Amazon SageMaker can't find a FeatureGroup with name nowhere"
    assert refused(api.put("nowhere", "c"), "ValidationError").startswith(words)
    deleted = api.delete("nowhere", "c", NOON)
    assert refused(deleted, "ValidationError").startswith(words)
    refused(api.get_answer("nowhere", "c"), "ResourceNotFound", 404)
    refused(api.update("nowhere", "c", {"age": "1"}), "ResourceNotFound", 404)
    listed = api.send("POST", "/FeatureGroup/nowhere/ListRecords", {})
    refused(listed, "ResourceNotFound", 404)
    entry = {"FeatureGroupName": "nowhere", "Record": record("c")}
    written = api.send("POST", "/BatchWriteRecord", {"Entries": [entry]}).json()
    assert written["UnprocessedEntries"] == []
    assert [(e["Entry"], e["ErrorCode"]) for e in written["Errors"]] == [
        (entry, "ResourceNotFound")
    ]
    asked = {"FeatureGroupName": "NoWhere", "RecordIdentifiersValueAsString": ["a", "b"]}
    found = api.send("POST", "/BatchGetRecord", {"Identifiers": [asked]}).json()
    assert (found["Records"], found["UnprocessedIdentifiers"]) == ([], [])
    assert [
        (e["FeatureGroupName"], e["RecordIdentifierValueAsString"], e["ErrorCode"])
        for e in found["Errors"]
    ] == [("NoWhere", "a", "ResourceNotFound"), ("NoWhere", "b", "ResourceNotFound")]
    about = {"FeatureGroupName": "nowhere"}
    for operation, more in (
        ("DescribeFeatureGroup", {}),
        ("DeleteFeatureGroup", {}),
        ("UpdateFeatureGroup", {"OnlineStoreConfig": {"StorageType": "Standard_V2"}}),
        ("DescribeFeatureMetadata", {"FeatureName": "x"}),
        ("UpdateFeatureMetadata", {"FeatureName": "x"}),
    ):
        refused(api.control(operation, **about, **more), "ResourceNotFound")
    for operation, more in (
        ("ListTags", {}),
        ("AddTags", {"Tags": [{"Key": "a", "Value": "b"}]}),
        ("DeleteTags", {"TagKeys": ["a"]}),
    ):
        refused(api.control(operation, ResourceArn=ARN + "nowhere", **more), "ResourceNotFound")


def test_required_members(api: Api, group: str) -> None:
    path = f"/FeatureGroup/{group}"
    for method, place, body, member in (
        ("PUT", path, {}, "Record"),
        ("GET", path, None, "RecordIdentifierValueAsString"),
        ("DELETE", path + "?RecordIdentifierValueAsString=c", None, "EventTime"),
        ("DELETE", path + f"?EventTime={NOON}", None, "RecordIdentifierValueAsString"),
        ("POST", "/BatchGetRecord", {}, "Identifiers"),
        ("POST", "/BatchWriteRecord", {}, "Entries"),
        ("POST", path + "/Record", {"Features": record("c")}, "RecordIdentifierValueAsString"),
        ("POST", path + "/Record", {"RecordIdentifierValueAsString": "c"}, "Features"),
        ("PUT", path, {"Record": record("c"), "TtlDuration": {"Unit": "Days"}}, "Value"),
        ("PUT", path, {"Record": record("c"), "TtlDuration": {"Value": 1}}, "Unit"),
    ):
        assert member in refused(api.send(method, place, body), "ValidationError")
    whole = definition("Whole-1")
    for member in whole:
        if member in ("RoleArn", "OnlineStoreConfig", "OfflineStoreConfig"):
            continue
        rest = {name: value for name, value in whole.items() if name != member}
        assert member in refused(api.control("CreateFeatureGroup", **rest), "ValidationException")


def test_limits_of_the_server_in_the_clients_words(tmp_path: Path) -> None:
    """Goal: what HTTP itself refuses has a code, too, which clients know to repeat or not."""
    with ServerProcess(tmp_path, "--body-max", "4KiB", "--json-depth-max", "8") as server:
        api = Api(server, tmp_path)
        long = api.put("any", "c1", city="x" * 5_000)
        assert "4096" in refused(long, "ValidationError", 413)
        long = api.control("CreateFeatureGroup", **definition("x" * 5_000))
        assert "4096" in refused(long, "ValidationException", 413)
        deep = '{"Record":' + "[" * 9 + "]" * 9 + "}"
        refused(api.send("PUT", f"/FeatureGroup/{api.group()}", deep), "SerializationException")


# Signatures


def signed(
    server: ServerProcess,
    key: dict[str, str],
    method: str,
    target: str,
    body: bytes = b"",
    **more: str,
) -> Answer:
    """As AWS's clients sign for SageMaker: all headers that are given, all of the body."""
    time_text = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    headers |= {"host": f"127.0.0.1:{server.port}", "x-amz-date": time_text}
    path, _, query = target.partition("?")
    names = ";".join(sorted(headers))
    canonical = "\n".join(
        [
            method,
            quote(path, safe="/~"),  # once more: %2F becomes %252F
            "&".join(sorted(query.split("&"))),
            *(f"{name}:{headers[name]}" for name in sorted(headers)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{time_text[:8]}/ap-south-1/sagemaker/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    signature = ("AWS4" + key["aws_secret_access_key"]).encode()
    text = f"AWS4-HMAC-SHA256\n{time_text}\n{scope}\n{digest}"
    for part in (*scope.split("/"), text):
        signature = hmac.digest(signature, part.encode(), "sha256")
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={key['id']}/{scope}, "
        f"SignedHeaders={names}, Signature={signature.hex()}"
    )
    return server.request(method, target, body or None, headers)


@pytest.mark.parametrize("session", [{}, {"x_amz_security_token": "FwoGZXIvYXdzE=="}])
def test_requests_as_they_are_signed(tmp_path: Path, session: dict[str, str]) -> None:
    """Goal: control plane, bodies, ARNs in paths, repeated names in queries, session tokens."""
    key = create_key(tmp_path, ["read,write,admin"])
    with ServerProcess(tmp_path) as server:
        made = signed(
            server,
            key,
            "POST",
            "/",
            json.dumps(definition("Signed-1")).encode(),
            content_type="application/x-amz-json-1.1",
            x_amz_target="SageMaker.CreateFeatureGroup",
            **session,
        )
        assert made.status == 200, made.text
        place = "/FeatureGroup/" + quote(ARN + "signed-1", safe="")
        body = json.dumps({"Record": record("a b+c", city="\u96ea")}).encode()
        as_json = {"content_type": "application/json", **session}
        assert signed(server, key, "PUT", place, body, **as_json).status == 200
        asked = "?RecordIdentifierValueAsString=a%20b%2Bc&FeatureName=city&FeatureName=at"
        found = signed(server, key, "GET", place + asked, **session)
        assert values_of(found.json()["Record"]) == {"city": "\u96ea", "at": NOON}
        gone = "?RecordIdentifierValueAsString=a%20b%2Bc&EventTime=2024-05-01T13%3A00%3A00Z"
        assert signed(server, key, "DELETE", place + gone, **session).status == 200
        other = {**key, "aws_secret_access_key": "x" * 43}
        answer = signed(server, other, "GET", place + asked, **session)
        refused(answer, "InvalidSignatureException", 403)
        unknown = signed(server, {**key, "id": "A" * 20}, "GET", place + asked, **session)
        refused(unknown, "UnrecognizedClientException", 403)
        unsigned = server.get(place + asked)
        refused(unsigned, "MissingAuthenticationTokenException", 403)


# Limits at their edges


def test_sizes_of_values_and_identifiers(api: Api, group: str) -> None:
    fixed = sum(len(name) for name in ("customer_id", "at", "city")) + len("size") + len(NOON)
    most = "x" * (VALUE_MAX - fixed)
    assert api.put(group, "size", city=most).status == 200
    assert (api.get(group, "size") or {})["city"] == most
    refused(api.put(group, "size", city=most + "x"), "ValidationError")
    assert api.put(group, "i" * 2048).status == 200
    for answer in (
        api.put(group, "i" * 2049),
        api.get_answer(group, "i" * 2049),
        api.delete(group, "i" * 2049, NOON),
        api.update(group, "i" * 2049, {"age": "1"}),
    ):
        refused(answer, "ValidationError")


def test_counts_of_elements(api: Api) -> None:
    group = api.group()
    path = f"/FeatureGroup/{group}"
    asked = {"FeatureGroupName": group, "RecordIdentifiersValueAsString": ["c1"]}
    entry = {"FeatureGroupName": group, "Record": record("c1")}
    for place, member, each, most in (
        ("/BatchGetRecord", "Identifiers", asked, 100),
        ("/BatchWriteRecord", "Entries", entry, 25),
    ):
        assert api.send("POST", place, {member: [each] * most}).status == 200
        refused(api.send("POST", place, {member: [each] * (most + 1)}), "ValidationError")
        refused(api.send("POST", place, {member: []}), "ValidationError")
    many = asked | {"RecordIdentifiersValueAsString": ["c1"] * 100}
    assert (
        len(api.send("POST", "/BatchGetRecord", {"Identifiers": [many]}).json()["Records"]) == 100
    )
    refused(api.send("PUT", path, {"Record": []}), "ValidationError")
    zero = {"Record": record("c1"), "TtlDuration": {"Unit": "Days", "Value": 0}}
    refused(api.send("PUT", path, zero), "ValidationError")
    for most in (0, 101, -1):
        listed = api.send("POST", f"{path}/ListRecords", {"MaxResults": most})
        refused(listed, "ValidationError")
    wide = [*FEATURES, *({"FeatureName": f"f{i}", "FeatureType": "String"} for i in range(101))]
    group = api.group(FeatureDefinitions=wide)
    api.put(group, "c1")
    updates = {f"f{i}": "x" for i in range(101)}
    refused(api.update(group, "c1", updates), "ValidationError")
    updates.popitem()
    assert api.update(group, "c1", updates).status == 200


def test_counts_of_a_definitions_elements(api: Api) -> None:
    def features(count: int) -> list[dict[str, Any]]:
        more = count - len(FEATURES)
        return [
            *FEATURES,
            *({"FeatureName": f"f{i}", "FeatureType": "Integral"} for i in range(more)),
        ]

    group = api.group(FeatureDefinitions=features(2_500))
    told = api.control("DescribeFeatureGroup", FeatureGroupName=group).json()
    assert told["FeatureDefinitions"] == features(2_500)
    over = definition("Over-1", FeatureDefinitions=features(2_501))
    refused(api.control("CreateFeatureGroup", **over), "ValidationException")
    group = api.group(
        Description="d" * 128, Tags=[{"Key": f"k{i}", "Value": "v"} for i in range(50)]
    )

    def update(count: int) -> Answer:
        added = [{"FeatureName": f"n{i}", "FeatureType": "String"} for i in range(count)]
        return api.control("UpdateFeatureGroup", FeatureGroupName=group, FeatureAdditions=added)

    for count in (0, 101):
        refused(update(count), "ValidationException")
    assert update(100).status == 200
    about = {"FeatureGroupName": group, "FeatureName": "age"}
    pairs = [{"Key": f"k{i}", "Value": "v"} for i in range(26)]
    described = api.control("UpdateFeatureMetadata", **about, Description="d" * 255)
    assert described.status == 200
    for wrong in ({"Description": "d" * 256}, {"ParameterAdditions": pairs}):
        refused(api.control("UpdateFeatureMetadata", **about, **wrong), "ValidationException")
    added = api.control("UpdateFeatureMetadata", **about, ParameterAdditions=pairs[:25])
    assert added.status == 200


# The control plane


def test_a_description_says_what_was_given_and_no_more(api: Api) -> None:
    group = api.group(OfflineStoreConfig=None, RoleArn=None)
    told = api.control("DescribeFeatureGroup", FeatureGroupName=group).json()
    for absent in ("OfflineStoreConfig", "OfflineStoreStatus", "RoleArn", "Description"):
        assert absent not in told
    assert told["FeatureGroupStatus"] == "Created"
    assert told["FeatureDefinitions"] == FEATURES
    assert not told.get("NextToken")
    group = api.group(OnlineStoreConfig=None)
    told = api.control("DescribeFeatureGroup", FeatureGroupName=group).json()
    assert "OnlineStoreConfig" not in told
    assert told["OfflineStoreStatus"] == {"Status": "Active"}


def test_names_and_arns_where_each_may_stand(api: Api) -> None:
    group = api.group(FeatureGroupName="MixedCase")
    arn = ARN + "mixedcase"
    assert (
        api.control("DescribeFeatureGroup", FeatureGroupName=arn).json()["FeatureGroupArn"] == arn
    )
    for spelling in (arn, ARN + "MIXEDCASE"):
        about = {"FeatureGroupName": spelling, "FeatureName": "age"}
        told = api.control("DescribeFeatureMetadata", **about).json()
        assert (told["FeatureGroupName"], told["FeatureName"]) == (group, "age")
        assert api.control("UpdateFeatureMetadata", **about, Description="x").status == 200
        assert api.control("ListTags", ResourceArn=spelling).json() == {"Tags": []}
        changed = {
            "FeatureGroupName": spelling,
            "OnlineStoreConfig": {"StorageType": "Standard_V2"},
        }
        updated = api.control("UpdateFeatureGroup", **changed)
        assert updated.json() == {"FeatureGroupArn": arn}
    refused(api.control("DeleteFeatureGroup", FeatureGroupName=arn), "ValidationException")
    refused(api.control("CreateFeatureGroup", **definition(ARN + "new")), "ValidationException")
    assert api.control("DeleteFeatureGroup", FeatureGroupName=group).status == 200


def test_settings_of_stores_come_back_as_they_were_given(api: Api) -> None:
    """Goal: what the server has no use for is kept for the clients that look for it."""
    online = {
        "EnableOnlineStore": True,
        "StorageType": "Standard",
        "SecurityConfig": {"KmsKeyId": "arn:aws:kms:us-east-1:123456789012:key/online"},
        "TtlDuration": {"Unit": "Weeks", "Value": 2},
    }
    catalog = {"TableName": "Buyers", "Catalog": "AwsDataCatalog", "Database": "shop"}
    offline = {
        "S3StorageConfig": {"S3Uri": "s3://tidemark/kept", "KmsKeyId": "key/offline"},
        "DataCatalogConfig": catalog,
        "TableFormat": "Glue",
    }
    group = api.group(OnlineStoreConfig=online, OfflineStoreConfig=offline)
    told = api.control("DescribeFeatureGroup", FeatureGroupName=group).json()
    assert told["OnlineStoreConfig"] == online
    found = told["OfflineStoreConfig"]
    assert found["S3StorageConfig"].pop("ResolvedOutputS3Uri").endswith("/data")
    assert not found.pop("DisableGlueTableCreation")
    assert found == offline
    plain = api.control("DescribeFeatureGroup", FeatureGroupName=api.group()).json()
    of_itself = plain["OfflineStoreConfig"]["DataCatalogConfig"]
    assert (of_itself["TableName"], of_itself["Database"]) == (
        plain["FeatureGroupName"],
        "feature_store",
    )


def test_lists_are_sorted_by_what_they_may_be(api: Api) -> None:
    for name, changes in (("st-b", {}), ("st-c", {"OfflineStoreConfig": None}), ("st-a", {})):
        api.group(FeatureGroupName=name, **changes)

    def names(**options: Any) -> list[str]:
        answer = api.control("ListFeatureGroups", NameContains="st-", **options)
        assert answer.status == 200, answer.text
        return [each["FeatureGroupName"] for each in answer.json()["FeatureGroupSummaries"]]

    by_store = names(SortBy="OfflineStoreStatus")
    assert by_store[0] == "st-c", "no status is before any"
    assert names(SortBy="OfflineStoreStatus", SortOrder="Descending")[-1] == "st-c"
    assert sorted(names(SortBy="FeatureGroupStatus", SortOrder="Descending")) == sorted(by_store)
    for wrong in ({"SortOrder": "Up"}, {"FeatureGroupStatusEquals": "Lost"}, {"MaxResults": 0}):
        refused(api.control("ListFeatureGroups", **wrong), "ValidationException")
    found: list[str] = []
    token: dict[str, str] = {}
    expression = {"Filters": [{"Name": "FeatureGroupName", "Operator": "Contains", "Value": "st-"}]}
    while True:
        page = api.control(
            "Search",
            Resource="FeatureGroup",
            SearchExpression=expression,
            SortBy="FeatureGroupName",
            SortOrder="Ascending",
            MaxResults=2,
            **token,
        ).json()
        found += [each["FeatureGroup"]["FeatureGroupName"] for each in page["Results"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert found == ["st-a", "st-b", "st-c"]


def test_files_of_a_deleted_group_stay(api: Api) -> None:
    """Goal: all rows are in files that others go on reading; the name begins empty."""
    group = api.group()
    assert api.put(group, "c1", city="kept").status == 200
    told = api.control("DescribeFeatureGroup", FeatureGroupName=group).json()
    place = told["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"]
    folder = Path(re.sub("^file://", "", place))
    assert api.control("DeleteFeatureGroup", FeatureGroupName=group).status == 200
    (file,) = folder.rglob("*.parquet")
    assert pq.read_table(file)["city"].to_pylist() == ["kept"]
    api.group(FeatureGroupName=group)
    assert api.get(group, "c1") is None


@pytest.mark.parametrize("name", ["a", "A-_-b", "9x", "a" * 64, "a__b", "x-1_2"])
def test_names_that_are_allowed(api: Api, name: str) -> None:
    feature = {"FeatureName": name, "FeatureType": "String"}
    api.group(FeatureGroupName=name, FeatureDefinitions=[*FEATURES, feature])
    assert api.put(name, "c1", **{name: "x"}).status == 200
    assert (api.get(name, "c1") or {})[name] == "x"
    table = name.replace("-", "_")
    assert api.sql(f'SELECT "{name}" FROM "{table}"') == [{name: "x"}]


@pytest.mark.parametrize(
    "name", ["", "_a", "a_", "-", "a-", "a b", "a.b", "\u00e9", "a" * 65, "a/b"]
)
def test_names_that_are_not_allowed(api: Api, name: str) -> None:
    refused(api.control("CreateFeatureGroup", **definition(name)), "ValidationException")
    feature = {"FeatureName": name, "FeatureType": "String"}
    wrong = definition("Names-1", FeatureDefinitions=[*FEATURES, feature])
    refused(api.control("CreateFeatureGroup", **wrong), "ValidationException")


def test_one_change_at_a_time(api: Api) -> None:
    group = api.group()
    added = [{"FeatureName": "new", "FeatureType": "String"}]
    both = {
        "FeatureAdditions": added,
        "OnlineStoreConfig": {"TtlDuration": {"Unit": "Days", "Value": 1}},
    }
    answer = api.control("UpdateFeatureGroup", FeatureGroupName=group, **both)
    refused(answer, "ValidationException")
    for again in (added * 2, [FEATURES[0]], [{"FeatureName": "AGE", "FeatureType": "String"}]):
        answer = api.control("UpdateFeatureGroup", FeatureGroupName=group, FeatureAdditions=again)
        refused(answer, "ValidationException")
    told = api.control("DescribeFeatureGroup", FeatureGroupName=group).json()
    assert told["FeatureDefinitions"] == FEATURES


# Records


def test_event_times_of_all_years(api: Api, group: str) -> None:
    for at in ("0001-01-01T00:00:00Z", "1582-10-15T23:59:59.999999999Z", "2024-02-29T00:00:00Z"):
        assert api.put(group, at, at).status == 200, at
        assert (api.get(group, at) or {})["at"] == at
    wrong = (
        "0000-12-31T23:59:59Z",
        "10000-01-01T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2024-05-01T12:00:00.Z",
        NOON.lower(),
    )
    wrong += ("2024-05-01", "2024-05-01T12:00:00+00:00", "2024-05-01T24:00:00Z", " " + NOON, "")
    for at in wrong:
        refused(api.put(group, "c1", at), "ValidationError")
        refused(api.delete(group, "c1", at), "ValidationError")


def test_fractional_event_times_to_the_microsecond(api: Api) -> None:
    features = [
        f | ({"FeatureType": "Fractional"} if f["FeatureName"] == "at" else {}) for f in FEATURES
    ]
    group = api.group(FeatureDefinitions=features)
    for at, city in (
        ("1700000000.000001", "first"),
        ("1700000000.000002", "second"),
        ("1700000000", "older"),
        ("1.7e9", "older still"),
        ("999999999.999999", "oldest"),
    ):
        assert api.put(group, "c1", at, city=city).status == 200
    assert (api.get(group, "c1") or {})["city"] == "second"
    for at in ("253402300800", "-62167219201", "inf", "NaN", NOON, "0x10"):
        refused(api.put(group, "c1", at), "ValidationError")
    assert api.put(group, "c2", "253402300799").status == 200, "ahead of the clock: offline only"
    assert api.get(group, "c2") is None


def test_stores_that_a_deletion_is_for(api: Api, group: str) -> None:
    table = group.replace("-", "_")

    def markers(identifier: str) -> int:
        where = f"customer_id = '{identifier}' AND is_deleted"
        return int(api.sql(f"SELECT count(*) AS n FROM {table} WHERE {where}")[0]["n"])

    later = "2024-05-01T13:00:00Z"
    for identifier, store, mode in (
        ("d1", "OnlineStore", "SoftDelete"),
        ("d2", "OfflineStore", "SoftDelete"),
        ("d3", "OnlineStore", "HardDelete"),
        ("d4", "OfflineStore", "HardDelete"),
    ):
        assert api.put(group, identifier).status == 200
        query = f"&TargetStores={store}&DeletionMode={mode}"
        assert api.delete(group, identifier, later, query).status == 200
        is_online = store == "OnlineStore"
        assert (api.get(group, identifier) is None) == is_online, identifier
        assert markers(identifier) == (0 if is_online else 1), identifier
    both = "&TargetStores=OnlineStore&TargetStores=OfflineStore"
    api.put(group, "d5")
    assert api.delete(group, "d5", later, both).status == 200
    assert (api.get(group, "d5"), markers("d5")) == (None, 1)
    refused(api.delete(group, "d5", later, "&TargetStores=Nowhere"), "ValidationError")
    online_only = api.group(OfflineStoreConfig=None)
    refused(api.delete(online_only, "d1", later, "&TargetStores=OfflineStore"), "ValidationError")


def test_the_nearest_ttl_counts(api: Api) -> None:
    """Goal: an entry goes before the request, and that before the group; expiry writes nothing."""
    group = api.group(
        OnlineStoreConfig={"EnableOnlineStore": True, "TtlDuration": {"Unit": "Days", "Value": 1}}
    )
    at = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(minutes=5)
    text = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    entry = {"FeatureGroupName": group, "Record": record("e1", text)}
    half_an_hour = {"Unit": "Minutes", "Value": 30}
    own = entry | {"Record": record("e2", text), "TtlDuration": half_an_hour}
    gone = entry | {"Record": record("e3", text), "TtlDuration": {"Unit": "Seconds", "Value": 1}}
    body = {"Entries": [entry, own, gone], "TtlDuration": {"Unit": "Hours", "Value": 2}}
    assert api.send("POST", "/BatchWriteRecord", body).json()["Errors"] == []
    api.put(group, "e4", text)

    def lasts(identifier: str) -> dt.timedelta:
        asked = "&ExpirationTimeResponse=Enabled"
        answer = api.get_answer(group, identifier, asked).json()
        return dt.datetime.fromisoformat(answer["ExpiresAt"]) - at

    assert lasts("e1") == dt.timedelta(hours=2)
    assert lasts("e2") == dt.timedelta(minutes=30)
    assert lasts("e4") == dt.timedelta(days=1)
    assert api.get(group, "e3") is None
    rows = f"SELECT count(*) AS n, count(expires_at) AS kept FROM {group.replace('-', '_')}"
    assert api.sql(rows) == [{"n": 4, "kept": 4}], "expiry appends nothing"


def test_names_of_features_that_are_none(api: Api, group: str) -> None:
    refused(api.get_answer(group, "c1", "&FeatureName=nothing"), "ValidationError")
    asked = {
        "FeatureGroupName": group,
        "RecordIdentifiersValueAsString": ["c1"],
        "FeatureNames": ["nothing"],
    }
    said = refused(api.send("POST", "/BatchGetRecord", {"Identifiers": [asked]}), "ValidationError")
    assert "nothing" in said


def test_names_with_a_dash_in_queries(api: Api) -> None:
    """Goal: a name is reachable with `_` for each `-`, unless another table has that name."""
    for name in ("dash-ed", "dash_ed", "dash-alone"):
        api.group(FeatureGroupName=name)
        assert api.put(name, "c1", city=name).status == 200
    for asked, found in (
        ('"dash-ed"', "dash-ed"),
        ("dash_ed", "dash_ed"),
        ("dash_alone", "dash-alone"),
        ('"dash-alone"', "dash-alone"),
    ):
        assert api.sql(f"SELECT city FROM {asked}") == [{"city": found}]


def test_rows_ahead_of_the_clock_wait_offline(api: Api, group: str) -> None:
    ahead = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert api.put(group, "ahead", city="now").status == 200
    assert api.put(group, "ahead", ahead, city="later").status == 200
    assert (api.get(group, "ahead") or {})["city"] == "now"
    refused(api.put(group, "ahead", ahead, TargetStores=["OnlineStore"]), "ValidationError")
    table = group.replace("-", "_")
    assert api.sql(f"SELECT count(*) AS n FROM {table} WHERE customer_id = 'ahead'") == [{"n": 2}]


def test_the_offline_table(api: Api) -> None:
    """Goal: columns as the documents lay them out; the usual query finds the latest records."""
    group = api.group()
    table = group.replace("-", "_")
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=2)
    for at, values in (
        ("12:00:00", {"age": "1"}),
        ("12:00:01", {"age": "2"}),
        ("12:00:01", {"age": "3"}),
    ):
        assert api.put(group, "c1", f"2024-05-01T{at}Z", **values).status == 200
    assert api.put(group, "c2", score="0.5").status == 200
    assert api.delete(group, "c2", "2024-05-01T13:00:00Z").status == 200
    rows = api.sql(f"SELECT * FROM {table} ORDER BY write_time")
    names = ["age", "at", "customer_id", "score", "city"]
    system = ["write_time", "api_invocation_time", "is_deleted"]
    shown = [name for name in rows[0] if name in names + system]
    assert sorted(shown[: len(names)]) == sorted(names)
    assert [name for name in shown if name in system] == system
    assert [row["at"] for row in rows] == [
        NOON,
        "2024-05-01T12:00:01Z",
        "2024-05-01T12:00:01Z",
        NOON,
        "2024-05-01T13:00:00Z",
    ]
    marker = rows[-1]
    assert (marker["customer_id"], marker["is_deleted"], marker["age"], marker["score"]) == (
        "c2",
        True,
        None,
        None,
    )
    for row in rows:
        for name in ("write_time", "api_invocation_time"):
            text = str(row[name]).replace(" ", "T").replace("Z", "+00:00")
            at = dt.datetime.fromisoformat(text)
            assert before <= (at if at.tzinfo else at.replace(tzinfo=dt.UTC))
    latest = f"""
        SELECT customer_id, age FROM (
            SELECT *, row_number() OVER (PARTITION BY customer_id
                ORDER BY "at" DESC, api_invocation_time DESC, write_time DESC) AS n FROM {table})
        WHERE n = 1 AND NOT is_deleted"""
    assert api.sql(latest) == [{"customer_id": "c1", "age": 3}]


def test_the_offline_tables_files(api: Api) -> None:
    """Goal: files under ResolvedOutputS3Uri, with the columns' types."""
    group = api.group()
    assert api.put(group, "c1", age="7", score="0.5").status == 200
    run_program(api.folder, "flush")
    told = api.control("DescribeFeatureGroup", FeatureGroupName=group).json()
    place = told["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"]
    assert place.endswith("/data")
    [file] = list(Path(re.sub("^file://", "", place)).rglob("*.parquet"))
    schema = pq.read_schema(file)
    types = {name: schema.field(name).type for name in ("age", "at", "customer_id", "score")}
    assert types == {
        "age": pa.int64(),
        "at": pa.string(),
        "customer_id": pa.string(),
        "score": pa.float64(),
    }
    assert pa.types.is_timestamp(schema.field("write_time").type)
    assert pa.types.is_timestamp(schema.field("api_invocation_time").type)
    assert schema.field("is_deleted").type == pa.bool_()


class Model:
    """The rules of records: what is online, and how many rows are offline."""

    def __init__(self) -> None:
        self.online: dict[str, tuple[int, str | None]] = {}  # second, value; None: deleted
        self.offline = 0

    def put(self, key: str, second: int, value: str, targets: list[str]) -> None:
        if "OnlineStore" in targets and second >= self.online.get(key, (-1, None))[0]:
            self.online[key] = (second, value)
        self.offline += "OfflineStore" in targets

    def soft_delete(self, key: str, second: int) -> None:
        if second >= self.online.get(key, (-1, None))[0]:
            self.online[key] = (second, None)
        self.offline += 1

    def hard_delete(self, key: str, second: int) -> bool:
        if second <= self.online.get(key, (-1, None))[0]:
            return False
        self.online[key] = (second, None)
        self.offline += 1
        return True


@pytest.mark.parametrize("seed", [20261122, 7])
def test_any_order_of_writes_is_as_the_rules_say(api: Api, group: str, seed: int) -> None:
    rng = random.Random(seed)
    model = Model()
    both = ["OnlineStore", "OfflineStore"]
    for step in range(120):
        # Now and then new records, so that there are times yet to come.
        key, second = f"{seed}-{step // 30}-{rng.choice('ab')}", rng.randrange(40)
        at = f"2024-05-01T12:00:{second:02}Z"
        what = rng.random()
        if what < 0.6:
            targets = rng.choice([both, both, both[:1], both[1:]])
            assert api.put(group, key, at, city=str(step), TargetStores=targets).status == 200
            model.put(key, second, str(step), targets)
        elif what < 0.8:
            assert api.delete(group, key, at).status == 200
            model.soft_delete(key, second)
        else:
            answer = api.delete(group, key, at, "&DeletionMode=HardDelete")
            assert (answer.status == 200) == model.hard_delete(key, second), answer.text
        found = api.get(group, key)
        assert (found or {}).get("city") == model.online.get(key, (0, None))[1], step
    table = group.replace("-", "_")
    rows = f"SELECT count(*) AS n FROM {table} WHERE customer_id LIKE '{seed}-%'"
    assert api.sql(rows) == [{"n": model.offline}]


def test_writers_at_once_leave_the_newest(api: Api, group: str) -> None:
    """Goal: whatever the order in which they arrive, and every 200 is seen at once."""
    seconds = list(range(30))
    random.Random(1).shuffle(seconds)
    missed: list[int] = []

    def write(mine: list[int]) -> None:
        for second in mine:
            at = f"2024-05-01T12:00:{second:02}Z"
            if api.put(group, "race", at, city=str(second)).status != 200:
                missed.append(second)
            found = api.get(group, "race")
            if found is None or int(found["city"]) < second:
                missed.append(second)

    threads = [threading.Thread(target=write, args=(seconds[i::6],)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missed == []
    assert (api.get(group, "race") or {})["city"] == "29"


def test_updates_at_their_edges(api: Api, group: str) -> None:
    api.put(group, "u1", age="1", city="x")
    twice = [{"FeatureName": "age", "ValueAsString": v} for v in ("2", "3")]
    body = {"RecordIdentifierValueAsString": "u1", "Features": twice}
    refused(api.send("POST", f"/FeatureGroup/{group}/Record", body), "ValidationError")
    same = api.update(group, "u1", {"at": NOON, "age": "2"})
    assert same.status == 200, "an equal event time is applied"
    older = api.update(group, "u1", {"at": "2024-05-01T11:59:59.999999Z", "age": "3"})
    refused(older, "ConflictException", 409)
    assert api.get(group, "u1") == {"customer_id": "u1", "at": NOON, "age": "2", "city": "x"}
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ttl = {"Unit": "Seconds", "Value": 1}
    api.put(group, "u2", "2024-05-01T12:00:00Z", TtlDuration=ttl)
    refused(api.update(group, "u2", {"at": now, "age": "1"}), "ResourceNotFound", 404)
    api.put(group, "u3")
    api.delete(group, "u3", "2024-05-01T13:00:00Z", "&DeletionMode=HardDelete")
    refused(api.update(group, "u3", {"at": now, "age": "1"}), "ResourceNotFound", 404)


def test_a_deleted_groups_records_are_unreachable_at_once(api: Api) -> None:
    group = api.group()
    api.put(group, "c1", city="before")
    run_program(api.folder, "flush")
    assert api.control("DeleteFeatureGroup", FeatureGroupName=group).status == 200
    refused(api.get_answer(group, "c1"), "ResourceNotFound", 404)
    refused(api.put(group, "c1"), "ValidationError")
    told = api.control("DescribeFeatureGroup", FeatureGroupName=group)
    refused(told, "ResourceNotFound")
    api.group(FeatureGroupName=group)
    assert api.get(group, "c1") is None
    table = group.replace("-", "_")
    assert api.sql(f"SELECT count(*) AS n FROM {table}") == [{"n": 0}]
    assert api.put(group, "c1", "2000-01-01T00:00:00Z", city="after").status == 200
    assert (api.get(group, "c1") or {})["city"] == "after", "no older record is in its way"
