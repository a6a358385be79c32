"""Topics of a broker on this machine that `tidemark stream run` reads.

Phases: `freshness`, from when an event is produced to when a lookup returns it; `broker`, the same
to when a bare consumer has it; `backlog`, all of a topic into the offline and the online store;
`reads`, lookups of a server while it reads a backlog.
"""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from broker import AS_SHIPPED, KafkaBroker, kafka_broker
from confluent_kafka import Consumer, TopicPartition
from rides import FIELDS, VIEW, backlog, make_store
from timing import Job, Report, Stopwatch, contest

import tidemark
from tidemark import FeatureStore

TOPIC = "rides"
PROBE = 0  # the key that freshness is measured by
LOOK_EVERY_S = 0.0005
PATIENCE_S = 120.0
CHECKED_KEYS = 1_000
LOOKED_UP = 64  # keys
LINGER_MS = 1  # that a producer waits for rows of the same partition


def fill(broker: KafkaBroker, job: Job, count: int) -> None:
    """Puts a backlog into the topic."""
    producer = broker.producer(linger_ms=50, queue_buffering_max_messages=1_000_000)
    for driver, message in backlog(job["kind"], count, job["keys"]):
        while True:
            try:
                producer.produce(TOPIC, message, partition=driver % job["partitions"])
                break
            except BufferError:
                producer.poll(0.1)
    if producer.flush(PATIENCE_S) != 0:
        raise RuntimeError("the backlog was not taken by the broker")


def command(job: Job, *arguments: str) -> list[str]:
    """Of the program, over the store of the job."""
    return [job["program"], "--store", job["store_path"], *arguments]


def children_seconds() -> float:
    """Processor time of the processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def read_backlog(broker: KafkaBroker, job: Job, stopwatch: Stopwatch) -> Report:
    """One consumer from its start to its end, when all is in files, too."""
    store = make_store(Path(job["store_path"]), broker.servers, TOPIC, job["kind"])
    broker.create_topic(TOPIC, job["partitions"])
    fill(broker, job, job["rows"])
    before = children_seconds()
    with stopwatch.timed():
        run = command(job, "stream", "run", VIEW, "--until-end")
        subprocess.run(run, check=True, timeout=600)
    cpu = children_seconds() - before
    check(store, job["rows"])
    return {"rate": job["rows"] / stopwatch.seconds, "reader_cpu_seconds": cpu}


def check(store: FeatureStore, rows: int) -> None:
    """Every message is one row, and lookups find the newest of their key."""
    query = f"SELECT count(*) AS rows, count(DISTINCT n) AS distinct_rows FROM {VIEW}"
    [counts] = store.sql(query).to_arrow().to_pylist()
    if counts != {"rows": rows, "distinct_rows": rows}:
        raise RuntimeError(f"{rows} messages were sent, there are {counts}")
    query = (
        f"SELECT driver_id, arg_max(n, event_timestamp) AS n FROM {VIEW} "
        f"WHERE driver_id < {CHECKED_KEYS} GROUP BY driver_id ORDER BY driver_id"
    )
    newest = store.sql(query).to_arrow().to_pylist()
    drivers = [{"driver_id": row["driver_id"]} for row in newest]
    found = store.get_online_features([f"{VIEW}:n"], drivers).to_dict()["n"]
    if found != [row["n"] for row in newest]:
        raise RuntimeError("online is not what offline is")


def measure_freshness(broker: KafkaBroker, job: Job, stopwatch: Stopwatch) -> Report:
    """Rows come at a rate, a part of them of one key; that one is looked up all the time."""
    store = make_store(Path(job["store_path"]), broker.servers, TOPIC, job["kind"])
    broker.create_topic(TOPIC, job["partitions"])
    fill(broker, job, job["keys"])  # every lookup finds rows of others beside it
    reader = subprocess.Popen(command(job, "stream", "run", VIEW))
    try:
        wait_for_lag(store)
        sent_path, producer = start_producer(broker, job)
        with stopwatch.timed():
            seen = look(store, producer, job["probes"])
    finally:
        reader.terminate()
        reader.wait(PATIENCE_S)
    return freshness(json.loads(sent_path.read_text()), seen, job)


def measure_broker(broker: KafkaBroker, job: Job, stopwatch: Stopwatch) -> Report:
    """The same as far as a bare consumer, which only polls: what the broker takes of it."""
    broker.create_topic(TOPIC, job["partitions"])
    fill(broker, job, job["keys"])
    settings = {"bootstrap.servers": broker.servers, "group.id": "bare", "fetch.wait.max.ms": 100}
    consumer = Consumer(settings | {"enable.auto.commit": False})
    consumer.assign([TopicPartition(TOPIC, place, 0) for place in range(job["partitions"])])
    left = job["keys"]
    while left > 0:
        left -= len(consumer.consume(10_000, 1.0))
    sent_path, producer = start_producer(broker, job)
    seen: list[tuple[int, int]] = []
    with stopwatch.timed():
        while not seen or seen[-1][1] != job["probes"] - 1:
            message = consumer.poll(PATIENCE_S)
            now_ns = time.monotonic_ns()
            if message is None or message.error() is not None:
                raise RuntimeError(f"the probes do not come: {message and message.error()}")
            if message.partition() == PROBE and is_probe(message.value()):
                seen.append((now_ns, json.loads(message.value())["n"]))
    consumer.close()
    if producer.wait(PATIENCE_S) != 0:
        raise RuntimeError("the producer failed")
    return freshness(json.loads(sent_path.read_text()), seen, job)


def is_probe(message: bytes | None) -> bool:
    """Without reading all of it, as there are ten times as many others."""
    return message is not None and b'"driver_id":%d,' % PROBE in message


def start_producer(broker: KafkaBroker, job: Job) -> tuple[Path, subprocess.Popen[bytes]]:
    """Where it says in the end when it sent each probe, and its process."""
    folder = Path(job["store_path"]).parent
    folder.mkdir(parents=True, exist_ok=True)
    sent_path = folder / "sent.json"
    told = ("partitions", "keys", "rows_per_second", "probes")
    run = [job["stream_send"], broker.servers, TOPIC, *(str(job[name]) for name in told)]
    return sent_path, subprocess.Popen([*run, str(LINGER_MS), str(sent_path)])


def freshness(sent: dict[str, Any], seen: list[tuple[int, int]], job: Job) -> Report:
    """Of the probes after the warm-up."""
    times = sorted(freshness_ms(sent["sent_ns"], seen)[job["probes_of_warm_up"] :])
    return {
        "p50_ms": times[len(times) // 2],
        "p90_ms": times[len(times) * 9 // 10],
        "p99_ms": times[len(times) * 99 // 100],
        "p999_ms": times[len(times) * 999 // 1000],
        "max_ms": times[-1],
        "probes": len(times),
        "rate": sent["rate"],
        "looks": len(seen),
    }


def wait_for_lag(store: FeatureStore) -> None:
    """Until the reader has read all that there is."""
    deadline = time.monotonic() + PATIENCE_S
    while store.stream_status(VIEW)[0].lag != 0:
        if time.monotonic() > deadline:
            raise RuntimeError("the reader does not come to the topic's end")
        time.sleep(0.2)


def look(
    store: FeatureStore, producer: subprocess.Popen[bytes], probes: int
) -> list[tuple[int, int]]:
    """(when, number of the probe that was found), whenever it is another one."""
    seen: list[tuple[int, int]] = []
    row = [{"driver_id": PROBE}]
    wanted = [f"{VIEW}:n"]
    last = -1
    deadline = time.monotonic() + PATIENCE_S
    while last != probes - 1:
        value = store.get_online_features(wanted, row).to_dict()["n"][0]
        now_ns = time.monotonic_ns()
        if value is not None and value != last and value >= 0:
            seen.append((now_ns, value))
            last = value
        if time.monotonic() > deadline:
            raise RuntimeError("the last probe was not found")
        time.sleep(LOOK_EVERY_S)
    if producer.wait(PATIENCE_S) != 0:
        raise RuntimeError("the producer failed")
    return seen


@contextmanager
def serving(job: Job, folder: Path) -> Iterator[int]:
    """A server that reads the stream: its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    flags = ["serve", "--port", str(port), "--threads", "1", "--streams"]
    with (folder / "serve.log").open("wb") as log:
        server = subprocess.Popen(command(job, *flags), stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait(PATIENCE_S)


def lookups(job: Job, folder: Path, port: int) -> Report:
    """A closed loop of one connection."""
    features = [f"{VIEW}:{name}" for name in FIELDS]
    keys = range(1, LOOKED_UP + 1)
    bodies = [{"features": features, "entities": {"driver_id": [key]}} for key in keys]
    return load(job, folder, port, [f"POST /get-online-features {json.dumps(b)}" for b in bodies])


def load(job: Job, folder: Path, port: int, asked: list[str]) -> Report:
    """Requests to a server, as lookups asks them."""
    requests = folder / "requests.txt"
    requests.write_text("".join(f"{request}\n" for request in asked))
    run = [job["http_load"], str(port), str(requests), "1", str(job["read_seconds"]), "0"]
    done = subprocess.run(run, check=True, capture_output=True, text=True)
    report: Report = json.loads(done.stdout)
    if report["failures"]:
        raise RuntimeError(f"{report['failures']} requests failed")
    return report


def measure_reads(broker: KafkaBroker, job: Job, stopwatch: Stopwatch) -> Report:
    """Lookups of a server that has nothing else to do, and then of one that reads a backlog.

    Meanwhile nginx is asked for a file of that size, which tells what the machine does to both.
    """
    folder = Path(job["store_path"]).parent
    store = make_store(Path(job["store_path"]), broker.servers, TOPIC, job["kind"])
    broker.create_topic(TOPIC, job["partitions"])
    fill(broker, job, job["keys"])
    with serving(job, folder) as port:
        wait_for_lag(store)
        idle = lookups(job, folder, port)
    fill(broker, job, job["rows"])
    with serving(job, folder) as port:
        before, began = lag_once_read(store, job["rows"]), time.perf_counter()
        with stopwatch.timed():
            busy = lookups(job, folder, port)
            nginx = job.get("nginx")
            beside = nginx and load(job, folder, nginx["port"], [f"GET {nginx['path']}"])
        # Both times are taken when the answer is there: asking takes a while.
        after = store.stream_status(VIEW)[0].lag
        rate = (before - (after or 0)) / (time.perf_counter() - began)
    if not after:
        raise RuntimeError("the backlog was read before the lookups had ended: send more rows")
    percentiles = {key: busy[key] for key in ("p50_us", "p99_us")}
    for name, report in {"idle": idle, "nginx": beside or {}}.items():
        percentiles |= {
            f"{name}_{key}": report[key] for key in ("p50_us", "p99_us") if key in report
        }
    return percentiles | {"rate": rate}


def lag_once_read(store: FeatureStore, rows: int) -> int:
    """The lag, when some of the backlog has been read."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        lag = store.stream_status(VIEW)[0].lag
        if lag is not None and lag < rows:
            return lag
        if time.monotonic() > deadline:
            raise RuntimeError("the server does not read its stream")
        time.sleep(0.05)


def freshness_ms(sent_ns: list[int], seen: list[tuple[int, int]]) -> list[float]:
    """Of each probe: until it, or a later one, was found."""
    times: list[float] = []
    for now_ns, number in seen:
        while len(times) <= number:
            times.append((now_ns - sent_ns[len(times)]) / 1e6)
    return times


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """One phase, with a broker of its own."""
    phases = {
        "freshness": measure_freshness,
        "broker": measure_broker,
        "backlog": read_backlog,
        "reads": measure_reads,
    }
    with kafka_broker(AS_SHIPPED) as broker:
        report = phases[job["phase"]](broker, job, stopwatch)
    return report | {"versions": {"tidemark": tidemark.__version__}}


if __name__ == "__main__":
    contest(work)
