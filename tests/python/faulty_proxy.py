"""A proxy between a client and a server that loses, delays and puts off what it is told to."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class FaultyProxy:
    """Listens on a free port of this machine and passes bytes on to a server's port.

    Counts say how many of the next connections or answers are to be spoilt; they go down as it
    happens. An answer is lost when its first byte has come: the request was done by then.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self.open: list[socket.socket] = []
        self.lose_answers = 0
        self.put_off = 0  # requests answered with `put_off_by`, to be sent again at once
        self.put_off_by = "503 Service Unavailable"
        self.is_silent = False  # takes everything and answers nothing
        self.accepted = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _take(self, name: str) -> bool:
        with self._lock:
            left: int = getattr(self, name)
            if left > 0:
                setattr(self, name, left - 1)
            return left > 0

    def _serve(self, client: socket.socket) -> None:
        self.open.append(client)
        if self._take("put_off"):
            client.recv(1 << 16)
            client.sendall(
                f"HTTP/1.1 {self.put_off_by}\r\nRetry-After: 0\r\n"
                "Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
            )
            client.close()
            return
        try:
            server = socket.create_connection(("127.0.0.1", self._port))
        except OSError:  # nobody listens there for now
            cut(client)
            return
        self.open.append(server)
        threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
        with suppress(OSError):
            while data := server.recv(1 << 16):
                if self._take("lose_answers"):
                    break
                if not self.is_silent:
                    client.sendall(data)
        cut(client)
        cut(server)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                if not self.is_silent:
                    server.sendall(data)
        cut(server)

    def reset(self) -> None:
        """Cuts what is connected; others may connect."""
        while self.open:
            cut(self.open.pop())

    def close(self) -> None:
        cut(self._listener)
        self.reset()

    def __enter__(self) -> FaultyProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
