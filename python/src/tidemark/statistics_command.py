"""What `tidemark statistics` asks the SDK: `python -m tidemark.statistics_command REQUEST`.

The request is JSON: "store" (a folder) or "url", "project", "rows" (one name for statistics, two to
compare), "columns". A name that ends as files do is that of a file, any other that of a view. What
is printed is JSON too: the statistics, or {"error": {"code", "message"}}.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tidemark.errors import InvalidDataError, NotFoundError, TidemarkError
from tidemark.feature_store import FeatureStore
from tidemark.statistics import StoreStatistics

if TYPE_CHECKING:
    import pyarrow as pa


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """The statistics of one set of rows, or the comparison of two."""
    names: list[str] = request["rows"]
    columns = request["columns"] or None
    asked: StoreStatistics = StoreStatistics()  # rows of files need no store
    if not all(_is_file(name) for name in names):
        asked = FeatureStore(
            request.get("store"), url=request.get("url"), project=request["project"], create=False
        )
    rows = [_read(name) if _is_file(name) else name for name in names]
    if len(rows) == 1:
        found = asked.statistics(rows[0], columns).to_dict()
        return found | {"source": names[0]}
    compared = asked.compare(rows[0], rows[1], columns).to_dict()
    for side, name in zip(("reference", "current"), names, strict=True):
        compared[side]["source"] = name
    return compared


def _is_file(name: str) -> bool:
    return name.endswith((".parquet", ".csv"))


def _read(path: str) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv, parquet

    try:
        return parquet.read_table(path) if path.endswith(".parquet") else csv.read_csv(path)
    except FileNotFoundError:
        raise NotFoundError(f"there is no file {path}") from None
    except (OSError, pa.ArrowException) as error:
        raise InvalidDataError(f"it cannot be read: {error}", f"file {path}") from None


def _plain(value: Any) -> Any:
    """The same with text in the place of numbers that JSON has not."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def main(arguments: Sequence[str]) -> int:
    try:
        made = answer(json.loads(arguments[0]))
    except TidemarkError as error:
        made = {"error": {"code": error.code, "message": str(error)}}
    print(json.dumps(_plain(made), ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
