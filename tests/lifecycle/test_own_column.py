"""A purpose that decides by a remembered column of the company's own decides the same once the column was erased.

The how-to guide `decide-by-a-column` promises it.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from assets.policy import Policy
from assets.warehouse import Warehouse
from orchestration.initialising import make_site
from tests.erasure.house import House, customer, invoice, order, payment

#: Bookkeeping lets go of what was sold in 2015; the buyer's name is kept twelve years in Norway and fourteen in Sweden.
SOLD, GOES, SWEDEN = "2015-01-10", date(2023, 1, 1), date(2029, 12, 31)
COLUMN = """      - name: books
        logicalType: string
        enum: [{value: "NO"}, {value: SE}]
        customProperties:
          - {property: dataCategory, value: transaction}
          - {property: remembered, value: true}
"""
PURPOSE = """
  foreign_books:
    title: {sv: "Bokföring i två länder", en: "Books of two countries"}
    class: duty
    legal_basis: [eu-gdpr:A6-1-c]
    dpv_purpose: dpv:LegalCompliance
    covers:
      archive: {invoice: [identity]}
    periods: {norway: P12Y, sweden: P14Y}
    law: "BFL (1999:1078) 7 kap. 2 §"
    decided_by: law
"""
SELECT = """
-- Books of two countries. Grain: a claim on an invoice.
select
    'invoice' as record_type,
    voucher.invoice_id as row_id,
    'archive' as clock,
    voucher.voucher_on as starts_on,
    make_date(cast(year(add_months(voucher.voucher_on, period.months)) as integer), 12, 31) as ends_on,
    cast(null as varchar) as ended_by,
    case when period.clock is null then 'country_unknown' end as missing
from core.invoices as voucher
inner join raw.orders_invoices as own
    on voucher.invoice_id = own.row_id
left join policy.periods as period
    on
        period.purpose = 'foreign_books'
        and period.clock = case own.$column when 'NO' then 'norway' when 'SE' then 'sweden' end
"""


def house(folder: Path, column: str) -> House:
    """A house whose policy asks `column` for the country of an invoice."""
    policy = make_site(folder / "site").policy
    contract = policy / "contracts" / "orders_invoices.yaml"
    told = contract.read_text(encoding="utf-8")
    at = told.index("      - name: buyer_name")
    contract.write_text(told[:at] + COLUMN + told[at:], encoding="utf-8")
    with (policy / "register.yaml").open("a", encoding="utf-8") as register:
        register.write(PURPOSE)
    (policy / "purposes" / "foreign_books.sql").write_text(SELECT.replace("$column", column), encoding="utf-8")
    return House(Warehouse.in_memory(pseudonym_key=b"column", threads=1), policy=Policy.load(policy))


def exports(books: str | None) -> dict[str, list[dict[str, Any]]]:
    """An invoice that was paid long ago, of somebody who left."""
    return {
        "crm/customers": [customer("K1", relation_ended_at="2016-01-01")],
        "orders/orders": [order("O1", "K1", SOLD)],
        "orders/invoices": [invoice("I1", "O1", SOLD, books=books)],
        "orders/payments": [payment("P1", "I1", SOLD)],
    }


def of_invoice(house: House) -> dict[str, tuple[str, date | None]]:
    rows = house.warehouse.rows(
        "select data_category, disposition, keep_until from retention.dispositions where record_type = 'invoice'"
    )
    return {category: (disposition, keep_until) for category, disposition, keep_until in rows}


def test_what_is_remembered_decides_on_after_it_was_erased(tmp_path: Path) -> None:
    lived = house(tmp_path, "known_books")
    lived.night(GOES - timedelta(days=1), exports("SE"))
    assert of_invoice(lived)["transaction"][0] == "restrict", "a duty alone keeps it"
    lived.night(GOES, exports("SE"))
    assert of_invoice(lived)["transaction"][0] == "erase"
    assert lived.warehouse.value("select books from raw.orders_invoices") is None, "its own copy is gone the same night"
    for day, books in ((1, "SE"), (2, None)):  # the source has it still; the source has obeyed
        lived.night(GOES + timedelta(days=day), exports(books))
        assert of_invoice(lived)["identity"] == ("restrict", SWEDEN)
    assert lived.warehouse.value("select count(*) from manifest.items where action = 'lift'") == 0


def test_what_is_not_remembered_is_in_doubt_once_it_was_erased(tmp_path: Path) -> None:
    """What the guide warns of: a purpose that reads the column itself decides otherwise the night after."""
    lived = house(tmp_path, "books")
    lived.night(GOES, exports("SE"))
    assert of_invoice(lived)["identity"] == ("restrict", SWEDEN)
    lived.evaluate(GOES + timedelta(days=1), exports("SE"))
    assert of_invoice(lived)["identity"][0] == "review"
