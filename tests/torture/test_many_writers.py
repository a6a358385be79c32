"""Goal: two processes with eight threads each that write one table lose nothing and write nothing
twice: neither small writes with flushes in between, nor bulk ingests; we and pyiceberg count them.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tidemark import FeatureStore
from torture import amount, processes
from torture.faults import Fault
from torture.oracle import Oracle
from torture.reading import look_with_iceberg, open_and_look
from torture.workload import DO, Author, Operation

PROCESSES = 2
THREADS = 8
OPERATIONS = amount.of(8, 100)  # of each thread
KINDS = (
    ["push"] * 8
    + ["together"] * 2
    + [
        "delete",
        "ledger",
        "online",
        "flush",
        "flush",
        "compact",
        "expire",
        "bulk",
    ]
)


def write_at_once(
    tell: Callable[..., None], folder: Path, scripts: list[list[Operation]], first: int
) -> None:
    """Each script by a thread; tells of the operations by their place among all of them."""
    store = FeatureStore(folder)

    def write(script: list[Operation]) -> None:
        for operation in script:
            DO[operation.kind](store, operation)

    with ThreadPoolExecutor(len(scripts)) as pool:
        list(pool.map(write, scripts))
    for number in range(sum(len(script) for script in scripts)):
        tell("done", first + number)


def test_two_processes_with_eight_threads_lose_nothing(tmp_path: Path) -> None:
    author = Author(amount.seed())
    kinds = author.random.choices(KINDS, k=PROCESSES * THREADS * OPERATIONS)
    operations = [author.operation(kind) for kind in kinds]
    DO["create"](FeatureStore(tmp_path), Operation("create"))
    scripts = [operations[at : at + OPERATIONS] for at in range(0, len(operations), OPERATIONS)]
    children = [
        processes.Child(
            write_at_once, tmp_path, scripts[first : first + THREADS], first * OPERATIONS
        )
        for first in range(0, len(scripts), THREADS)
    ]
    oracle = Oracle()
    oracle.created = True
    for child in children:
        told = list(child.messages())
        assert processes.Ended(told, child.join()).require_end().exit_code == 0
        oracle.hear(operations, told)
    for flushes in (False, True):
        after = processes.run(open_and_look, tmp_path, flushes, Fault())
        for _, seen in after.told:
            oracle.judge(seen)
    elsewhere = processes.run(look_with_iceberg, tmp_path)
    oracle.judge_rows_elsewhere(elsewhere.told[0][1])
