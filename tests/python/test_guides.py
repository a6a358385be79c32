"""The code of the README and the guides runs, page by page, and prints what the page says.

Goal: no example of a page can become untrue. How a page is written:

* The ```python blocks of a page run in order, in one folder made for the page. What a block prints
  must be in the ```text block behind it; a block without one prints nothing.
* A block whose opening line also names a file (```yaml features.yaml) is written to that file.
* A ```sh block of lines that begin with "$ " runs them with the program on the path; under each
  stands what it prints on stdout and stderr. `cd` lasts to the end of the page.
* In expected output `...` stands for any text, also of several lines, as in doctest.
* A page that leaves a process behind writes its id to a file NAME.pid.
* A ```cpp block is cut from examples/cpp/main.cc, which the tests of the install build and run.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from postgresql_server import PostgreSQLServer

import tidemark

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(tidemark.__file__).parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES_WITH_A_WAREHOUSE = {"warehouses.md"}
PAGES_WITH_A_BROKER = {"streams.md"}
EXAMPLE = ROOT / "examples/cpp/main.cc"

FENCE = re.compile(r"^```(?P<language>\w*)[ ]*(?P<file>[^\n]*)\n(?P<text>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fenced block; `line` is where its first line of content stands on the page."""

    language: str
    file: str
    text: str
    line: int


def blocks_of(page: str) -> list[Block]:
    return [
        Block(m["language"], m["file"].strip(), m["text"], page.count("\n", 0, m.start("text")) + 1)
        for m in FENCE.finditer(page)
    ]


def matches(wanted: str, got: str) -> bool:
    """Whether `got` is what a page shows, blanks at line ends and empty lines at the end aside."""
    tidied = [
        "".join(f"{line.rstrip()}\n" for line in text.rstrip().split("\n"))
        for text in (wanted, got)
    ]
    return doctest.OutputChecker().check_output(tidied[0], tidied[1], doctest.ELLIPSIS)


class Page:
    """Runs the blocks of one page in `folder`."""

    def __init__(self, name: str, text: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.names: dict[str, Any] = {"__name__": "guide"}
        self.blocks = blocks_of(text)

    def run(self) -> None:
        for block, follower in zip_longest(self.blocks, self.blocks[1:]):
            if block.file:
                file = self.folder / block.file
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.text)
            elif block.language == "python":
                shown = follower.text if follower and follower.language == "text" else ""
                self.compare(block, shown, self.run_python(block))
            elif block.language == "sh" and block.text.startswith("$ "):
                self.run_shell(block)

    def run_python(self, block: Block) -> str:
        # Empty lines in front, so that a traceback has the lines of the page.
        code = compile("\n" * (block.line - 1) + block.text, self.name, "exec")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, self.names)
        return printed.getvalue()

    def run_shell(self, block: Block) -> None:
        for command, wanted in commands_of(block.text):
            if command.startswith("cd "):
                self.folder = (self.folder / command[3:]).resolve()
                continue
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self.folder,
                env=self.environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                timeout=120,
            )
            self.compare(block, wanted, done.stdout, command)

    def environment(self) -> dict[str, str]:
        return os.environ | {
            "PATH": f"{PACKAGE / 'bin'}:{os.environ['PATH']}",
            "TIDEMARK_PYTHON": sys.executable,
            "PYTHONPATH": str(PACKAGE.parent),
        }

    def compare(self, block: Block, wanted: str, got: str, command: str = "") -> None:
        place = f"{self.name}:{block.line}"
        assert matches(wanted, got), (
            f"{place}: {command}\n-- the page --\n{wanted}\n-- printed --\n{got}"
        )


def commands_of(text: str) -> Iterator[tuple[str, str]]:
    """Each command of a block with the output that is shown under it."""
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        lines = part.split("\n")
        count = 1
        while lines[count - 1].endswith("\\"):
            count += 1
        yield "\n".join(lines[:count]), "\n".join(lines[count:])


@pytest.fixture
def kafka_servers() -> Iterator[str]:
    from kafka_broker import is_installed, kafka_broker

    if not is_installed():
        pytest.skip("a broker needs java and mvn: tools/setup installs them")
    with kafka_broker() as broker:
        yield broker.servers


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_runs_as_it_is_written(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if path.name in PAGES_WITH_A_WAREHOUSE:
        server: PostgreSQLServer = request.getfixturevalue("postgresql")
        monkeypatch.setenv("SHOP_URI", server.uri)
    if path.name in PAGES_WITH_A_BROKER:
        monkeypatch.setenv("CLICKS_SERVERS", request.getfixturevalue("kafka_servers"))
    folder = tmp_path / "page"
    folder.mkdir()
    monkeypatch.chdir(folder)
    modules = set(sys.modules)
    try:
        Page(path.name, path.read_text(), folder).run()
    finally:
        for pid_file in folder.rglob("*.pid"):  # of a server that the page did not come to stop
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid_file.read_text()), signal.SIGKILL)
        # A page's definition files are modules while they are read; the next page has its own.
        for name in set(sys.modules) - modules:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
                del sys.modules[name]


def test_cpp_blocks_are_cut_from_the_example() -> None:
    example = lines_of(EXAMPLE.read_text())
    for page in PAGES:
        for block in blocks_of(page.read_text()):
            if block.language == "cpp":
                place = f"{page.name}:{block.line}"
                assert lines_of(textwrap.dedent(block.text)) in example, (
                    f"{place} is not in main.cc"
                )


def lines_of(code: str) -> str:
    """Code without indentation and empty lines."""
    return "\n" + "".join(f"{line.strip()}\n" for line in code.splitlines() if line.strip())


def a_page(tmp_path: Path, *blocks: str) -> Page:
    folder = tmp_path / "page"
    folder.mkdir()
    return Page("made-up.md", "\n".join(blocks), folder)


@pytest.mark.parametrize(
    "blocks",
    [
        ["```python\nprint(1)\n```", "```text\n2\n```"],
        ["```python\nprint(1)\n```"],
        ["```python\n1\n```", "```text\n2\n```"],
        ["```python\nprint('ab', 3)\n```", "```text\nab ... 4\n```"],
        ["```sh\n$ echo 1\n2\n```"],
        ["```sh\n$ echo 1\n```"],
        ["```sh\n$ echo 1\n1\n$ false; echo $?\n0\n```"],
    ],
    ids=lambda blocks: "; ".join(blocks).replace("\n", " "),
)
def test_untrue_pages_fail(blocks: list[str], tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="the page"):
        a_page(tmp_path, *blocks).run()


def test_true_pages_pass(tmp_path: Path) -> None:
    page = a_page(
        tmp_path,
        "```python\na = 1\n```\n```python\nprint(a, 'x')\nprint(2)\n```\n```text\n1 ...\n2\n```",
        "```yaml sub/a.yaml\nb: 2\n```\n```sh\nmake nothing\n```",
        "```sh\n$ cat sub/a.yaml\nb: 2\n$ cd sub\n$ ls\na.yaml\n$ false; echo $?\n1\n```",
    )
    page.run()
