"""Goal: whatever call of the operating system fails, is cut short or is the last of a process, each
operation succeeds or says clearly that it did not, nothing is acknowledged that is not durable, no
read shows what is not there, and afterwards the store opens and agrees with itself.
"""

from __future__ import annotations

import errno
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from torture import amount, processes, reading
from torture.faults import ANY, Call, Fault, How
from torture.oracle import Oracle
from torture.reading import look_with_iceberg, open_and_look
from torture.workload import fixed_script, work

SCRIPT = fixed_script()
TRIES = 5  # of each fault in `make test`
AT_ONCE = 2

FAULTS = {
    "input/output error": Fault(How.FAIL, calls=ANY),
    "no space": Fault(How.FAIL, calls=Call.OPEN | Call.WRITE | Call.SYNC | Call.MAKE_FOLDER
                      | Call.TRUNCATE | Call.RENAME, error=errno.ENOSPC),
    "short write": Fault(How.SHORT, calls=Call.WRITE),
    "a disk that is gone": Fault(How.FAIL, lasts=True),
    "a disk that stays full": Fault(How.FAIL, calls=Call.OPEN | Call.WRITE | Call.MAKE_FOLDER
                                    | Call.TRUNCATE, error=errno.ENOSPC, lasts=True),
    "killed before": Fault(How.KILL_BEFORE),
    "killed after": Fault(How.KILL_AFTER),
    "torn write": Fault(How.TEAR, calls=Call.WRITE),
}  # fmt: skip


def calls_of(fault: Fault, folder: Path) -> int:
    """How many calls the whole script has that the fault may hit."""
    counting = Fault(How.COUNT, 0, fault.calls)
    ended = processes.run(work, folder, SCRIPT, counting, reading.look)
    assert ended.require_end().exit_code == 0
    what, count = ended.told[-1]
    assert what == "counted"
    failures = [each for each in ended.told if each[0] in ("failed", "unseen")]
    assert not failures, "without a fault everything works"
    return int(count)


def try_one(folder: Path, fault: Fault) -> None:
    """The script under a fault, and what its store shows afterwards."""
    oracle = Oracle()
    ended = processes.run(work, folder, SCRIPT, fault, reading.look)
    oracle.hear(SCRIPT, ended.require_end().told)
    assert ended.was_killed or ended.told[-1][0] == "counted"
    for flushes in (True, False):
        after = processes.run(open_and_look, folder, flushes, Fault())
        assert after.require_end().exit_code == 0
        for _, seen in after.told:
            oracle.judge(seen)
    if fault.at % 8 == 0 and oracle.created:
        elsewhere = processes.run(look_with_iceberg, folder)
        oracle.judge_rows_elsewhere(elsewhere.told[0][1])


@pytest.mark.parametrize("name", FAULTS)
def test_the_kth_call(tmp_path: Path, name: str) -> None:
    fault = FAULTS[name]
    count = calls_of(fault, tmp_path / "whole")
    chosen = list(range(1, count + 1))
    if not amount.IS_TORTURE:
        chosen = sorted(random.Random(amount.seed()).sample(chosen, min(TRIES, count)))

    def try_number(at: int) -> str:
        try:
            try_one(tmp_path / f"call {at}", fault.number(at))
        except AssertionError as error:
            return f"call {at} of {count}: {error}\n"
        return ""

    with ThreadPoolExecutor(AT_ONCE) as pool:
        wrong = "".join(pool.map(try_number, chosen))
    assert not wrong, wrong
