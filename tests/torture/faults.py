"""The preloaded library from Python: which calls are counted, and what the k-th of them does."""

from __future__ import annotations

import ctypes
import errno
import os
from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag
from pathlib import Path

LIBRARY_NAME = "libtidemark_faults.so"


class Call(IntFlag):
    """System calls under the watched folder; numbers as in faults.cc."""

    OPEN = 1
    OPEN_TO_READ = 2
    WRITE = 4
    SYNC = 8
    RENAME = 16
    REMOVE = 32
    MAKE_FOLDER = 64
    TRUNCATE = 128


CHANGING = Call(0xFF & ~Call.OPEN_TO_READ)
ANY = Call(0xFF)


class How(IntEnum):
    """What the chosen call does; numbers as in faults.cc."""

    COUNT = 0
    KILL_BEFORE = 1
    KILL_AFTER = 2
    FAIL = 3
    SHORT = 4  # a write does half, any other call is EIO
    TEAR = 5  # a write does half and the process dies, any other call is the last one
    SLOW = 6  # it takes some milliseconds longer

    @property
    def kills(self) -> bool:
        return self in (How.KILL_BEFORE, How.KILL_AFTER, How.TEAR)


@dataclass(frozen=True)
class Fault:
    """The `at`-th of the `calls` on paths of `pattern` (all: empty) does as `how` says."""

    how: How = How.COUNT
    at: int = 0
    calls: Call = CHANGING
    pattern: str = ""
    error: int = errno.EIO  # SLOW: the milliseconds
    lasts: bool = False  # each later call fails too: a disk that has gone
    after: str = ""  # counted from the beginning of the first operation of this name

    def number(self, at: int) -> Fault:
        return replace(self, at=at)


def library() -> Path:
    """The built library; it lies beside the native module."""
    from tidemark import _native

    assert _native.__file__ is not None
    path = Path(_native.__file__).resolve().parent / LIBRARY_NAME
    assert path.is_file(), f"{path} is not built: build the target tidemark_faults"
    return path


def arm(fault: Fault, folder: Path, trace: Path | None = None) -> None:
    """Begins to count in this process, in which the library is preloaded."""
    out = -1
    if trace is not None:
        out = os.open(trace, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o666)
    ctypes.CDLL(None).tidemark_faults_arm(
        os.fsencode(folder),
        fault.pattern.encode(),
        ctypes.c_uint(fault.calls),
        ctypes.c_long(fault.at),
        ctypes.c_int(fault.how),
        ctypes.c_int(fault.error),
        ctypes.c_int(fault.lasts),
        ctypes.c_int(out),
    )


def disarm() -> None:
    ctypes.CDLL(None).tidemark_faults_disarm()


def counted() -> int:
    """How many of the calls there have been."""
    count = ctypes.CDLL(None).tidemark_faults_count
    count.restype = ctypes.c_long
    return int(count())
