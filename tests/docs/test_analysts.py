"""What docs/analysts.md shows works on a published file, in a reader of its own, while a new file takes its place."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from assets.policy import Policy
from assets.publication.analytics import publish
from assets.site import Site
from assets.warehouse import Warehouse
from tests.docs.pages import DOCS, blocks
from tests.publication.reported import decided_site

QUERIES = blocks("analysts.md", "sql")


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Warehouse]]:
    site, warehouse = decided_site(tmp_path_factory, "analysts", customers=40)
    with warehouse:
        yield site, warehouse


@pytest.fixture(scope="module")
def reader(
    decided: tuple[Site, Warehouse], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    site, _ = decided
    copy = tmp_path_factory.mktemp("reading") / "analytics.duckdb"
    copy.write_bytes(site.analytics.read_bytes())
    with duckdb.connect(str(copy), read_only=True) as connection:
        yield connection


def test_there_are_ten_worked_queries() -> None:
    text = (DOCS / "analysts.md").read_text(encoding="utf-8")
    assert re.findall(r"^### (\d+)\. ", text, re.MULTILINE) == [str(number) for number in range(1, 11)]
    assert len(QUERIES) >= 10


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_every_query_finds_something(reader: duckdb.DuckDBPyConnection, query: str) -> None:
    assert reader.execute(query).fetchall()


def test_the_python_runs(decided: tuple[Site, Warehouse], monkeypatch: pytest.MonkeyPatch,
                         capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.chdir(decided[0].path.parent)
    for code in blocks("analysts.md", "python"):
        exec(compile(code, "analysts.md", "exec"), {})
    assert "Familjefilm" in capsys.readouterr().out


def test_the_notebook_runs_from_top_to_bottom(decided: tuple[Site, Warehouse], monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = json.loads((DOCS / "analysts.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    monkeypatch.chdir(decided[0].path.parent)
    names: dict[str, Any] = {}
    shown = [run_cell("".join(cell["source"]), names) for cell in cells]
    frames = [each for each in shown if each is not None and hasattr(each, "columns")]
    assert len(frames) >= 5
    assert all(len(frame) for frame in frames)
    assert "mark" in next(each for each in shown if hasattr(each, "to_dict") and not hasattr(each, "columns")).to_dict()
    assert names["site"].execute is not None


def run_cell(source: str, names: dict[str, Any]) -> Any:
    """Run a cell as a notebook does: the value of its last expression is what it shows."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if isinstance(last, ast.Expr) else None


def test_the_notebook_holds_no_outputs() -> None:
    notebook = json.loads((DOCS / "analysts.ipynb").read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    for cell in notebook["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_the_duckdb_command_line_opens_it(decided: tuple[Site, Warehouse]) -> None:
    command = Path(sys.executable).with_name("duckdb")
    asked = "select as_of from about; from what_holds('customer', 'K9001');"
    said = subprocess.run(
        [command, "-readonly", "-csv", str(decided[0].analytics), "-c", asked],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    assert said.startswith("as_of\n2026-11-22\n")
    assert "birth_date,retain" in said


def test_an_open_reader_is_told_how_to_see_the_new_copy(reader: duckdb.DuckDBPyConnection) -> None:
    (comment,) = reader.execute("select comment from duckdb_tables() where table_name = 'about'").fetchone() or ("",)
    assert "closing and opening again" in comment


def test_every_table_column_and_macro_says_what_it_is(reader: duckdb.DuckDBPyConnection) -> None:
    for what in ("duckdb_tables() where not internal", "duckdb_columns() where not internal",
                 "duckdb_functions() where not internal"):  # fmt: skip
        found = reader.execute(f"select comment from {what}").fetchall()
        assert found
        assert all(comment for (comment,) in found)


def test_every_macro_is_told_of_and_answers(reader: duckdb.DuckDBPyConnection) -> None:
    text = (DOCS / "analysts.md").read_text(encoding="utf-8")
    macros = {
        "what_holds": "('customer', 'K9001')", "due_before": "(date '2027-06-01')", "held_for": "('accounting')",
        "ended": "('customer', 'K9001')", "told": "('customer', 'K9001')",
    }  # fmt: skip
    known = {
        name for (name,) in reader.execute("select function_name from duckdb_functions() where not internal").fetchall()
    }
    assert known == set(macros)
    for name, arguments in macros.items():
        assert f"`{name}(" in text
        assert reader.execute(f"from {name}{arguments}").fetchall(), name


def test_an_open_reader_keeps_its_file_and_a_new_one_sees_the_new(
    decided: tuple[Site, Warehouse],
) -> None:

    site, warehouse = decided
    code = (
        "import duckdb, sys\n"
        "with duckdb.connect(sys.argv[1], read_only=True) as reader:\n"
        "    print(reader.execute('select as_of from about').fetchone()[0], flush=True)\n"
        "    sys.stdin.readline()\n"
        "    print(reader.execute('select count(*) > 0 from retention.claims').fetchone()[0], flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(site.analytics)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reading:
        assert reading.stdin is not None
        assert reading.stdout is not None
        assert reading.stdout.readline().strip() == "2026-11-22"
        before = site.analytics.stat().st_ino
        publish(warehouse, Policy.load(), site)
        assert site.analytics.stat().st_ino != before
        reading.stdin.write("\n")
        reading.stdin.flush()
        assert reading.stdout.readline().strip() == "True"
