"""Every command and link in the documentation is one that exists."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
from typer.main import get_command

from orchestration.cli import app
from tests.docs.pages import DOCS, blocks

OURS = ["tutorial.md", "deploying.md", "analysts.md"]
#: The options that several verbs share stand in the verbs' own help, and so does everything else.
_COMMAND = re.compile(r"(?:^|bin/)gallring ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)([^`\n]*)")


@pytest.mark.parametrize("page", OURS)
def test_every_command_and_option_exists(page: str) -> None:
    verbs = get_command(app).commands  # type: ignore[attr-defined]
    text = (DOCS / page).read_text(encoding="utf-8")
    spoken = [code for code in re.findall(r"`(gallring [^`]+)`", text)]
    spoken += [
        line for kind in ("bash", "console", "ini") for block in blocks(page, kind) for line in block.splitlines()
    ]
    checked = 0
    for line in spoken:
        for words, rest in _COMMAND.findall(line):
            first, _, second = words.partition(" ")
            command = verbs[first]
            if hasattr(command, "commands"):
                command = command.commands[second]
            known = {option for each in command.params for option in each.opts}
            assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= known | {"--help"}, line
            checked += 1
    assert checked >= (5 if page != "analysts.md" else 0)


@pytest.mark.parametrize("page", OURS)
def test_every_link_leads_to_a_page(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", (DOCS / page).read_text(encoding="utf-8")):
        assert (DOCS / target).is_file(), target


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
