"""Reads the stream of the table `clicks` on a disk that is slow: a process of its own, with the
library of tests/torture preloaded.

    slow_disk.py STORE MILLISECONDS

Each sync of a file in the store's folder takes so much longer. It ends with what is there.
"""

from __future__ import annotations

import sys
from pathlib import Path

from torture.faults import Call, Fault, How, arm

from tidemark import FeatureStore


def main() -> None:
    """Errors go up."""
    folder = Path(sys.argv[1])
    store = FeatureStore(folder)
    slow = Fault(How.SLOW, 1, Call.SYNC, error=int(sys.argv[2]), lasts=True)
    arm(slow, folder.resolve())
    store.run_stream("clicks", until_end=True)


if __name__ == "__main__":
    main()
