"""Runs clang-tidy over the sources that changed since they last passed, in parallel.

What passed is remembered in .cache/clang-tidy by a hash of the source, of the project headers that
it reaches, of its compile command and of .clang-tidy. Needs build/<preset>/compile_commands.json;
nothing needs to be built. Tests are left out: GoogleTest costs more time than they are worth.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "clang-tidy"
PROGRAM = "clang-tidy-19"
CHECKED = ("src/", "python/native/")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def reached(source: Path, seen: set[Path]) -> set[Path]:
    """`source` and every project header that it includes, directly or not."""
    if source in seen:
        return seen
    seen.add(source)
    for target in INCLUDE.findall(source.read_text()):
        for folder in (source.parent, ROOT / "src", ROOT / "include"):
            if (folder / target).is_file():
                reached((folder / target).resolve(), seen)
                break
    return seen


# Clang's -Wconversion has more in it than GCC's, and some of GCC's warnings are unknown to it.
NOT_CLANG = [
    "-Wno-sign-conversion",
    "-Wno-unknown-warning-option",
    "-Wno-deprecated-declarations",
]


def fingerprint(source: Path, command: list[str]) -> str:
    digest = hashlib.sha256(" ".join(command).encode())
    for path in [ROOT / ".clang-tidy", *sorted(reached(source, set()))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def plain_command(command: str) -> list[str]:
    """A compile command without launcher and without GCC's precompiled header.

    What a source includes itself is a fraction of that header, so clang-tidy is much faster, and a
    source that leans on the header without saying so is found.
    """
    words = shlex.split(command)
    words = words[
        next(i for i, word in enumerate(words) if re.search(r"(\+\+|/cc)(-\d+)?$", word)) :
    ]
    for option in ("-include", "-o"):
        while option in words:
            at = words.index(option)
            del words[at : at + 2]
    kept = [word for word in words if word not in {"-Winvalid-pch", "-fpch-preprocess"}]
    return [*kept, *NOT_CLANG]


def run(source: Path, stamp: Path) -> str:
    """clang-tidy's complaints about `source`, empty when there are none."""
    arguments = [PROGRAM, "--quiet", "-p", str(CACHE), "--warnings-as-errors=*", str(source)]
    result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        stamp.touch()
        return ""
    return result.stdout + result.stderr


def sources(entry: dict[str, str]) -> list[tuple[Path, str]]:
    """The sources that a compile command is for, each with a command of its own.

    A unit of several is a file that includes them.
    """
    unit = Path(entry["file"])
    if unit.parent.name != "units":
        return [(unit, entry["command"])]
    included = [ROOT / "src" / path for path in INCLUDE.findall(unit.read_text())]
    return [(path, entry["command"].replace(str(unit), str(path))) for path in included]


def is_checked(source: Path) -> bool:
    if not source.is_relative_to(ROOT) or source.name.endswith(("_test.cc", "_testing.cc")):
        return False
    return source.relative_to(ROOT).as_posix().startswith(CHECKED)


def main() -> int:
    database = ROOT / "build" / (sys.argv[1] if len(sys.argv) > 1 else "release")
    if shutil.which(PROGRAM) is None:
        sys.exit(f"{PROGRAM} is not installed; it is a package of Debian 12 and Ubuntu 24.04")
    if not (database / "compile_commands.json").is_file():
        sys.exit(f"{database}/compile_commands.json is missing; run cmake --preset {database.name}")
    CACHE.mkdir(parents=True, exist_ok=True)
    pending, entries = [], []
    for entry in json.loads((database / "compile_commands.json").read_text()):
        for source, compiling in sources(entry):
            if not is_checked(source):
                continue
            command = plain_command(compiling)
            entries.append(
                {"file": str(source), "directory": entry["directory"], "arguments": command}
            )
            stamp = CACHE / fingerprint(source, command)
            if not stamp.exists():
                pending.append((source, stamp))
    (CACHE / "compile_commands.json").write_text(json.dumps(entries))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = list(pool.map(lambda item: run(*item), pending))
    print(*filter(None, complaints), sep="\n", end="")
    print(f"{len(pending)} files checked, {sum(map(bool, complaints))} with findings")
    return 1 if any(complaints) else 0


if __name__ == "__main__":
    sys.exit(main())
