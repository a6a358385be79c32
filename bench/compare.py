"""Compares results for equality: the joins' Parquet files, and the online answers.

    python compare.py join REFERENCE OTHER ordered|any|count
    python compare.py answer ANSWER.json WINNERS.json
    python compare.py frame FRAME.parquet DATA_FILE...

`ordered` wants the input's order, `any` takes any order, `count` allows missing rows and other
values and only counts them (for a peer with another rule). `frame` wants the data files, in the
order of their first keys, to hold the frame's rows in its order. Prints one JSON object with
`equal` and, when not, what differs first.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Verdict = dict[str, Any]


def sorted_by_row(table: pa.Table) -> pa.Table:
    """The rows in the order of the entity rows' numbers."""
    return table.take(pc.sort_indices(table["entity_row"])).combine_chunks()


def differing(left: pa.ChunkedArray, right: pa.ChunkedArray) -> int:
    """How many places differ; two nulls are equal."""
    if left.type != right.type and pa.types.is_timestamp(left.type):
        right = right.cast(left.type)
    if left.type != right.type:
        return len(left)
    same = pc.fill_null(pc.equal(left, right), False)
    both_null = pc.and_(pc.is_null(left), pc.is_null(right))
    return len(left) - (pc.sum(pc.or_(same, both_null)).as_py() or 0)


def compare_joins(reference_path: str, other_path: str, mode: str) -> Verdict:
    """Counts lost rows and differing values; `equal` needs none, and the order if asked for."""
    reference = sorted_by_row(pq.read_table(reference_path))
    other = pq.read_table(other_path)
    verdict: Verdict = {"rows": other.num_rows, "codec": codec(other_path)}
    missing = set(reference.column_names) - set(other.column_names)
    if missing:
        return verdict | {"equal": False, "why": f"missing columns {sorted(missing)}"}
    numbers = other["entity_row"].combine_chunks()
    in_order = other.num_rows < 2 or bool(pc.all(pc.less_equal(numbers[:-1], numbers[1:])).as_py())
    other = sorted_by_row(other) if not in_order else other
    kept = reference
    if other.num_rows != reference.num_rows:
        kept = reference.filter(pc.is_in(reference["entity_row"], numbers))
    verdict["lost_rows"] = reference.num_rows - kept.num_rows
    verdict["in_input_order"] = in_order
    if kept.num_rows != other.num_rows:
        return verdict | {"equal": False, "why": "rows repeated or invented"}
    counts = {name: differing(kept[name], other[name]) for name in kept.column_names}
    verdict["differing_values"] = sum(counts.values())
    verdict["values"] = kept.num_rows * len(counts)
    wrong = sorted(name for name, count in counts.items() if count)
    if wrong:
        verdict["why"] = f"values differ in {wrong[:5]}"
    elif verdict["lost_rows"]:
        verdict["why"] = f"{verdict['lost_rows']} rows lost"
    elif mode == "ordered" and not in_order:
        verdict["why"] = "not in the input's order"
    return verdict | {"equal": "why" not in verdict}


def codec(path: str) -> str:
    """The compression of the first feature column."""
    metadata = pq.read_metadata(path)
    return str(metadata.row_group(0).column(metadata.num_columns - 1).compression)


def compare_answers(answer_path: str, winners: list[list[str]]) -> Verdict:
    """Checks an online answer against winners' files, given as [view, path] pairs."""
    with open(answer_path) as file:
        answer: dict[str, list[Any]] = json.load(file)["answer"]
    wanted = pa.table({"key": pa.array(answer["key"], pa.int64())})
    wrong, values = 0, 0
    for view, path in winners:
        table = pq.read_table(path)
        where = pc.index_in(wanted["key"], table["key"].combine_chunks())
        for feature in (name for name in table.column_names if name.startswith("f")):
            expected = table[feature].combine_chunks().take(where.combine_chunks()).to_pylist()
            got = answer.get(f"{view}__{feature}", answer.get(feature, []))
            values += len(expected)
            wrong += sum(a != b for a, b in zip(expected, got, strict=False))
            wrong += abs(len(expected) - len(got))
    verdict: Verdict = {"equal": wrong == 0, "values": values, "differing_values": wrong}
    return verdict if wrong == 0 else verdict | {"why": f"{wrong} of {values} values differ"}


def compare_frame(frame_path: str, file_paths: list[str]) -> Verdict:
    """Checks an ingested frame, column by column so that memory stays small."""

    def first_key(path: str) -> int:
        low: int = pq.read_metadata(path).row_group(0).column(0).statistics.min
        return low

    ordered = sorted(file_paths, key=first_key)
    names = pq.read_schema(frame_path).names
    for name in names:
        expected = pq.read_table(frame_path, columns=[name])[name]
        got = pa.chunked_array(
            [
                chunk
                for path in ordered
                for chunk in pq.read_table(path, columns=[name])[name].chunks
            ]
        )
        if len(got) != len(expected):
            return {"equal": False, "why": f"{len(got)} rows instead of {len(expected)}"}
        if count := differing(expected, got):
            return {"equal": False, "why": f"column {name}: {count} values differ"}
    return {"equal": True, "columns": len(names)}


if __name__ == "__main__":
    if sys.argv[1] == "join":
        print(json.dumps(compare_joins(*sys.argv[2:5])))
    elif sys.argv[1] == "frame":
        print(json.dumps(compare_frame(sys.argv[2], sys.argv[3:])))
    else:
        print(json.dumps(compare_answers(sys.argv[2], json.loads(sys.argv[3]))))
