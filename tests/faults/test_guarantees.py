"""`docs/security.md` names a test for every guarantee, and every one of them exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_ROW = re.compile(r"^\| (?P<guarantee>[^|]+) \|(?P<test>[^|]*)\|$", re.MULTILINE)
_TEST = re.compile(r"`(?P<file>tests/[\w/]+\.py)::(?P<name>test_\w+)`")


def guarantees() -> list[tuple[str, str]]:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    table = text.partition("## Guarantees")[2].partition("\n## ")[0]
    rows = [(row["guarantee"].strip(), row["test"].strip()) for row in _ROW.finditer(table)]
    return [row for row in rows if not row[0].startswith(("**", "guarantee", "---"))]


@cache
def functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_there_are_guarantees_of_every_kind() -> None:
    assert len(guarantees()) > 40


@pytest.mark.parametrize(("guarantee", "test"), guarantees(), ids=[guarantee for guarantee, _ in guarantees()])
def test_every_guarantee_has_a_test_that_exists(guarantee: str, test: str) -> None:
    named = _TEST.fullmatch(test)
    assert named, f"{guarantee}: name its test as `tests/FILE.py::test_NAME`"
    assert named["name"] in functions_of(named["file"]), f"{guarantee}: {test} is no test"
