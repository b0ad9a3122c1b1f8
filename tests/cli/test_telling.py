"""What a run says of what went wrong: how many rows, which table, and what to do about it."""

from __future__ import annotations

from datetime import date

import pytest

from orchestration.cli.cycle import tell_outcome
from orchestration.running import Block, CycleOutcome, FailedCheck


def told(
    capsys: pytest.CaptureFixture[str], *, checks: tuple[FailedCheck, ...] = (), blocks: tuple[Block, ...] = ()
) -> str:
    tell_outcome(CycleOutcome("0" * 32, "run_cycle", date(2026, 11, 25), True, checks, (), blocks))
    return capsys.readouterr().err


@pytest.mark.parametrize(("rows", "said"), [(1, "1 row breaks its claim."), (2, "2 rows break its claim.")])
def test_rows_that_break_a_claim_are_counted_in_words_that_fit(
    rows: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    check = FailedCheck("names_are_there", "raw.crm_customers", "warning", rows)
    assert told(capsys, checks=(check,)).endswith(f"{said}\n")


@pytest.mark.parametrize(
    ("reason", "detail", "mend"),
    [
        ("never_arrived", "no full delivery of this table has been loaded", "Deliver it."),
        ("stale", "the latest full delivery is 9 days old, at most 3 are allowed", "Deliver it again, whole."),
        ("rejected", "delivery 2026-11-25T02-00: sha256", "quarantine/ holds what was rejected."),
        ("shrunk", "5 rows after 90; 85 left: say that it is right with gallring accept crm customers", "is sealed."),
    ],
)
def test_a_block_says_what_to_do_about_its_own_reason(
    reason: str, detail: str, mend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(capsys, blocks=(Block("crm", "customers", reason, detail),)).strip()
    assert detail in said
    assert said.endswith(mend)


def test_tables_that_share_a_reason_are_told_together(capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, blocks=tuple(Block("crm", table, "never_arrived", "none") for table in ("contacts", "quotes")))
    assert said.startswith("gallring: crm (contacts, quotes) blocks (never_arrived: none)")
    assert said.count("\n") == 1
