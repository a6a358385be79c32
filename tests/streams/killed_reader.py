"""Reads the stream of the table `clicks` until a step at which the process is killed: one of its
own, with the library of tests/torture preloaded.

    killed_reader.py STORE STEP AT

The AT-th of the calls of the step, counted from when reading begins, is the last thing it does.
"""

from __future__ import annotations

import sys
from pathlib import Path

from torture.faults import Call, Fault, How, arm

from tidemark import FeatureStore

_WRITES = Call.OPEN | Call.WRITE | Call.SYNC
STEPS = {
    "log append": Fault(How.TEAR, calls=Call.WRITE, pattern="*/log/*.log"),
    "log sync": Fault(How.KILL_BEFORE, calls=Call.SYNC, pattern="*/log/*.log"),
    "logged, not online": Fault(How.KILL_AFTER, calls=Call.SYNC, pattern="*/log/*.log"),
    "online merge": Fault(How.KILL_BEFORE, calls=Call.WRITE, pattern="*/online/data.mdb"),
    "online sync": Fault(How.KILL_BEFORE, calls=Call.SYNC, pattern="*/online/data.mdb"),
    "taking partitions": Fault(How.KILL_AFTER, calls=_WRITES, pattern="*/metadata/*"),
}


def main() -> int:
    """The exit code of a reader that nobody killed."""
    folder = Path(sys.argv[1])
    store = FeatureStore(folder)
    arm(STEPS[sys.argv[2]].number(int(sys.argv[3])), folder.resolve())
    store.run_stream("clicks")
    return 1


if __name__ == "__main__":
    sys.exit(main())
