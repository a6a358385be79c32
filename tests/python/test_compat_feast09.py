"""Scripts written for Feast 0.9, on tidemark.compat.feast09.

Goal: a script runs with its import lines and the address of its client changed and nothing else; it
prints what it printed, trains and looks up what it wrote; what cannot work says why.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from server_process import ServerProcess

from tidemark import FeatureStore
from tidemark.compat.feast09 import (
    AvroFormat,
    BigQuerySource,
    Client,
    Duration,
    Entity,
    Feature,
    FeatureTable,
    FileSource,
    KafkaSource,
    KinesisSource,
    ParquetFormat,
    ProtoFormat,
    SparkJobStatus,
    ValueType,
)
from tidemark.errors import (
    InvalidArgumentError,
    InvalidDataError,
    NotFoundError,
    TidemarkError,
    UnavailableError,
    UnsupportedError,
)

# As it stood in guides and notebooks of Feast 0.9.
SCRIPT = """
import pandas as pd
from feast import Client, Entity, Feature, FeatureTable, FileSource, KafkaSource, ValueType
from feast.data_format import ParquetFormat, ProtoFormat

client = Client(core_url="localhost:6565", serving_url="localhost:6566")

driver_id = Entity(
    name="driver_id", description="Driver identifier", value_type=ValueType.INT64)

average_daily_rides = Feature("average_daily_rides", ValueType.DOUBLE)
rating = Feature("rating", ValueType.FLOAT)

driver_trips = FeatureTable(
    name="driver_trips",
    entities=["driver_id"],
    features=[average_daily_rides, rating],
    batch_source=FileSource(
        file_format=ParquetFormat(),
        file_url="file:///bucket/driver_trips",
        event_timestamp_column="datetime",
        created_timestamp_column="created",
        field_mapping={"rating": "driver_rating"},
    ),
    stream_source=KafkaSource(
        bootstrap_servers="localhost:9094",
        message_format=ProtoFormat(class_path="com.rides.DriverTrips"),
        topic="driver_trips",
        event_timestamp_column="datetime",
        created_timestamp_column="created",
    ),
)

client.apply_entity(driver_id)
client.apply_feature_table(driver_trips)
print(client.get_feature_table("driver_trips"))

driver_df = pd.read_csv("driver_data.csv")
client.ingest(driver_trips, driver_df)

entities = pd.DataFrame({
    "driver_id": [1001, 1002, 1001],
    "event_timestamp": pd.to_datetime(["2026-05-01 09:00", "2026-05-01 09:00", "2026-05-02 09:00"]),
})
job = client.get_historical_features(
    feature_refs=["driver_trips:average_daily_rides", "driver_trips:rating"],
    entity_source=entities,
)
training = pd.read_parquet(job.get_output_file_uri())
print(training.drop(columns="event_timestamp").to_json(orient="records", double_precision=3))

features = client.get_online_features(
    feature_refs=["driver_trips:average_daily_rides", "driver_trips:rating"],
    entity_rows=[{"driver_id": 1001}, {"driver_id": 1003}],
).to_dict()
print(features["driver_trips:average_daily_rides"], features["driver_id"])
"""

DRIVER_DATA = """datetime,driver_id,average_daily_rides,driver_rating
2026-05-01 08:00:00,1001,14.5,4.3
2026-05-01 08:00:00,1002,9.25,4.8
2026-05-02 08:00:00,1001,15.5,4.1
"""

REFS = ["driver_trips:average_daily_rides", "driver_trips:rating"]
DAY = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)


def driver_trips(batch_source: Any, **more: Any) -> FeatureTable:
    return FeatureTable(
        name="driver_trips",
        entities=["driver_id"],
        features=[
            Feature("average_daily_rides", ValueType.DOUBLE),
            Feature("rating", ValueType.FLOAT),
        ],
        batch_source=batch_source,
        **more,
    )


def files(path: Path | str, **more: Any) -> FileSource:
    return FileSource(
        file_format=ParquetFormat(),
        file_url=str(path),
        event_timestamp_column="datetime",
        created_timestamp_column="created",
        **more,
    )


def frame(*rows: tuple[Any, ...]) -> pd.DataFrame:
    return pd.DataFrame(
        list(rows), columns=["datetime", "driver_id", "average_daily_rides", "rating"]
    )


def printed(client: Client, name: str = "driver_trips") -> dict[str, Any]:
    made: dict[str, Any] = json.loads(str(client.get_feature_table(name)))
    return made


@pytest.fixture
def client(tmp_path: Path) -> Client:
    made = Client(core_url=str(tmp_path / "store"))
    made.apply(Entity("driver_id", "Driver identifier", ValueType.INT64))
    return made


def test_the_classic_script_runs_with_its_imports_and_address_changed(tmp_path: Path) -> None:
    changed = (
        SCRIPT.replace("from feast import", "from tidemark.compat.feast09 import")
        .replace("from feast.data_format", "from tidemark.compat.feast09.data_format")
        .replace('core_url="localhost:6565"', f'core_url="{tmp_path}/store"')
        .replace("file:///bucket", f"file://{tmp_path}/bucket")
    )
    (tmp_path / "driver_data.csv").write_text(DRIVER_DATA)
    done = run_script(tmp_path, changed)
    assert done.returncode == 0, done.stderr
    spec, training, online = split_output(done.stdout)
    created = spec["meta"].pop("createdTimestamp")
    assert dt.datetime.fromisoformat(created).tzinfo == dt.UTC
    assert spec == {
        "spec": {
            "name": "driver_trips",
            "entities": [{"name": "driver_id", "valueType": "INT64"}],
            "features": [
                {"name": "average_daily_rides", "valueType": "DOUBLE"},
                {"name": "rating", "valueType": "FLOAT"},
            ],
            "maxAge": "0s",
            "batchSource": {
                "type": "BATCH_FILE",
                "eventTimestampColumn": "datetime",
                "createdTimestampColumn": "created",
                "fieldMapping": {"driver_rating": "rating"},
                "fileOptions": {
                    "fileFormat": {"parquetFormat": {}},
                    "fileUrl": f"{tmp_path}/bucket/driver_trips",
                },
            },
            "streamSource": {
                "type": "STREAM_KAFKA",
                "kafkaOptions": {
                    "bootstrapServers": "localhost:9094",
                    "classPath": "com.rides.DriverTrips",
                    "topic": "driver_trips",
                },
            },
        },
        "meta": {},
    }
    assert [
        (row["driver_trips__average_daily_rides"], row["driver_trips__rating"]) for row in training
    ] == [(14.5, 4.3), (9.25, 4.8), (15.5, 4.1)]
    assert online == "[15.5, None] [1001, 1003]"


def run_script(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(script)
    return subprocess.run(
        [sys.executable, "-W", "error", "script.py"],
        cwd=folder,
        env={"PYTHONPATH": ":".join(sys.path), "TMPDIR": str(folder), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
    )


def split_output(text: str) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """The printed spec, the training set and the lookup."""
    spec, end = json.JSONDecoder().raw_decode(text)
    training, online = text[end:].strip().split("\n")
    return spec, json.loads(training), online


def test_a_bigquery_table_is_registered_and_printed(client: Client) -> None:
    source = BigQuerySource(
        table_ref="gcp_project:bq_dataset.bq_table",
        event_timestamp_column="datetime",
        created_timestamp_column="timestamp",
    )
    client.apply_feature_table(
        driver_trips(
            source,
            stream_source=KafkaSource(
                bootstrap_servers="localhost:9094",
                message_format=ProtoFormat("class.path"),
                topic="driver_trips",
            ),
            max_age=Duration(seconds=3600),
            labels={"team": "rides"},
        )
    )
    made = printed(client)
    assert list(made) == ["spec", "meta"]
    assert list(made["meta"]) == ["createdTimestamp"]
    assert made["spec"] == {
        "name": "driver_trips",
        "entities": [{"name": "driver_id", "valueType": "INT64"}],
        "features": [
            {"name": "average_daily_rides", "valueType": "DOUBLE"},
            {"name": "rating", "valueType": "FLOAT"},
        ],
        "labels": {"team": "rides"},
        "maxAge": "3600s",
        "batchSource": {
            "type": "BATCH_BIGQUERY",
            "eventTimestampColumn": "datetime",
            "createdTimestampColumn": "timestamp",
            "bigqueryOptions": {"tableRef": "gcp_project:bq_dataset.bq_table"},
        },
        "streamSource": {
            "type": "STREAM_KAFKA",
            "kafkaOptions": {
                "bootstrapServers": "localhost:9094",
                "classPath": "class.path",
                "topic": "driver_trips",
            },
        },
    }
    with pytest.raises(UnsupportedError, match="has its history in BigQuery"):
        client.ingest("driver_trips", frame((DAY, 1001, 1.0, 4.0)))
    asked = pd.DataFrame({"driver_id": [1001], "event_timestamp": [DAY]})
    job = client.get_historical_features(REFS, asked)
    with pytest.raises(TidemarkError):  # no credentials, and nothing to reach
        job.to_df()


def test_what_is_defined_comes_back(client: Client, tmp_path: Path) -> None:
    table = driver_trips(
        files(tmp_path / "trips", field_mapping={"driver_rating": "rating"}),
        stream_source=KinesisSource(
            event_timestamp_column="at",
            record_format=AvroFormat('{"type": "record", "name": "Trip", "fields": []}'),
            region="eu-west-1",
            stream_name="trips",
        ),
        max_age=90,
        labels={"a": "b"},
    )
    table.add_feature(Feature("tags", ValueType.STRING_LIST, labels={"kind": "text"}))
    client.apply([table])
    got = client.get_feature_table(" driver_trips ")
    assert (got.name, got.entities, got.labels) == ("driver_trips", ["driver_id"], {"a": "b"})
    assert got.features == table.features
    assert got.max_age == Duration(90)
    assert (got.batch_source, got.stream_source) == (table.batch_source, table.stream_source)
    assert isinstance(got.batch_source, FileSource)
    assert got.batch_source.file_options.file_url == str(tmp_path / "trips")
    kinesis = printed(client)["spec"]["streamSource"]
    assert kinesis["eventTimestampColumn"] == "at"  # another than that of the batch source
    assert kinesis["kinesisOptions"]["streamName"] == "trips"
    assert client.list_feature_tables(labels={"a": "b"}) == [got]
    assert client.list_feature_tables(labels={"a": "c"}) == []
    assert [each.name for each in client.list_entities()] == ["driver_id"]
    entity = client.get_entity("driver_id")
    assert entity == Entity("driver_id", "Driver identifier", ValueType.INT64)
    assert json.loads(str(entity))["spec"]["valueType"] == "INT64"
    client.apply(got)  # what was got can be applied again
    assert client.get_feature_table("driver_trips") == got
    client.delete_feature_table("driver_trips")
    with pytest.raises(NotFoundError):
        client.get_feature_table("driver_trips")


def test_the_protobuf_duration_is_taken(client: Client, tmp_path: Path) -> None:
    class ProtobufDuration:
        def ToTimedelta(self) -> dt.timedelta:  # noqa: N802
            return dt.timedelta(milliseconds=1500)

    for age, text in [
        (ProtobufDuration(), "1.5s"),
        (dt.timedelta(days=1), "86400s"),
        (Duration(3, 500_000_000), "3.5s"),
        (None, "0s"),
    ]:
        client.apply(driver_trips(files(tmp_path / "trips"), max_age=age))
        assert printed(client)["spec"]["maxAge"] == text


def test_later_writes_replace_earlier_ones_of_one_time(client: Client, tmp_path: Path) -> None:
    client.apply(driver_trips(files(tmp_path / "trips/*")))
    asked = pd.DataFrame({"driver_id": [1001], "event_timestamp": [DAY]})
    for rides in (1.0, 3.0, 2.0):
        client.ingest("driver_trips", frame((DAY, 1001, rides, 4.5)))
        made = client.get_historical_features(REFS, asked).to_df()
        online = client.get_online_features(REFS, [{"driver_id": 1001}]).to_dict()
        assert made["driver_trips__average_daily_rides"].tolist() == [rides]
        assert online["driver_trips:average_daily_rides"] == [rides]
    rows = pq.ParquetDataset(tmp_path / "trips").read()
    assert sorted(rows["average_daily_rides"].to_pylist()) == [1.0, 2.0, 3.0]
    assert rows.column_names == [
        "driver_id",
        "datetime",
        "created",
        "average_daily_rides",
        "rating",
    ]


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_files_are_ingested(client: Client, tmp_path: Path, ending: str) -> None:
    client.apply(driver_trips(files(tmp_path / "trips", field_mapping={"rating": "driver_rating"})))
    rows = frame((DAY, 1001, 14.5, 4.3)).rename(columns={"rating": "driver_rating"})
    rows["not_ours"] = "x"
    path = tmp_path / f"rows.{ending}"
    if ending == "csv":
        rows.to_csv(path, index=False)
    elif ending == "json":
        rows.to_json(path, orient="records", lines=True, date_format="iso")
    else:
        rows.to_parquet(path)
    client.ingest("driver_trips", f"file://{path}")
    [row] = client.get_online_features(REFS, [{"driver_id": 1001}]).field_values
    assert row.fields["driver_trips:average_daily_rides"] == 14.5
    assert row.fields["driver_trips:rating"] == pytest.approx(4.3)
    assert row.statuses["driver_trips:rating"] == "PRESENT"


def test_files_that_are_there_are_read_and_loaded_online(client: Client, tmp_path: Path) -> None:
    rows = frame((DAY, 1001, 14.5, 4.25), (DAY, 1002, 9.5, 4.75))
    rows["created"] = DAY
    (tmp_path / "trips").mkdir()
    rows.to_parquet(tmp_path / "trips/part-0.parquet")
    client.apply(driver_trips(files(f"file://{tmp_path}/trips")))
    table = client.get_feature_table("driver_trips")
    before = client.get_online_features(REFS, [{"driver_id": 1002}])
    assert before.field_values[0].statuses["driver_trips:rating"] == "NOT_FOUND"
    job = client.start_offline_to_online_ingestion(table, DAY, DAY + dt.timedelta(days=1))
    assert job.get_status() is SparkJobStatus.COMPLETED
    after = client.get_online_features(REFS, [{"driver_id": 1002}]).to_dict()
    assert after == {
        "driver_id": [1002],
        "driver_trips:average_daily_rides": [9.5],
        "driver_trips:rating": [4.75],
    }


def test_training_sets_go_where_they_are_told(client: Client, tmp_path: Path) -> None:
    client.apply(driver_trips(files(tmp_path / "trips")))
    client.ingest("driver_trips", frame((DAY, 1001, 14.5, 4.25)))
    asked = pd.DataFrame({"id": [1001, 7], "at": [DAY, DAY]})
    (tmp_path / "asked").mkdir()
    asked.to_parquet(tmp_path / "asked/part-0.parquet")
    source = FileSource(
        "at", ParquetFormat(), f"file://{tmp_path}/asked", field_mapping={"id": "driver_id"}
    )
    job = client.get_historical_features(REFS[:1], source, output_location=f"file://{tmp_path}/out")
    assert job.get_status() is SparkJobStatus.COMPLETED
    assert job.get_output_file_uri() == job.get_output_file_uri() == f"file://{tmp_path}/out"
    assert len(list((tmp_path / "out").iterdir())) == 1
    made = pd.read_parquet(tmp_path / "out")
    assert made["driver_id"].tolist() == [1001, 7]
    assert made["driver_trips__average_daily_rides"][0] == 14.5
    assert pd.isna(made["driver_trips__average_daily_rides"][1])


def test_projects_are_apart(client: Client, tmp_path: Path) -> None:
    assert client.project == "default"
    client.apply(driver_trips(files(tmp_path / "trips")))
    client.apply(Entity("driver_id", "of another", ValueType.STRING), project="other")
    assert client.get_entity("driver_id", project="other").value_type is ValueType.STRING
    with pytest.raises(NotFoundError):
        client.get_feature_table("driver_trips", project="other")
    client.set_project("other")
    assert (client.project, client.list_feature_tables()) == ("other", [])
    client.set_project()
    assert len(client.list_feature_tables()) == 1
    again = Client({"core_url": str(tmp_path / "store")}, project="other")
    assert again.get_entity("driver_id").description == "of another"


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_the_classic_script_runs_on_a_server(tmp_path: Path, scheme: str) -> None:
    """With the address that it has: a server's host and port."""
    server = ServerProcess(tmp_path / "store")
    try:
        changed = (
            SCRIPT.replace("from feast import", "from tidemark.compat.feast09 import")
            .replace("from feast.data_format", "from tidemark.compat.feast09.data_format")
            .replace("localhost:6565", f"{scheme}127.0.0.1:{server.port}")
            .replace("file:///bucket/", "")
        )
        (tmp_path / "driver_data.csv").write_text(DRIVER_DATA)
        done = run_script(tmp_path, changed)
    finally:
        server.stop()
    assert done.returncode == 0, done.stderr
    spec, training, online = split_output(done.stdout)
    assert spec["spec"]["batchSource"]["fileOptions"]["fileUrl"] == "driver_trips"
    assert [row["driver_trips__rating"] for row in training] == [4.3, 4.8, 4.1]
    assert online == "[15.5, None] [1001, 1003]"
    assert list((tmp_path / "store" / "driver_trips").glob("*.parquet"))


def test_addresses_that_no_server_has() -> None:
    with pytest.raises(UnsupportedError, match="http://"):
        Client(core_url="grpc://core.example:80")
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1\b"):
        Client(core_url="127.0.0.1:1/").list_feature_tables()


def test_without_an_address_the_environment_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEMARK_STORE", str(tmp_path / "a"))
    assert Client().core_url == str(tmp_path / "a")
    monkeypatch.delenv("TIDEMARK_STORE")
    monkeypatch.chdir(tmp_path)
    assert Client().core_url == str(tmp_path)
    assert Client(core_url=f"file://{tmp_path}/a").get_feature_table  # a folder as a URL
    assert FeatureStore(tmp_path / "a", create=False).list_entities() == []


def test_mistakes_are_told_in_words(client: Client, tmp_path: Path) -> None:
    trips = files(tmp_path / "trips")
    with pytest.raises(InvalidArgumentError, match="driver_trips has no batch source"):
        client.apply(driver_trips(None))
    with pytest.raises(InvalidArgumentError, match=r"write \['driver_id'\]"):
        client.apply(FeatureTable("t", "driver_id", [], trips))  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="neither an Entity nor a FeatureTable"):
        client.apply([trips])  # type: ignore[list-item]
    with pytest.raises(NotFoundError, match="entity 'rider_id' is not defined"):
        client.apply(FeatureTable("t", ["rider_id"], [Feature("x", ValueType.INT64)], trips))
    with pytest.raises(InvalidArgumentError, match="message_format is missing"):
        KafkaSource("at", "localhost:9092")
    with pytest.raises(UnsupportedError, match="s3://bucket/trips"):
        client.apply(driver_trips(files("s3://bucket/trips")))
    client.apply(driver_trips(trips))
    with pytest.raises(NotFoundError, match="driver_trip"):
        client.ingest("driver_trip", frame())
    with pytest.raises(TidemarkError, match="rating"):
        client.ingest("driver_trips", frame((DAY, 1, 1.0, 1.0)).drop(columns="rating"))
    with pytest.raises(NotFoundError, match="there is no file"):
        client.ingest("driver_trips", str(tmp_path / "absent.parquet"))
    (tmp_path / "bad.parquet").write_text("not parquet")
    with pytest.raises(InvalidDataError, match=r"bad\.parquet cannot be read"):
        client.ingest("driver_trips", str(tmp_path / "bad.parquet"))
    with pytest.raises(InvalidArgumentError, match="'feature_table:feature'"):
        client.get_online_features(["rating"], [{"driver_id": 1}])
    with pytest.raises(InvalidArgumentError, match="feature_refs is a list"):
        client.get_online_features("driver_trips:rating", [{"driver_id": 1}])
    with pytest.raises(UnsupportedError, match="it has a batch source"):
        client.start_stream_to_online_ingestion(client.get_feature_table("driver_trips"))
    with pytest.raises(UnsupportedError, match="entity rows of a BigQuerySource"):
        client.get_historical_features(REFS, BigQuerySource("at", "p:d.t"))
    asked = pd.DataFrame({"driver_id": [1], "event_timestamp": [DAY]})
    job = client.get_historical_features(REFS, asked, "gs://bucket/out")
    with pytest.raises(UnsupportedError, match="gs://bucket/out"):
        job.get_output_file_uri()


def test_importing_is_cheap() -> None:
    code = (
        "import sys, tidemark.compat.feast09, tidemark.compat.featurestore; "
        "print([m for m in ('pandas', 'pyarrow', 'tidemark._native') if m in sys.modules])"
    )
    env = {"PYTHONPATH": ":".join(sys.path), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
