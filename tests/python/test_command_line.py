"""The program `tidemark`: the project that `init` makes runs as it is; errors have exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from program import PROGRAM, SDK, run

import tidemark


@pytest.fixture(params=["yaml", "python"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    flags = ["--python"] if request.param == "python" else []
    run("init", "demo", *flags, cwd=tmp_path)
    run("apply", cwd=tmp_path / "demo")
    return tmp_path / "demo"


def readme_commands(project: Path) -> list[list[str]]:
    lines = (project / "README.md").read_text().splitlines()
    commands = [line.split("#")[0].split() for line in lines if line.startswith("    tidemark ")]
    return [command[1:] for command in commands]


def test_every_command_of_the_readme_runs(project: Path) -> None:
    commands = readme_commands(project)
    assert len(commands) >= 7
    for command in commands:
        assert run(*command, cwd=project).stdout or "--out" in command
    assert pq.read_table(project / "training.parquet").num_rows == 40


def test_the_python_of_the_readme_runs(project: Path) -> None:
    lines = (project / "README.md").read_text().split("The same in Python:")[1].splitlines()
    code = "\n".join(line[4:] for line in lines if line.startswith("    "))
    environment = os.environ | {"PYTHONPATH": str(SDK)}
    subprocess.run([sys.executable, "-c", code], cwd=project, env=environment, check=True)


def test_plan_and_apply_of_the_whole_folder(project: Path) -> None:
    assert run("plan", cwd=project).stdout == "no changes\n"
    extra = project / "more.json"
    extra.write_text(json.dumps({"entities": [{"name": "city", "join_keys": ["city_id"]}]}))
    (added,) = json.loads(run("apply", "--output", "json", cwd=project).stdout)
    assert (added["action"], added["type"], added["name"]) == ("add", "entity", "city")
    extra.unlink()
    assert run("plan", "--partial", cwd=project).stdout == "no changes\n"
    assert run("apply", cwd=project).stdout.startswith("- entity city")


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_definitions_in_files_rename(tmp_path: Path, form: str) -> None:
    (tmp_path / "tidemark.yaml").write_text("project: p\n")

    def apply(**view: str) -> str:
        shape = {"entities": ["user"], "fields": [{"name": "n", "type": "int64"}]}
        document = {
            "entities": [{"name": "user", "join_keys": [{"name": "user", "type": "int64"}]}],
            "feature_views": [view | shape],
        }
        # JSON is YAML too.
        (tmp_path / f"definitions.{form}").write_text(json.dumps(document))
        return run("apply", cwd=tmp_path).stdout

    apply(name="scores")
    (tmp_path / "rows.csv").write_text("user,event_timestamp,n\n1,2026-05-01T00:00:00Z,5\n")
    run("ingest", "scores", "rows.csv", cwd=tmp_path)
    assert "feature view points (was scores)" in apply(name="points", renamed_from="scores")
    answer = run("get-online", "-f", "points:n", "user=1", "--output", "json", cwd=tmp_path)
    assert json.loads(answer.stdout) == [{"user": 1, "n": 5}]
    rows = run("sql", "SELECT n FROM points", "--output", "json", cwd=tmp_path)
    assert json.loads(rows.stdout) == [{"n": 5}]


def test_applying_says_nothing_on_stderr(project: Path) -> None:
    assert run("apply", cwd=project).stderr == ""


def test_lists_in_every_format(project: Path) -> None:
    (view,) = json.loads(run("views", "list", "--output", "json", cwd=project).stdout)
    assert (view["name"], view["features"], view["ttl"]) == ("driver_stats", 2, "2d")
    (row,) = csv.DictReader(
        io.StringIO(run("views", "list", "--output", "csv", cwd=project).stdout)
    )
    assert row["name"] == "driver_stats"
    header, rule, first = run("views", "list", cwd=project).stdout.splitlines()
    assert header.index("entities") == rule.index(" ---") + 1 == first.index("driver ")
    fields = json.loads(run("--output", "json", "fields", "list", cwd=project).stdout)
    assert [field["name"] for field in fields] == ["trips_today", "rating"]
    described = json.loads(
        run("fields", "describe", "driver_stats:rating", "--output", "json", cwd=project).stdout
    )
    assert described["type"] == "float64"
    assert "driver_id" in run("entities", "describe", "driver", cwd=project).stdout
    assert "driver_stats" in run("services", "describe", "order_model", cwd=project).stdout


def test_the_store_is_found_from_below(project: Path) -> None:
    assert "driver_stats" in run("views", "list", cwd=project / "data").stdout
    assert "driver_stats" in run("--store", "demo", "views", "list", cwd=project.parent).stdout


def test_online_equals_offline(project: Path) -> None:
    run("materialize-incremental", cwd=project)
    online = json.loads(
        run(
            *("get-online", "-f", "driver_stats:rating", "driver_id=1001", '{"driver_id": 9}'),
            *("--status", "--output", "json"),
            cwd=project,
        ).stdout
    )
    assert online[1] == {"driver_id": 9, "rating": None, "rating__status": "NOT_FOUND"}
    explained = json.loads(
        run(
            *("explain", "driver_stats:rating", "driver_id=1001", "--output", "json"), cwd=project
        ).stdout
    )
    assert explained["value"] == online[0]["rating"] == explained["online"]["value"]


def test_parquet_of_an_online_answer(project: Path) -> None:
    run("materialize-incremental", cwd=project)
    run(
        *("get-online", "--service", "order_model", "driver_id=1001", "--out", "answer.parquet"),
        cwd=project,
    )
    assert pq.read_table(project / "answer.parquet").column_names == [
        "driver_id",
        "trips_today",
        "rating",
    ]


def test_csv_tells_null_from_nothing(project: Path) -> None:
    shown = run(
        *("get-historical", "data/orders.csv", "-f", "driver_stats:rating", "--output", "csv"),
        cwd=project,
    ).stdout
    rows = list(csv.DictReader(io.StringIO(shown)))
    assert len(rows) == 40
    assert {row["rating"] for row in rows if row["driver_id"] == "1006"} == {""}


def test_without_entity_rows_it_gives_the_latest_row_of_every_entity(project: Path) -> None:
    asked = ("get-historical", "-f", "driver_stats:rating", "--output", "csv")
    shown = run(*asked, "--start", "2000-01-01", cwd=project).stdout
    drivers = [row["driver_id"] for row in csv.DictReader(io.StringIO(shown))]
    with (project / "data/driver_stats.csv").open() as file:
        known = {row["driver_id"] for row in csv.DictReader(file)}
    assert drivers == sorted(known)
    shown = run(*asked, "--end", "2000-01-01T00:00:00Z", cwd=project).stdout
    assert shown.splitlines() == ["driver_id,event_timestamp,rating"]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["views", "describe", "driver_stat"], 3, "driver_stats"),
        (["get-historical", "-f", "driver_stats:rating"], 2, "--start"),
        (["get-historical", "data/orders.csv", "-f", "a:b", "--end", "2026-01-01"], 2, "--end"),
        (["get-historical", "data/orders.csv", "-f", "driver_stats:ratin"], 3, "rating"),
        (["get-historical", "data/none.csv", "--service", "order_model"], 3, "none.csv"),
        (["get-historical", "data/orders.csv"], 2, "features"),
        (["get-online", "-f", "driver_stats:rating"], 2, "driver_id="),
        (["get-online", "-f", "driver_stats:rating", "driver_id=x"], 4, "'x'"),
        (["get-online", "-f", "driver_stats:rating", "driver=1"], 3, "driver_id"),
        (["get-online", "-f", "driver_stats:rating", "driver_id"], 2, "driver_id=1001"),
        (["explain", "driver_stats", "driver_id=1"], 2, "view:feature"),
        (["explain", "driver_stats:rating", "driver_id=1", "--at", "noon"], 2, "noon"),
        (["materialize", "2026-01-02", "2026-01-01"], 2, "2026-01-0"),
        (["apply", "none.yaml"], 3, "none.yaml"),
        (["apply", "data/orders.csv"], 2, "orders.csv"),
        (["teardown"], 2, "--yes"),
        (["init", "."], 2, "is there already"),
        (["views"], 2, "subcommand"),
        (["nope"], 2, "nope"),
        (["views", "list", "--output", "xml"], 2, "xml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_errors_go_to_stderr(demo: Path, arguments: list[str], code: int, text: str) -> None:
    done = run(*arguments, cwd=demo, code=code)
    assert text in done.stderr
    assert done.stdout == ""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    run("init", "demo", cwd=folder)
    run("apply", cwd=folder / "demo")
    return folder / "demo"


def test_bad_definition_files(demo: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("x = 1 / 0\n")
    done = run("apply", str(broken), cwd=demo, code=2)
    assert f'"{broken}", line 1' in done.stderr
    unknown = tmp_path / "unknown.yaml"
    unknown.write_text("entitys: []\n")
    done = run("apply", str(unknown), cwd=demo, code=2)
    assert "entitys" in done.stderr
    assert "unknown.yaml" in done.stderr


def test_init_makes_nothing_that_cannot_be_applied(tmp_path: Path) -> None:
    refused = run("init", "shop", "--name", "../x", cwd=tmp_path, code=2)
    assert "--name demo" in refused.stderr or "--name ___x" in refused.stderr
    assert not (tmp_path / "shop").exists()
    assert "cd 'my shop' && " in run("init", "my shop", cwd=tmp_path).stdout
    run("apply", cwd=tmp_path / "my shop")


def test_an_online_answer_goes_into_parquet_or_nowhere(demo: Path) -> None:
    arguments = ("get-online", "-f", "driver_stats:rating", "driver_id=1001", "--out", "answer.csv")
    assert "answer.csv" in run(*arguments, cwd=demo, code=2).stderr
    assert not (demo / "answer.csv").exists()


def test_no_store(tmp_path: Path) -> None:
    done = run("views", "list", cwd=tmp_path, code=3)
    assert "tidemark init" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_closed_pipe_is_quiet(demo: Path) -> None:
    command = f"'{PROGRAM}' get-historical data/orders.csv --service order_model --output csv"
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -n 1"], cwd=demo, capture_output=True, text=True
    )
    assert done.stdout.startswith("order_id,")
    assert done.stderr == ""


def test_help_and_version(tmp_path: Path) -> None:
    assert tidemark.__version__ in run("version", cwd=tmp_path).stdout
    assert tidemark.__version__ in run("--version", cwd=tmp_path).stdout
    assert "materialize-incremental" in run("--help", cwd=tmp_path).stdout
    assert "materialize-incremental" in run(cwd=tmp_path, code=2).stderr


def completed(line: str, script: str) -> list[str]:
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    ask = f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _tidemark"
    show = 'printf "%s\\n" "${COMPREPLY[@]}"'
    shown = subprocess.run(
        ["bash", "-c", f"{script}\n{ask}; {show}"], capture_output=True, text=True, check=True
    )
    return shown.stdout.split()


def test_bash_completion(tmp_path: Path) -> None:
    script = run("completion", "bash", cwd=tmp_path).stdout
    assert completed("tidemark mat", script) == ["materialize", "materialize-incremental"]
    assert completed("tidemark views ", script)[-2:] == ["describe", "list"]
    assert "--features" in completed("tidemark get-online --f", script)
    assert completed("tidemark --output c", script) == ["csv"]


ZSH = """
autoload -Uz compinit; compinit -u -D
source completion.zsh
print -r -- "$_comps[tidemark]"
compadd() { print -r -- "${(@)argv:#--}" }
for line in "$@"; do
  words=("${(@s: :)line}"); CURRENT=$#words; _tidemark
done
"""


def test_zsh_completion(tmp_path: Path) -> None:
    """What compadd is given; zsh takes those that begin as the word does."""
    script = run("completion", "zsh", cwd=tmp_path).stdout
    (tmp_path / "completion.zsh").write_text(script)
    lines = ["tidemark mat", "tidemark --output json views ", "tidemark --output c"]
    shown = subprocess.run(
        ["zsh", "-f", "-c", ZSH, "zsh", *lines],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    function, commands, of_views, formats = map(str.split, shown.stdout.splitlines())
    assert (function, shown.stderr) == (["_tidemark"], "")
    assert {"materialize", "materialize-incremental", "--store"} <= set(commands)
    assert of_views[-2:] == ["describe", "list"]
    assert formats == ["table", "json", "csv", "parquet"]
