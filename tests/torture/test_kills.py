"""Goal: a writer that is killed, at any moment and at every step of what it does, loses nothing
that it acknowledged, writes nothing twice, and leaves a store that opens and agrees with itself;
so does a process that is killed while it recovers one.
"""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from torture import amount, processes
from torture.faults import ANY, Call, Fault, How
from torture.oracle import Oracle
from torture.reading import look_with_iceberg, open_and_look
from torture.workload import Author, Operation, work

KILLS = amount.of(60, 1000)
KILLS_OF_ONE_STORE = 15
AT_ONCE = 2
SCRIPT_LENGTH = 14
LONGEST_LIFE_S = 0.25

_WRITES = Call.OPEN | Call.WRITE | Call.SYNC


@dataclass(frozen=True)
class Step:
    """A step by name: which calls on which files it is, and how many of them a script has."""

    name: str
    pattern: str
    calls: Call = _WRITES
    most: int = 6
    after: str = ""


STEPS = [
    Step("the log is made", "*/log/*/owner", ANY, most=2),
    Step("log append", "*/log/*.log", Call.WRITE),
    Step("log sync", "*/log/*.log", Call.SYNC),
    Step("a new log segment", "*/log/*.log", Call.OPEN, most=2),
    Step("online merge", "*/online/data.mdb", Call.WRITE | Call.SYNC, most=20),
    Step("batch ledger", "*/batches/data.mdb", Call.WRITE | Call.SYNC),
    Step("push to two: log append", "*/log/*.log", Call.WRITE, most=2, after="together"),
    Step("push to two: log sync", "*/log/*.log", Call.SYNC, most=2, after="together"),
    Step(
        "push to two: online merge", "*/online/data.mdb", Call.WRITE | Call.SYNC, after="together"
    ),
    Step("flush: data file", "*/data/*.parquet", _WRITES | Call.RENAME, after="flush"),
    Step("flush: manifest", "*/metadata/*-m*.avro", after="flush"),
    Step("flush: manifest list", "*/metadata/snap-*.avro", after="flush"),
    Step("flush: table metadata", "*.metadata.json", after="flush"),
    Step("flush: folders", "*/tables/*", Call.SYNC, most=9, after="flush"),
    Step("flush: swap", "*/registry.db*", ANY, most=12, after="flush"),
    Step("flush: trim", "*/log/*", Call.REMOVE, most=2, after="flush"),
    Step("bulk ingest: mark", "*/loads*", ANY, most=4, after="bulk"),
    Step("bulk ingest: data file", "*/data/*.parquet", _WRITES | Call.RENAME, after="bulk"),
    Step("bulk ingest: swap", "*/registry.db*", ANY, most=12, after="bulk"),
    Step("bulk ingest: online", "*/online/data.mdb", Call.WRITE | Call.SYNC, after="bulk"),
    Step("compaction: data file", "*/data/*.parquet", _WRITES | Call.RENAME, after="compact"),
    Step("compaction: metadata", "*/metadata/*", after="compact"),
    Step("compaction: swap", "*/registry.db*", ANY, most=12, after="compact"),
    Step("expiry: swap", "*/registry.db*", ANY, most=12, after="expire"),
    Step("expiry: removal", "*/tables/*", Call.REMOVE, most=12, after="expire"),
    Step("erase: log", "*/log/*", ANY, after="erase"),
    Step("erase: data file", "*/data/*.parquet", _WRITES | Call.RENAME, after="erase"),
    Step("erase: swap", "*/registry.db*", ANY, most=24, after="erase"),
    Step("erase: online", "*/online*", ANY, most=12, after="erase"),
    Step("erase: removal", "*/tables/*", Call.REMOVE, most=12, after="erase"),
]


class Killing:
    """Stores whose writers are killed, and what must be in them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.kills = 0
        self._stores = 0

    def new_store(self) -> None:
        self._stores += 1
        self.store = self.folder / f"store {self._stores}"
        self.author = Author(self.random.randrange(1 << 30))
        self.oracle = Oracle()
        self.again: list[Operation] = []

    def kill_one(self, step: Step | None) -> None:
        """One writer, killed at a step or at a random moment, and what it leaves."""
        script = [Operation("create"), *self.again, *self.author.script(SCRIPT_LENGTH)]
        if step is None:
            ended = self._kill_at_a_moment(script)
        else:
            if step.after:
                script.insert(self.random.randint(2, 6), self.author.operation(step.after))
            how = self.random.choice((How.KILL_BEFORE, How.KILL_AFTER, How.TEAR))
            at = self.random.randint(1, step.most)
            fault = Fault(how, at, step.calls, step.pattern, after=step.after)
            ended = processes.run(work, self.store, script, fault)
        self.oracle.hear(script, ended.require_end().told)
        self.kills += ended.was_killed
        # Whoever does not know whether his batch was written sends it again.
        self.again = [each for each in self.oracle.unsettled() if each.batch]
        self.recover()

    def _kill_at_a_moment(self, script: list[Operation]) -> processes.Ended:
        child = processes.Child(work, self.store, script, Fault())
        life_s = self.random.random() * LONGEST_LIFE_S
        told = list(child.messages(until=time.monotonic() + life_s))
        child.kill()
        told += child.messages()
        return processes.Ended(told, child.join())

    def recover(self) -> None:
        """Opens the store twice; now and then, the first one is killed at it, or flushes."""
        interrupted = self.random.random() < 0.3
        at = self.random.randint(1, 40) if interrupted else 0
        how = How.KILL_AFTER if interrupted else How.COUNT
        flushes = self.random.random() < 0.2
        first = processes.run(open_and_look, self.store, flushes, Fault(how, at, ANY))
        self.kills += first.require_end().was_killed
        second = processes.run(open_and_look, self.store, False, Fault())
        assert second.require_end().exit_code == 0
        for _, seen in [*first.told, *second.told]:
            self.oracle.judge(seen)
        if first.told:
            assert first.told[0][1].rows == second.told[0][1].rows
        if flushes and len(first.told) == 2 and self.oracle.created:
            elsewhere = processes.run(look_with_iceberg, self.store)
            self.oracle.judge_rows_elsewhere(elsewhere.told[0][1])


def kill_some(folder: Path, seed: int) -> None:
    """A half of the kills, each second one at a step."""
    killing = Killing(folder, seed)
    rounds = 0
    while killing.kills < KILLS // AT_ONCE:
        if rounds % KILLS_OF_ONE_STORE == 0:
            killing.new_store()
        step = STEPS[(rounds // 2 + seed) % len(STEPS)] if rounds % 2 == 1 else None
        killing.kill_one(step)
        rounds += 1
        assert rounds < 3 * KILLS, "the writers end before they are killed"


def test_a_killed_writer_loses_nothing(tmp_path: Path) -> None:
    seed = amount.seed()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        halves = [
            pool.submit(kill_some, tmp_path / str(each), seed + each * len(STEPS) // AT_ONCE)
            for each in range(AT_ONCE)
        ]
        for half in halves:
            half.result()


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_every_step_is_reached(tmp_path: Path, step: Step) -> None:
    """A step that no call belongs to any more would be tested in vain."""
    script = [Operation("create"), *(Author(7).operation(kind) for kind in ("push",) * 3)]
    keyed = replace(script[1], batch="a batch")
    script += [
        keyed,
        Author(9).operation("together"),
        Author(8).operation("bulk"),
        Operation("flush"),
        script[2],
        Operation("flush"),
    ]
    script += [
        Operation("compact"),
        Operation("expire"),
        Operation("erase", key=script[2].rows[0].key),
    ]
    ended = processes.run(
        work,
        tmp_path / "s",
        script,
        Fault(How.COUNT, 0, step.calls, step.pattern, after=step.after),
    )
    assert ended.require_end().told[-1][0] == "counted"
    assert ended.told[-1][1] >= 1
