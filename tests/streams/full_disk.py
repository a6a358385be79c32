"""Reads the stream of the table `clicks` on a disk that becomes full: a process of its own, with
the library of tests/torture preloaded.

    full_disk.py STORE AT

Of the calls that need room in the store's folder, the AT-th and all later ones fail. It ends well
when reading was ended by an error that says so.
"""

from __future__ import annotations

import errno
import sys
from pathlib import Path

from torture.faults import Call, Fault, How, arm

from tidemark import FeatureStore
from tidemark.errors import IoError, OutOfSpaceError, UnknownFateError

NEEDS_ROOM = Call.OPEN | Call.WRITE | Call.MAKE_FOLDER


def main() -> int:
    """The exit code."""
    folder = Path(sys.argv[1])
    store = FeatureStore(folder)
    full = Fault(How.FAIL, int(sys.argv[2]), NEEDS_ROOM, error=errno.ENOSPC, lasts=True)
    arm(full, folder.resolve())
    try:
        store.run_stream("clicks")
    except (IoError, OutOfSpaceError, UnknownFateError) as error:
        print(f"ended as it should: {error}")
        return 0
    print("reading was not ended")
    return 1


if __name__ == "__main__":
    sys.exit(main())
