"""Goal: every command over feature tables does what the SDK does, prints it as a table or JSON, and
says what is wrong on stderr, with the exit code of its kind.
"""

from __future__ import annotations

import io
import json
import os
import pty
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program import PROGRAM, run

SCHEMA = {
    "name": "clicks",
    "entities": ["user_id"],
    "schema": [
        {"name": "user_id", "type": "int64"},
        {"name": "event_timestamp", "type": "timestamp"},
        {"name": "n", "type": "int64"},
    ],
}
ROWS = "user_id,event_timestamp,n\n1,2026-01-01T00:00:00Z,10\n2,2026-01-01T00:00:00Z,20\n"


def told(*arguments: str, cwd: Path) -> Any:
    return json.loads(run(*arguments, "--output", "json", cwd=cwd).stdout)


def online(cwd: Path, user: int) -> int | None:
    (row,) = told("get-online", "-f", "clicks:n", f"user_id={user}", cwd=cwd)
    return row["n"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with a table and no rows, and files beside it."""
    made = tmp_path / "store"
    made.mkdir()
    (made / "schema.json").write_text(json.dumps(SCHEMA))
    (made / "rows.csv").write_text(ROWS)
    (made / "later.csv").write_text("user_id,event_timestamp,n\n1,2026-01-02T00:00:00Z,11\n")
    (made / "bad.csv").write_text(ROWS + ",2026-01-01T00:00:00Z,30\n")
    run("create-table", "schema.json", cwd=made)
    return made


def test_a_table_from_its_schema_to_its_end(folder: Path) -> None:
    (report,) = told("ingest", "clicks", "rows.csv", cwd=folder)
    token = report.pop("token")
    assert token.startswith("log:")
    assert report == {
        "view": "clicks",
        "rows": 2,
        "online_rows": 2,
        "ahead": 0,
        "rejected": 0,
        "repeated": False,
    }
    assert (online(folder, 1), online(folder, 2)) == (10, 20)
    assert told("snapshots", "clicks", cwd=folder) == []

    (flushed,) = told("flush", cwd=folder)
    assert (flushed["table"], flushed["rows"]) == ("clicks", 2)
    (snapshot,) = told("snapshots", "feature_store.clicks", cwd=folder)
    assert snapshot["id"] == flushed["snapshot"]
    assert (snapshot["operation"], snapshot["rows"], snapshot["parent"]) == ("append", 2, 0)
    assert told("flush", "clicks", cwd=folder) == []

    (pushed,) = told("push", "clicks", "later.csv", "--to", "both", cwd=folder)
    assert (pushed["rows"], online(folder, 1)) == (1, 11)
    (deleted,) = told("delete", "clicks", "user_id=2", '{"user_id": 3}', cwd=folder)
    assert (deleted["rows"], online(folder, 2)) == (2, None)
    shown = run("flush", cwd=folder).stdout.splitlines()
    assert shown[0].split() == ["table", "rows", "snapshot"]
    assert shown[2].split()[:2] == ["clicks", "3"]
    assert len(told("snapshots", "clicks", cwd=folder)) == 2

    run("drop", "clicks", "--yes", cwd=folder)
    assert told("views", "list", cwd=folder) == []
    assert list((folder / ".tidemark/tables").iterdir()) == []
    assert "clicks" in run("snapshots", "clicks", cwd=folder, code=3).stderr


def test_a_deletion_as_of_a_time(folder: Path) -> None:
    run("ingest", "clicks", "rows.csv", cwd=folder)
    run("ingest", "clicks", "later.csv", cwd=folder)
    run("delete", "clicks", "user_id=1", "--at", "2026-01-01T12:00:00Z", cwd=folder)
    run("delete", "clicks", "user_id=2", "--at", "2026-01-01T12:00:00Z", cwd=folder)
    assert (online(folder, 1), online(folder, 2)) == (11, None)


def test_where_rows_go(folder: Path) -> None:
    (report,) = told("ingest", "clicks", "rows.csv", "--to", "offline", cwd=folder)
    assert (report["rows"], report["online_rows"], online(folder, 1)) == (2, 0, None)
    told("push", "clicks", "later.csv", cwd=folder)  # online only, as Feast pushes
    assert online(folder, 1) == 11
    assert [each["rows"] for each in told("flush", cwd=folder)] == [2]


def test_a_batch_that_is_sent_again(folder: Path) -> None:
    arguments = ("ingest", "clicks", "rows.csv", "--idempotency-key", "monday")
    (first,) = told(*arguments, cwd=folder)
    (again,) = told(*arguments, cwd=folder)
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert again["token"] == first["token"]
    assert [each["rows"] for each in told("flush", cwd=folder)] == [2]


def test_bad_rows(folder: Path) -> None:
    failed = run("ingest", "clicks", "bad.csv", cwd=folder, code=4)
    assert "user_id" in failed.stderr
    assert "row" in failed.stderr
    assert failed.stdout == ""
    assert told("flush", cwd=folder) == []
    done = run("ingest", "clicks", "bad.csv", "--skip-bad-rows", "--output", "json", cwd=folder)
    (report,) = json.loads(done.stdout)
    assert (report["rows"], report["rejected"]) == (2, 1)
    assert "left out: " in done.stderr
    (tried,) = told("ingest", "clicks", "later.csv", "--dry-run", cwd=folder)
    assert (tried["rows"], online(folder, 1)) == (1, 10)


def test_a_query_from_a_file_from_stdin_and_out_of_time(folder: Path) -> None:
    assert "is a folder" in run("sql", "-f", ".", cwd=folder, code=2).stderr
    command = [PROGRAM, "sql", "-f", "-", "--output", "csv"]
    asked = "select 1 as a, 2 as a"
    done = subprocess.run(command, cwd=folder, input=asked, capture_output=True, text=True)
    assert done.stdout == "a,a_1\n1,2\n", done.stderr
    endless = "select count(*) from range(100000000) a, range(100000000) b"
    late = run("sql", endless, "--time-limit", "100ms", cwd=folder, code=5)
    assert "time limit" in late.stderr


def test_databases(folder: Path) -> None:
    assert told("databases", "list", cwd=folder) == [{"name": "feature_store"}]
    visits = folder / "visits.json"
    visits.write_text(json.dumps(SCHEMA | {"name": "visits"}))
    refused = run("create-table", "visits.json", "--database", "shop", cwd=folder, code=3)
    assert "tidemark databases create shop" in refused.stderr
    run("databases", "create", "shop", cwd=folder)
    run("create-table", "visits.json", "--database", "shop", cwd=folder)
    assert run("databases", "list", cwd=folder).stdout.split() == [
        "name",
        "-------------",
        "feature_store",
        "shop",
    ]
    (report,) = told("ingest", "shop.visits", "rows.csv", cwd=folder)
    assert report["rows"] == 2
    assert "visits" in run("databases", "drop", "shop", cwd=folder, code=2).stderr
    wrong = run("ingest", "feature_store.visits", "rows.csv", cwd=folder, code=3)
    assert "lies in database 'shop'" in wrong.stderr
    run("delete", "shop.visits", "user_id=1", cwd=folder)
    run("drop", "shop.visits", "--yes", cwd=folder)
    run("databases", "drop", "shop", cwd=folder)
    assert told("databases", "list", cwd=folder) == [{"name": "feature_store"}]


def test_relocate(folder: Path, tmp_path: Path) -> None:
    run("ingest", "clicks", "rows.csv", cwd=folder)
    run("flush", cwd=folder)
    run("ingest", "clicks", "later.csv", cwd=folder)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    refused = run("snapshots", "clicks", cwd=copy, code=2)
    assert "tidemark relocate" in refused.stderr
    (moved,) = told("relocate", cwd=copy)
    assert (moved["table"], moved["snapshots"]) == ("feature_store.clicks", 1)
    assert moved["from"].startswith(f"{folder}/.tidemark/tables/")
    assert moved["to"].startswith(f"{copy}/.tidemark/tables/")
    assert told("relocate", cwd=copy) == []
    assert [each["rows"] for each in told("flush", cwd=copy)] == [1]
    assert [each["rows"] for each in told("snapshots", "clicks", cwd=copy)] == [2, 3]
    assert [each["rows"] for each in told("snapshots", "clicks", cwd=folder)] == [2]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["create-table", "none.json"], 3, "none.json"),
        (["create-table", "rows.csv"], 2, "JSON"),
        (["create-table", "schema.json"], 2, "already"),
        (["ingest", "click", "rows.csv"], 3, "clicks"),
        (["ingest", "clicks", "none.csv"], 3, "none.csv"),
        (["ingest", "clicks", "rows.csv", "--to", "nowhere"], 2, "nowhere"),
        (["ingest", "clicks"], 2, "file"),
        (["push", "nobody", "rows.csv"], 3, "nobody"),
        (["delete", "clicks", "user_id=x"], 4, "'x'"),
        (["delete", "clicks", "user=1"], 3, "user_id"),
        (["delete", "clicks", "user_id=1", "--at", "noon"], 2, "noon"),
        (["drop", "click"], 3, "clicks"),
        (["flush", "click"], 3, "clicks"),
        (["snapshots", "click"], 3, "clicks"),
        (["databases"], 2, "subcommand"),
        (["databases", "drop", "none"], 3, "none"),
        (["databases", "drop", "feature_store"], 2, "own"),
        (["databases", "create", "a b"], 2, "a b"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_errors(folder: Path, arguments: list[str], code: int, text: str) -> None:
    done = run(*arguments, cwd=folder, code=code)
    assert text in done.stderr
    assert done.stdout == ""


def test_a_view_over_files_is_no_table(folder: Path) -> None:
    (folder / "view.yaml").write_text(
        "feature_views:\n  - name: files\n    entities: [user_id]\n"
        "    source: {path: rows.csv, timestamp_field: event_timestamp}\n"
    )
    run("apply", "view.yaml", cwd=folder)
    for arguments, code in (
        (["drop", "files"], 2),
        (["flush", "files"], 2),
        (["snapshots", "files"], 2),
        (["snapshots", "feature_store.files"], 2),
    ):
        assert "batch source" in run(*arguments, cwd=folder, code=code).stderr
    assert "single file" in run("ingest", "files", "later.csv", cwd=folder, code=2).stderr


def test_no_store(tmp_path: Path) -> None:
    for arguments in (["flush"], ["relocate"], ["databases", "list"], ["snapshots", "clicks"]):
        assert "tidemark init" in run(*arguments, cwd=tmp_path, code=3).stderr
    assert list(tmp_path.iterdir()) == []


def completed(line: str, script: str) -> list[str]:
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    ask = f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _tidemark"
    show = 'printf "%s\\n" "${COMPREPLY[@]}"'
    shown = subprocess.run(
        ["bash", "-c", f"{script}\n{ask}; {show}"], capture_output=True, text=True, check=True
    )
    return shown.stdout.split()


def test_completion_knows_the_commands(tmp_path: Path) -> None:
    script = run("completion", "bash", cwd=tmp_path).stdout
    for command in (
        *("create-table", "ingest", "push", "delete", "drop", "flush", "snapshots"),
        *("relocate", "databases"),
    ):
        assert command in completed(f"tidemark {command[:-1]}", script)
        assert f" {command} " in run("--help", cwd=tmp_path).stdout
    assert completed("tidemark databases ", script)[-3:] == ["create", "drop", "list"]
    assert "--skip-bad-rows" in completed("tidemark ingest --s", script)
    assert completed("tidemark create-table --d", script) == ["--database"]


def test_every_result_can_be_had_as_parquet(tmp_path: Path) -> None:
    (tmp_path / "clicks.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "rows.csv").write_text(ROWS)
    run("create-table", "clicks.json", cwd=tmp_path)

    def parquet(*arguments: str) -> pa.Table:
        program = subprocess.run(
            [PROGRAM, *arguments, "--output", "parquet"], cwd=tmp_path, capture_output=True
        )
        assert program.returncode == 0, program.stderr
        return pq.read_table(io.BytesIO(program.stdout))

    assert parquet("ingest", "clicks", "rows.csv")["rows"].to_pylist() == [ROWS.count("\n") - 1]
    run("flush", "clicks", cwd=tmp_path)
    assert parquet("snapshots", "clicks")["id"].type == pa.int64()
    assert parquet("views", "describe", "clicks").num_rows == 1
    query = "SELECT * FROM feature_store.clicks"
    rows = parquet("sql", query)
    assert rows.schema.field("event_timestamp").type == pa.timestamp("us", "UTC")
    assert rows.num_rows == ROWS.count("\n") - 1
    assert parquet("sql", query, "--limit", "1").num_rows == 1
    looked_up = parquet("get-online", "-f", "clicks", "user_id=1")
    assert looked_up.num_rows == 1


def test_parquet_is_not_for_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "clicks.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "rows.csv").write_text(ROWS)
    run("create-table", "clicks.json", cwd=tmp_path)
    main, side = pty.openpty()
    command = [PROGRAM, "ingest", "clicks", "rows.csv", "--output", "parquet"]
    program = subprocess.run(command, cwd=tmp_path, stdout=side, stderr=subprocess.PIPE, text=True)
    os.close(side)
    os.close(main)
    assert program.returncode == 2
    assert "send it into a file, with > FILE.parquet" in program.stderr
    assert online(tmp_path, 1) is None


def test_explain_is_about_now_if_no_time_is_given(tmp_path: Path) -> None:
    (tmp_path / "clicks.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "rows.csv").write_text(ROWS)
    run("create-table", "clicks.json", cwd=tmp_path)
    run("ingest", "clicks", "rows.csv", cwd=tmp_path)
    explained = told("explain", "clicks:n", "user_id=2", cwd=tmp_path)
    assert (explained["value"], explained["status"]) == (20, "PRESENT")
    assert explained["at"] > "2026-01-01"
