"""What is being done, how many rows so far and how fast: one line on a terminal, for whatever takes over two seconds.

Written to standard error, on a terminal alone; nothing when piped, with --json, or on a dumb terminal. Colours are
rich's, which respects NO_COLOR. What it counts is told to it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestration.cli.printing import is_terminal

#: Nothing is shown for what is done before.
SHOWN_AFTER = 2.0
_REDRAWN_EVERY = 0.25


class Doing:
    """What is being done, and how far it has come."""

    def __init__(self, what: str, unit: str) -> None:
        """Begin `what`, which is counted in `unit`."""
        self._what = what
        self._unit = unit
        self._began = time.monotonic()
        self._step = ""
        self._steps = 0
        self._done = 0

    def step(self, name: str) -> None:
        """A part of it begins."""
        self._step = name
        self._steps += 1

    def add(self, number: int) -> None:
        """So much more is done."""
        self._done += number

    def told(self, step: str, number: int) -> None:
        """A part of it begins, where it has a name; so much more is done."""
        if step:
            self.step(step)
        self.add(number)

    def reached(self, number: int) -> None:
        """So much is done in all."""
        self._done = number

    @property
    def line(self) -> str:
        """How it stands, in a line."""
        seconds = time.monotonic() - self._began
        parts = [self._what, f"step {self._steps}: {self._step}" if self._step else ""]
        if self._done:
            parts.append(f"{self._done:,} {self._unit}, {self._done / max(seconds, 0.001):,.0f} a second")
        return " · ".join([*(part for part in parts if part), f"{seconds:.0f} s"])


@contextmanager
def progress(
    what: str, unit: str = "rows", *, measure: Callable[[], int] | None = None, quiet: bool = False
) -> Iterator[Doing]:
    """Show how `what` gets on while the block runs; `measure` is asked how much is done, where nobody tells."""
    doing = Doing(what, unit)
    if quiet or not is_terminal(sys.stderr):
        yield doing
        return
    over = threading.Event()
    showing = threading.Thread(target=_show, args=(doing, measure, over), daemon=True)
    showing.start()
    try:
        yield doing
    finally:
        over.set()
        showing.join()


def size_below(folder: Path) -> Callable[[], int]:
    """Asks how many kilobytes have been written below a folder since now."""

    def size() -> int:
        total = 0
        for path in folder.rglob("*"):
            with suppress(OSError):  # a file may be renamed while we look
                total += path.stat().st_size if path.is_file() else 0
        return total // 1000

    before = size()
    return lambda: max(0, size() - before)


def _show(doing: Doing, measure: Callable[[], int] | None, over: threading.Event) -> None:
    if over.wait(SHOWN_AFTER):
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    if console.is_dumb_terminal:
        return
    with console.status(Text(doing.line)) as shown:
        while not over.wait(_REDRAWN_EVERY):
            if measure is not None:
                doing.reached(measure())
            shown.update(Text(doing.line))
