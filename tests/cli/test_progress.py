"""Progress: on a terminal alone, from two seconds on, with rows and rate."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest

from orchestration.cli import progress as module
from orchestration.cli.progress import Doing, progress, size_below


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, TextIO]]:
    """A terminal: where to read what stands on it, and where to write."""
    reading, writing = os.openpty()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(module, "SHOWN_AFTER", 0.05)
    monkeypatch.setattr(module, "_REDRAWN_EVERY", 0.02)
    with os.fdopen(writing, "w") as screen:
        yield reading, screen
        screen.flush()
    os.close(reading)


@contextmanager
def as_standard_error(opened: tuple[int, TextIO]) -> Iterator[int]:
    """The terminal as standard error: set within the test, since pytest sets its own before it."""
    before, sys.stderr = sys.stderr, opened[1]
    try:
        yield opened[0]
    finally:
        sys.stderr = before


def shown(reading: int) -> str:
    os.set_blocking(reading, False)
    try:
        return os.read(reading, 1_000_000).decode()
    except BlockingIOError:
        return ""


def seen(reading: int, words: str) -> str:
    """What stands on the terminal once the words do; drawing begins when rich has been read."""
    screen, deadline = "", time.monotonic() + 20
    while words not in screen and time.monotonic() < deadline:
        time.sleep(0.02)
        screen += shown(reading)
    return screen


def test_a_terminal_is_told_the_step_the_rows_and_the_rate(opened: tuple[int, TextIO]) -> None:
    with as_standard_error(opened) as terminal, progress("run") as doing:
        doing.told("core_customers", 0)
        doing.told("", 12_345)
        screen = seen(terminal, "a second")
    assert "step 1: core_customers" in screen
    assert "12,345 rows" in screen
    assert "a second" in screen


def test_nobody_tells_so_it_is_measured(opened: tuple[int, TextIO]) -> None:
    with as_standard_error(opened) as terminal, progress("generate", "kB", measure=lambda: 77):
        assert "77 kB" in seen(terminal, "77 kB")


def test_what_is_done_at_once_shows_nothing(opened: tuple[int, TextIO]) -> None:
    with as_standard_error(opened), progress("run") as doing:
        doing.told("one", 1)
    assert shown(opened[0]) == ""


def test_quiet_shows_nothing(opened: tuple[int, TextIO]) -> None:
    with as_standard_error(opened), progress("run", quiet=True):
        time.sleep(0.2)
    assert shown(opened[0]) == ""


def test_a_dumb_terminal_shows_nothing(opened: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with as_standard_error(opened), progress("run"):
        time.sleep(0.2)
    assert shown(opened[0]) == ""


def test_without_colour_there_is_none(opened: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with as_standard_error(opened) as terminal, progress("run") as doing:
        doing.told("one", 5)
        screen = seen(terminal, "5 rows")
    assert "5 rows" in screen
    assert "\x1b[3" not in screen.replace("\x1b[39", "")


def test_a_pipe_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHOWN_AFTER", 0.0)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress("run"):
        time.sleep(0.1)
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_an_error_within_comes_out(opened: tuple[int, TextIO]) -> None:
    with as_standard_error(opened), pytest.raises(ValueError, match="within"), progress("run"):
        raise ValueError("within")


def test_the_size_below_a_folder_is_counted_from_now(tmp_path: Path) -> None:
    (tmp_path / "before").write_bytes(b"x" * 5_000)
    size = size_below(tmp_path)
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "new").write_bytes(b"x" * 7_000)
    assert size() == 7


def test_the_line_says_no_more_than_is_known() -> None:
    assert Doing("verify", "items").line == "verify · 0 s"


def test_a_run_tells_of_its_steps_and_rows() -> None:
    from dagster import DagsterInstance, Definitions, MaterializeResult, asset

    from orchestration.running import _watched

    @asset
    def customers():  # Dagster reads annotations, and finds none of a function's own imports
        return MaterializeResult(metadata={"dagster/row_count": 7})

    heard: list[tuple[str, int]] = []
    with DagsterInstance.ephemeral() as instance:
        job = Definitions(assets=[customers]).resolve_implicit_global_asset_job_def()
        run_id = _watched(instance, lambda step, rows: heard.append((step, rows)))
        assert job.execute_in_process(instance=instance, run_id=run_id).success
    assert heard == [("customers", 0), ("", 7)]
