"""A process that runs Python functions of on-demand feature views for a server.

Started as `python -m tidemark._worker MEMORY_BYTES PARENT_PID` with a socket as standard input.
What goes over it:

frame:   head length, u32 | body length, u64 | head: JSON | body: an Arrow IPC stream, or nothing
         (numbers are little-endian)
to it:   {"call": "prepare", "id": 3, "definition": "..."}   a view's canonical JSON
         {"call": "run", "id": 3, "rows": 100}               the body is the function's arguments
         {"call": "forget"}                                  all that was prepared; not answered
back:    {"ready": 1}                                        once, by itself
         {}                                                  after run with a body: the fields
         {"error": {"code": "INVALID_DATA", "message": "...", "context": "..."}}
"""

from __future__ import annotations

import _posixsubprocess
import ctypes
import importlib
import json
import os
import resource
import signal
import socket
import struct
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from tidemark.errors import InternalError, TidemarkError
from tidemark.function_runner import FunctionRunner
from tidemark.on_demand_feature_view import OnDemandFeatureView

if TYPE_CHECKING:
    import pyarrow as pa

PROTOCOL = 1
_LENGTHS = struct.Struct("<IQ")
_MESSAGE_CHARS_MAX = 4_000
_PR_SET_PDEATHSIG = 1
# What a function cannot do here, by the names of the interpreter's audit events.
_REFUSED = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.system",
        "pty.spawn",
        "subprocess.Popen",
    }
)


class Worker:
    """Answers one frame after the other until the other side is gone."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._runners: dict[int, FunctionRunner] = {}

    def serve(self) -> None:
        self._send({"ready": PROTOCOL})
        while True:
            lengths = self._receive(_LENGTHS.size)
            if lengths is None:
                return
            head_bytes, body_bytes = _LENGTHS.unpack(lengths)
            head, body = self._receive(head_bytes), self._receive(body_bytes)
            if head is None or body is None:
                return
            self._answer(json.loads(head), body)

    def _answer(self, head: dict[str, Any], body: bytearray) -> None:
        if head["call"] == "forget":
            self._runners.clear()
            return
        try:
            if head["call"] == "prepare":
                self._runners[head["id"]] = _prepared(json.loads(head["definition"]))
                self._send({})
            else:
                self._send({}, self._run(self._runners[head["id"]], head["rows"], body))
        except TidemarkError as error:
            self._send_error(error)
        except Exception as error:
            self._send_error(InternalError(f"{type(error).__name__}: {error}"))

    def _run(self, runner: FunctionRunner, rows: int, body: bytearray) -> pa.Buffer:
        import pyarrow as pa

        table = pa.ipc.open_stream(pa.py_buffer(body)).read_all()
        inputs = {name: _whole(table.column(name)) for name in table.column_names}
        made = runner.run(inputs, rows)
        batch = pa.record_batch(list(made.values()), names=list(made))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        return sink.getvalue()

    def _send_error(self, error: TidemarkError) -> None:
        message = error.message.encode(errors="replace").decode()[:_MESSAGE_CHARS_MAX]
        told = {"code": error.code, "message": message, "context": error.context}
        self._send({"error": told})

    def _send(self, head: dict[str, Any], body: pa.Buffer | bytes = b"") -> None:
        text = json.dumps(head).encode()
        self._channel.sendall(_LENGTHS.pack(len(text), len(body)) + text)
        self._channel.sendall(body)

    def _receive(self, count: int) -> bytearray | None:
        """None once the other side is gone."""
        made = bytearray(count)
        rest = memoryview(made)
        while rest:
            got = self._channel.recv_into(rest)
            if got == 0:
                return None
            rest = rest[got:]
        return made


def _prepared(definition: dict[str, Any]) -> FunctionRunner:
    """A function that is ready to be called: what takes long to import is there."""
    import pyarrow as pa

    view = OnDemandFeatureView.from_dict(definition)
    runner = FunctionRunner(view)
    if view.mode == "pandas":
        importlib.import_module("pandas")
    pa.array([None], pa.float64(), from_pandas=True)  # Arrow looks for pandas
    return runner


def _whole(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _stay_with(parent: int) -> None:
    """Ends this process with the one that started it, however that ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the process that this one was started for is gone")


def _limit(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _REFUSED:
        raise PermissionError(f"functions on a server start no processes ({event})")


def _fork_exec(*_: Any) -> NoReturn:
    raise PermissionError("functions on a server start no processes")


def main() -> None:
    memory_bytes, parent = int(sys.argv[1]), int(sys.argv[2])
    _stay_with(parent)
    _limit(memory_bytes)
    # Functions have no way to the socket: what they read is empty, what they print is a message.
    channel = socket.socket(fileno=os.dup(0))
    channel.setblocking(True)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.chdir("/")
    _posixsubprocess.fork_exec = _fork_exec
    sys.addaudithook(_refuse)
    Worker(channel).serve()


if __name__ == "__main__":
    main()
