"""Tables are plain when piped and aligned; JSON holds days as text."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from orchestration.cli.printing import as_json, table

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Line:
    name: str
    on: date | None
    counts: dict[str, int]


def test_a_piped_table_is_aligned_and_has_no_colour(capsys: pytest.CaptureFixture[str]) -> None:
    table(["name", "rows"], [["crm", 5], ["orders", 1234], [None, None]])
    assert capsys.readouterr().out == "name    rows\ncrm        5\norders  1234\n\n"


def test_several_values_in_a_cell_are_joined(capsys: pytest.CaptureFixture[str]) -> None:
    table(["fields", "n"], [[("name", "email"), 1], [[], 2]])
    assert capsys.readouterr().out == "fields       n\nname, email  1\n             2\n"


def test_json_tells_days_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    as_json([Line("första", date(2026, 11, 22), {"erase": 1}), Path("a/b")])
    said = capsys.readouterr().out
    assert "första" in said
    assert json.loads(said) == [{"name": "första", "on": "2026-11-22", "counts": {"erase": 1}}, "a/b"]


def on_a_terminal(code: str, **environment: str) -> str:
    """What a program writes when its output is a terminal."""
    ours, theirs = pty.openpty()
    names = {"TERM": "xterm-256color", "COLUMNS": "80", **environment}
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    subprocess.run([sys.executable, "-c", code], stdout=theirs, check=True, cwd=ROOT, env={**kept, **names})
    os.close(theirs)
    written = os.read(ours, 100_000).decode()
    os.close(ours)
    return written


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_a_drawn_table_and_no_color_is_respected(no_color: str, coloured: bool) -> None:
    code = "from orchestration.cli.printing import heading; heading('Sealed manifests')"
    written = on_a_terminal(code, **({"NO_COLOR": no_color} if no_color else {}))
    assert "Sealed manifests" in written
    drawn = on_a_terminal("from orchestration.cli.printing import table; table(['a', 'n'], [['[red]x', 1]])")
    assert "[red]x" in drawn
    assert "─" in drawn
    assert ("\x1b[" in written) or not coloured
    assert "\x1b[3" not in written


def test_a_key_of_thousands_of_characters_stands_whole_and_widens_no_other_row(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table(["key", "state"], [["K1", "issued"], ["x" * 4000, "issued"]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "x" * 4000 + "  issued"
    assert lines[1] == f"{'K1':120}  issued"
