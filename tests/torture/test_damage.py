"""Goal: a byte that changed, a file that was cut short and a block of zeros are found: whatever is
read of a damaged store is what was written, or an error that says which file is damaged. Never
other rows, never a crash, and nothing is made worse by looking.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tidemark import FeatureStore
from tidemark.errors import TidemarkError
from torture import amount, processes, reading
from torture.faults import Fault
from torture.workload import CLICKS, LEDGER, Author, work

FLIPS = amount.of(12, 4000)  # of each kind of file
OF_ONE_PROCESS = 10
BLOCK = 512  # what a disk writes at once

# What is damaged, and whether an error names the file itself. The registry says which row or page.
KINDS = {
    "log": ("log/*/*.log", True),
    "durable word": ("log/*/durable", False),
    "mark of what was trimmed": ("log/*/trimmed", False),
    "data": ("tables/*/data/*.parquet", True),
    "manifest": ("tables/*/metadata/*-m-*.avro", True),
    "manifest list": ("tables/*/metadata/snap-*.avro", True),
    "metadata": ("tables/*/metadata/*.metadata.json", True),
    "registry": ("registry.db", True),
}


@dataclass(frozen=True)
class Damage:
    path: Path
    offset: int
    how: str  # "flip", "cut", "zeros"
    mask: int = 0

    def do(self) -> None:
        content = bytearray(self.path.read_bytes())
        if self.how == "flip":
            content[self.offset] ^= self.mask
        elif self.how == "cut":
            del content[self.offset :]
        else:
            end = min(len(content), self.offset + BLOCK)
            content[self.offset : end] = bytes(end - self.offset)
        self.path.write_bytes(content)


def read_all(store: FeatureStore) -> list[object]:
    """Everything, with every snapshot that there was."""
    read: list[object] = [reading.look(store)]
    for table in (CLICKS, LEDGER):
        for snapshot in store.snapshots(table):
            rows = store.get_training_features(table, features=["n"], as_of=snapshot.id)
            read.append(reading.rows_of(rows.to_arrow()))
    return read


def read_damaged(
    tell: Callable[..., None], folder: Path, pristine: Path, damages: list[Damage]
) -> None:
    """Does each damage to a fresh copy of the store in its place, and tells what is read."""
    for number, damage in enumerate([None, *damages]):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(pristine, folder)
        if damage is not None:
            damage.do()
        tell("begin", number)
        try:
            with FeatureStore(folder) as store:
                tell("read", read_all(store))
        except TidemarkError as error:
            tell("failed", error.code, str(error))


def make_store(folder: Path) -> None:
    """Files of several commits, and a tail of the log whose owner is gone."""
    author = Author(3)
    kinds = "create push ledger flush push delete flush push online ledger delete together"
    script = [author.operation(kind) for kind in kinds.split()]
    ended = processes.run(work, folder, script, Fault())
    assert not [each for each in ended.require_end().told if each[0] == "failed"]


def damages_of(path: Path, chosen: random.Random, flips: int) -> Iterator[Damage]:
    """Flips of one bit in different bytes, all of them if there are no more, and some cuts."""
    size = path.stat().st_size
    offsets = sorted(chosen.sample(range(size), k=min(flips, size)))
    for offset in offsets:
        yield Damage(path, offset, "flip", 1 << chosen.randrange(8))
    for offset in offsets[:: max(4, len(offsets) // 50)]:
        yield Damage(path, offset, "cut")
        yield Damage(path, offset // BLOCK * BLOCK, "zeros")


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_an_error_never_other_rows(tmp_path: Path, kind: str) -> None:
    pattern, names_file = KINDS[kind]
    folder, pristine = tmp_path / "store", tmp_path / "pristine"
    make_store(folder)
    shutil.copytree(folder, pristine)
    files = sorted((folder / ".tidemark").glob(pattern))
    assert files, "there is something to damage"
    chosen = random.Random(amount.seed())
    flips = max(1, FLIPS // len(files))
    damages = [each for path in files for each in damages_of(path, chosen, flips)]
    wrong = []
    # One after another: each damage is done in the place where the tables know their files to be.
    for first in range(0, len(damages), OF_ONE_PROCESS):
        batch = damages[first : first + OF_ONE_PROCESS]
        wrong += judge(batch, processes.run(read_damaged, folder, pristine, batch), names_file)
    assert not wrong, "\n".join(wrong)


def judge(batch: list[Damage], ended: processes.Ended, names_file: bool) -> list[str]:
    """What was wrong with what was read."""
    begun = [each for each in ended.told if each[0] == "begin"]
    answers = [each for each in ended.told if each[0] != "begin"]
    if ended.exit_code != 0:
        return [f"{batch[len(begun) - 2]}: the process ended with {ended.exit_code}"]
    what, right = answers[0]
    assert what == "read", "undamaged it is read"
    wrong = []
    for damage, (what, *rest) in zip(batch, answers[1:], strict=True):
        if what == "read" and rest[0] != right:
            wrong.append(f"{damage}: other rows were read")
        elif what == "failed" and rest[0] != "CORRUPTION":
            wrong.append(f"{damage}: {rest[0]}: {rest[1]}")
        elif what == "failed" and names_file and damage.path.name not in rest[1]:
            wrong.append(f"{damage}: the file is not named: {rest[1]}")
    return wrong
