"""A PostgreSQL server for tests: its data in a folder of its own, on a free port."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as postgresql
import pyarrow as pa
from free_ports import free_ports

PASSWORD = "t1de-p@ss/w0rd"
PASSWORD_IN_URI = "t1de-p%40ss%2Fw0rd"


def _binaries() -> Path:
    """Where Debian keeps the server's programs: not on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    assert initdb is not None, "install the Debian package postgresql (tools/setup does)"
    return Path(initdb).parent


class PostgreSQLServer:
    """Runs as the user postgres if the tests run as root, as whom it refuses to."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tidemark-postgresql-"))
        (self.port,) = free_ports(1)
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        arguments = ["--auth=scram-sha-256", "--username=tide", f"--pwfile={secret}", "--no-sync"]
        self._run("initdb", "-D", str(self.data), *arguments, "--encoding=UTF8", "--locale=C")
        self.start()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def uri(self) -> str:
        return f"postgresql://tide:{PASSWORD_IN_URI}@127.0.0.1:{self.port}/postgres"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(_binaries() / program), *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, user=self._user, cwd="/", check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    def start(self) -> None:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "log_statement": "all",
            "timezone": "America/New_York",
            "max_connections": 30,
        }
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        self._run("pg_ctl", "-D", str(self.data), "-l", str(self.log), "-o", options, "-w", "start")

    @property
    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split("\n")[0])

    def stop(self) -> None:
        if (self.data / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", str(self.data), "-m", "immediate", "-w", "stop")

    def kill(self) -> None:
        """Without a word to those who are connected."""
        os.kill(self.pid, signal.SIGQUIT)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    @contextmanager
    def connection(self) -> Iterator[Any]:
        with postgresql.connect(self.uri, autocommit=True) as connection:
            yield connection

    def run(self, *statements: str) -> None:
        with self.connection() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with self.connection() as connection, connection.cursor() as cursor:
            cursor.execute(query)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def put(self, table: str, rows: pa.Table, mode: str = "replace") -> None:
        with self.connection() as connection, connection.cursor() as cursor:
            cursor.adbc_ingest(table, rows, mode=mode)

    def statements(self, containing: str) -> Sequence[str]:
        """What it was asked to do, as its log has it."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if containing in line]
