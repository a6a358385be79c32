"""DuckDB with its Iceberg extension from the wheels, as it would lie in an extension folder."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import duckdb


def connect(extensions: Path) -> duckdb.DuckDBPyConnection:
    """A connection that has the extension loaded; `extensions` is an empty folder for it."""
    version = f"v{duckdb.__version__}"
    installed = extensions / version / "linux_amd64"
    installed.mkdir(parents=True)
    for name in ("avro", "iceberg"):
        spec = importlib.util.find_spec(f"duckdb_extension_{name}")
        assert spec is not None
        assert spec.origin is not None
        file = f"{name}.duckdb_extension"
        (installed / file).symlink_to(Path(spec.origin).parent / "extensions" / version / file)
    connection = duckdb.connect(config={"extension_directory": str(extensions)})
    connection.execute("LOAD iceberg")
    connection.execute("SET TimeZone = 'UTC'")
    return connection
