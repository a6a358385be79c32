"""What must be in a store, kept outside of the processes that write it.

An operation that was acknowledged is there exactly once; one that failed with a known outcome is
not; one whose outcome nobody knows is there once, as a whole, in all of its tables, or not at all.
Rows that were erased are nowhere. What a store shows after it was opened decides what was unknown:
from then on it must not change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import Enum

from torture.reading import Seen, SeenRow
from torture.workload import CLICKS, KEYS, LEDGER, ONLINE_ONLY_KEYS, Operation, Row

# With these codes a write says that it may have happened.
UNKNOWN_CODES = ("UNKNOWN_FATE",)


class Fate(Enum):
    UNKNOWN = "unknown"
    THERE = "there"
    ABSENT = "absent"


class Oracle:
    def __init__(self) -> None:
        self._fates: dict[Operation, Fate] = {}
        self._erased: set[Row] = set()
        self._erasures: list[set[Row]] = []  # of which it is not known whether they happened
        self.created = False

    # --- What is told ---

    def hear(self, operations: Sequence[Operation], told: Iterable[tuple[object, ...]]) -> None:
        """Takes in what a writer said about its operations, reads included."""
        for what, *rest in told:
            if what == "begin":
                self._begin(operations[rest[0]])  # type: ignore[index]
            elif what == "done":
                self._done(operations[rest[0]])  # type: ignore[index]
            elif what == "failed":
                number, code, text = rest
                self._failed(operations[number], str(code), str(text))  # type: ignore[index]
            elif what == "seen":
                self.judge_during(rest[0])  # type: ignore[arg-type]
            elif what == "unseen":
                _require_clear(str(rest[0]), str(rest[1]))

    def _begin(self, operation: Operation) -> None:
        if operation.kind == "erase":
            self._erasures.append(self._rows_of(operation.key))
        if operation.rows and self._fates.get(operation) is not Fate.THERE:
            self._fates[operation] = Fate.UNKNOWN

    def _done(self, operation: Operation) -> None:
        if operation.kind == "create":
            self.created = True
        if operation.kind == "erase":
            self._erased |= self._erasures.pop()
        if operation.rows:
            self._fates[operation] = Fate.THERE

    def _failed(self, operation: Operation, code: str, text: str) -> None:
        _require_clear(code, text)
        was_there = self._fates.get(operation) is Fate.THERE
        if operation.rows and code not in UNKNOWN_CODES and not was_there:
            self._fates[operation] = Fate.ABSENT

    def _rows_of(self, key: int) -> set[Row]:
        written = [each for each in self._of(CLICKS) if self._fates[each] is not Fate.ABSENT]
        return {row for each in written for row in each.rows if row.key == key}

    def unsettled(self) -> list[Operation]:
        """Operations of which it is not known whether they happened."""
        return [each for each, fate in self._fates.items() if fate is Fate.UNKNOWN]

    def _erased_of(self, table: str) -> set[Row]:
        """The ledger is never erased from, also of what was written to both."""
        return self._erased if table == CLICKS else set()

    # --- What must be seen ---

    def judge_during(self, seen: Seen) -> None:
        """What a process may see while it fails: all that is there, and nothing that is absent."""
        for name in (CLICKS, LEDGER):
            if seen.rows.get(name) is not None:
                self._judge_rows(name, seen.rows[name] or [])
        for key, value in (seen.online_before | seen.online).items():
            self._judge_online(key, value)

    def judge(self, seen: Seen) -> None:
        """What a store must show that was opened without faults, and settles what was unknown."""
        if not self._must_exist(seen):
            return
        for name in (CLICKS, LEDGER):
            self._settle(name, self._judge_rows(name, seen.rows[name] or []))
        expected = _latest(seen.rows[CLICKS] or [])
        for key in KEYS:
            wanted = expected.get(key)
            for way, got in (
                ("latest rows", seen.latest.get(key)),
                ("historical features", seen.historical[key]),
                ("online features", seen.online[key]),
            ):
                assert got == wanted, f"key {key}: {way} have {got}, the table's rows say {wanted}"
        for key, value in (seen.online_before | seen.online).items():
            self._judge_online(key, value)

    def judge_rows_elsewhere(self, rows: dict[str, list[SeenRow]]) -> None:
        """What another engine must read after a flush."""
        for name, seen in rows.items():
            self._settle(name, self._judge_rows(name, seen))

    def _must_exist(self, seen: Seen) -> bool:
        there = [name for name in (CLICKS, LEDGER) if seen.rows.get(name) is not None]
        if self.created or len(there) == 2:
            assert len(there) == 2, f"of two tables only {there} are there"
            return True
        return False

    def _of(self, table: str) -> list[Operation]:
        return [each for each in self._fates if table in each.tables]

    def _judge_rows(self, table: str, rows: list[SeenRow]) -> set[datetime]:
        """Each row is one that was written, once; operations are whole, but for what was erased."""
        counts = Counter(row[1] for row in rows)
        assert not (twice := [event for event, n in counts.items() if n > 1]), (
            f"{table}: rows of {twice} are there more than once"
        )
        erased = self._erased_of(table)
        doubtful: set[Row] = set().union(*self._erasures) if table == CLICKS else set()
        for operation in self._of(table):
            fate = self._fates[operation]
            gone = [row for row in operation.rows if row in erased and row.event in counts]
            assert not gone, f"{table}: {gone} of {operation} were erased"
            sure = [row for row in operation.rows if row not in erased | doubtful]
            found = [row.event in counts for row in sure]
            what = f"{table}: {operation}, {fate.value}, has {sum(found)} of {len(found)} rows"
            assert all(found) or not any(found), what + ": half of it"
            if found and fate is not Fate.UNKNOWN:
                assert all(found) == (fate is Fate.THERE), what
        known = {
            row.event: (row.key, None if each.kind == "delete" else row.number)
            for each in self._of(table)
            for row in each.rows
            if self._fates[each] is not Fate.ABSENT
        }
        for key, event, number, is_deleted in rows:
            assert known.get(event) == (key, None if is_deleted else number), (
                f"{table}: row {(key, event, number, is_deleted)} was never written"
            )
        return set(counts)

    def _settle(self, table: str, events: set[datetime]) -> None:
        if table == CLICKS:
            for rows in self._erasures:
                self._settle_erasure(rows - self._erased, events)
            self._erasures = []
        for operation in self._of(table):
            left = [row for row in operation.rows if row not in self._erased_of(table)]
            if left:
                is_there = left[0].event in events
                self._fates[operation] = Fate.THERE if is_there else Fate.ABSENT

    def _settle_erasure(self, rows: set[Row], events: set[datetime]) -> None:
        there = {
            row
            for each, fate in self._fates.items()
            if fate is Fate.THERE
            for row in each.rows
            if row in rows
        }
        found = [row.event in events for row in there]
        assert all(found) or not any(found), f"of {there}, some were erased and some not"
        if not any(found):
            self._erased |= rows

    def _judge_online(self, key: int, value: int | None) -> None:
        """Not older than what was acknowledged, and something that may be there."""
        candidates: list[tuple[datetime, int | None]] = []
        newest: datetime | None = None
        doubtful = set().union(*self._erasures)
        for operation, fate in self._fates.items():
            if fate is Fate.ABSENT or operation.kind == "ledger":
                continue
            for row in operation.rows:
                if row.key != key or row in self._erased:
                    continue
                number = None if operation.kind == "delete" else row.number
                candidates.append((row.event, number))
                is_sure = fate is Fate.THERE and row not in doubtful
                if is_sure and (newest is None or row.event > newest):
                    newest = row.event
        allowed = {n for event, n in candidates if newest is None or event >= newest}
        if newest is None:
            allowed.add(None)
        assert value in allowed, (
            f"key {key} is {value} online, where {sorted(map(str, allowed))} can be"
        )
        if key in ONLINE_ONLY_KEYS and value is not None:
            self._settle_online(value)

    def _settle_online(self, value: int) -> None:
        for operation in self._fates:
            if operation.kind == "online" and operation.rows[0].number == value:
                self._fates[operation] = Fate.THERE


def _latest(rows: list[SeenRow]) -> dict[int, int]:
    newest: dict[int, SeenRow] = {}
    for row in rows:
        if row[0] not in newest or newest[row[0]][1] < row[1]:
            newest[row[0]] = row
    return {key: row[2] for key, row in newest.items() if row[2] is not None and not row[3]}


def _require_clear(code: str, text: str) -> None:
    assert code != "INTERNAL", f"an error says that it is a defect: {text}"
    assert len(text) > 20, f"an error says too little: {text!r}"
