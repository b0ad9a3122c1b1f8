"""An address that a source corrects or empties is remembered as a keyed hash, with the day from which it had it not."""

from __future__ import annotations

from datetime import date

from tests.ingest.company import Company

_FORMER = (
    "select customer_id, contact_id, subscriber_id, email_key = pseudonym(normalised_email('a@hem.example')), "
    "replaced_on from raw.former_addresses order by row_id"
)


def _send(company: Company, day: str, table: str, *rows: dict[str, str], mode: str = "full") -> None:
    source, name = table.split("/")
    columns = [column.name for column in company.policy.contracts[source, name].columns]
    columns += ["_deleted"] if mode == "delta" else []
    lines = [columns, *([row.get(column, "") for column in columns] for row in rows)]
    company.send(source, {name: "".join(",".join(line) + "\n" for line in lines)}, day=day, mode=mode)
    assert company.ingest(date.fromisoformat(day)).loaded


def _customers(company: Company, day: str, *emails: str, mode: str = "full") -> None:
    rows = [
        {"customer_id": f"K{number}", "customer_type": "private", "name": "Ada Exempel", "email": email}
        for number, email in enumerate(emails, start=1)
    ]
    _send(company, day, "crm/customers", *rows, mode=mode)


def test_what_replaces_an_address_is_dated_by_its_extract(company: Company) -> None:
    _customers(company, "2026-11-20", "a@hem.example", "b@hem.example", "")
    assert not company.rows(_FORMER)
    _customers(company, "2026-11-21", "A@Hem.Example ", "b@hem.example", "new@hem.example")
    assert not company.rows(_FORMER), "the same address, and one where none was"
    _customers(company, "2026-11-22", "c@hem.example", "", "new@hem.example")
    assert company.rows(_FORMER) == [
        ("K1", None, None, True, date(2026, 11, 22)), ("K2", None, None, False, date(2026, 11, 22)),
    ]  # fmt: skip
    _customers(company, "2026-11-23", "d@hem.example", mode="delta")
    assert [row[0] for row in company.rows(_FORMER)] == ["K1", "K2", "K1"]
    _customers(company, "2026-11-24", "d@hem.example")
    assert len(company.rows(_FORMER)) == 3, "whoever leaves the source keeps the address that the last word was about"


def test_contacts_and_subscribers_have_former_addresses_too(company: Company) -> None:
    for day, email in (("2026-11-20", "a@hem.example"), ("2026-11-21", "b@hem.example")):
        contact = {"contact_id": "P1", "customer_id": "K1", "name": "Bo Exempel", "email": email}
        _send(company, day, "crm/contacts", contact, mode="delta")
        _send(company, day, "mailing/subscribers", {"subscriber_id": "S1", "email": email}, mode="delta")
    assert company.rows(_FORMER) == [
        (None, "P1", None, True, date(2026, 11, 21)), (None, None, "S1", True, date(2026, 11, 21)),
    ]  # fmt: skip


def test_an_address_that_is_erased_on_order_is_no_former_one(company: Company) -> None:
    _customers(company, "2026-11-20", "a@hem.example")
    company.order_erased("customer", "K1", "email")
    _customers(company, "2026-11-21", "")
    assert not company.rows(_FORMER), "its hash stands beside the row still"
