"""Every client on one table.

Goal: a feature group made through boto3, a table made by the SDK and one made by the Semantix ML
Hub SDK are the same kind of thing. What one client writes to it, each of the others reads: boto3,
the SDK (`FeatureStore(url=)`), SQL, Arrow Flight, Feast's remote online and offline stores,
elemeno-ai-sdk.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pyarrow as pa
import pytest
from elemeno_ai_sdk.ml.features.feature_store import FeatureStore as SemantixStore
from elemeno_ai_sdk.ml.features.feature_table import FeatureTable as SemantixTable
from feast import (
    Entity,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    PushSource,
    RepoConfig,
    ValueType,
)
from feast.data_source import PushMode
from feast.types import Float64, Int64, String
from program import ROOT
from pyarrow import flight
from server_process import ServerProcess

FLIGHT = re.compile(r"tidemark serves Arrow Flight on (grpc://\S+:(\d+))")
NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
TIME_OF = {"by_boto3": "at", "by_sdk": "event_timestamp", "by_semantix": "event_timestamp"}
FEATURES = ["score", "count", "note"]
SHARED = 100  # the key that every client writes

Values = tuple[float | None, int | None, str | None]
Row = tuple[int, int, Values]  # key, seconds after noon, values


def moment(seconds: int) -> dt.datetime:
    return NOON + dt.timedelta(seconds=seconds)


def text(seconds: int) -> str:
    return moment(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


class Clients:
    """One of each, of one server."""

    def __init__(self, server: ServerProcess, folder: Path) -> None:
        self.url = server.url
        aws = {
            "endpoint_url": server.url,
            "region_name": "us-east-1",
            "aws_access_key_id": "AKIATEST",
            "aws_secret_access_key": "secret",
        }
        self.control = boto3.client("sagemaker", **aws)
        self.runtime = boto3.client("sagemaker-featurestore-runtime", **aws)
        found = server.wait_for_line(FLIGHT)
        assert found is not None
        self.flight = flight.FlightClient(found[1])
        self.feast = feast_store(server.url, int(found[2]), folder)
        self._sdk = subprocess.Popen(
            [ROOT / ".venv/bin/python", Path(__file__).with_name("sdk.py"), server.url],
            env={**os.environ, "PYTHONPATH": str(ROOT / "python/src")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def sdk(self, call: str, **arguments: Any) -> Any:
        assert self._sdk.stdin is not None
        assert self._sdk.stdout is not None
        self._sdk.stdin.write(json.dumps({"call": call, **arguments}) + "\n")
        self._sdk.stdin.flush()
        answer = self._sdk.stdout.readline()
        assert answer, f"the SDK's process ended in {call}: see its standard error"
        return json.loads(answer)

    def close(self) -> None:
        self.flight.close()
        assert self._sdk.stdin is not None
        with self._sdk:  # closes its pipes, and waits for it
            self._sdk.stdin.close()
        assert self._sdk.returncode == 0


def feast_store(url: str, flight_port: int, folder: Path) -> FeatureStore:
    """A Feast repository whose stores, online and offline, are the server."""
    store = FeatureStore(
        config=RepoConfig(
            project="default",
            provider="local",
            registry=str(folder / "registry.db"),
            online_store={"type": "remote", "path": url},
            offline_store={"type": "remote", "host": "127.0.0.1", "port": flight_port},
            entity_key_serialization_version=3,
        )
    )
    entity = Entity(name="id", join_keys=["id"], value_type=ValueType.INT64)
    types = {"id": Int64, "score": Float64, "count": Int64, "note": String}
    views = [
        FeatureView(
            name=name,
            entities=[entity],
            ttl=dt.timedelta(0),
            schema=[Field(name=field, dtype=kind) for field, kind in types.items()],
            source=PushSource(
                name=f"{name}_push",
                batch_source=FileSource(
                    name=name, path=f"elsewhere/{name}.parquet", timestamp_field=time
                ),
            ),
        )
        for name, time in TIME_OF.items()
    ]
    store.apply([entity, *views])
    return store


def make_tables(clients: Clients, folder: Path) -> None:
    clients.control.create_feature_group(
        FeatureGroupName="by_boto3",
        RecordIdentifierFeatureName="id",
        EventTimeFeatureName="at",
        FeatureDefinitions=[
            {"FeatureName": "id", "FeatureType": "Integral"},
            {"FeatureName": "at", "FeatureType": "String"},
            {"FeatureName": "score", "FeatureType": "Fractional"},
            {"FeatureName": "count", "FeatureType": "Integral"},
            {"FeatureName": "note", "FeatureType": "String"},
        ],
        OnlineStoreConfig={"EnableOnlineStore": True},
        OfflineStoreConfig={"S3StorageConfig": {"S3Uri": "s3://tidemark/groups"}},
        RoleArn="arn:aws:iam::123456789012:role/features",
    )
    clients.sdk("make", name="by_sdk")
    schema = folder / "schema.json"
    types = {"id": "int", "score": "float", "count": "int", "note": "string"}
    types["event_timestamp"] = "timestamp"
    fields = [{"name": name, "type": kind} for name, kind in types.items()]
    schema.write_text(json.dumps({"name": "by_semantix", "entities": ["id"], "schema": fields}))
    asyncio.run(SemantixTable(remote_server=clients.url).create(str(schema)))


def write_boto3(clients: Clients, table: str, row: Row) -> None:
    key, seconds, values = row
    texts = {"id": str(key), TIME_OF[table]: text(seconds)}
    given = zip(FEATURES, values, strict=True)
    texts |= {name: str(value) for name, value in given if value is not None}
    clients.runtime.put_record(
        FeatureGroupName=table,
        Record=[{"FeatureName": name, "ValueAsString": value} for name, value in texts.items()],
    )


def columns(table: str, row: Row, time: Any) -> dict[str, list[Any]]:
    key, _, values = row
    return {"id": [key], TIME_OF[table]: [time]} | {
        name: [value] for name, value in zip(FEATURES, values, strict=True)
    }


def write_sdk(clients: Clients, table: str, row: Row) -> None:
    assert clients.sdk("ingest", view=table, rows=columns(table, row, text(row[1]))) == 1


def write_flight(clients: Clients, table: str, row: Row) -> None:
    time: Any = text(row[1]) if TIME_OF[table] == "at" else moment(row[1])
    rows = pa.table(columns(table, row, time))
    asked = flight.FlightDescriptor.for_command(command("ingest", view=table))
    writer, answers = clients.flight.do_put(asked, rows.schema)
    writer.write_table(rows)
    writer.done_writing()
    assert json.loads(answers.read().to_pybytes())["rows"] == 1
    writer.close()


def write_feast(clients: Clients, table: str, row: Row) -> None:
    time: Any = text(row[1]) if TIME_OF[table] == "at" else moment(row[1])
    frame = pd.DataFrame(columns(table, row, time))
    clients.feast.push(f"{table}_push", frame, to=PushMode.ONLINE_AND_OFFLINE)


def write_semantix(clients: Clients, table: str, row: Row) -> None:
    frame = pd.DataFrame(columns(table, row, moment(row[1]).strftime("%Y-%m-%d %H:%M:%S.%f")))
    asyncio.run(SemantixStore(remote_server=clients.url).ingest(table, frame))


def command(call: str, **options: Any) -> bytes:
    return json.dumps({"tidemark": 1, "call": call, **options}).encode()


def online_boto3(clients: Clients, table: str, keys: list[int]) -> dict[int, Values]:
    wanted = [str(key) for key in keys]
    answer = clients.runtime.batch_get_record(
        Identifiers=[{"FeatureGroupName": table, "RecordIdentifiersValueAsString": wanted}]
    )
    assert answer["Errors"] == []
    found: dict[int, Values] = dict.fromkeys(keys, (None, None, None))
    for each in answer["Records"]:
        texts = {value["FeatureName"]: value["ValueAsString"] for value in each["Record"]}
        assert texts["id"] == each["RecordIdentifierValueAsString"]
        score, count = texts.get("score"), texts.get("count")
        found[int(texts["id"])] = (
            None if score is None else float(score),
            None if count is None else int(count),
            texts.get("note"),
        )
    return found


def online_sdk(clients: Clients, table: str, keys: list[int]) -> dict[int, Values]:
    return by_key(clients.sdk("online", features=references(table), ids=keys))


def online_feast(clients: Clients, table: str, keys: list[int]) -> dict[int, Values]:
    rows = [{"id": key} for key in keys]
    return by_key(clients.feast.get_online_features(references(table), rows).to_dict())


def online_semantix(clients: Clients, table: str, keys: list[int]) -> dict[int, Values]:
    store = SemantixStore(remote_server=clients.url)
    got = store.get_online_features(table, entities={"id": keys}, features=FEATURES)
    return by_key(asyncio.run(got))


def historical_sdk(clients: Clients, table: str, keys: list[int]) -> dict[int, Values]:
    """Point in time: a day later, so the newest of each."""
    times = [text(86_400)] * len(keys)
    return by_key(clients.sdk("historical", features=references(table), ids=keys, times=times))


def historical_feast(clients: Clients, table: str, keys: list[int]) -> dict[int, Values]:
    entities = pd.DataFrame({"id": keys, "event_timestamp": [moment(86_400)] * len(keys)})
    found = clients.feast.get_historical_features(entities, references(table)).to_arrow()
    return by_key(found.select(["id", *FEATURES]).to_pydict())


def historical_flight(clients: Clients, table: str, keys: list[int]) -> dict[int, Values]:
    entities = pa.table({"id": keys, "event_timestamp": [moment(86_400)] * len(keys)})
    asked = command("historical", features=references(table))
    writer, reader = clients.flight.do_exchange(flight.FlightDescriptor.for_command(asked))
    with writer:
        writer.begin(entities.schema)
        writer.write_table(entities)
        writer.done_writing()
        return by_key(reader.read_all().to_pydict())


def references(table: str) -> list[str]:
    return [f"{table}:{name}" for name in FEATURES]


def by_key(found: dict[str, list[Any]]) -> dict[int, Values]:
    rows = zip(*(found[name] for name in FEATURES), strict=True)
    return dict(zip(found["id"], rows, strict=True))


def rows_sql(clients: Clients, table: str) -> list[Row]:
    time = f'CAST("{TIME_OF[table]}" AS VARCHAR) AS "at"'
    return rows_of(clients.sdk("sql", query=f"SELECT id, {time}, score, count, note FROM {table}"))


def rows_flight(clients: Clients, table: str) -> list[Row]:
    ticket = flight.Ticket(command("read", view=table))
    found = clients.flight.do_get(ticket).read_all()
    times = found[TIME_OF[table]].cast(pa.string())
    return rows_of(found.select(["id", *FEATURES]).append_column("at", times).to_pylist())


def rows_semantix(clients: Clients, table: str) -> list[Row]:
    store = SemantixStore(remote_server=clients.url)
    got = store.get_training_features(
        table, entities=["id"], features=FEATURES, date_from="2026-03-01", date_to="2026-03-02"
    )
    frame = asyncio.run(got)
    assert isinstance(frame, pd.DataFrame)
    frame = frame.astype(object).where(frame.notna(), None)
    return rows_of(frame.rename(columns={TIME_OF[table]: "at"}).to_dict("records"))


def rows_of(found: list[dict[str, Any]]) -> list[Row]:
    """Times with a zone or without one, which means UTC."""
    times = pd.to_datetime([each["at"] for each in found], utc=True, format="ISO8601")
    return [
        (each["id"], int((time - NOON).total_seconds()), tuple(each[name] for name in FEATURES))
        for each, time in zip(found, times, strict=True)
    ]


WRITERS: dict[str, Callable[[Clients, str, Row], None]] = {
    "boto3": write_boto3,
    "sdk": write_sdk,
    "flight": write_flight,
    "feast": write_feast,
    "semantix": write_semantix,
}
LATEST: dict[str, Callable[[Clients, str, list[int]], dict[int, Values]]] = {
    "boto3": online_boto3,
    "sdk": online_sdk,
    "feast": online_feast,
    "semantix": online_semantix,
    "sdk, offline": historical_sdk,
    "feast, offline": historical_feast,
    "flight, offline": historical_flight,
}
HISTORY: dict[str, Callable[[Clients, str], list[Row]]] = {
    "sql": rows_sql,
    "flight": rows_flight,
    "semantix": rows_semantix,
}

# Counts are exact as doubles too: pandas in elemeno-ai-sdk makes such of a column with a null.
VALUES: list[Values] = [
    (0.5, 2**53 - 1, "plain"),
    (-1.25, -7, 'quo"te\\ \u00e9\u4e16\U0001f600'),
    (1e300, 0, ""),
    (3.0, 2**62, "3"),
    (None, None, None),
]


def rows_by(writer: str) -> list[Row]:
    """A key of its own, the older row last; and the key that all write, each later than before."""
    at = list(WRITERS).index(writer)
    own, other = VALUES[at], VALUES[at - 1]
    return [(at, 20, own), (at, 10, other), (SHARED, 30 + at, own)]


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    folder = tmp_path_factory.mktemp("dialects")
    with (
        ServerProcess(folder / "store", "--flight-port", "0") as server,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("MLHUB_API_KEY", "no key is asked for")
        running = Clients(server, folder)
        try:
            make_tables(running, folder)
            yield running
        finally:
            running.close()


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("table", TIME_OF)
def test_what_one_writes_all_read(clients: Clients, table: str, writer: str) -> None:
    place = list(WRITERS).index(writer)
    rows = rows_by(writer)
    for row in rows:
        WRITERS[writer](clients, table, row)
    wanted = {place: VALUES[place], SHARED: VALUES[place], 77: (None, None, None)}
    for reader, read in LATEST.items():
        assert read(clients, table, [place, SHARED, 77]) == wanted, reader
    for reader, history in HISTORY.items():
        found = history(clients, table)
        found = [row for row in found if row[0] == place or row[:2] == rows[-1][:2]]
        assert sorted(found, key=repr) == sorted(rows, key=repr), reader


def test_each_lists_the_tables_of_the_others(clients: Clients) -> None:
    listed = clients.control.list_feature_groups()["FeatureGroupSummaries"]
    assert sorted(each["FeatureGroupName"] for each in listed) == sorted(TIME_OF)
    for table, time in TIME_OF.items():
        told = clients.control.describe_feature_group(FeatureGroupName=table)
        assert told["EventTimeFeatureName"] == time
        features = [each["FeatureName"] for each in told["FeatureDefinitions"]]
        assert features == ["id", time, *FEATURES]
    names = [each["name"] for each in asyncio.run(SemantixTable(remote_server=clients.url).list())]
    assert sorted(names) == sorted(TIME_OF)
    paths = [info.descriptor.path for info in clients.flight.list_flights()]
    assert sorted(path[-1].decode() for path in paths) == sorted(TIME_OF)
