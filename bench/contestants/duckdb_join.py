"""The point-in-time join in DuckDB, Parquet to Parquet, in three formulations.

ASOF JOIN has one inequality, so ties by created time need one ordered value of both times: a
128-bit integer was the fastest correct one (before row values, row_number and a removal of the
losers of ties). ttl is checked after the match.

`asof`      that join, as a user would write it.
`filtered`  the same, with the views cut by hand to the keys that the entity rows have.
`argmax`    no ASOF: a hash join, arg_max of the row's number in its file, and a second read of the
            winners. Fast while a key has few rows.
"""

from __future__ import annotations

from typing import Any

import duckdb
from timing import Job, Report, Stopwatch, contest

SHIFT = 9_223_372_036_854_775_808  # 2^63: event time above, created time below
View = dict[str, Any]


def fresh(row: str, view: View) -> str:
    """The ttl's condition on a matched row; its edge counts as fresh."""
    if view["ttl_us"] == 0:
        return "true"
    ttl = f"INTERVAL {view['ttl_us']} MICROSECONDS"
    return f"{row}.event_timestamp >= e.event_timestamp - {ttl}"


def asof_join(view: View, entities: str, filtered: bool) -> tuple[list[str], str]:
    """The selected columns and the join of one view, by ASOF."""
    name = view["name"]
    keys = f"WHERE key IN (SELECT key FROM {entities})" if filtered else ""
    order = f"epoch_us(event_timestamp)::HUGEINT * {SHIFT} + epoch_us(created)"
    source = f"(SELECT *, {order} AS place FROM read_parquet('{view['path']}') {keys})"
    until = f"epoch_us(e.event_timestamp)::HUGEINT * {SHIFT} + {SHIFT - 1}"
    columns = [
        f"CASE WHEN {fresh(name, view)} THEN {name}.{f} END AS {name}__{f}"
        for f in view["features"]
    ]
    join = f"ASOF LEFT JOIN {source} {name} ON e.key = {name}.key AND {until} >= {name}.place"
    return columns, join


def argmax_join(view: View, entities: str) -> tuple[list[str], str]:
    """The selected columns and the join of one view, by arg_max."""
    name = view["name"]
    source = f"read_parquet('{view['path']}', file_row_number=true)"
    order = f"epoch_us(v.event_timestamp)::HUGEINT * {SHIFT} + epoch_us(v.created)"
    winners = f"""
        SELECT e.entity_row, arg_max(v.file_row_number, {order}) AS file_row_number,
               max(v.event_timestamp) AS latest, any_value(e.event_timestamp) AS asked
        FROM {entities} e
        JOIN (SELECT key, event_timestamp, created, file_row_number FROM {source}) v
        ON e.key = v.key AND e.event_timestamp >= v.event_timestamp GROUP BY 1"""
    if view["ttl_us"]:
        winners += f" HAVING latest >= asked - INTERVAL {view['ttl_us']} MICROSECONDS"
    features = ", ".join(view["features"])
    rows = f"SELECT entity_row, {features} FROM {source} JOIN ({winners}) USING (file_row_number)"
    columns = [f"{name}.{f} AS {name}__{f}" for f in view["features"]]
    return columns, f"LEFT JOIN ({rows}) {name} ON {name}.entity_row = e.entity_row"


def query(job: Job) -> str:
    """The whole statement."""
    entities = f"read_parquet('{job['entity_path']}')"
    columns, joins = ["e.*"], []
    for view in job["views"]:
        if job["variant"] == "argmax":
            more, join = argmax_join(view, entities)
        else:
            more, join = asof_join(view, entities, job["variant"] == "filtered")
        columns += more
        joins.append(join)
    selected = f"SELECT {', '.join(columns)} FROM {entities} e {' '.join(joins)}"
    return f"COPY ({selected}) TO '{job['out_path']}' (FORMAT parquet, COMPRESSION snappy)"


def work(job: Job, stopwatch: Stopwatch) -> Report:
    """Times the statement; the order of the rows is left free, which is faster."""
    connection = duckdb.connect()
    connection.execute(f"SET threads = {job['threads']}")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET TimeZone = 'UTC'")
    with stopwatch.timed():
        connection.execute(query(job))
    return {"versions": {"duckdb": duckdb.__version__}}


if __name__ == "__main__":
    contest(work)
