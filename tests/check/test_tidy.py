"""The tidy check must measure functions rightly and find each thing that it forbids."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools" / "check"

LONG_BODY = "  f();\n" * 70
CPP = "// For a test.\n"
PYTHON = '"""For a test."""\n'

FINE = {
    "src/fine.cc": CPP
    + f"namespace a {{\nclass B {{\n  int x() {{ return 1; }}\n{LONG_BODY}}};\n}}\n",
    "src/literal.cc": CPP
    + 'auto s = R"({ ( )" "{"; // {\nchar c = \'{\';\nint F() { return 1; }\n',
    "src/lambda.cc": CPP + "int F() {\n  return [] { return 1; }();\n}\n" * 40,
    "include/fine.h": CPP + "#pragma once\n",
    "tools/fine.sh": "#!/bin/bash\n# For a test.\n",
    "python/fine.py": PYTHON + "def f():\n" + "    f()\n" * 69,
}

WRONG = [
    ("src/a.cc", CPP + f"namespace {{\nint F(int a) {{\n{LONG_BODY}}}\n}}\n", ":3: F has 72 lines"),
    (
        "src/a.cc",
        CPP + f"struct A {{\n  A() : b_(1) {{\n{LONG_BODY}}}\n}};\n",
        ":3: A has 72 lines",
    ),
    ("src/a_test.cc", CPP + f"TEST(A, B) {{\n{LONG_BODY}}}\n", "A.B has 72 lines"),
    ("src/a.cc", CPP + "int x;\n" * 1000, "1001 lines"),
    ("src/a.cc", "int x;\n", "open with a comment"),
    ("src/a.h", CPP, "#pragma once"),
    ("src/a.cc", CPP + "int x;" + " " * 110 + "int y;\n", "122 columns"),
    ("src/a.cc", CPP + "// TO" + "DO: more\n", "do it"),
    ("src/a.cc", CPP + "int\tx;\n", "tab"),
    ("src/a.cc", CPP + "int x; \n", "space at the end"),
    ("src/a.cc", CPP + 'auto p = "/ho' + 'me/someone/x";\n', "one machine"),
    ("src/string_utils.cc", CPP, "says nothing"),
    ("src/common/a.cc", CPP, "says nothing"),
    ("python/a.py", PYTHON + "def f():\n" + "    f()\n" * 70, "f has 71 lines"),
    ("python/a.py", "x = 1\n", "open with a comment"),
    ("tools/a", "#!/bin/bash\nls\n", "open with a comment"),
    ("docs/a.md", "# A \n", "space at the end"),
    ("tools/check/exceptions.txt", "src/fine.cc it was once long\n", "take it off"),
    ("tools/check/exceptions.txt", "src/fine.cc\n", "without a reason"),
]


def run(root: Path, check: str, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    command = [sys.executable, TOOLS / check, root]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_tidy_files_pass(tmp_path: Path) -> None:
    result = run(tmp_path, "tidy.py", FINE)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize(("path", "text", "message"), WRONG)
def test_untidy_file_is_found(tmp_path: Path, path: str, text: str, message: str) -> None:
    result = run(tmp_path, "tidy.py", FINE | {path: text})
    assert result.returncode == 1
    assert all(line.startswith(f"{path}:") for line in result.stdout.splitlines()), result.stdout
    assert message in result.stdout


def test_an_exception_with_a_reason_is_allowed(tmp_path: Path) -> None:
    files = {
        "src/a.cc": CPP + f"int F() {{\n{LONG_BODY}}}\n",
        "tools/check/exceptions.txt": "src/a.cc:F one table, clearer whole\n",
    }
    result = run(tmp_path, "tidy.py", FINE | files)
    assert (result.returncode, result.stdout) == (0, "")


def test_doc_links(tmp_path: Path) -> None:
    files = {
        "README.md": "[a](docs/a.md#the-one-rule) [b](docs/a.md) [c](https://a.org) `[d](no.md)`\n",
        "docs/a.md": "# A\n## The one rule\n[up](../README.md)\n```\n[in code](nowhere.md)\n```\n",
    }
    assert run(tmp_path, "doclinks.py", files).returncode == 0
    broken = files | {"docs/b.md": "[x](gone.md)\n\n[y](a.md#no-such)\n"}
    result = run(tmp_path, "doclinks.py", broken)
    assert result.returncode == 1
    assert result.stdout.splitlines() == [
        "docs/b.md:1: no such file: gone.md",
        "docs/b.md:3: no such heading: a.md#no-such",
    ]
