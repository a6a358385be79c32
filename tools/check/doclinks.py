"""Checks that relative links in Markdown lead to a file, and to a heading where they name one."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import repository

LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s+(\S+)")
CODE = re.compile(r"`[^`]*`")


def anchors(path: Path) -> set[str]:
    """The names that a Markdown file's headings can be linked by."""
    found: set[str] = set()
    for line in prose(path):
        if heading := re.match(r"#+\s+(.*)", line[1]):
            words = re.sub(r"[^\w\- ]", "", heading[1].strip().lower())
            found.add(words.replace(" ", "-"))
    return found


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines outside fenced code."""
    fenced = False
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        elif not fenced:
            yield number, line


def check(path: Path, root: Path) -> Iterator[str]:
    name = path.relative_to(root).as_posix()
    for number, line in prose(path):
        for match in LINK.finditer(CODE.sub("", line)):
            link = unquote(match[1] or match[2])
            if re.match(r"[a-z][a-z0-9+.-]*:", link):
                continue
            target, _, anchor = link.partition("#")
            file = (path.parent / target).resolve() if target else path
            if not file.exists():
                yield f"{name}:{number}: no such file: {link}"
            elif anchor and file.suffix == ".md" and anchor not in anchors(file):
                yield f"{name}:{number}: no such heading: {link}"


def main() -> int:
    root = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else repository.ROOT
    pages = [path for path in repository.files(root) if path.suffix == ".md"]
    findings = [finding for page in pages for finding in check(page, root)]
    print(*findings, sep="\n", end="\n" if findings else "")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
