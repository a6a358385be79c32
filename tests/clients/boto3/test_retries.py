"""boto3 sends requests again by itself, as it does to AWS.

Goal: a request that was put off, or whose answer was lost, counts once: rows are written once, and
what was made, changed or deleted is no error the second time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty_proxy import FaultyProxy
from feature_store import client, definition, record, values_of
from server_process import ServerProcess

Query = Callable[[str], list[dict[str, Any]]]
Spoil = Callable[[FaultyProxy], None]


def put_off_by(status: str) -> Spoil:
    def spoil(proxy: FaultyProxy) -> None:
        proxy.put_off_by = status
        proxy.put_off = 1

    return spoil


def lose_the_answer(proxy: FaultyProxy) -> None:
    proxy.lose_answers = 1


SPOILT: dict[str, Spoil] = {
    "503": put_off_by("503 Service Unavailable"),
    "429": put_off_by("429 Too Many Requests"),
    "lost": lose_the_answer,
}


@pytest.fixture
def proxy(server: ServerProcess) -> Iterator[FaultyProxy]:
    with FaultyProxy(server.port) as running:
        yield running


class Clients:
    """Both clients with boto3's usual retries, each request on a connection of its own."""

    def __init__(self, proxy: FaultyProxy) -> None:
        self.proxy = proxy
        self._attempts = 0
        self.control = client("sagemaker", proxy, attempts=3)
        self.runtime = client("sagemaker-featurestore-runtime", proxy, attempts=3)
        for each in (self.control, self.runtime):
            # A kept connection would not be accepted anew, and so not be put off.
            each.meta.events.register("before-send", self._close)

    def _close(self, request: Any, **_: Any) -> None:
        self._attempts += 1
        request.headers["Connection"] = "close"

    def spoilt(self, how: str, call: Callable[..., Any], **request: Any) -> dict[str, Any]:
        """The answer to a call of which one attempt is spoilt."""
        SPOILT[how](self.proxy)
        self._attempts = 0
        answer: dict[str, Any] = call(**request)
        assert self._attempts == 2
        assert answer["ResponseMetadata"]["RetryAttempts"] == 1
        assert self.proxy.put_off == self.proxy.lose_answers == 0
        return answer


@pytest.fixture
def clients(proxy: FaultyProxy) -> Clients:
    return Clients(proxy)


@pytest.fixture
def group(clients: Clients) -> str:
    clients.control.create_feature_group(
        **definition(OnlineStoreConfig={"EnableOnlineStore": True, "StorageType": "Standard_V2"})
    )
    return "customers"


def row(identifier: str, time: str = "2024-05-01T12:00:00Z", **more: str) -> list[dict[str, Any]]:
    return record(customer_id=identifier, at=time, **more)


@pytest.mark.parametrize("how", SPOILT)
def test_records_are_written_once(clients: Clients, group: str, query: Query, how: str) -> None:
    runtime = clients.runtime
    clients.spoilt(how, runtime.put_record, FeatureGroupName=group, Record=row("c1", age="1"))
    entries = [{"FeatureGroupName": group, "Record": row(f"b{i}")} for i in range(25)]
    entries[7]["Record"] = row("b7", age="not a number")
    answer = clients.spoilt(how, runtime.batch_write_record, Entries=entries)
    assert [error["Entry"] for error in answer["Errors"]] == [entries[7]]
    clients.spoilt(
        how,
        runtime.update_record,
        FeatureGroupName=group,
        RecordIdentifierValueAsString="c1",
        Features=record(age="2", at="2024-05-01T13:00:00Z"),
    )
    clients.spoilt(
        how,
        runtime.delete_record,
        FeatureGroupName=group,
        RecordIdentifierValueAsString="b0",
        EventTime="2024-05-01T14:00:00Z",
    )
    clients.spoilt(
        how,
        runtime.delete_record,
        FeatureGroupName=group,
        RecordIdentifierValueAsString="b1",
        EventTime="2024-05-01T14:00:00Z",
        DeletionMode="HardDelete",
    )
    rows = query("SELECT customer_id, age, is_deleted FROM customers")
    written = [("b0", None, False), ("b0", None, True), ("b1", None, False), ("b1", None, True)]
    written += [(f"b{i}", None, False) for i in range(2, 25) if i != 7]
    written += [("c1", 1, False), ("c1", 2, False)]
    assert sorted(tuple(each.values()) for each in rows) == sorted(written)
    answer = clients.spoilt(
        how, runtime.get_record, FeatureGroupName=group, RecordIdentifierValueAsString="c1"
    )
    assert values_of(answer) == {
        "customer_id": "c1",
        "at": "2024-05-01T13:00:00Z",
        "age": "2",
    }


@pytest.mark.parametrize("how", SPOILT)
def test_groups_are_made_changed_and_deleted_once(clients: Clients, how: str) -> None:
    control = clients.control
    name = {"FeatureGroupName": "customers"}
    made = clients.spoilt(how, control.create_feature_group, **definition())
    assert made["FeatureGroupArn"].endswith(":feature-group/customers")
    added = [{"FeatureName": "street", "FeatureType": "String"}]
    clients.spoilt(how, control.update_feature_group, **name, FeatureAdditions=added)
    told = clients.spoilt(how, control.describe_feature_group, **name)
    assert [each["FeatureName"] for each in told["FeatureDefinitions"]][-2:] == ["city", "street"]
    clients.spoilt(how, control.delete_feature_group, **name)
    with pytest.raises(control.exceptions.ResourceNotFound):
        control.describe_feature_group(**name)
    # Another call is another request, not the first one again.
    control.create_feature_group(**definition())
    with pytest.raises(control.exceptions.ResourceInUse):
        control.create_feature_group(**definition())


def test_what_the_server_itself_puts_off_is_sent_again(tmp_path: Path, query: Query) -> None:
    with ServerProcess(tmp_path, "--in-flight-max", "1") as server:
        client("sagemaker", server).create_feature_group(**definition())
        runtime = client("sagemaker-featurestore-runtime", server, attempts=3)
        held_row = {"customer_id": "held", "at": "2024-05-01T12:00:00Z"}
        line = json.dumps({**held_row, "age": 1, "score": 0.5, "city": "x"}).encode()
        held = server.connect()
        held.putrequest("POST", "/v1/projects/default/views/customers/ingest")
        held.putheader("Content-Type", "application/x-ndjson")
        held.putheader("Content-Length", str(len(line)))
        held.endheaders(line[:10])
        while server.get("/list-feature-views").status != 429:
            pass  # until the held request has its place
        attempts: list[str] = []

        def let_go(request: Any, **_: Any) -> None:
            attempts.append(request.method)
            if len(attempts) == 2:
                held.send(line[10:])
                answer = held.getresponse()
                assert answer.status == 200, answer.read()

        runtime.meta.events.register("before-send", let_go)
        runtime.put_record(FeatureGroupName="customers", Record=row("c1"))
        assert attempts == ["PUT"] * 2
        held.close()
    rows = query("SELECT customer_id FROM customers ORDER BY ALL")
    assert rows == [{"customer_id": "c1"}, {"customer_id": "held"}]
