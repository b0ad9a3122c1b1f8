"""What a run says of what went wrong: how many rows, which table, and what to do about it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from assets.delivery.receipts import read_receipts
from assets.delivery.settling import WHAT_TO_DO
from assets.delivery.transports.contract import RetryableTransportError
from assets.ledger import issued
from assets.manifests.left_out import left_out
from assets.site import Site
from assets.warehouse import Warehouse
from orchestration.cli.cycle import tell_holding_nothing, tell_left_out, tell_outcome, tell_summary
from orchestration.cli.summary import read_summary
from orchestration.running import Block, CycleOutcome, FailedCheck, Rejected
from tests.delivery.sealed import Counting, Ways


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
    ("severity", "blocking", "said"),
    [
        ("critical", False, "claim; it holds nothing up.\n"),
        ("critical", True, "its claim.\n"),
        ("warning", False, "its claim.\n"),
    ],
)
def test_a_critical_check_that_holds_nothing_up_says_so(
    severity: str, blocking: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    check = FailedCheck("requests_answered_in_time", "raw.office_requests", severity, 1, blocking)
    assert told(capsys, checks=(check,)).endswith(said)


@pytest.mark.parametrize(
    ("reason", "detail", "mend"),
    [
        ("never_arrived", "no full delivery of this table has been loaded", "Deliver it."),
        ("stale", "the latest full delivery is 9 days old, at most 3 are allowed", "Deliver it again, whole."),
        ("barred", "this account may not look into inbox/crm", "the next run looks again."),
        ("rejected", "delivery 2026-11-25T02-00: sha256", "a delta lifts no block; quarantine/ holds it."),
        ("emptied", "customer_id names a record in none of 90 rows: say that it is right", "is sealed."),
        ("shrunk", "5 rows after 90; 85 left: say that it is right with gallring accept crm customers", "is sealed."),
    ],
)
def test_a_block_says_what_to_do_about_its_own_reason(
    reason: str, detail: str, mend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(capsys, blocks=(Block("crm", "customers", reason, detail),)).strip()
    assert detail in said
    assert said.endswith(mend)


def test_a_rejected_delivery_is_told_where_no_block_tells_it(capsys: pytest.CaptureFixture[str]) -> None:
    rejected = tuple(Rejected(source, "2026-11-25", "no sha256") for source in ("CRM", "crm"))
    block = Block("crm", "customers", "rejected", "delivery 2026-11-25 of customers: no sha256")
    tell_outcome(CycleOutcome("0" * 32, "run_cycle", date(2026, 11, 25), True, (), (), (block,), rejected))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[1] == "gallring: CRM/2026-11-25 was rejected, and holds up nobody: no sha256. quarantine/ holds it."


def test_tables_that_share_a_reason_are_told_together(capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, blocks=tuple(Block("crm", table, "never_arrived", "none") for table in ("contacts", "quotes")))
    assert said.startswith("gallring: crm (contacts, quotes) blocks (never_arrived: none)")
    assert said.count("\n") == 1


def test_an_approved_manifest_that_did_not_reach_its_system_is_told_with_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Warehouse.in_memory() as warehouse:
        issued.prepare(warehouse)
        warehouse.run(
            "create table manifest.dispatches as select * from (values "
            "('2026-11-22-aaaaa111', 'web', 'delivered', null, null), "
            "('2026-11-22-bbbbb222', 'crm', 'waits', 'unreachable', 'crm: The folder is not there (not mounted?).')"
            ") as told(manifest_id, system, outcome, code, message)"
        )
        tell_summary(read_summary(warehouse))
    assert capsys.readouterr().err == (
        "gallring: manifest 2026-11-22-bbbbb is approved and was not delivered (unreachable): "
        "crm: The folder is not there (not mounted?).\n"
    )


def test_items_that_no_export_proves_are_told_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with Warehouse.in_memory() as warehouse:
        issued.prepare(warehouse)
        assert read_summary(warehouse).unproven == ()
        warehouse.run(
            "insert into manifest.unproven (system, reason, items) values ('crm', 'other_rows_in_scope', 2), "
            "('crm', 'field_read_no_more', 3), ('web', 'key_read_otherwise', 1)"
        )
        tell_summary(read_summary(warehouse))
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2].partition(" since")[0] for line in told] == [
        "5 items of crm are seen no more, and no export proves it (field_read_no_more): "
        "a field that was ordered erased has left the contract",
        "1 items of web are seen no more, and no export proves it (key_read_otherwise): "
        "the key of the table is read in another way",
    ]
    assert all(line.endswith(WHAT_TO_DO) for line in told)


def test_rows_that_keep_absence_unproved_are_told_with_their_table(capsys: pytest.CaptureFixture[str]) -> None:
    with Warehouse.in_memory() as warehouse:
        issued.prepare(warehouse)
        warehouse.run(
            "insert into manifest.unproven values ('crm', 'field_read_no_more', 3, null, null), "
            "('crm', 'rows_without_key', 7, 'customers', 2)"
        )
        tell_summary(read_summary(warehouse))
    assert [line.partition(": ")[2].partition(" whose")[0] for line in capsys.readouterr().err.splitlines()] == [
        "3 items of crm are seen no more, and no export proves it (field_read_no_more): a field that was ordered "
        f"erased has left the contract since they were sealed. {WHAT_TO_DO}",
        "7 items of crm are seen no more, and no export proves it (rows_without_key): rows of customers were set aside "
        "in its latest full export (2)",
    ]


def test_records_that_are_left_out_of_the_manifests_are_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Warehouse.in_memory() as warehouse:
        warehouse.run("create schema manifest")
        warehouse.run("create table manifest.left_out (system varchar, record_type varchar, record_key varchar)")
        records = [("crm", "customer", "C1"), ("crm", "contact", "K1"), ("web", "web_event", "W1")]
        warehouse.insert("manifest.left_out", ["system", "record_type", "record_key"], records)
        tell_left_out(left_out(warehouse))
        (line,) = capsys.readouterr().err.splitlines()
        assert line.partition(": rows that")[0] == (
            "gallring: records are left out of the manifests (2 of crm, 1 of web)"
        )
        assert not any(key in line for key in ("C1", "K1", "W1"))
        warehouse.run("delete from manifest.left_out")
        tell_left_out(left_out(warehouse))
    assert capsys.readouterr().err == ""


def test_holds_that_name_no_record_are_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    tell_holding_nothing([])
    assert capsys.readouterr().err == ""
    tell_holding_nothing([f"H{number}" for number in range(22)])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gallring: These holds name no record that has been taken in: H0, H1,")
    assert " H19 and 2 more. Look at type and key" in line


def test_answers_that_could_not_be_read_are_told_with_their_system_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, site = "Anna Testsson", Site(tmp_path)
    site.make()
    for number in range(2):
        (site.receipts / "crm" / f"{name} {number}.jsonl").mkdir(parents=True)
    (site.receipts / "crm" / f"{name}.jsonl").write_text(f"{name}\n", encoding="utf-8")
    with Warehouse.in_memory() as warehouse:
        issued.prepare(warehouse)
        warehouse.run("insert into manifest.manifests (manifest_id, system) values ('m', 'crm'), ('w', 'web')")
        web = Counting(RetryableTransportError("unreachable", "The folder is not there (not mounted?)."))
        read_receipts(warehouse, site, Ways(crm=Counting(), web=web), now=datetime(2026, 11, 25, tzinfo=UTC))
        tell_summary(read_summary(warehouse))
    told = capsys.readouterr().err
    assert name not in told
    assert told == (
        "gallring: answers of crm were not taken (malformed): Lines of sha256 ee9fe441e457…: the first is line 1, "
        "which is no JSON object in UTF-8. Ask the system to answer as the format says.\n"
        "gallring: answers of crm could not be read (unreadable, 2 times): A file in receipts/crm is no plain file, or "
        "larger than any answers should be: move it away.\n"
        "gallring: answers of web could not be read (unreachable): web: The folder is not there (not mounted?).\n"
    )
