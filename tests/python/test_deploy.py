"""The unit and the Dockerfile in deploy/ name what there is.

Goal: a renamed command, flag, setting or build product fails here, not on somebody's machine.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from program import PROGRAM
from server_process import run_program

ROOT = Path(__file__).parents[2]
UNIT = (ROOT / "deploy/tidemark.service").read_text()
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()


def instructions() -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.M))
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line]


def commands() -> list[list[str]]:
    """Every call of the program in the two files, comments included, with its arguments."""
    calls = re.findall(
        r"(?:sudo -u tidemark |/usr/bin/|docker run .*?)tidemark (.*)", UNIT + DOCKERFILE
    )
    return [list(shlex.split(call)) for call in calls]


def test_commands_are_known(tmp_path: Path) -> None:
    assert len(commands()) >= 4
    for words in commands():
        names = [word for word in words if re.fullmatch(r"init|serve|keys|create", word)]
        assert names, words
        flags = {word for word in words if word.startswith("--")}
        known = (
            run_program(tmp_path, *names, "--help").stdout + run_program(tmp_path, "--help").stdout
        )
        for flag in flags:
            assert flag in known, (words, flag)


def test_settings_of_the_environment_are_known(tmp_path: Path) -> None:
    known = run_program(tmp_path, "serve", "--help").stdout
    named = set(re.findall(r"TIDEMARK_SERVE_([A-Z_]+)=", DOCKERFILE + UNIT)) - {"NAME"}
    assert named
    for name in named:
        assert "--" + name.lower().replace("_", "-") in known, name


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_the_unit_is_valid(tmp_path: Path) -> None:
    unit = tmp_path / "tidemark.service"
    unit.write_text(
        UNIT.replace("/usr/bin/tidemark", str(PROGRAM)).replace("User=tidemark", "User=root")
    )
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True
    )
    told = [line for line in checked.stderr.splitlines() if "tidemark.service" in line]
    assert not told, told


def test_every_line_of_the_unit_is_a_section_or_a_member() -> None:
    members = re.findall(r"^([A-Za-z]+)=(.+)$", UNIT, re.M)
    sections = re.findall(r"^\[(\w+)\]$", UNIT, re.M)
    assert sections == ["Unit", "Service", "Install"]
    lines = [line for line in UNIT.splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(members) + len(sections)
    assert dict(members)["ExecStart"].startswith("/usr/bin/tidemark ")
    drain_seconds = 30
    assert int(dict(members)["TimeoutStopSec"]) > drain_seconds


def test_the_dockerfile_copies_what_the_build_makes() -> None:
    steps = instructions()
    assert steps[0][0] == "FROM"
    known = {"FROM", "COPY", "RUN", "USER", "ENV", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK"}
    assert {name for name, _ in steps} <= known | {"ENTRYPOINT", "CMD"}
    copied = [rest.split()[0] for name, rest in steps if name == "COPY"]
    assert copied == ["dist/*.whl"]
    assert "dist" in (ROOT / "tools/dist.sh").read_text()
    names = [name for name, _ in steps]
    assert names.index("USER") < names.index("ENTRYPOINT"), "it does not run as root"
    ports = next(rest for name, rest in steps if name == "EXPOSE").split()
    assert ports == ["6566", "8815"]
