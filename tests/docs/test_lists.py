"""Pages that list all there is of something, held against the code that has it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from assets.ingest.kept_out import RULES
from assets.ledger.states import STATES
from assets.policy import Policy
from assets.purpose_register import Contact, Purpose, Recipient, RecordOfProcessing, Register
from assets.rehearsal.scenarios import run
from assets.site import FOLDERS
from tests.docs.pages import DOCS, blocks


def quoted(page: str) -> set[str]:
    """Every word that a page gives as code."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return {word for code in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"\w+", code)}


@pytest.mark.parametrize("part", [Register, Purpose, RecordOfProcessing, Recipient, Contact])
def test_every_key_of_the_register_is_told(part: type[BaseModel]) -> None:
    assert {field.alias or name for name, field in part.model_fields.items()} <= quoted("policy.md")


def test_the_scenario_that_is_shown_is_one_and_holds(tmp_path: Path) -> None:
    shown = tmp_path / "shown.yaml"
    shown.write_text(blocks("policy.md", "yaml")[0], encoding="utf-8")
    outcome = run(shown, Policy.load())
    assert outcome.differences == []
    assert outcome.expectations == 2


def test_every_folder_of_a_site_is_told() -> None:
    tree = (DOCS / "site.md").read_text(encoding="utf-8").split("```")[1]
    assert {line.split("/")[0].strip() for line in tree.splitlines()} >= set(FOLDERS)


def test_every_state_of_an_item_is_told() -> None:
    assert {state.name for state in STATES} <= quoted("words.md")


def test_every_rule_that_sets_a_row_aside_is_told() -> None:
    assert set(RULES) <= quoted("contracts.md")
