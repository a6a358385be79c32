"""Checks that every #include points the way that the layers allow.

Two tables say what is allowed: LAYERS, which layer may include which, and OUTSIDE, which layers may
touch a library of somebody else. Everything under include/, src/ and python/native is read.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

BELOW_ENGINE = {
    "include/tidemark",
    "src/base",
    "src/model",
    "src/pit",
    "src/expression",
    "src/store",
}

# What the dialects of the server share.
DIALECT_BASE = {"include/tidemark", "src/base", "src/model", "src/server/json"}
BELOW_DIALECTS = DIALECT_BASE | {
    "src/rows",
    "src/server/http",
    "src/server/catalog",
    "src/server/rows",
}

# Layer (a folder) -> the layers that it may include; itself always. `*` is one folder: an adapter
# is a layer of its own, so adapters do not include each other, and meet the engine in wiring only;
# so it is with the dialects of the server, which meet in src/server itself. A row may also name
# one file.
# An adapter with a row of its own is an exception that docs/adr explains.
LAYERS: dict[str, set[str]] = {
    "include/tidemark": set(),
    "src/base": {"include/tidemark"},
    "src/model": {"include/tidemark", "src/base"},
    "src/pit": {"include/tidemark", "src/base", "src/model"},
    "src/expression": {"include/tidemark", "src/base", "src/model", "src/pit"},
    # Values of bodies and messages, which both the server and an adapter read.
    "src/rows": {"include/tidemark", "src/base", "src/model"},
    "src/store": BELOW_ENGINE - {"src/store"},
    "src/engine": BELOW_ENGINE,
    "src/adapters/*": BELOW_ENGINE,
    "src/adapters/files": BELOW_ENGINE | {"src/adapters/parquet"},
    "src/adapters/iceberg": BELOW_ENGINE | {"src/adapters/parquet", "src/rows"},
    "src/adapters/messages": BELOW_ENGINE | {"src/rows"},
    "src/adapters/kinesis": BELOW_ENGINE | {"src/rows", "src/adapters/http"},
    # Of the engine only what holds an answer to a lookup: remote stores fill it as the engine does.
    "src/remote": BELOW_ENGINE - {"src/store"} | {"src/engine/online_result.h"},
    "src/wiring": BELOW_ENGINE | {"src/engine", "src/adapters/*", "src/remote"},
    "src/server/json": {"include/tidemark", "src/base", "src/model"},
    "src/server/http": DIALECT_BASE,
    "src/server/catalog": DIALECT_BASE,
    "src/server/rows": DIALECT_BASE | {"src/rows", "src/server/catalog", "src/server/http"},
    "src/server/*": BELOW_DIALECTS,
    "src/server": BELOW_DIALECTS | {"src/server/*"},
    "src/cli": {"include/tidemark", "src/base", "src/server", "src/server/http"},
    "python/native": {"include/tidemark"},
}

# Include prefix -> the layers that may use it (tests may use any).
ARROW_LAYERS = {
    "src/pit",
    "src/expression",
    "src/rows",
    "src/store",
    "src/engine",
    "src/adapters/*",
    "src/remote",
    "src/wiring",
}
SERVER_LAYERS = {"src/server", "src/server/*"}
OUTSIDE: dict[str, set[str]] = {
    "arrow/": ARROW_LAYERS | SERVER_LAYERS | {"src/cli"},
    "parquet/": SERVER_LAYERS | {"src/adapters/*", "src/cli"},
    "boost/": {"src/server/http", "src/adapters/*", "src/remote"},
    "simdjson.h": SERVER_LAYERS | {"src/rows", "src/adapters/messages"},
    "curl/": {"src/adapters/http"},
    "google/protobuf/": {"src/adapters/messages"},
    "nlohmann/": {"src/base"},  # others: base/json.h
    "yaml-cpp/": {"src/model", "src/wiring", "src/server"},
    "fmt/": set(LAYERS) - {"include/tidemark"},
    "xxhash.h": {"src/base"},
    "openssl/": {"src/base", "src/remote"} | SERVER_LAYERS,
    "sqlite3.h": {"src/adapters/sqlite"},
    "lmdb.h": {"src/adapters/lmdb"},
    "librdkafka/": {"src/adapters/kafka"},
    "arrow-adbc/": {"src/adapters/adbc"},
    "dlfcn.h": {"src/adapters/adbc", "src/server"},
    "CLI/": {"src/cli"},
    "nanobind/": {"python/native"},
    "Python.h": {"python/native"},
}
# Slow to compile, so sources only, or headers that end in _internal.h.
NOT_IN_HEADERS = ("nlohmann/", "yaml-cpp/", "CLI/", "boost/", "google/")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
INCLUDE_ROOTS = ("src", "include")
SCANNED = ("include", "src", "python/native")


def layer_of(path: str) -> str | None:
    """The layer that holds `path`, an adapter or dialect by its own folder; None outside all."""
    parts = path.split("/")
    if parts[:2] in (["src", "adapters"], ["src", "server"]) and len(parts) > 3:
        return "/".join(parts[:3])
    folder = "/".join(parts[:2])
    return folder if folder in LAYERS else None


def row_of(layer: str) -> str:
    """The row of LAYERS that is about `layer`."""
    return layer if layer in LAYERS else any_of(layer)


def any_of(layer: str) -> str:
    """`layer` as the tables name it when they mean all adapters, or all dialects."""
    return re.sub(r"^src/(adapters|server)/.*", r"src/\1/*", layer)


def resolve(root: Path, source: str, target: str) -> str | None:
    """The path within `root` of what `source` includes as `target`, or None if it is not there."""
    folders = [Path(source).parent, *(Path(top) for top in INCLUDE_ROOTS)]
    for folder in folders:
        if (root / folder / target).is_file():
            return (root / folder / target).resolve().relative_to(root.resolve()).as_posix()
    return None


def is_test(path: str) -> bool:
    return re.search(r"(_test|_testing|_bench)\.(cc|h)$", path) is not None


def check_inner(source: str, layer: str, target: str) -> str | None:
    """What is wrong with `source`, of `layer`, including the file `target` of this repository."""
    other = layer_of(target)
    if other is None:
        return f"{target} belongs to no layer"
    if re.search(r"_testing\.h$", target) and not is_test(source):
        return f"{target} is support for tests only"
    if other == layer or {other, any_of(other), target} & LAYERS[row_of(layer)]:
        return None
    allowed = ", ".join(sorted(LAYERS[row_of(layer)])) or "only itself and the standard library"
    return f"{layer} may not include {target}; it may include: {allowed}"


def check_outside(source: str, layer: str, target: str) -> str | None:
    """What is wrong with `source`, of `layer`, including the foreign header `target`."""
    if is_test(source):
        return None
    prefix = next(
        (p for p in OUTSIDE if target == p or (p.endswith("/") and target.startswith(p))), None
    )
    if prefix is None:
        if layer == "include/tidemark" and ("/" in target or target.endswith(".h")):
            return (
                f"include/tidemark may not include <{target}>; only the standard library and itself"
            )
        return None
    if not {layer, any_of(layer)} & OUTSIDE[prefix]:
        users = ", ".join(sorted(OUTSIDE[prefix]))
        return f"{layer} may not include <{target}>; {prefix} is for: {users}"
    is_light = target.endswith("_fwd.hpp")
    if (
        prefix in NOT_IN_HEADERS
        and not is_light
        and source.endswith(".h")
        and not source.endswith("_internal.h")
    ):
        return f"<{target}> belongs in a .cc or an _internal.h, not in a header that others include"
    return None


def check_file(root: Path, source: str) -> list[str]:
    """Every finding in one file, as `path:line: message`."""
    layer = layer_of(source)
    if layer is None:
        return [f"{source}:1: in no layer; the table in tools/check/layers.py lists them"]
    findings = []
    for number, line in enumerate((root / source).read_text().splitlines(), start=1):
        match = INCLUDE.match(line)
        if match is None:
            continue
        quoted, target = match.group(1) == '"', match.group(2)
        inner = resolve(root, source, target) if quoted or target.startswith("tidemark/") else None
        if inner is not None:
            finding = check_inner(source, layer, inner)
        elif quoted:
            finding = f'no such file "{target}"; write it from src/ or include/, foreign ones in <>'
        else:
            finding = check_outside(source, layer, target)
        if finding is not None:
            findings.append(f"{source}:{number}: {finding}")
    return findings


def sources(root: Path) -> list[str]:
    found = [p for top in SCANNED for p in (root / top).rglob("*") if p.suffix in {".h", ".cc"}]
    return sorted(p.relative_to(root).as_posix() for p in found)


def main() -> int:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2]
    files = sources(root)
    findings = [finding for source in files for finding in check_file(root, source)]
    print(*findings, sep="\n", end="\n" if findings else "")
    return 1 if findings or not files else 0


if __name__ == "__main__":
    sys.exit(main())
