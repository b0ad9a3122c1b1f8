"""A policy that is changed while its version stays is told of, once a change; what to do is in the sentence."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.contracts.declarations import CONTRACTS
from assets.core.building import build
from assets.ingest.loading import load_rows
from assets.models import SQL
from assets.policy import SHIPPED_REGISTER, Policy
from assets.publication.status import _unraised
from assets.retention import incremental
from assets.retention.incremental import evaluate_night
from assets.retention.policy_versions import UnraisedVersion, unraised_version
from assets.warehouse import Warehouse
from orchestration.cli.cycle import tell_summary
from orchestration.cli.summary import read_summary

DAY = date(2026, 11, 26)
NEXT = DAY + timedelta(days=1)
Decided = Callable[[date], UnraisedVersion | None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A policy folder of a company's own: a register, and one purpose and all contracts of the shipped ones."""
    shutil.copytree(CONTRACTS, tmp_path / "policy" / "contracts")
    shutil.copy(SHIPPED_REGISTER, tmp_path / "policy" / "register.yaml")
    (tmp_path / "policy" / "purposes").mkdir()
    shutil.copy(SQL / "purposes" / "web_security.sql", tmp_path / "policy" / "purposes")
    return tmp_path / "policy"


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    with Warehouse.in_memory(pseudonym_key=b"k") as warehouse:
        Policy.load().publish(warehouse)
        load_rows(warehouse, Policy.load(), {})
        build(warehouse)
        yield warehouse


@pytest.fixture
def decided(folder: Path, warehouse: Warehouse) -> Decided:
    """Evaluates a day by the folder as it is then; what is to be told."""

    def decide(day: date) -> UnraisedVersion | None:
        policy = Policy.load(folder)
        policy.publish(warehouse)
        evaluate_night(warehouse, policy, day)
        return unraised_version(warehouse)

    return decide


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def raised(folder: Path) -> None:
    version = Policy.load(folder).version
    change(folder / "register.yaml", version, f"{version}.1")


CHANGES: dict[str, Callable[[Path], None]] = {
    "register": lambda folder: change(folder / "register.yaml", "P90D", "P60D"),
    "purpose": lambda folder: change(folder / "purposes" / "web_security.sql", "select", "select distinct"),
    "contract": lambda folder: change(folder / "contracts" / "web_events.yaml", "version: 1.0.0", "version: 1.0.1"),
}


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES)
def test_a_change_under_the_same_version_is_told_of_on_its_day_and_no_more(
    changed: Callable[[Path], None], folder: Path, decided: Decided
) -> None:
    assert decided(DAY - timedelta(days=2)) is None
    assert decided(DAY - timedelta(days=1)) is None
    changed(folder)
    told = UnraisedVersion(Policy.load(folder).version, DAY)
    assert decided(DAY) == told
    assert decided(DAY) == told, "as of the same day it may not have been seen: the run may have died"
    assert decided(NEXT) is None


def test_a_change_whose_version_was_raised_is_nothing_to_tell(folder: Path, decided: Decided) -> None:
    decided(DAY - timedelta(days=1))
    CHANGES["register"](folder)
    raised(folder)
    assert decided(DAY) is None


def test_raising_the_version_afterwards_ends_it(folder: Path, decided: Decided) -> None:
    decided(DAY - timedelta(days=1))
    CHANGES["register"](folder)
    assert decided(DAY) is not None
    raised(folder)
    assert decided(DAY) is None


def test_each_change_is_told_of(folder: Path, decided: Decided) -> None:
    decided(DAY)
    before = (folder / "register.yaml").read_text(encoding="utf-8")
    CHANGES["register"](folder)
    assert decided(NEXT) is not None
    (folder / "register.yaml").write_text(before, encoding="utf-8")
    assert decided(NEXT + timedelta(days=1)) is not None


def test_the_shipped_policy_and_another_program_are_nobodys_here_to_raise(
    folder: Path, decided: Decided, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Policy.load().own_sha256 is None
    evaluate_night(warehouse, Policy.load(), DAY)
    assert not warehouse.exists("policy", "decided")
    decided(DAY)
    monkeypatch.setattr(Policy, "sha256", "as another program makes it")
    assert decided(NEXT) is None


def test_what_was_decided_by_an_evaluation_that_was_taken_back_is_not_noted(
    folder: Path, decided: Decided, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided(DAY)
    CHANGES["register"](folder)

    def dies(*_: Any) -> None:
        raise RuntimeError("no power")

    with monkeypatch.context() as patched:
        patched.setattr(incremental, "evaluate", dies)
        with pytest.raises(RuntimeError):
            decided(NEXT)
    assert decided(NEXT) is not None


def test_a_run_and_status_tell_it_with_what_to_do(
    folder: Path, decided: Decided, warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    decided(DAY)
    tell_summary(read_summary(warehouse))
    assert capsys.readouterr().err == ""
    CHANGES["register"](folder)
    told = decided(NEXT)
    tell_summary(read_summary(warehouse))
    said = capsys.readouterr().err
    assert said.startswith("gallring: the policy was changed, and its version stayed ")
    assert f"from {NEXT} on" in said
    assert "raise `version` in register.yaml" in said
    with Warehouse.in_memory() as published:
        published.run("attach ':memory:' as site")
        assert _unraised(published) is None, "an earlier version has published none"
        published.run("create schema site.quality")
        published.run(
            "create table site.quality.policies (sequence bigint, version varchar, digest varchar, as_of date)"
        )
        published.run("create table site.about as select cast(? as date) as as_of", [NEXT])
        rows = warehouse.rows("from policy.decided")
        published.insert("site.quality.policies", ["sequence", "version", "digest", "as_of"], rows)
        assert _unraised(published) == told
