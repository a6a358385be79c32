"""Goal: a store on a server is the store in a folder to whoever uses the SDK or the program.

The tests of the SDK over a folder run again here over `tidemark serve`; then comes what only a
network can do wrong: lost answers, silence, refusals, a server that is gone.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import test_store
import test_tables
from conftest import definitions, stats_table
from faulty_proxy import FaultyProxy, cut
from program import PROGRAM
from server_process import ServerProcess

import tidemark
from tidemark import FeatureStore, Field
from tidemark.errors import (
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    UnavailableError,
    UnknownFateError,
    UnsupportedError,
)
from tidemark.types import Int64

T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

# --- The SDK's own tests, over a server ---

# Of each module, tests that are about the folder itself, its files, or several processes over it.
OF_FOLDERS: dict[ModuleType, set[str]] = {
    test_store: {
        "test_a_forked_child_uses_the_store",
    },
    test_tables: {
        "test_targets",
        "test_what_was_acknowledged_survives_a_killed_writer",
        "test_processes_that_write_one_table_lose_nothing",
        "test_a_table_is_read_when_the_log_was_trimmed_for_another",
    },
}


def suite_over_a_store() -> dict[str, Callable[..., Any]]:
    found = {}
    for module, left_out in OF_FOLDERS.items():
        for name, test in vars(module).items():
            if not name.startswith("test_") or not inspect.isfunction(test) or name in left_out:
                continue
            if "store" in inspect.signature(test).parameters:
                found[name] = test
    return found


globals().update(suite_over_a_store())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of the server, with the source that definitions name."""
    pq.write_table(stats_table(), tmp_path / "stats.parquet")
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[ServerProcess]:
    with ServerProcess(folder) as running:
        yield running


@pytest.fixture
def store(server: ServerProcess, request: pytest.FixtureRequest) -> FeatureStore:
    """As the module that a test comes from wants it."""
    made = FeatureStore(url=server.url)
    if request.function.__module__ == "test_tables":
        made.create_table(test_tables.clicks())
    else:
        made.apply(definitions())
    return made


@pytest.fixture
def proxy(server: ServerProcess) -> Iterator[FaultyProxy]:
    with FaultyProxy(server.port) as running:
        yield running


def clicks_rows(count: int, start: int = 0) -> pa.Table:
    return pa.table(
        {
            "user_id": pa.array(range(start, start + count), pa.int64()),
            "event_timestamp": pa.array([T0] * count, pa.timestamp("us", tz="UTC")),
            "n": pa.array(range(count), pa.int64()),
            "city": pa.array([None] * count, pa.string()),
        }
    )


@pytest.fixture
def clicks(server: ServerProcess) -> FeatureStore:
    made = FeatureStore(server.url)
    made.create_table(test_tables.clicks())
    return made


def test_statistics_and_parts_of_rows_on_a_server(server: ServerProcess) -> None:
    with FeatureStore(url=server.url) as there:
        there.apply(definitions())
        found = there.statistics("driver_stats", start_date="2026-05-01T09:00:00Z")
        assert (found.rows, found["trips"].nulls, found["city"].distinct) == (3, 1, 2)
        assert there.compare("driver_stats", stats_table())["rating"].psi == 0
        spine = {"driver_id": [1001, 1002] * 5, "event_timestamp": [T0] * 10}
        parts = there.get_historical_features(spine, "model").split("entity", (0.5, 0.5))
        assert sum(len(part) for part in parts.values()) == 10


# --- Opening ---


def test_a_url_is_a_store(server: ServerProcess) -> None:
    by_name = FeatureStore(url=server.url)
    by_place = FeatureStore(server.url + "/")
    assert by_name.url == by_place.url == by_name.repo_path == server.url
    assert by_name.project == "default"
    assert FeatureStore(server.url, project="other").project == "other"
    assert repr(by_name) == f"FeatureStore('{server.url}', project='default')"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://localhost", "begins with http"),
        ("http://", "names no host"),
        ("http://localhost:0", "is no port"),
        ("http://localhost:99999", "is no port"),
        ("http://local host", "no name of a host"),
        ("http://localhost?x=1", "only a path"),
        ("http://[::1", "not closed"),
        ("http://user:hunter2@localhost", "no user name or password"),
    ],
)
def test_what_is_no_url_is_refused(url: str, why: str) -> None:
    with pytest.raises(InvalidArgumentError, match=why) as failed:
        FeatureStore(url=url)
    assert "hunter2" not in str(failed.value)


def test_a_folder_and_a_server_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="folder or on a server"):
        FeatureStore(tmp_path, url="http://localhost:1")
    with pytest.raises(InvalidArgumentError, match="stores on servers"):
        FeatureStore(tmp_path, api_key="x")


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with FaultyProxy(1) as gone:
        url = gone.url
    with pytest.raises(UnavailableError, match=f"the server {url} cannot be reached"):
        FeatureStore(url=url, api_key="hunter2")


# --- What every method answers ---


def both(tmp_path: Path, server: ServerProcess) -> Iterator[FeatureStore]:
    yield FeatureStore(url=server.url)
    yield FeatureStore(tmp_path)


def test_folder_and_server_answer_alike(folder: Path, server: ServerProcess) -> None:
    """One store, asked both ways."""
    remote, local = both(folder, server)
    remote.apply(definitions())
    remote.create_table(test_tables.clicks())
    remote.ingest("clicks", clicks_rows(5))
    remote.materialize_incremental(test_store.at(12))
    asked = [
        lambda each: each.describe("driver_stats")["definition"],
        lambda each: [view.name for view in each.list_feature_views()],
        lambda each: [entity.name for entity in each.list_entities()],
        lambda each: each.get_feature_service("model").to_dict(),
        lambda each: each.sql("SELECT * FROM clicks ORDER BY user_id").to_arrow(),
        lambda each: each.snapshot("clicks").to_arrow().sort_by("user_id"),
        lambda each: each.get_training_features("clicks").to_arrow(),
        lambda each: [table.name for table in each.list_tables()],
        lambda each: each.list_databases(),
        lambda each: each.online_stats()["rows"],
        lambda each: each.get_online_features(
            ["driver_stats"], [{"driver_id": 1001}, {"driver_id": 7}]
        ).to_arrow(include_status=True, include_event_timestamps=True),
        lambda each: each.explain("driver_stats:rating", {"driver_id": 1001}, test_store.at(9)),
        lambda each: each.erasures(),
        lambda each: each.dumps(),
        lambda each: [len(each.snapshots("clicks"))],
    ]
    for question in asked:
        assert question(remote) == question(local), inspect.getsource(question)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda store: store.get_feature_view("driver_stat"),
        lambda store: store.ingest("click", clicks_rows(1)),
        lambda store: store.ingest("clicks", clicks_rows(1).drop_columns(["n"])),
        lambda store: store.ingest("clicks", clicks_rows(1).set_column(2, "n", [["x"]])),
        lambda store: store.create_table(test_tables.clicks()),
        lambda store: store.sql("SELECT nothing FROM clicks"),
        lambda store: store.sql("DROP TABLE clicks"),
        lambda store: store.get_online_features(["clicks:x"], [{"user_id": 1}]),
        lambda store: store.get_online_features(["clicks:n"], [{"user": 1}]),
        lambda store: store.read_dump("nothing"),
        lambda store: store.drop_database("nothing"),
        lambda store: store.push("nothing", clicks_rows(1)),
        lambda store: store.materialize_incremental(T0, ["nothing"]),
        lambda store: store.get_historical_features(
            pd.DataFrame({"user_id": [1]}), ["clicks:n"]
        ).to_arrow(),
        lambda store: store.explain("clicks:n", {"user": 1}),
    ],
)
def test_errors_are_the_same(
    folder: Path, server: ServerProcess, wrong: Callable[[FeatureStore], Any]
) -> None:
    remote, local = both(folder, server)
    local.create_table(test_tables.clicks())
    said = []
    for each in (remote, local):
        with pytest.raises(tidemark.TidemarkError) as failed:
            wrong(each)
        said.append((type(failed.value), failed.value.message, failed.value.context))
    assert said[0] == said[1]


def test_relocating_is_for_the_server(store: FeatureStore, server: ServerProcess) -> None:
    with pytest.raises(UnsupportedError, match="server"):
        store.relocate()


def test_files_of_this_machine_go_in_and_out(clicks: FeatureStore, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    pq.write_table(clicks_rows(3), here / "rows.parquet")
    pa_csv.write_csv(clicks_rows(4, start=3), here / "rows.csv")
    assert clicks.ingest("clicks", here / "rows.parquet").rows == 3
    assert clicks.ingest("clicks", here / "rows.csv").rows == 4
    entities = clicks_rows(7).select(["user_id", "event_timestamp"])
    pq.write_table(entities, here / "entities.parquet")
    job = clicks.get_historical_features(here / "entities.parquet", ["clicks:n"])
    assert job.to_parquet(here / "out.parquet").rows == 7
    assert pq.read_table(here / "out.parquet")["n"].to_pylist() == [0, 1, 2, 0, 1, 2, 3]
    with pytest.raises(NotFoundError, match="there is no file"):
        clicks.ingest("clicks", here / "nothing.csv")


def test_bad_rows_of_a_csv_file_come_back(clicks: FeatureStore, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(
        "user_id,event_timestamp,n,city\n"
        "1,2026-01-01T00:00:00Z,1,Oslo\n2,2026-01-01T00:00:00Z,x,Oslo\n"
    )
    report = clicks.ingest("clicks", tmp_path / "rows.csv", on_error="skip")
    assert (report.rows, report.rejected.num_rows) == (1, 1)


def test_definitions_of_others_are_seen(clicks: FeatureStore, server: ServerProcess) -> None:
    """A prepared lookup whose features are no more, or have another type, is prepared again."""
    clicks.ingest("clicks", clicks_rows(1))
    assert clicks.get_online_features(["clicks"], [{"user_id": 0}]).to_dict()["n"] == [0]
    view = clicks.get_feature_view("clicks")
    view.schema.append(Field("more", Int64))
    FeatureStore(server.url).apply(view)
    until = time.monotonic() + 20
    while "more" not in clicks.get_online_features(["clicks"], [{"user_id": 0}]).to_dict():
        assert time.monotonic() < until


# --- Async, progress, cancelling ---


def test_async_forms(clicks: FeatureStore) -> None:
    async def run() -> list[Any]:
        await clicks.ingest_async("clicks", clicks_rows(10))
        keys = [{"user_id": 1}]
        many = await asyncio.gather(
            *(clicks.get_online_features_async(["clicks:n"], keys) for _ in range(20))
        )
        return [each.to_dict()["n"] for each in many]

    assert asyncio.run(run()) == [[1]] * 20


def test_cancelling_a_task_ends_the_call(server: ServerProcess, proxy: FaultyProxy) -> None:
    store = FeatureStore(proxy.url)
    proxy.is_silent = True

    async def run() -> None:
        task = asyncio.create_task(store.explain_async("clicks:n", {"user_id": 1}))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    began = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - began < 30  # the server is silent for much longer


@pytest.mark.parametrize(
    "call",
    [
        "store.list_entities()",
        "store.explain('clicks:n', {'user_id': 1})",
        "store.get_online_features(['clicks:n'], [{'user_id': 1}])",
        "store.ingest('clicks', {'user_id': [1]})",
    ],
)
def test_ctrl_c_ends_a_call_that_waits(clicks: FeatureStore, proxy: FaultyProxy, call: str) -> None:
    code = (
        "import signal, sys\n"
        "from tidemark import FeatureStore\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell may have it ignored
        f"store = FeatureStore({proxy.url!r})\n"
        "store.get_online_features(['clicks:n'], [{'user_id': 1}])\n"
        "try:\n"
        "    print('ready', flush=True)\n"
        "    sys.stdin.readline()\n"
        f"    {call}\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
    ).replace("{'user_id': [1]}", "__import__('pyarrow').table({'user_id': [1]})")
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        proxy.is_silent = True
        child.stdin.write("\n")
        child.stdin.flush()
        interrupt_until_it_ends(child)
        assert child.stdout.read() == "interrupted\n"


def interrupt_until_it_ends(child: subprocess.Popen[str]) -> None:
    """The first signal may come before the call waits; a second would then find it."""
    for _ in range(60):
        child.send_signal(signal.SIGINT)
        try:
            child.wait(1)
        except subprocess.TimeoutExpired:
            continue
        return
    child.kill()
    pytest.fail("Ctrl-C was not heard")


# --- What a network does ---


def test_connections_are_kept(clicks: FeatureStore, proxy: FaultyProxy) -> None:
    store = FeatureStore(proxy.url)
    for _ in range(30):
        store.get_online_features(["clicks:n"], [{"user_id": 1}])
    store.list_entities()
    store.sql("SELECT 1 AS one").to_arrow()
    assert proxy.accepted == 1


def test_a_kept_connection_that_was_closed_is_no_error(
    clicks: FeatureStore, proxy: FaultyProxy
) -> None:
    store = FeatureStore(proxy.url)
    for connection in proxy.open:
        cut(connection)
    assert [each.name for each in store.list_feature_views()] == ["clicks"]


def test_a_write_whose_answer_was_lost_counts_once(
    clicks: FeatureStore, proxy: FaultyProxy
) -> None:
    store = FeatureStore(proxy.url)
    proxy.lose_answers = 2
    report = store.ingest("clicks", clicks_rows(3))
    assert (report.rows, report.repeated, proxy.lose_answers) == (3, False, 0)
    assert "sent again" in " ".join(report.warnings)
    assert store.get_training_features("clicks").to_arrow().num_rows == 3
    proxy.lose_answers = 1
    pushed = store.push("clicks", clicks_rows(2, start=10), to="online_and_offline")
    assert pushed["clicks"].rows == 2
    assert store.get_training_features("clicks").to_arrow().num_rows == 5


def test_a_key_of_the_caller_is_told_of_the_repetition(
    clicks: FeatureStore, proxy: FaultyProxy
) -> None:
    store = FeatureStore(proxy.url)
    proxy.lose_answers = 1
    report = store.ingest("clicks", clicks_rows(3), idempotency_key="batch-1")
    assert report.repeated
    assert store.get_training_features("clicks").to_arrow().num_rows == 3


def test_reads_are_repeated(clicks: FeatureStore, proxy: FaultyProxy) -> None:
    clicks.ingest("clicks", clicks_rows(3))
    store = FeatureStore(proxy.url)
    proxy.lose_answers = 1
    assert store.sql("SELECT count(*) AS n FROM clicks").to_arrow()["n"].to_pylist() == [3]
    proxy.lose_answers = 1
    entities = clicks_rows(3).select(["user_id", "event_timestamp"])
    assert store.get_historical_features(entities, ["clicks:n"]).to_arrow().num_rows == 3


def test_a_change_that_cannot_be_repeated_says_that_its_fate_is_unknown(
    store: FeatureStore, server: ServerProcess, proxy: FaultyProxy
) -> None:
    through = FeatureStore(proxy.url)
    proxy.lose_answers = 1
    with pytest.raises(UnknownFateError, match=f"the server {proxy.url} was lost"):
        through.create_table(
            {
                "name": "made",
                "entities": ["id"],
                "schema": [
                    {"name": "event_timestamp", "type": "timestamp"},
                    {"name": "n", "type": "int64"},
                ],
            }
        )
    assert store.get_feature_view("made").name == "made"


def test_a_request_that_is_put_off_is_sent_again(clicks: FeatureStore, proxy: FaultyProxy) -> None:
    proxy.put_off = 2
    store = FeatureStore(proxy.url)
    assert proxy.put_off == 0
    assert [each.name for each in store.list_feature_views()] == ["clicks"]


def test_silence_ends_by_the_timeout(clicks: FeatureStore, proxy: FaultyProxy) -> None:
    store = FeatureStore(proxy.url, timeout=0.5)
    proxy.is_silent = True
    began = time.monotonic()
    with pytest.raises(UnavailableError, match=r"is silent: nothing was heard for 0\.5 s"):
        store.list_entities()
    with pytest.raises(UnknownFateError, match="idempotency key"):
        store.ingest("clicks", clicks_rows(1))
    assert time.monotonic() - began < 30


def test_a_server_that_goes_is_told(clicks: FeatureStore, server: ServerProcess) -> None:
    server.kill()
    with pytest.raises(UnavailableError, match=f"the server {server.url} cannot be reached"):
        clicks.list_entities()


def test_a_result_that_breaks_off_is_an_error(clicks: FeatureStore, proxy: FaultyProxy) -> None:
    """Never a shorter result: the end of a stream is only believed when it was sent."""
    clicks.ingest("clicks", clicks_rows(2_000))
    store = FeatureStore(proxy.url)
    batches = store.sql("SELECT a.n FROM clicks a, clicks b").batches()
    next(batches)
    for connection in proxy.open:
        cut(connection)
    proxy.close()
    with pytest.raises(UnavailableError):
        for _ in batches:
            pass


# --- Keys and TLS ---


def make_key(folder: Path, *scopes: str) -> str:
    made = subprocess.run(
        [str(PROGRAM), "--store", str(folder), "--output", "json", "keys", "create", *scopes],
        check=True,
        capture_output=True,
        text=True,
    )
    key: str = json.loads(made.stdout)["key"]
    return key


def test_keys(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FeatureStore(folder).apply(definitions())
    reading = make_key(folder, "reader", "--scope", "read")
    with ServerProcess(folder, "--require-keys", "true") as server:
        with pytest.raises(PermissionDeniedError):
            FeatureStore(url=server.url)
        secret = "tm-wrong.hunter2hunter2"
        with pytest.raises(PermissionDeniedError) as failed:
            FeatureStore(url=server.url, api_key=secret)
        assert "hunter2" not in str(failed.value)
        store = FeatureStore(url=server.url, api_key=reading)
        assert [each.name for each in store.list_entities()] == ["driver"]
        assert reading not in repr(store)
        with pytest.raises(PermissionDeniedError) as failed:
            store.apply(definitions())
        assert reading not in str(failed.value)
        monkeypatch.setenv("TIDEMARK_API_KEY", reading)
        assert [each.name for each in FeatureStore(server.url).list_entities()] == ["driver"]


@pytest.mark.parametrize("key", ["a b", "a\r\nX: y", "\x00", "é"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(InvalidArgumentError) as failed:
        FeatureStore(url="http://localhost:1", api_key=key)
    assert key not in str(failed.value)


def test_https(folder: Path, tmp_path: Path) -> None:
    from test_server_tls import Authority

    authority = Authority.make(tmp_path / "ca")
    certificate, key = authority.sign("server")
    FeatureStore(folder).apply(definitions())
    flags = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    with ServerProcess(folder, *flags) as server:
        store = FeatureStore(url=server.url, ca_file=authority.certificate)
        for _ in range(3):
            assert [each.name for each in store.list_entities()] == ["driver"]
        rows = pd.DataFrame({"driver_id": [1001], "event_timestamp": [test_store.at(9)]})
        made = store.get_historical_features(rows, ["driver_stats:rating"]).to_df()
        assert made["rating"].tolist() == [4.5]
        with pytest.raises(UnavailableError, match="its certificate is not accepted"):
            FeatureStore(url=server.url)
        with pytest.raises(InvalidArgumentError, match="cannot be used"):
            FeatureStore(url=server.url, ca_file=tmp_path / "nothing.pem")


# --- Large streams ---

MEMORY = """
import resource, sys
import pyarrow as pa
from tidemark import FeatureStore

store = FeatureStore(sys.argv[1])
store.sql("SELECT 1 AS one").to_arrow()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
rows = bytes_ = 0
pairs = "SELECT a.n AS a, b.n AS b, a.n + b.n AS c FROM clicks a, clicks b"
for batch in store.sql(pairs).batches():
    rows += batch.num_rows
    bytes_ += batch.nbytes
schema = pa.schema([("user_id", pa.int64()), ("event_timestamp", pa.timestamp("us", "UTC")),
                    ("n", pa.int64()), ("city", pa.string())])
one = pa.record_batch([pa.array(range(100_000), pa.int64()),
                       pa.array([0] * 100_000, pa.timestamp("us", "UTC")),
                       pa.array([1] * 100_000, pa.int64()), pa.array(["x" * 20] * 100_000)], schema)
sent = store.ingest("clicks", pa.RecordBatchReader.from_batches(schema, (one for _ in range(50))),
                    dry_run=True)
print(rows, bytes_ >> 20, sent.rows, (peak() - before) >> 10)
"""


def test_large_results_and_rows_take_little_memory(
    clicks: FeatureStore, server: ServerProcess
) -> None:
    clicks.ingest("clicks", clicks_rows(3_000))
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, server.url], check=True, capture_output=True, text=True
    )
    rows, megabytes, sent, grown = map(int, done.stdout.split())
    assert (rows, sent) == (9_000_000, 5_000_000)
    assert megabytes > 150
    assert grown < 100, f"{grown} MiB for {megabytes} MiB"


def test_many_entities_are_looked_up_in_pieces(clicks: FeatureStore) -> None:
    """More than a server takes at once, of every form that values have."""
    clicks.ingest("clicks", clicks_rows(50_000))
    users = [*range(49_990, 50_010), *range(45_000)]
    got = clicks.get_online_features(["clicks"], {"user_id": users}, include_status=True).to_dict()
    assert got["n"] == [user if user < 50_000 else None for user in users]
    assert set(got["n__status"]) == {"PRESENT", "NOT_FOUND"}
    assert got["city"] == [None] * len(users)


def test_many_threads_share_a_store(clicks: FeatureStore) -> None:
    clicks.ingest("clicks", clicks_rows(100))
    wrong: list[Any] = []

    def look_up(start: int) -> None:
        for user in range(start, start + 50):
            got = clicks.get_online_features(["clicks:n"], [{"user_id": user}]).to_dict()["n"]
            if got != [user]:
                wrong.append((user, got))

    threads = [threading.Thread(target=look_up, args=(start,)) for start in (0, 10, 20, 30, 50)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []


def test_a_forked_child_has_connections_of_its_own(clicks: FeatureStore) -> None:
    clicks.ingest("clicks", clicks_rows(2))
    child = os.fork()
    if child == 0:
        got = clicks.get_online_features(["clicks:n"], [{"user_id": 1}]).to_dict()["n"]
        os._exit(0 if got == [1] else 1)
    assert clicks.get_online_features(["clicks:n"], [{"user_id": 0}]).to_dict()["n"] == [0]
    assert os.waitpid(child, 0)[1] == 0


# --- The program ---


def program(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=60,
    )


def test_the_program_asks_a_server(
    clicks: FeatureStore, server: ServerProcess, tmp_path: Path
) -> None:
    pq.write_table(clicks_rows(3), tmp_path / "rows.parquet")
    at = ("--url", server.url)
    made = program(*at, "ingest", "clicks", str(tmp_path / "rows.parquet"))
    assert made.returncode == 0, made.stderr
    looked_up = program(*at, "--output", "json", "get-online", "user_id=1", "-f", "clicks:n")
    assert json.loads(looked_up.stdout)[0]["n"] == 1
    queried = program(
        "sql", "SELECT count(*) AS n FROM clicks", "--output", "csv", TIDEMARK_URL=server.url
    )
    assert queried.stdout.split() == ["n", "3"]
    wrong = program(*at, "snapshot", "nothing")
    assert (wrong.returncode, "nothing" in wrong.stderr) == (3, True)


def test_commands_of_folders_say_so(server: ServerProcess, tmp_path: Path) -> None:
    for command in (["serve"], ["keys", "list"], ["init", str(tmp_path / "new")]):
        done = program("--url", server.url, *command)
        assert done.returncode == 2
        assert "works in this machine's folders" in done.stderr
    done = program("--url", server.url, "relocate")
    assert "is about the folder" in done.stderr
    done = program("--url", server.url, "--store", str(tmp_path), "sql", "SELECT 1")
    assert "give --store or --url" in done.stderr


def test_the_program_does_not_show_its_key(tmp_path: Path) -> None:
    done = program("--url", "http://127.0.0.1:1", "--api-key", "hunter2", "sql", "SELECT 1")
    assert done.returncode == 5
    assert "hunter2" not in done.stderr + done.stdout
