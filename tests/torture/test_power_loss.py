"""Goal: a loss of power takes nothing that was acknowledged: whatever a commit names is on the
disk, name and bytes, before the catalog names it, and what takes the place of a log is there before
it goes.

Logs are played back with writes dropped, reordered and torn by adapters/wal/log_faults_test.cc.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest

from torture import processes
from torture.faults import ANY, Fault, How
from torture.workload import fixed_script, work

_TABLE_FILE = re.compile(r"/tables/[^/]+/(data|metadata)/")


@dataclass
class Disk:
    """What may be lost with the power, by what was done so far."""

    unsynced_files: set[str] = field(default_factory=set)
    unsynced_names: set[str] = field(default_factory=set)  # folders that have got new names
    wrong: list[str] = field(default_factory=list)
    commits: int = 0
    trims: int = 0
    has_new_files: bool = False

    def see(self, call: str, path: str) -> None:
        parent = path.rsplit("/", 1)[0]
        if call == "sync":
            self.unsynced_files.discard(path)
            self.unsynced_names.discard(path)
        elif call == "write":
            if path.endswith("/registry.db"):
                self._commit()
            self.unsynced_files.add(path)
        elif call in ("open", "rename", "make-folder"):
            self.unsynced_names.add(parent)
            self.has_new_files |= call == "rename" and _TABLE_FILE.search(path) is not None
        elif call == "remove" and re.search(r"/log/[^/]+/\d+\.log$", path):
            self._trim(path)

    def _commit(self) -> None:
        """The first page of a transaction that makes new files count."""
        if not self.has_new_files:
            return
        self.has_new_files = False
        self.commits += 1
        lost = {each for each in self.unsynced_files if _TABLE_FILE.search(each)}
        lost |= {each for each in self.unsynced_names if _TABLE_FILE.search(each + "/")}
        if lost:
            self.wrong.append(f"commit {self.commits}: {sorted(lost)} may be lost")

    def _trim(self, path: str) -> None:
        """What a log had must be safe elsewhere."""
        self.trims += 1
        ends = ("/registry.db", "/online/data.mdb", "/batches/data.mdb")
        lost = {each for each in self.unsynced_files if each.endswith(ends)}
        if lost:
            self.wrong.append(f"{path} is removed, and {sorted(lost)} may be lost")


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Every call of a script that does everything, in its order."""
    folder = tmp_path_factory.mktemp("power")
    trace = folder / "trace"
    fault = Fault(How.COUNT, 0, ANY)
    ended = processes.run(work, folder / "store", fixed_script(), fault, None, trace)
    assert not [each for each in ended.require_end().told if each[0] == "failed"]
    lines = [line.split(" ", 2) for line in trace.read_text().splitlines()]
    return [(call, path) for _, call, path in sorted(lines, key=lambda each: int(each[0]))]


def test_files_are_on_the_disk_before_what_names_them(calls: list[tuple[str, str]]) -> None:
    disk = Disk()
    for call, path in calls:
        disk.see(call, path)
    assert not disk.wrong, "\n".join(disk.wrong)
    assert disk.commits >= 6, "flushes, a bulk ingest, a compaction, erasures"
    assert disk.trims >= 2


@pytest.mark.parametrize("what", ["/data/", "/metadata/", "/registry.db/", "/online/"])
def test_a_sync_that_is_left_out_is_noticed(calls: list[tuple[str, str]], what: str) -> None:
    disk = Disk()
    for call, path in calls:
        if call != "sync" or what not in path + "/":
            disk.see(call, path)
    assert disk.wrong
