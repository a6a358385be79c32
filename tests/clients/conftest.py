"""What all client tests share: a server on a new store, for each test that asks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from server_process import ServerProcess


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Without keys, as on a machine of one's own."""
    with ServerProcess(tmp_path) as running:
        yield running
