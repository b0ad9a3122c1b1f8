"""What the shell offers after TAB."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from orchestration.cli.verbs import app

GALLRING = Path(sys.executable).with_name("gallring")


def offered(*words: str) -> list[str]:
    """What is offered for the last word, after those before it."""
    from typer.core import TyperGroup

    command = get_command(app)
    assert isinstance(command, TyperGroup)
    at = command.make_context("gallring", list(words[:-1]), resilient_parsing=True)
    *named, last = words
    while named and hasattr(at.command, "commands"):
        inner = at.command.commands[named.pop(0)]
        at = inner.make_context(inner.name, list(named), parent=at, resilient_parsing=True)
    parameter = next(each for each in at.command.params if at.params.get(each.name) in (None, ()))
    return [each.value for each in parameter.shell_complete(at, last)]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in (
        "outbox/crm/2026-11-22-aa",
        "outbox/partner:frakt/2026-11-22-bb",
        "outbox/crm/.half",
        "policy/contracts",
    ):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("crm_customers", "crm_quotes", "till_receipts"):
        (tmp_path / "policy" / "contracts" / f"{name}.yaml").touch()
    monkeypatch.setenv("GALLRING_SITE", str(tmp_path))
    return tmp_path


def test_record_types_are_offered() -> None:
    assert offered("explain", "cust") == ["customer"]
    assert len(offered("explain", "")) >= 17


def test_manifests_and_systems_of_the_site_are_offered(site: Path) -> None:
    assert offered("manifest", "show", "2026") == ["2026-11-22-aa", "2026-11-22-bb"]
    assert offered("manifest", "list", "") == ["crm", "partner:frakt"]


def test_sources_are_those_of_the_sites_contracts(site: Path) -> None:
    assert offered("deliver", "") == ["crm", "till"]
    assert offered("accept", "crm", "") == ["customers", "quotes"]


def test_without_a_site_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLRING_SITE", str(tmp_path / "nowhere"))
    assert offered("manifest", "show", "") == []
    assert "crm" in offered("deliver", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str) -> None:
    environment = {**os.environ, "_GALLRING_COMPLETE": f"source_{shell}"}
    script = subprocess.run([GALLRING], env=environment, capture_output=True, text=True, check=True).stdout
    assert f"complete_{shell}" in script
    assert "gallring" in script


def test_bash_completes(site: Path) -> None:
    typed = """
    source <(_GALLRING_COMPLETE=source_bash gallring)
    COMP_WORDS=(gallring manifest approve 2026-11-22-b) COMP_CWORD=3
    _gallring_completion gallring
    echo "${COMPREPLY[@]}"
    """
    path = os.pathsep.join([str(GALLRING.parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", typed], env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=180
    )
    assert done.stdout.strip() == "2026-11-22-bb"
