"""Every command and link in the documentation is one that exists."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
from typer.main import get_command

from orchestration.cli.verbs import app
from tests.docs.pages import DOCS, blocks

OURS = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
README = "../README.md"
#: The options that several verbs share stand in the verbs' own help, and so does everything else.
_COMMAND = re.compile(r"(?:^|bin/)gallring ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)([^`\n]*)")


@pytest.mark.parametrize("page", [*OURS, README])
def test_every_command_and_option_exists(page: str) -> None:
    for line in spoken(page):
        for words, rest in _COMMAND.findall(line):
            first, _, second = words.partition(" ")
            verbs = get_command(app).commands  # type: ignore[attr-defined]
            assert first in verbs, line
            command = verbs[first]
            if hasattr(command, "commands"):
                assert second in command.commands, line
                command = command.commands[second]
            known = {option for each in command.params for option in each.opts}
            assert set(re.findall(r"(?<!\S)--[a-z-]+", rest.partition(" | ")[0])) <= known | {"--help"}, line


def spoken(page: str) -> list[str]:
    """Every command of a page: in a sentence, in a block, on an indented line."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.findall(r"`(gallring [^`]+)`", text)
    found += [line.strip() for line in re.findall(r"^    (?:\S*bin/)?gallring .*$", text, re.MULTILINE)]
    for kind in ("bash", "console", "ini", "yaml"):
        found += [line.strip() for block in blocks(page, kind) for line in block.splitlines()]
    return [line.partition("  #")[0].strip() for line in found]


def test_commands_are_found_wherever_they_stand() -> None:
    assert "gallring copies" in spoken(README)
    assert any(line.startswith("gallring manifest approve ID") for line in spoken(README))
    assert any("gallring ui" in line for line in spoken("deploying.md"))
    assert sum(len(spoken(page)) for page in OURS) > 150


def test_every_link_of_the_front_page_leads_to_a_page() -> None:
    found = re.findall(r"\]\(([^)#]+)[^)]*\)", (DOCS / README).read_text(encoding="utf-8"))
    assert len(found) > 10
    for target in found:
        assert (DOCS.parent / target).is_file(), target


def test_the_systemd_unit_is_one() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(blocks("deploying.md", "ini")[0])
    assert unit.sections() == ["Unit", "Service", "Install"]
    service = unit["Service"]
    assert service["User"] == "gallring"
    assert service["UMask"] == "0077"
    assert service["ExecStart"].split()[:2] == ["/opt/gallring/.venv/bin/gallring", "ui"]
    assert Path(service["ReadWritePaths"]) == Path("/var/lib/gallring")
