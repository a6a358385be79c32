"""The program `tidemark` that tests run: the package's, or the one that TIDEMARK_PROGRAM names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SDK = ROOT / "python" / "src"
PROGRAM = Path(os.environ.get("TIDEMARK_PROGRAM") or SDK / "tidemark" / "bin" / "tidemark")


def run(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """What the program printed, having ended with `code`; `.py` files are read by this Python."""
    done = subprocess.run(
        [PROGRAM, *arguments],
        cwd=cwd,
        env=os.environ | {"TIDEMARK_PYTHON": sys.executable, "PYTHONPATH": str(SDK)},
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert code == 0 or done.stderr != "", "errors go to stderr"
    return done
