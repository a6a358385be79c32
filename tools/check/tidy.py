"""Checks the style that no formatter checks: sizes, names, opening comments, stray marks, paths.

A file over 1,000 lines or a function over 70 needs a line in tools/check/exceptions.txt.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import repository

FILE_LINES_MAX = 1000
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = {".cc": 110, ".h": 110, ".py": 100}
CPP = {".cc", ".h"}
TEXT = {
    ".cc",
    ".h",
    ".py",
    ".sh",
    ".cmake",
    ".md",
    ".txt",
    ".toml",
    ".yaml",
    ".yml",
    ".json",
    ".map",
}
MUST_OPEN_WITH_COMMENT = {".cc", ".h", ".py", ".sh", ".cmake"}

BAD_NAME = re.compile(r"(^|_)(utils?|helpers?|common|misc|managers?)$")
MARK = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b")
MACHINE_PATH = re.compile(r"(?<![\w.$})\]*:/-])/(home|root|Users|work|tmp)/\w")


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True)
class Function:
    name: str
    line: int
    lines: int


def is_shell(path: Path, text: str) -> bool:
    return path.suffix == ".sh" or re.match(r"#!.*\b(ba)?sh\b", text) is not None


# --- functions of C++ -------------------------------------------------------------------


def blank_literals(text: str) -> str:
    """C++ text with comments, strings and preprocessor lines blanked, its lines kept."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)"'
        r"|\"(?:\\.|[^\"\\\n])*\"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'|^[ \t]*\#(?:\\\n|[^\n])*",
        re.DOTALL | re.MULTILINE,
    )
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def opens_function(head: str) -> bool:
    """Whether a brace after `head`, at namespace or class level, opens a function's body."""
    if re.search(r"\b(namespace|enum)\b", head) or "(" not in head:
        return False
    # `struct alignas(8) X {` and `class X : Y<int()>` are types; `struct X F() {` is a function.
    is_type = re.match(r"\s*(template\s*<.*>\s*)?(class|struct|union)\b", head, re.DOTALL)
    return not (is_type and not re.search(r"\)\s*(const|noexcept|override|final|\s)*$", head))


def cpp_functions(text: str) -> Iterator[Function]:
    """Functions by braces: from where a body opens at namespace or class level until it closes."""
    text = blank_literals(text)
    inside: tuple[str, int, int] | None = None  # the head, where it starts, the depth of its body
    depth, head_start = 0, 0
    for match in re.finditer(r"[{};]", text):
        character, at = match.group(), match.start()
        if character == "{":
            head = text[head_start:at]
            depth += 1
            if inside is None and opens_function(head):
                inside = (head, head_start + len(head) - len(head.lstrip()), depth)
        elif character == "}":
            if inside is not None and depth == inside[2]:
                head, start, _ = inside
                first = text.count("\n", 0, start) + 1
                yield Function(cpp_name(head), first, text.count("\n", start, at) + 1)
                inside = None
            depth -= 1
        if inside is None:
            head_start = at + 1


def cpp_name(head: str) -> str:
    test = re.search(r"\b(TEST(?:_[FP])?|TYPED_TEST(?:_P)?)\s*\(\s*(\w+)\s*,\s*(\w+)", head)
    if test:
        return f"{test[2]}.{test[3]}"
    name = re.search(r"([~\w:]+|operator\s*[^\s\w]+)\s*\(", head)
    return name[1] if name else "(unnamed)"


# --- functions of Python ----------------------------------------------------------------


def python_functions(text: str) -> Iterator[Function]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Function(
                node.name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1
            )


# --- the checks -------------------------------------------------------------------------


def check_name(path: Path, root: Path) -> Iterator[str]:
    for part in path.relative_to(root).parts:
        if BAD_NAME.search(part.split(".")[0].lower()):
            yield f"`{part}` says nothing of what is in it; name what it does"


def check_opening(path: Path, text: str) -> Iterator[str]:
    shell = is_shell(path, text)
    if not text.strip() or not (shell or path.suffix in MUST_OPEN_WITH_COMMENT):
        return
    body = re.sub(r"\A#!.*\n", "", text)
    if path.suffix == ".py":
        opens = ast.get_docstring(ast.parse(text)) is not None
    else:
        opens = body.startswith(("//", "/*") if path.suffix in CPP else "#")
        opens |= path.suffix == ".cc" and path.with_suffix(".h").exists()  # which says it
    if not opens:
        yield "the file must open with a comment on what it is for"
    if path.suffix == ".h" and not re.search(r"^#pragma once$", text, re.MULTILINE):
        yield "the header lacks #pragma once"


def check_line(path: Path, line: str) -> Iterator[str]:
    if "\t" in line:
        yield "tab"
    if line != line.rstrip():
        yield "space at the end of the line"
    columns = COLUMNS_MAX.get(path.suffix)
    if columns is not None and len(line) > columns:
        yield f"{len(line)} columns, more than {columns}"
    if mark := MARK.search(line):
        yield f"{mark[1]}: do it, or say it in a sentence"
    if machine := MACHINE_PATH.search(line):
        yield f"a path of one machine: {machine[0]}"


def check_sizes(path: Path, name: str, text: str, exceptions: Exceptions) -> Iterator[Finding]:
    lines = text.count("\n")
    if (
        (path.suffix in CPP or path.suffix in {".py", ".sh"})
        and lines > FILE_LINES_MAX
        and not exceptions.allow(name)
    ):
        yield Finding(name, 1, f"{lines} lines, more than {FILE_LINES_MAX}")
    functions = (
        cpp_functions if path.suffix in CPP else python_functions if path.suffix == ".py" else None
    )
    for function in functions(text) if functions else ():
        if function.lines > FUNCTION_LINES_MAX and not exceptions.allow(f"{name}:{function.name}"):
            message = f"{function.name} has {function.lines} lines, more than {FUNCTION_LINES_MAX}"
            yield Finding(name, function.line, message)


class Exceptions:
    """tools/check/exceptions.txt: `path reason` or `path:function reason`, one a line."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self.entries: dict[str, int] = {}
        self.used: set[str] = set()
        self.findings: list[Finding] = []
        for number, line in enumerate(
            path.read_text().splitlines() if path.exists() else (), start=1
        ):
            entry, _, reason = line.partition(" ")
            if not line.strip() or line.startswith("#"):
                continue
            if len(reason.split()) < 3:
                self.findings.append(Finding(name, number, f"{entry} is listed without a reason"))
            self.entries[entry] = number

    def allow(self, entry: str) -> bool:
        self.used.add(entry)
        return entry in self.entries

    def unused(self) -> Iterator[Finding]:
        for entry, number in self.entries.items():
            if entry not in self.used:
                yield Finding(
                    self.name, number, f"{entry} is within the limits; take it off the list"
                )


def check_file(path: Path, root: Path, exceptions: Exceptions) -> Iterator[Finding]:
    name = path.relative_to(root).as_posix()
    yield from (Finding(name, 1, message) for message in check_name(path, root))
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        return
    if path.suffix not in TEXT and not text.startswith("#!"):
        return
    yield from (Finding(name, 1, message) for message in check_opening(path, text))
    for number, line in enumerate(text.split("\n"), start=1):
        yield from (Finding(name, number, message) for message in check_line(path, line))
    yield from check_sizes(path, name, text, exceptions)


def main() -> int:
    root = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else repository.ROOT
    listed = "tools/check/exceptions.txt"
    exceptions = Exceptions(root / listed, listed)
    findings = [
        finding for path in repository.files(root) for finding in check_file(path, root, exceptions)
    ]
    findings += [*exceptions.findings, *exceptions.unused()]
    print(*findings, sep="\n", end="\n" if findings else "")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
