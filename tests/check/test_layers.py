"""The layer check must fail on an include that points the wrong way, and say what is allowed."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[2] / "tools" / "check" / "layers.py"

GOOD = {
    "include/tidemark/error.h": "#include <string>\n",
    "src/base/clock.h": '#include "tidemark/error.h"\n',
    "src/model/type.h": '#include "base/clock.h"\n#include <tidemark/error.h>\n',
    "src/base/json.h": "#include <string>\n",
    "src/base/json.cc": "#include <nlohmann/json.hpp>\n",
    "src/pit/rule.h": '#include <arrow/api.h>\n#include "model/type.h"\n',
    "src/store/online.h": '#include "pit/rule.h"\n',
    "src/store/a_testing.h": '#include "store/online.h"\n',
    "src/engine/apply.cc": '#include "store/online.h"\n',
    "src/adapters/lmdb/env.cc": '#include <lmdb.h>\n#include "store/online.h"\n#include "env.h"\n',
    "src/adapters/lmdb/env.h": '#include "base/clock.h"\n',
    "src/adapters/lmdb/env_test.cc": '#include <parquet/api.h>\n#include "store/a_testing.h"\n',
    "src/adapters/sqlite/db.h": "#include <sqlite3.h>\n",
    "src/adapters/parquet/reader.h": "#include <parquet/api.h>\n",
    "src/adapters/files/source.cc": '#include "adapters/parquet/reader.h"\n',
    "src/adapters/iceberg/table.cc": '#include "adapters/parquet/reader.h"\n',
    "src/wiring/open.cc": '#include "adapters/lmdb/env.h"\n#include "engine/apply.cc"\n',
    "src/cli/main.cc": '#include <CLI/CLI.hpp>\n#include "tidemark/error.h"\n',
    "python/native/module.cc": '#include <nanobind/nanobind.h>\n#include "tidemark/error.h"\n',
}

WRONG = [
    ("include/tidemark/error.h", '#include "base/clock.h"', "only itself and the standard library"),
    ("include/tidemark/error.h", "#include <arrow/api.h>", "<arrow/api.h>"),
    ("include/tidemark/error.h", "#include <sys/stat.h>", "only the standard library"),
    ("src/base/clock.h", '#include "model/type.h"', "it may include: include/tidemark"),
    ("src/base/clock.h", "#include <arrow/api.h>", "arrow/ is for: "),
    ("src/model/type.h", '#include "pit/rule.h"', "src/model may not include src/pit/rule.h"),
    ("src/base/json.h", "#include <nlohmann/json.hpp>", "not in a header"),
    ("src/model/type.h", "#include <nlohmann/json.hpp>", "nlohmann/ is for: src/base"),
    ("src/pit/rule.h", '#include "store/online.h"', "src/pit may not include"),
    ("src/store/online.h", '#include "engine/apply.cc"', "src/store may not include"),
    ("src/engine/apply.cc", '#include "adapters/lmdb/env.h"', "src/engine may not include"),
    ("src/engine/apply.cc", "#include <sqlite3.h>", "sqlite3.h is for: src/adapters/sqlite"),
    ("src/engine/apply.cc", '#include "store/a_testing.h"', "for tests only"),
    ("src/adapters/lmdb/env.cc", '#include "engine/apply.cc"', "may not include src/engine"),
    ("src/adapters/lmdb/env.cc", '#include "adapters/sqlite/db.h"', "may not include"),
    (
        "src/adapters/lmdb/env.cc",
        '#include "../sqlite/db.h"',
        "may not include src/adapters/sqlite",
    ),
    ("src/adapters/lmdb/env.cc", '#include "adapters/parquet/reader.h"', "may not include"),
    ("src/adapters/parquet/reader.h", '#include "adapters/files/source.cc"', "may not include"),
    ("src/adapters/iceberg/table.cc", '#include "adapters/files/source.cc"', "may not include"),
    ("src/adapters/files/source.cc", '#include "adapters/iceberg/table.cc"', "may not include"),
    ("src/adapters/files/source.cc", '#include "engine/apply.cc"', "may not include src/engine"),
    ("src/adapters/files/source.cc", "#include <sqlite3.h>", "sqlite3.h is for: "),
    ("src/adapters/lmdb/env_test.cc", '#include "engine/apply.cc"', "may not include src/engine"),
    ("src/cli/main.cc", '#include "wiring/open.cc"', "src/cli may not include"),
    ("python/native/module.cc", '  #  include "base/clock.h"', "python/native may not include"),
    ("src/base/clock.h", '#include "base/gone.h"', "no such file"),
]


def run(root: Path, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return subprocess.run(
        [sys.executable, CHECK, root], capture_output=True, text=True, check=False
    )


def test_allowed_arrows_pass(tmp_path: Path) -> None:
    result = run(tmp_path, GOOD)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize(("path", "include", "message"), WRONG)
def test_wrong_arrow_fails_with_its_line(
    tmp_path: Path, path: str, include: str, message: str
) -> None:
    line = GOOD[path].count("\n") + 1
    result = run(tmp_path, GOOD | {path: GOOD[path] + include + "\n"})
    assert result.returncode == 1
    assert len(result.stdout.splitlines()) == 1, result.stdout
    assert result.stdout.startswith(f"{path}:{line}: ")
    assert message in result.stdout


def test_file_outside_every_layer_fails(tmp_path: Path) -> None:
    result = run(tmp_path, GOOD | {"src/adapters/loose.h": "", "src/extra/new.h": ""})
    assert result.returncode == 1
    assert {line.split(":")[0] for line in result.stdout.splitlines()} == {
        "src/adapters/loose.h",
        "src/extra/new.h",
    }


def test_an_empty_tree_is_a_failure(tmp_path: Path) -> None:
    assert run(tmp_path, {}).returncode == 1


def test_this_repository_passes() -> None:
    result = subprocess.run([sys.executable, CHECK], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")
