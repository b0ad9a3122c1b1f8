"""Conventions of the house that no linter knows: names, the environment, what no file may hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("orchestration", "assets", "expectations")
OURS = (*PACKAGES, "sql", "tests", "docs", "requirements", ".ci")
TEXT = {".py", ".sql", ".yaml", ".toml", ".txt", ".in", ".json", ".md", ""}
#: An address of a package registry, or a place on the machine of whoever wrote the file.
FOREIGN = re.compile(
    r"(?:index-url|extra-index|registry)\s*=?\s*\"?https?:|(?:^|[^a-z.\w])/(?:home|root|work|farm|Users)/[a-z.]",
    re.MULTILINE,
)
VAGUE = re.compile(r"(?:^|_)(?:utils?|helpers?|managers?|misc)(?:$|_)|^process_|^handle_|^purge_")


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def files() -> Iterator[Path]:
    for folder in OURS:
        yield from (path for path in sorted((ROOT / folder).rglob("*")) if path.is_file() and path.suffix in TEXT)
    yield from (
        path for path in sorted(ROOT.iterdir()) if path.is_file() and path.suffix in TEXT and path.name[0] != "."
    )


def test_no_file_holds_a_registry_address_or_a_place_on_someones_machine() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in files()
        if path != Path(__file__)
        and "__pycache__" not in path.parts
        and FOREIGN.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []


@pytest.mark.parametrize("text", ["--index-url https://x.example/simple", "path = /home/anna/gallring"])
def test_the_pattern_for_foreign_places_sees_them(text: str) -> None:
    assert FOREIGN.search(text)


def test_names_say_what_a_thing_is() -> None:
    vague = []
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        vague += [
            f"{path.relative_to(ROOT)}: {name}" for name in [path.stem, *names] if VAGUE.search(name.strip("_").lower())
        ]
    assert vague == []


def reads_environment(tree: ast.AST) -> bool:
    """Whether a module reads an environment variable; setting one for what it starts is no reading."""
    writes = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            writes.add(id(node.value))
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("update", "setdefault")
        ):
            writes.add(id(node.func.value))
    return any(
        isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb") and id(node) not in writes
        for node in ast.walk(tree)
    )


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        str(path.relative_to(ROOT))
        for path in modules()
        if reads_environment(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert readers == ["orchestration/settings.py"]


@pytest.mark.parametrize(
    ("code", "reads"),
    [
        ("import os\nx = os.environ['A']", True),
        ("import os\nx = os.getenv('A')", True),
        ("import os\nos.environ['A'] = 'b'", False),
        ("import os\nos.environ.update(A='b')", False),
    ],
)
def test_reading_the_environment_is_told_from_setting_it(code: str, reads: bool) -> None:
    assert reads_environment(ast.parse(code)) is reads


def longest_functions(limit: int) -> Iterator[str]:
    """The functions whose body has more lines than `limit`."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                lines = (node.end_lineno or 0) - node.body[0].lineno + 1
                if lines > limit:
                    yield f"{path.relative_to(ROOT)}: {node.name} has {lines} lines"


def ends_before_a_newline(tree: ast.AST) -> list[int]:
    """The lines of patterns that end in `$`, which holds before a last newline too, but for those that mean lines."""
    found = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if ast.unparse(call.func) == "re.compile" and "MULTILINE" not in ast.unparse(call):
            pattern = call.args[0].values[-1] if isinstance(call.args[0], ast.JoinedStr) else call.args[0]
            if isinstance(pattern, ast.Constant) and str(pattern.value).endswith("$"):
                found.append(call.lineno)
    return found


def test_no_pattern_takes_a_text_with_a_newline_for_one_without() -> None:
    assert ends_before_a_newline(ast.parse("a = re.compile(r'^x$')\nb = re.compile(rf'{a}x$')")) == [1, 2]
    assert ends_before_a_newline(ast.parse("re.compile(r'^x$', re.MULTILINE), re.compile('x')")) == []
    found = {
        str(path.relative_to(ROOT)): lines
        for path in modules()
        if (lines := ends_before_a_newline(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert found == {}, "ask with fullmatch, or end the pattern in \\Z"


def test_a_function_fits_one_screen() -> None:
    assert list(longest_functions(60)) == []
