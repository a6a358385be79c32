"""The package as a whole: cheap to import, its errors and signatures as promised."""

from __future__ import annotations

import inspect
import io
import pickle
import subprocess
import sys

import pytest

import tidemark
from tidemark import errors
from tidemark.feature_store import FeatureStore
from tidemark.historical import RetrievalJob
from tidemark.progress import ProgressBar, render

IMPORT_SECONDS_MAX = 0.2
HEAVY = ["pyarrow", "pandas", "polars", "numpy", "asyncio", "tidemark._native"]


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_import_loads_nothing_heavy() -> None:
    loaded = run(f"import sys, tidemark; print([m for m in {HEAVY!r} if m in sys.modules])")
    assert loaded.strip() == "[]"


def test_import_is_quick() -> None:
    # The least of several runs: what the import itself takes on an idle machine.
    code = "import time; t = time.process_time(); import tidemark; print(time.process_time() - t)"
    assert min(float(run(code)) for _ in range(5)) < IMPORT_SECONDS_MAX


def test_one_exception_for_each_code() -> None:
    assert len(errors.ERRORS) == 15
    for code, kind in errors.ERRORS.items():
        error = errors.make_error(code, "it is wrong", "view v: row 3")
        assert type(error) is kind
        assert isinstance(error, tidemark.TidemarkError)
        assert (error.code, str(error)) == (code, "view v: row 3: it is wrong")
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.message, again.context) == (kind, error.message, error.context)
    assert isinstance(errors.make_error("NEW_CODE", "x"), errors.InternalError)


def test_errors_are_kin_of_builtin_ones() -> None:
    for code, kin in [
        ("INVALID_ARGUMENT", ValueError),
        ("INVALID_DATA", ValueError),
        ("NOT_FOUND", LookupError),
        ("TYPE_MISMATCH", TypeError),
        ("IO", OSError),
        ("UNSUPPORTED", NotImplementedError),
    ]:
        assert issubclass(errors.ERRORS[code], kin)


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("apply", ["objects", "objects_to_delete", "partial"]),
        ("get_historical_features", ["entity_df", "features", "full_feature_names"]),
        ("materialize", ["start_date", "end_date", "feature_views"]),
        ("materialize_incremental", ["end_date", "feature_views"]),
        ("write_to_online_store", ["feature_view_name", "df"]),
        ("get_online_features", ["features", "entity_rows", "full_feature_names"]),
        ("get_feature_view", ["name"]),
    ],
)
def test_signatures_begin_as_feasts(method: str, parameters: list[str]) -> None:
    found = list(inspect.signature(getattr(FeatureStore, method)).parameters)
    assert found[1 : len(parameters) + 1] == parameters


@pytest.mark.parametrize("kind", [FeatureStore, RetrievalJob])
def test_every_method_that_blocks_has_an_async_form(kind: type) -> None:
    plain = {"close", "repo_path", "url", "project", "to_arrow_stream"}
    methods = {name for name in vars(kind) if not name.startswith("_")} - plain - {"report"}
    blocking = {name for name in methods if not name.endswith("_async")}
    assert {f"{name}_async" for name in blocking} == methods - blocking
    for name in blocking:
        twin = getattr(kind, f"{name}_async")
        assert inspect.iscoroutinefunction(twin)
        assert inspect.signature(twin) == inspect.signature(getattr(kind, name))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_silent_outside_of_a_terminal() -> None:
    out = io.StringIO()
    with ProgressBar(out) as bar:
        assert bar.callback is None
    assert out.getvalue() == ""


def test_progress_in_a_terminal_leaves_nothing_behind() -> None:
    out = Terminal()
    with ProgressBar(out) as bar:
        assert bar.callback is not None
        bar.callback("reading stats", 1, 2)
        bar.callback("reading stats", 2, 2)
    shown = out.getvalue()
    assert " 50%" in shown
    assert "100%" in shown
    assert shown.endswith(" \r")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("load", 1, 4, 29), "load [####............]  25%"),
        (("load", 1, 4, 12), "load  25%"),
        (("load", 12345, 0, 80), "load 12,345"),
        (("load", 9, 4, 29), "load [################] 100%"),
    ],
)
def test_progress_lines(arguments: tuple[str, int, int, int], line: str) -> None:
    assert render(*arguments) == line


def test_version() -> None:
    assert tidemark.__version__.count(".") == 2
