"""What a user is told who may read a folder and not write it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

_NOBODY = 65534


def told_to_nobody(folder: Path, tell: Callable[[Path], list[str]]) -> list[str]:
    """What `tell` answers in a process of such a user; that it failed if it does.

    All that the user needs is imported already: root's packages may be nobody's to read.
    """
    below = [folder, *folder.rglob("*")]
    above = [path for path in folder.parents if not path.stat().st_mode & stat.S_IXOTH]
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [*below, *above]}
    try:
        for path in below:
            path.chmod(0o555 if path.is_dir() else 0o444)
        for path in above:
            path.chmod(modes[path] | 0o055)
        return _told_in_child(folder, tell)
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def _told_in_child(folder: Path, tell: Callable[[Path], list[str]]) -> list[str]:
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:  # root may write anything, whatever the modes say
                os.setuid(_NOBODY)
            answer = json.dumps(tell(folder))
        except BaseException as error:
            answer = json.dumps([repr(error)])
        os.write(write_end, answer.encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as answers:
        told: list[str] = json.loads(answers.read())
    os.waitpid(child, 0)
    return told
