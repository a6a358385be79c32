"""Reads the stream of the table `clicks` on a disk that is slow: a process of its own, with the
library of tests/torture preloaded.

    slow_disk.py STORE MILLISECONDS PATTERN [until-end]

Each sync of a file in the store's folder whose path fits the pattern takes so much longer.
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
    slow = Fault(How.SLOW, 1, Call.SYNC, sys.argv[3], error=int(sys.argv[2]), lasts=True)
    arm(slow, folder.resolve())
    store.run_stream("clicks", until_end="until-end" in sys.argv)


if __name__ == "__main__":
    main()
