"""How much is tried: a sample in `make test`, all of it in `make torture`."""

from __future__ import annotations

import os
import secrets

IS_TORTURE = os.environ.get("TIDEMARK_TORTURE") == "1"


def of(sample: int, torture: int) -> int:
    return torture if IS_TORTURE else sample


def seed() -> int:
    """TIDEMARK_SEED, or a new one; pytest shows it with a test that fails."""
    given = os.environ.get("TIDEMARK_SEED")
    chosen = int(given) if given else secrets.randbelow(1_000_000)
    print(f"TIDEMARK_SEED={chosen}")
    return chosen
