"""A PostgreSQL of our own for a benchmark: on a free loopback port, gone with its folder."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "shared_buffers": "1GB",
    "autovacuum": "off",
    "max_wal_size": "8GB",
}


def run(user: str | None, program: str, *arguments: str) -> None:
    """One of the server's programs, where Debian keeps them."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    command = [str(found[-1]) if found else program, *arguments]
    subprocess.run(command, check=True, user=user, cwd="/", stdout=subprocess.DEVNULL)


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Its URI. It refuses to run as root, and then runs as its own user."""
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="tidemark-bench-postgresql-"))
    if user is not None:
        owner = pwd.getpwnam(user)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    data = str(folder / "data")
    options = " ".join(f"-c {name}='{value}'" for name, value in SETTINGS.items())
    try:
        run(user, "initdb", "-D", data, "--username=bench", "--auth=trust", "--no-sync")
        run(
            user,
            "pg_ctl",
            "-D",
            data,
            "-l",
            str(folder / "log"),
            "-o",
            f"-c port={port} {options}",
            "-w",
            "start",
        )
        try:
            yield f"postgresql://bench@127.0.0.1:{port}/postgres"
        finally:
            run(user, "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
