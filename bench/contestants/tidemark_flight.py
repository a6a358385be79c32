"""A training set as an Arrow table: in this process, or of a server by Flight's DoExchange."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.flight as flight
import pyarrow.parquet as pq
from tidemark_repository import open_store, references
from timing import Job, Report, Stopwatch, contest

import tidemark

PROGRAM = Path(tidemark.__file__).parent / "bin" / "tidemark"
FLIGHT = re.compile(r"Arrow Flight on (grpc://\S+)")


@contextmanager
def served(folder: str) -> Iterator[flight.FlightClient]:
    """A client of a server on the store."""
    command = [PROGRAM, "--store", folder, "serve", "--port", "0", "--flight-port", "0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        found = None
        while found is None:
            line = server.stderr.readline()
            if not line:
                raise RuntimeError("the server did not start")
            found = FLIGHT.search(line)
        with flight.FlightClient(found[1]) as client:
            yield client
    finally:
        server.terminate()
        server.wait()


def over_flight(client: flight.FlightClient, features: list[str], entities: pa.Table) -> pa.Table:
    """All rows up, then all rows down."""
    asked = {"tidemark": 1, "call": "historical", "features": features, "full_feature_names": True}
    descriptor = flight.FlightDescriptor.for_command(json.dumps(asked))
    writer, reader = client.do_exchange(descriptor)
    writer.begin(entities.schema)
    writer.write_table(entities)
    writer.done_writing()
    rows = reader.read_all()
    writer.close()
    return rows


def digest(table: pa.Table) -> str:
    """Of all values, in the order of the rows."""
    found = hashlib.sha256()
    for batch in table.combine_chunks().to_batches():
        for column in batch.columns:
            for part in (column.is_null(), column.fill_null(0)):
                found.update(part.buffers()[1])
    return found.hexdigest()


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """Times from the entity rows in memory to the training set in memory."""
    store = open_store(job)
    features = references(job)
    entities = pq.read_table(job["entity_path"])
    if job["wire"]:
        with served(job["store_path"]) as client:
            over_flight(client, features, entities.slice(0, 10))  # connected, definitions read
            with stopwatch.timed():
                rows = over_flight(client, features, entities)
    else:
        with_view_names = functools.partial(
            store.get_historical_features, features=features, full_feature_names=True
        )
        with_view_names(entities.slice(0, 10)).to_arrow()
        with stopwatch.timed():
            rows = with_view_names(entities).to_arrow()
    return {"versions": {"tidemark": tidemark.__version__}, "digest": digest(rows)}


if __name__ == "__main__":
    contest(work)
