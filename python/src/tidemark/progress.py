"""A progress bar on stderr, in a terminal only."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import TextIO

_REDRAW_SECONDS = 0.1
_BAR_WIDTH_MAX = 40


class ProgressBar:
    """Draws what the engine reports; use it as a context manager and hand over `callback`.

    `callback` is None where nothing is to be drawn, so that the engine does not report at all.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._drawn = 0
        self._next_draw = 0.0
        self._enabled = self._stream is not None and self._stream.isatty()
        self.callback = self._update if self._enabled else None

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._drawn:
            self._stream.write("\r" + " " * self._drawn + "\r")
            self._stream.flush()

    def _update(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now < self._next_draw and done < total:
            return
        self._next_draw = now + _REDRAW_SECONDS
        line = render(what, done, total, shutil.get_terminal_size().columns - 1)
        self._stream.write("\r" + line.ljust(self._drawn))
        self._stream.flush()
        self._drawn = len(line)


def render(what: str, done: int, total: int, width: int) -> str:
    """One line: `reading driver_stats [#####.....]  50%`, or a count while the total is unknown."""
    if total <= 0:
        return f"{what} {done:,}"[:width]
    share = min(max(done / total, 0.0), 1.0)
    bar_width = min(_BAR_WIDTH_MAX, width - len(what) - 9)
    percent = f"{share:4.0%}"
    if bar_width < 5:
        return f"{what} {percent}"[:width]
    filled = round(share * bar_width)
    return f"{what} [{'#' * filled}{'.' * (bar_width - filled)}] {percent}"
