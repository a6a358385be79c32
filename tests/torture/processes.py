"""Fresh processes that have the library of faults loaded, and what they send before they end.

A server process loads the SDK once and opens no store; each process is a fork of it, so that one
costs milliseconds.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from torture import amount, faults

DEADLINE_S = float(amount.of(120, 7200))
_LOADED = ["torture.loaded"]

Told = tuple[Any, ...]


class HangError(AssertionError):
    """A process that did not end in time."""


@dataclass
class Ended:
    """What a process sent, and how it ended."""

    told: list[Told] = field(default_factory=list)
    exit_code: int = 0

    @property
    def was_killed(self) -> bool:
        return self.exit_code == -signal.SIGKILL

    def require_end(self) -> Ended:
        """It ended by itself or by our kill, never by a crash."""
        assert self.exit_code == 0 or self.was_killed, (
            f"a process ended with {self.exit_code}; the last it said: {self.told[-2:]}"
        )
        return self


_context: Any = None
_starting = threading.Lock()
# Starting a process looks after all others, too: an exit code must not be read by two threads.
_looking = threading.Lock()


def _server() -> Any:
    global _context
    with _starting:
        if _context is None:
            context: Any = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(_LOADED)
            # The first process starts the server, which keeps these; this process does not.
            path = os.pathsep.join(sys.path)
            with _environment(LD_PRELOAD=str(faults.library()), PYTHONPATH=path):
                first = context.Process(target=_nothing)
                first.start()
                first.join()
            _context = context
    return _context


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _nothing() -> None:
    pass


class Child:
    """A process that runs `work(tell, *args)` and can be killed."""

    def __init__(self, work: Callable[..., None], *args: Any) -> None:
        server = _server()
        self._from_child, to_parent = server.Pipe(duplex=False)
        self._process = server.Process(target=_run, args=(to_parent, work, args), daemon=True)
        with _looking:
            self._process.start()
        to_parent.close()
        self._deadline = time.monotonic() + DEADLINE_S

    def messages(self, until: float | None = None) -> Iterator[Told]:
        """What it says, as it says it; to its end, or until a time of the monotonic clock."""
        while True:
            limit = self._deadline if until is None else until
            if not self._from_child.poll(max(0.0, limit - time.monotonic())):
                if until is not None:
                    return
                self.kill()
                raise HangError(f"a process did not end within {DEADLINE_S} s")
            try:
                yield self._from_child.recv()
            except EOFError:
                return

    def kill(self) -> None:
        os.kill(self._process.pid, signal.SIGKILL)

    def join(self) -> int:
        wait([self._process.sentinel], DEADLINE_S)
        with _looking:
            self._process.join(0)
            assert self._process.exitcode is not None, "a process did not end"
        self._from_child.close()
        return int(self._process.exitcode)


def run(work: Callable[..., None], *args: Any) -> Ended:
    """Runs it to its end."""
    child = Child(work, *args)
    told = list(child.messages())
    return Ended(told, child.join())


@contextmanager
def running(work: Callable[..., None], *args: Any) -> Iterator[Child]:
    """A process that is killed at the end of the block if it still runs."""
    child = Child(work, *args)
    try:
        yield child
    finally:
        child.kill()
        child.join()


def _run(to_parent: Connection, work: Callable[..., None], args: tuple[Any, ...]) -> None:
    work(lambda *told: to_parent.send(told), *args)
