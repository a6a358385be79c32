"""boto3's two clients of SageMaker Feature Store, pointed at a server of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from feature_store import client
from program import PROGRAM
from server_process import ServerProcess


@pytest.fixture
def control(server: ServerProcess) -> Any:
    return client("sagemaker", server)


@pytest.fixture
def runtime(server: ServerProcess) -> Any:
    return client("sagemaker-featurestore-runtime", server)


@pytest.fixture
def query(tmp_path: Path) -> Callable[[str], list[dict[str, Any]]]:
    """SQL over the store, asked by another process: what is offline."""

    def run(sql: str) -> list[dict[str, Any]]:
        done = subprocess.run(
            [str(PROGRAM), "--store", str(tmp_path), "--output", "json", "sql", sql],
            capture_output=True,
            text=True,
            check=False,
            env=dict(os.environ),
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
