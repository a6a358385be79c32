"""Sends rides at a steady rate, every tenth of the key that freshness is measured by."""

from __future__ import annotations

import json
import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from confluent_kafka import Producer
from rides import MESSAGES

TICK_S = 0.001
PROBE = 0


def main() -> None:
    """Reads the job that the command line names; writes when each probe was sent."""
    job = json.loads(Path(sys.argv[1]).read_text())
    producer = Producer(
        {"bootstrap.servers": job["servers"], "enable.idempotence": True, "linger.ms": 1}
    )
    make = MESSAGES[job["kind"]]
    chosen = random.Random(11)
    per_tick = round(job["rows_per_second"] * TICK_S)
    sent_ns: list[int] = []
    began = time.monotonic()
    for probe in range(job["probes"]):
        behind = began + probe * TICK_S - time.monotonic()
        if behind > 0:
            time.sleep(behind)
        for i in range(per_tick):
            driver = PROBE if i == per_tick - 1 else 1 + int(chosen.random() * job["keys"])
            now_ns = time.monotonic_ns()
            message = make(driver, probe, now_ns, datetime.now(UTC))
            if driver == PROBE:
                sent_ns.append(now_ns)
            producer.produce(job["topic"], message, partition=driver % job["partitions"])
        producer.poll(0)
    rate = job["probes"] * per_tick / (time.monotonic() - began)
    left = producer.flush(60)
    Path(job["sent_path"]).write_text(json.dumps({"sent_ns": sent_ns, "rate": rate}))
    sys.exit(1 if left else 0)


if __name__ == "__main__":
    main()
