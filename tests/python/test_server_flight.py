"""Goal: Arrow Flight reads and writes what the embedded store does, value for value; it keeps keys
and TLS, says what is wrong, ends work that nobody waits for, and drains when it is told to stop.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.flight as flight
import pytest
from conftest import at, stats_table
from server_process import TIMEOUT_SECONDS, ServerProcess, create_key

from tidemark import (
    Entity,
    FeatureService,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    PushSource,
)
from tidemark.types import Float64, Int64, String

FLIGHT = re.compile(r"tidemark serves Arrow Flight on (grpc(?:\+tls)?)://(\S+):(\d+)")
ROWS = 1_000_000
FEATURES = ["driver_stats:rating", "driver_stats:city", "clicks:n"]


def command(call: str, **options: Any) -> bytes:
    return json.dumps({"tidemark": 1, "call": call, **options}).encode()


def describe(call: str, **options: Any) -> flight.FlightDescriptor:
    return flight.FlightDescriptor.for_command(command(call, **options))


def connect(server: ServerProcess, **kwargs: Any) -> flight.FlightClient:
    found = server.wait_for_line(FLIGHT)
    assert found is not None
    return flight.FlightClient(f"{found[1]}://{found[2]}:{found[3]}", **kwargs)


def bearer(key: str) -> flight.FlightCallOptions:
    return flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {key}".encode())])


def put(
    client: flight.FlightClient,
    descriptor: flight.FlightDescriptor,
    table: pa.Table,
    options: flight.FlightCallOptions | None = None,
) -> dict[str, Any]:
    """Sends the rows; the report."""
    writer, reader = client.do_put(descriptor, table.schema, options)
    writer.write_table(table, max_chunksize=100_000)
    writer.done_writing()
    said = reader.read()
    writer.close()
    assert said is not None
    report: dict[str, Any] = json.loads(said.to_pybytes())
    return report


def exchange(
    client: flight.FlightClient,
    descriptor: flight.FlightDescriptor,
    table: pa.Table,
    options: flight.FlightCallOptions | None = None,
) -> tuple[pa.Table, dict[str, Any]]:
    """All rows up, then all rows down: as clients do who think of nothing. Rows and report."""
    writer, reader = client.do_exchange(descriptor, options)
    with writer:
        writer.begin(table.schema)
        writer.write_table(table, max_chunksize=50_000)
        writer.done_writing()
        batches, report = [], {}
        for chunk in reader:
            batches.append(chunk.data)
            if chunk.app_metadata is not None:
                report = json.loads(chunk.app_metadata.to_pybytes())
        return pa.Table.from_batches(batches, reader.schema), report


def sql(client: flight.FlightClient, query: str, **options: Any) -> pa.Table:
    return client.do_get(flight.Ticket(command("sql", query=query, **options))).read_all()


def clicks_rows(count: int, first: int = 0) -> pa.Table:
    ids = np.arange(first, first + count)
    start = np.datetime64("2026-05-01T00:00:00", "us")
    return pa.table(
        {
            "driver_id": pa.array(ids % 1000),
            "event_timestamp": pa.array(start + ids, pa.timestamp("us", tz="UTC")),
            "n": pa.array(ids),
            "page": pa.array([f"page {i % 97}" for i in ids]),
        }
    )


def entity_rows(count: int = 200_000) -> pa.Table:
    rng = np.random.default_rng(6)
    return pa.table(
        {
            "driver_id": pa.array(rng.integers(500, 1200, count)),
            "event_timestamp": pa.array(
                np.datetime64("2026-05-01T07:00:00", "us")
                + rng.integers(0, 6 * 3_600_000_000, count),
                pa.timestamp("us", tz="UTC"),
            ),
            "label": pa.array([f"row {i}" for i in range(count)]),
        }
    )


def make_store(made: Path) -> Path:
    """A store with a view over a file, a feature table, and a service of both."""
    store = FeatureStore(made)
    source = made / "stats.parquet"
    pa.parquet.write_table(stats_table(), source)
    driver = Entity(name="driver", join_keys={"driver_id": Int64})
    stats = FeatureView(
        name="driver_stats",
        entities=[driver],
        schema=[Field("rating", Float64), Field("trips", Int64), Field("city", String)],
        source=FileSource(
            str(source), timestamp_field="event_timestamp", created_timestamp_column="created"
        ),
    )
    clicks = FeatureView(
        name="clicks",
        entities=[driver],
        schema=[Field("n", Int64), Field("page", String)],
        source=PushSource(name="click_events"),
    )
    store.apply(
        [driver, stats, clicks, FeatureService(name="model", features=[stats, clicks[["n"]]])]
    )
    store.ingest("clicks", clicks_rows(20_000))
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("flight") / "store")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ServerProcess]:
    with ServerProcess(folder, "--flight-port", "0") as running:
        yield running


@pytest.fixture
def client(server: ServerProcess) -> Iterator[flight.FlightClient]:
    with connect(server) as connected:
        yield connected


def test_a_million_rows_are_ingested(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store")
    driver = Entity(name="driver", join_keys={"driver_id": Int64})
    store.create_table(
        FeatureView(
            name="clicks", entities=[driver], schema=[Field("n", Int64), Field("page", String)]
        )
    )
    sent = clicks_rows(ROWS)
    with (
        ServerProcess(tmp_path / "store", "--flight-port", "0") as server,
        connect(server) as client,
    ):
        report = put(client, describe("ingest", view="clicks", idempotency_key="load 1"), sent)
        assert (report["rows"], report["rejected"], report["repeated"]) == (ROWS, 0, False)
        again = put(client, describe("ingest", view="clicks", idempotency_key="load 1"), sent)
        assert again["repeated"] is True
        counted = sql(
            client,
            "SELECT count(*) AS rows, sum(n) AS total, count(DISTINCT page) AS pages FROM clicks",
        )
        assert counted.to_pylist() == [{"rows": ROWS, "total": ROWS * (ROWS - 1) // 2, "pages": 97}]
        read = client.do_get(
            flight.Ticket(command("read", view="clicks", columns=["n", "page"]))
        ).read_all()
        read = read.select(sent.column_names).sort_by("n")
        assert read.combine_chunks().equals(sent.combine_chunks())


# Entity rows may take a quarter of memory_max: the second goes through a file.
@pytest.mark.parametrize("memory_max", ["1GiB", "1MiB"])
def test_a_training_set_is_that_of_the_embedded_store(folder: Path, memory_max: str) -> None:
    entities = entity_rows()
    expected = (
        FeatureStore(folder)
        .get_historical_features(entities, FEATURES, full_feature_names=True)
        .to_arrow()
    )
    with (
        ServerProcess(folder, "--flight-port", "0", "--memory-max", memory_max) as server,
        connect(server) as client,
    ):
        asked = describe("historical", features=FEATURES, full_feature_names=True)
        got, report = exchange(client, asked, entities)
    assert report == {"rows": entities.num_rows, "warnings": []}
    assert got.schema.equals(expected.schema)
    assert got.combine_chunks().equals(expected.combine_chunks())
    assert got["clicks__n"].null_count < got.num_rows


def test_training_sets_by_path_service_range_and_query(
    folder: Path, client: flight.FlightClient
) -> None:
    store = FeatureStore(folder)
    entities = entity_rows(1000)
    service = store.get_feature_service("model")
    expected = store.get_historical_features(entities, service).to_arrow()
    by_path = flight.FlightDescriptor.for_path("historical", "default", "model")
    assert exchange(client, by_path, entities)[0].equals(expected)
    by_query = client.do_get(
        flight.Ticket(
            command(
                "historical",
                service="model",
                include_status=True,
                entity_sql="SELECT driver_id, event_timestamp FROM driver_stats ORDER BY 2",
            )
        )
    ).read_all()
    assert by_query["rating"].to_pylist() == [4.5, None, 4.7, 3.5]
    assert by_query["rating__status"].to_pylist() == ["PRESENT", "NULL_VALUE", "PRESENT", "PRESENT"]
    in_range = client.do_get(
        flight.Ticket(
            command(
                "historical",
                features=["driver_stats:rating"],
                range={"start": "2026-05-01", "end": "2026-05-01T10:30:00Z"},
            )
        )
    ).read_all()
    assert sorted(
        in_range.select(["driver_id", "rating"]).to_pylist(), key=lambda row: row["driver_id"]
    ) == [
        {"driver_id": 1001, "rating": 4.7},
        {"driver_id": 1002, "rating": None},
    ]


def test_reads_of_tables(folder: Path, client: flight.FlightClient) -> None:
    store = FeatureStore(folder)
    latest = client.do_get(
        flight.Ticket(command("latest", table="driver_stats", at="2026-05-01T09:30:00Z"))
    ).read_all()
    assert sorted(latest["driver_id"].to_pylist()) == [1001, 1002]
    assert sorted(latest["created"].to_pylist()) == [at(8), at(9)]
    asked = flight.FlightDescriptor.for_path("read", "default", "clicks")
    of_two, _ = exchange(client, asked, pa.table({"driver_id": [3, 77]}))
    assert set(of_two["driver_id"].to_pylist()) == {3, 77}
    assert of_two.num_rows == 40
    made = store.dump("SELECT driver_id, rating FROM driver_stats ORDER BY ALL")
    dumped = client.do_get(flight.Ticket(command("dump", id=made.query_id))).read_all()
    assert dumped.num_rows == 4
    info = client.get_flight_info(describe("sql", query="SELECT 1 AS one, 'x' AS text"))
    assert info.schema.names == ["one", "text"]
    assert client.do_get(info.endpoints[0].ticket).read_all().to_pylist() == [
        {"one": 1, "text": "x"}
    ]
    assert client.get_schema(describe("latest", table="clicks")).schema.names[:4] == [
        "driver_id",
        "event_timestamp",
        "n",
        "page",
    ]
    listed = {
        tuple(info.descriptor.path): info.endpoints[0].ticket for info in client.list_flights()
    }
    assert set(listed) == {
        (b"read", b"default", b"clicks"),
        (b"latest", b"default", b"driver_stats"),
    }
    assert client.do_get(listed[(b"latest", b"default", b"driver_stats")]).read_all().num_rows == 2


def test_other_writes(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store")
    driver = Entity(name="driver", join_keys={"driver_id": Int64})
    clicks = FeatureView(
        name="clicks",
        entities=[driver],
        schema=[Field("n", Int64), Field("page", String)],
        source=PushSource(name="click_events"),
    )
    store.apply([driver, clicks])
    rows = clicks_rows(3)
    with (
        ServerProcess(tmp_path / "store", "--flight-port", "0") as server,
        connect(server) as client,
    ):
        pushed = put(client, describe("push", source="click_events", to="online_and_offline"), rows)
        assert [(view["view"], view["rows"], view["online_rows"]) for view in pushed["views"]] == [
            ("clicks", 3, 3)
        ]
        deleted = put(
            client,
            describe("delete", view="clicks", event_time="2026-06-01"),
            rows.select(["driver_id"])[:1],
        )
        assert deleted["rows"] == 1
        assert store.get_online_features(
            ["clicks:n"], [{"driver_id": i} for i in range(3)]
        ).to_dict()["n"] == [None, 1, 2]
        newer = rows.set_column(
            1, "event_timestamp", pa.array([at(1, day=9)] * 3, pa.timestamp("us", tz="UTC"))
        )
        assert put(client, describe("write_online", view="clicks"), newer[1:])["written"] == 2
        bad = pa.table(
            {**dict(zip(rows.column_names, rows.columns, strict=True)), "n": [1.0, 2.5, 3.0]}
        )
        skipped = put(client, describe("ingest", view="clicks", skip_bad_rows=True), bad)
        assert (skipped["rows"], skipped["rejected"], len(skipped["errors"])) == (2, 1, 1)
        assert "2.5" in skipped["errors"][0]
        rejected, report = exchange(
            client, describe("ingest", view="clicks", skip_bad_rows=True), bad
        )
        assert (report["rows"], rejected["n"].to_pylist()) == (2, [2.5])
        nothing, report = exchange(client, describe("ingest", view="clicks", dry_run=True), rows)
        assert (report["rows"], nothing.num_columns) == (3, 0)


@pytest.mark.parametrize(
    ("ticket", "kind", "says"),
    [
        (b"", pa.ArrowInvalid, "no JSON object"),
        (b"{" * 10_000, pa.ArrowInvalid, "no JSON object"),
        (b"[" * 100_000 + b"]" * 100_000, pa.ArrowInvalid, "no JSON object"),
        (b'{"call": "sql"}', pa.ArrowInvalid, '"tidemark": 1'),
        (b'{"tidemark": 1e400, "call": "sql"}', pa.ArrowInvalid, "JSON object"),
        (b'{"tidemark": 1}', pa.ArrowInvalid, "'call'"),
        (command("fly"), pa.ArrowInvalid, "no call 'fly'; it has sql, historical"),
        (command("sql"), pa.ArrowInvalid, "'query'"),
        (
            command("sql", query="SELECT 1", time_limit_ms="soon"),
            pa.ArrowInvalid,
            "'time_limit_ms' must be an integer",
        ),
        (
            command("sql", query="SELECT 1", quary="x"),
            pa.ArrowInvalid,
            "no option 'quary'.*'query'",
        ),
        (command("sql", query="SELECT * FROM nowhere"), pa.ArrowKeyError, "nowhere"),
        (
            command("sql", query="\udcff".encode("utf-8", "surrogatepass").decode("latin-1")),
            pa.ArrowInvalid,
            "",
        ),
        (command("read", view="clikcs"), pa.ArrowKeyError, "did you mean 'clicks'"),
        (command("read", view="clicks", start="noon"), pa.ArrowInvalid, "'start' must be a time"),
        (command("read", view=["clicks"]), pa.ArrowInvalid, "'view' must be text"),
        (command("historical", features=["clicks"]), pa.ArrowInvalid, "'range', 'entity_sql'"),
        (
            command("historical", features="clicks", range={}),
            pa.ArrowInvalid,
            "'features' must be a list",
        ),
        (
            command("historical", features=["clicks"], range={"form": 1}),
            pa.ArrowInvalid,
            "'range' has no option 'form'",
        ),
        (command("sql", project="../x", query="SELECT 1"), pa.ArrowInvalid, "project"),
        (b'{"api": "get_historical_features"}', pa.ArrowNotImplementedError, "DoExchange"),
    ],
)
def test_what_is_wrong_with_a_command_is_said(
    client: flight.FlightClient, ticket: bytes, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind) as raised:
        client.do_get(flight.Ticket(ticket)).read_all()
    assert re.search(says, str(raised.value)), raised.value


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ({"api": "write_logged_features"}, "does not log served features"),
        ({"api": "persist"}, "keeps no saved datasets"),
        ({"api": "get_historical_features"}, "send this by DoExchange"),
        ({"api": "pull_all_from_table_or_query"}, "send this by DoExchange"),
        ({"api": "offline_write_batch"}, "feature_view_names"),
        ({"api": "offline_write_batch", "feature_view_names": ["a", "b"]}, "one view"),
        ({"api": "offline_write_batch", "feature_view_names": "a"}, "list of texts"),
        ({"api": "drop_everything"}, "does not answer 'drop_everything' by DoPut"),
    ],
)
def test_calls_of_feasts_that_are_not_answered(
    client: flight.FlightClient, call: dict[str, Any], says: str
) -> None:
    """Goal: each is refused in the form that Feast's client raises as an error of its own."""
    descriptor = flight.FlightDescriptor.for_command(json.dumps(call))
    with pytest.raises(pa.ArrowException) as raised:
        put(client, descriptor, pa.table({"key": ["mock_key"]}))
    found = re.search(r"Flight error: (\{.*?\})", str(raised.value))
    assert found is not None, raised.value
    told = json.loads(found[1])
    assert (told["module"], told["class"]) == ("feast.errors", "FeastError")
    assert says in told["message"]


def test_lists_of_feasts_that_are_none(client: flight.FlightClient) -> None:
    call = {
        "api": "get_historical_features",
        "feature_view_names": ["clicks"],
        "name_aliases": "c",
        "feature_refs": ["clicks:n"],
    }
    descriptor = flight.FlightDescriptor.for_command(json.dumps(call))
    with pytest.raises(pa.ArrowException, match="'name_aliases' must be a list of texts"):
        exchange(client, descriptor, pa.table({"key": ["mock_key"]}))


def test_what_is_wrong_with_rows_is_said(client: flight.FlightClient) -> None:
    rows = clicks_rows(10)
    ingest = describe("ingest", view="clicks")
    for descriptor, table, kind, says in [
        (describe("ingest", view="klicks"), rows, pa.ArrowKeyError, "did you mean 'clicks'"),
        (ingest, rows.drop_columns(["n"]), pa.ArrowException, "'n'"),
        (ingest, rows.append_column("more", rows["n"]), pa.ArrowException, "'more'"),
        (
            ingest,
            rows.set_column(2, "n", rows["page"]),
            pa.ArrowInvalid,
            "'n': string cannot become",
        ),
        (
            describe("ingest", view="clicks", to="nowhere"),
            rows,
            pa.ArrowInvalid,
            "online_and_offline",
        ),
        (
            flight.FlightDescriptor.for_path("ingest", "clicks"),
            rows,
            pa.ArrowInvalid,
            "a call, a project",
        ),
        (describe("push", source="nobody"), rows, pa.ArrowKeyError, "nobody"),
    ]:
        with pytest.raises(kind) as raised:
            put(client, descriptor, table)
        assert says in str(raised.value), raised.value
    asked = describe("historical", features=FEATURES)
    with pytest.raises(pa.ArrowException, match="driver_id"):
        exchange(client, asked, entity_rows(10).drop_columns(["driver_id"]))
    with pytest.raises(pa.ArrowKeyError, match="did you mean 'clicks'"):
        exchange(client, describe("historical", features=["clicsk:n"]), entity_rows(10))


def test_damaged_batches_are_refused(client: flight.FlightClient) -> None:
    """Offsets that point outside of the text's bytes, and bytes that are no UTF-8."""
    good = clicks_rows(3)
    far = np.array([0, 5, 1_000_000_000, 8], np.int32)
    texts = {
        "offsets": pa.Array.from_buffers(
            pa.string(), 3, [None, pa.py_buffer(far), pa.py_buffer(b"abcdefgh")]
        ),
        "utf8": pa.array([b"\xff\xfe", b"b", b"c"]).view(pa.string()),
    }
    for texts_of in texts.values():
        with pytest.raises(pa.ArrowException):
            put(
                client,
                describe("ingest", view="clicks", dry_run=True),
                good.set_column(3, "page", texts_of),
            )
    assert put(client, describe("ingest", view="clicks", dry_run=True), good)["rows"] == 3


def test_work_that_nobody_waits_for_ends(folder: Path) -> None:
    """A query that would take days: the client cancels, and nothing is left to drain."""
    query = "SELECT count(*) FROM clicks a, clicks b, clicks c WHERE a.n * b.n + c.n = 7"
    with ServerProcess(folder, "--flight-port", "0", "--drain-time-max", "60s") as server:
        with connect(server) as client:
            with pytest.raises((flight.FlightTimedOutError, flight.FlightCancelledError)):
                client.do_get(
                    flight.Ticket(command("sql", query=query)),
                    flight.FlightCallOptions(timeout=1.5),
                ).read_all()
            assert list(client.do_action("health"))
        assert server.stop() == 0
        assert not [line for line in server.lines if "cut off" in line]


def test_what_outlasts_the_drain_is_cut_off(folder: Path) -> None:
    """A client that never ends its upload."""
    with ServerProcess(folder, "--flight-port", "0", "--drain-time-max", "300ms") as server:
        with connect(server) as client:
            writer, _ = client.do_put(
                describe("ingest", view="clicks", dry_run=True), clicks_rows(1).schema
            )
            writer.write_table(clicks_rows(1))
            assert list(
                client.do_action("health")
            )  # which comes behind the upload on the connection
            assert server.stop() == 0
            with suppress(pa.ArrowException):
                writer.close()
        assert [line for line in server.lines if "cut off" in line]


def test_stopping_lets_a_write_end(folder: Path) -> None:
    with ServerProcess(folder, "--flight-port", "0") as server, connect(server) as client:
        rows = clicks_rows(1000, first=50_000)
        writer, reader = client.do_put(describe("ingest", view="clicks", dry_run=True), rows.schema)
        writer.write_table(rows)
        assert list(client.do_action("health"))  # which comes behind the upload on the connection
        server.process.send_signal(signal.SIGTERM)
        assert server.wait_for_line(re.compile("stopping")) is not None
        writer.write_table(rows)
        writer.done_writing()
        assert json.loads(reader.read().to_pybytes())["rows"] == 2000
        writer.close()
        assert server.process.wait(TIMEOUT_SECONDS) == 0
        assert not [line for line in server.lines if "cut off" in line]


def test_keys(tmp_path: Path) -> None:
    folder = make_store(tmp_path / "store")
    reads = create_key(folder, ["read@default"])["key"]
    writes = create_key(folder, ["write@default"])["key"]
    with ServerProcess(folder, "--flight-port", "0") as server, connect(server) as client:
        assert list(client.do_action("health"))
        ticket = flight.Ticket(command("sql", query="SELECT 1 AS one"))
        for options in [None, bearer("nonsense"), bearer(reads + "x")]:
            with pytest.raises(flight.FlightUnauthenticatedError) as refused:
                client.do_get(ticket, options).read_all()
            assert reads not in str(refused.value)
        assert client.do_get(ticket, bearer(reads)).read_all().to_pylist() == [{"one": 1}]
        by_header = flight.FlightCallOptions(headers=[(b"x-api-key", reads.encode())])
        assert client.do_get(ticket, by_header).read_all().num_rows == 1
        with pytest.raises(flight.FlightUnauthorizedError, match="scope read"):
            client.do_get(ticket, bearer(writes)).read_all()
        elsewhere = flight.Ticket(command("sql", project="other", query="SELECT 1"))
        with pytest.raises(flight.FlightUnauthorizedError, match="project other"):
            client.do_get(elsewhere, bearer(reads)).read_all()
        file = flight.Ticket(command("historical", features=["clicks"], entity_path="/etc/passwd"))
        with pytest.raises(flight.FlightUnauthorizedError, match="entity_path"):
            client.do_get(file, bearer(reads)).read_all()
        ingest = describe("ingest", view="clicks", dry_run=True)
        assert put(client, ingest, clicks_rows(5), bearer(writes))["rows"] == 5
        with pytest.raises(flight.FlightUnauthorizedError, match="scope write"):
            put(client, ingest, clicks_rows(5), bearer(reads))
        training, _ = exchange(
            client, describe("historical", service="model"), entity_rows(5), bearer(reads)
        )
        assert training.num_rows == 5


def test_a_key_of_one_project_does_not_see_the_others_by_sql(tmp_path: Path) -> None:
    """Goal: queries see the tables of all projects, and ask for a key that may read them all."""
    folder = make_store(tmp_path / "store")
    other = FeatureStore(folder, project="other")
    other.apply([Entity(name="driver", join_keys={"driver_id": Int64})])
    one = create_key(folder, ["read@default"])["key"]
    every = create_key(folder, ["read"])["key"]
    commands = [
        command("sql", project="default", query="SELECT 1 AS one"),
        command("dump", project="default", id="none"),
        command(
            "historical",
            project="default",
            service="model",
            entity_sql="SELECT 1 AS driver_id, TIMESTAMPTZ '2026-01-01' AS event_timestamp",
        ),
    ]
    with ServerProcess(folder, "--flight-port", "0") as server, connect(server) as client:
        for asked in commands:
            with pytest.raises(flight.FlightUnauthorizedError, match="read all of them"):
                client.do_get(flight.Ticket(asked), bearer(one)).read_all()
        for asked in (commands[0], commands[2]):
            assert client.do_get(flight.Ticket(asked), bearer(every)).read_all().num_rows == 1
        own = command("read", project="default", view="clicks")
        client.do_get(flight.Ticket(own), bearer(one)).read_all()


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def authority(folder: Path) -> Path:
    certificate = folder / "ca.pem"
    openssl(
        *(
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ),
        *("-keyout", folder / "ca.key", "-out", certificate, "-subj", "/CN=authority"),
    )
    return certificate


def sign(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that the authority of the folder signed, and its key."""
    key, request, signed, names = (
        folder / f"{name}.{end}" for end in ("key", "csr", "pem", "names")
    )
    openssl(
        *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", key, "-out", request, "-subj", f"/CN={name}"),
    )
    names.write_text("subjectAltName=IP:127.0.0.1\n")
    openssl(
        *("x509", "-req", "-in", request, "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key"),
        *("-CAcreateserial", "-out", signed, "-days", "2", "-extfile", names),
    )
    return signed, key


def test_tls(folder: Path, tmp_path: Path) -> None:
    trusted = authority(tmp_path).read_bytes()
    certificate, key = sign(tmp_path, "server")
    tls = [
        "--flight-port",
        "0",
        "--tls-cert",
        str(certificate),
        "--tls-key",
        str(key),
        "--require-keys",
        "no",
    ]
    ticket = flight.Ticket(command("sql", query="SELECT 1 AS one"))
    with ServerProcess(folder, *tls) as server:
        with connect(server, tls_root_certs=trusted) as client:
            assert client.do_get(ticket).read_all().to_pylist() == [{"one": 1}]
        # One that does not know the authority.
        with connect(server) as client, pytest.raises(flight.FlightUnavailableError):
            client.do_get(ticket).read_all()
    with ServerProcess(folder, *tls, "--tls-client-ca", str(tmp_path / "ca.pem")) as server:
        with (
            connect(server, tls_root_certs=trusted) as client,
            pytest.raises(flight.FlightUnavailableError),
        ):
            client.do_get(ticket).read_all()
        own, own_key = sign(tmp_path, "client")
        shown = {"cert_chain": own.read_bytes(), "private_key": own_key.read_bytes()}
        with connect(server, tls_root_certs=trusted, **shown) as client:
            assert client.do_get(ticket).read_all().num_rows == 1


def test_a_port_that_is_taken_is_an_error(folder: Path, server: ServerProcess) -> None:
    found = server.wait_for_line(FLIGHT)
    assert found is not None
    with pytest.raises(RuntimeError, match="cannot serve Flight on 127.0.0.1:" + found[3]):
        ServerProcess(folder, "--flight-port", found[3])


def test_other_commands_do_not_load_flight(folder: Path) -> None:
    """GRPC costs milliseconds and megabytes to load."""
    with ServerProcess(folder) as plain, ServerProcess(folder, "--flight-port", "0") as with_flight:
        loaded = [
            "libarrow_flight" in Path(f"/proc/{running.process.pid}/maps").read_text()
            for running in (plain, with_flight)
        ]
    assert loaded == [False, True]
