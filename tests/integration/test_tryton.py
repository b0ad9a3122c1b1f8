"""A real Tryton export through the command line: every row accounted for, and decided as worked out by hand.

The contracts and the register are `tests/examples/tryton`; docs/examples.md tells why they are as they are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from assets.ingest.accepting import accept_as_right
from assets.ingest.delivering import deliver
from assets.ingest.loading import ingest
from assets.policy import SHIPPED_REGISTER, Policy
from assets.policy_check import check
from assets.rehearsal import scenarios
from assets.retention.explaining import explain, render
from assets.site import Site
from assets.warehouse import Warehouse
from orchestration.initialising import make_site
from orchestration.opening import open_warehouse
from orchestration.settings import Settings
from tests.examples.real import (
    EXAMPLES,
    ROOT,
    accounting,
    decisions,
    explained,
    exports,
    purposes,
    rows_in,
    verified_items,
)

FOLDER = EXAMPLES / "tryton"
DAY = date(2026, 11, 22)
EXTRACTED = datetime(2026, 11, 22, 12, tzinfo=UTC)
DELIVERIES = {
    "crm": (
        "parties",
        "addresses",
        "contact_mechanisms",
        "relations",
        "sales",
        "opportunities",
        "web_users",
    ),
    "orders": ("sales", "invoices"),
    "mailing": ("newsletter", "web_users"),
}
BUYERS_WHO_NEVER_PAID = ("24", "36", "48", "60", "72")


@dataclass(frozen=True)
class Ran:
    """The site after its one run."""

    site: Site
    warehouse: Warehouse
    policy: Policy
    outcome: dict[str, Any]


def gallring(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a company would."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GALLRING_", "DAGSTER_"))}
    return subprocess.run(
        [sys.executable, "-c", "import sys; from orchestration.cli import main; sys.exit(main())",
         *map(str, arguments)],
        capture_output=True, text=True, cwd=ROOT, env=environment, check=False, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """The export delivered as three systems, and the cycle run once from the command line."""
    source, policy = exports("tryton"), Policy.load(FOLDER)
    site = make_site(tmp_path_factory.mktemp("tryton") / "site")
    for system, names in DELIVERIES.items():
        files = [source / f"{name}.csv" for name in names]
        deliver(site, policy, system, files, mode="full", extracted_at=EXTRACTED)
    done = gallring("run", "--as-of", str(DAY), "--json", "--site", site.path, "--policy", FOLDER)
    assert done.returncode == 0, done.stdout[:2000] + done.stderr
    outcome = json.loads(done.stdout)["outcome"]
    with open_warehouse(site, Settings.load(site)) as warehouse:
        yield Ran(site, warehouse, policy, outcome)


# -- the policy --------------------------------------------------------------------------------------------------------


def test_the_policy_is_whole_and_says_nothing_of_tables_that_nobody_delivers() -> None:
    assert {each.rule for each in check(Policy.load(FOLDER))} == {"not_delivered"}, "notes alone"


@pytest.mark.parametrize("path", sorted((FOLDER / "scenarios").glob("*.yaml")), ids=lambda path: path.stem)
def test_its_scenarios_come_out_as_worked_out_by_hand(path: Path) -> None:
    outcome = scenarios.run(path, Policy.load(FOLDER))
    assert outcome.expectations > 0
    assert outcome.differences == []


def test_its_bookkeeping_is_the_shipped_one_with_the_party_added() -> None:
    def statement(path: Path) -> str:
        return "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("--"))

    own = statement(FOLDER / "purposes" / "accounting.sql")
    before, _, rest = own.partition("    union all\n    select\n        'customer' as record_type,")
    _, _, after = rest.partition("\n)\n\nselect")
    assert f"{before}\n)\n\nselect{after}".replace("\n\n)", "\n)") == statement(
        SHIPPED_REGISTER.parent / "accounting.sql"
    )


# -- taking in ---------------------------------------------------------------------------------------------------------


def test_the_cycle_is_complete_and_nothing_blocks(ran: Ran) -> None:
    assert ran.outcome["success"]
    assert ran.outcome["blocks"] == []
    assert [failed for failed in ran.outcome["failed_checks"] if failed["severity"] == "critical"] == []


def test_every_row_is_loaded_or_out_of_scope_and_none_is_lost(ran: Ran) -> None:
    found = accounting(ran.warehouse)
    assert found == {
        ("crm", "customers", "parties.csv"): (75, 71, 0, 4),
        ("crm", "contacts", "parties.csv"): (75, 3, 0, 72),
        ("crm", "interactions", "opportunities.csv"): (1, 1, 0, 0),
        ("crm", "quotes", "sales.csv"): (27, 2, 0, 25),
        ("crm", "relations", "relations.csv"): (2, 2, 0, 0),
        ("crm", "contact_mechanisms", "contact_mechanisms.csv"): (16, 16, 0, 0),
        ("crm", "addresses", "addresses.csv"): (75, 75, 0, 0),
        ("crm", "web_users", "web_users.csv"): (1, 1, 0, 0),
        ("crm", "sales", "sales.csv"): (27, 27, 0, 0),
        ("orders", "orders", "sales.csv"): (27, 25, 0, 2),
        ("orders", "sales", "sales.csv"): (27, 27, 0, 0),
        ("orders", "deliveries", "sales.csv"): (27, 1, 0, 26),
        ("orders", "invoices", "invoices.csv"): (26, 26, 0, 0),
        ("orders", "payments", "invoices.csv"): (26, 14, 0, 12),
        ("mailing", "subscribers", "newsletter.csv"): (1, 1, 0, 0),
        ("mailing", "web_users", "web_users.csv"): (1, 1, 0, 0),
    }
    for (_, _, file), (rows, loaded, quarantined, outside) in found.items():
        assert rows == rows_in(exports("tryton") / file) == loaded + quarantined + outside


def test_every_party_but_the_company_itself_is_a_customer_or_a_contact(ran: Ran) -> None:
    parties = ran.warehouse.rows(
        "select customer_id from raw.crm_customers union all select contact_id from raw.crm_contacts order by all"
    )
    assert sorted(int(key) for (key,) in parties) == list(range(2, 76))
    assert ran.warehouse.rows("select contact_id, customer_id from raw.crm_contacts order by all") == [
        ("15", "14"),  # receives what company 14 is offered, and buys nothing
        ("3", "2"),
        ("4", "2"),
    ]


def test_companies_are_told_by_their_contacts_or_their_name(ran: Ran) -> None:
    assert ran.warehouse.rows(
        "select customer_id from raw.crm_customers where customer_type <> 'private' order by all"
    ) == [("14",), ("2",)]


def test_invoice_numbers_repeat_and_drafts_have_none_but_ids_keep_them_apart(ran: Ran) -> None:
    invoices, numbers, drafts = ran.warehouse.rows(
        "select count(*), count(distinct invoice_number), count(*) filter (where invoice_number is null) "
        "from raw.orders_invoices"
    )[0]
    assert (invoices, drafts) == (26, 1)
    assert numbers < 10


def test_each_invoice_finds_its_sale_and_the_draft_none(ran: Ran) -> None:
    unlinked = ran.warehouse.rows("select invoice_id from raw.orders_invoices where order_id is null")
    strange = ran.warehouse.value(
        "select count(*) from raw.orders_invoices as invoice inner join raw.orders_orders as purchase "
        "on invoice.order_id = purchase.order_id where invoice.customer_id <> purchase.customer_id"
    )
    assert unlinked == [("6",)]
    assert strange == 0


def test_what_was_merged_into_another_is_decided_by_itself(ran: Ran) -> None:
    """Party 9 was merged into 7, and nothing hangs on it: what is left of it is erased from tomorrow."""
    assert decisions(ran.warehouse, "customer", "9")["identity"] == ("retain", DAY)
    assert ran.warehouse.value("select count(*) from raw.orders_orders where customer_id = '9'") == 0


def test_nobody_is_merged_by_a_name_alone(ran: Ran) -> None:
    people, rows = ran.warehouse.rows("select count(distinct person_id), count(*) from core.people")[0]
    assert people == rows == 69 + 3 + 1  # private customers, contacts, a subscriber without a name
    findings = ran.warehouse.rows("select finding, record_type from retention.findings order by all")
    assert findings == [("date_ahead", "payment"), ("possible_match", "customer"), ("possible_match", "subscriber")]


# -- deciding ----------------------------------------------------------------------------------------------------------


def test_a_quotation_is_kept_and_marketing_counts_from_it(ran: Ran) -> None:
    """Sale 2, 2026-10-30: follow-up a year, marketing by post and telephone 24 months and a year."""
    assert decisions(ran.warehouse, "quote", "2") == {
        "content": ("retain", date(2027, 10, 30)),
        "transaction": ("retain", date(2027, 10, 30)),
    }
    assert decisions(ran.warehouse, "customer", "5")["email"] == ("retain", date(2027, 10, 30))
    assert decisions(ran.warehouse, "customer", "5")["phone"] == ("retain", date(2029, 10, 30))


def test_a_paid_buyer_stays_on_the_invoice_and_nowhere_else(ran: Ran) -> None:
    """Sale 5 of 2025 was paid 2025-03-05: books to 2032, marketing to 2028. Sale 9 of 2020: books alone, to 2027."""
    books, marketing = date(2032, 12, 31), date(2028, 2, 1)
    customer = decisions(ran.warehouse, "customer", "8")
    assert (customer["identity"], customer["email"]) == (("retain", books), ("retain", marketing))
    assert decisions(ran.warehouse, "invoice", "4")["transaction"] == ("restrict", books)
    customer = decisions(ran.warehouse, "customer", "21")
    assert customer["identity"] == customer["address"] == ("restrict", date(2027, 12, 31))
    assert customer["email"] == customer["phone"] == ("erase", None)


@pytest.mark.parametrize("key", BUYERS_WHO_NEVER_PAID)
def test_a_private_debt_lapses_after_three_years_and_the_books_stay(ran: Ran, key: str) -> None:
    """Sold 2023-06-01 and never paid: the debt lapsed 2026-06-01, the sale has been open for too long to be sure of."""
    customer = decisions(ran.warehouse, "customer", key)
    assert customer["identity"] == ("restrict", date(2030, 12, 31))
    assert customer["email"] == ("review", None)


def test_a_payment_dated_ahead_has_no_effect_yet(ran: Ran) -> None:
    """Invoice 5 is said to be paid, on its due date to come: it counts as unpaid until then, and is a finding."""
    invoice = decisions(ran.warehouse, "invoice", "5")
    assert invoice["transaction"] == ("retain", date(2033, 12, 31))
    assert decisions(ran.warehouse, "customer", "11")["email"] == ("retain", None)  # the goods are waiting


def test_what_nothing_dates_is_for_a_person_to_look_at(ran: Ran) -> None:
    for record, key, category in (
        ("invoice", "6", "transaction"),  # a draft
        ("customer", "13", "identity"),  # whose draft it is
        ("customer", "12", "email"),  # has an account in the web shop
        ("customer", "17", "identity"),  # entered with the move to Tryton, no business since
        ("subscriber", "1", "email"),  # subscribed on an unknown day
    ):
        assert decisions(ran.warehouse, record, key)[category] == ("review", None), (record, key)


def test_a_company_is_nobody_and_its_contacts_go_with_it(ran: Ran) -> None:
    """Company 2 last bought in 2016, company 14 was offered something this month."""
    assert set(decisions(ran.warehouse, "customer", "2").values()) == {("not_personal", None)}
    for key in ("3", "4"):
        assert set(decisions(ran.warehouse, "contact", key).values()) == {("erase", None)}
    assert decisions(ran.warehouse, "contact", "15")["identity"] == ("retain", date(2029, 11, 5))


# -- telling why -------------------------------------------------------------------------------------------------------


def test_explain_tells_why_an_old_sale_goes(ran: Ran) -> None:
    """Sale 4 of 2017 was paid 2017-05-04: both uses ended that day, and the books of 2017 with the year 2024."""
    fields = explained(ran.warehouse, ran.policy, "order", "4")
    ended = ("ended", date(2017, 5, 4))
    assert fields["comment"].disposition == fields["reference"].disposition == "erase"
    assert purposes(fields["comment"]) == {"order_fulfilment": ended}
    assert purposes(fields["reference"]) == {"order_fulfilment": ended, "invoicing": ended}
    amount = explained(ran.warehouse, ran.policy, "invoice", "3")["amount"]
    assert (amount.disposition, purposes(amount)["accounting"]) == ("erase", ("ended", date(2024, 12, 31)))


def test_explain_tells_why_an_open_sale_stays(ran: Ran) -> None:
    """Sale 3 is unpaid and under way. Its invoice of 2026-09-05 was due 10-05 and is a debt since 11-04."""
    fields = explained(ran.warehouse, ran.policy, "order", "3")
    assert (fields["reference"].disposition, fields["reference"].keep_until) == ("retain", None)
    assert purposes(fields["reference"]) == {
        "order_fulfilment": ("active", None),
        "invoicing": ("ended", date(2026, 11, 4)),
    }
    amount = explained(ran.warehouse, ran.policy, "invoice", "2")["amount"]
    assert (amount.disposition, amount.keep_until) == ("restrict", date(2033, 12, 31))
    assert purposes(amount)["debt_collection"] == ("active", date(2029, 9, 1))


def test_explain_answers_in_swedish_and_english(ran: Ran) -> None:
    swedish = render(explain(ran.warehouse, ran.policy, "order", "4", "sv"))
    english = render(explain(ran.warehouse, ran.policy, "order", "4", "en"))
    assert "Ska raderas: inget ändamål behöver uppgiften längre." in swedish
    assert "Slut: Hantera och leverera beställning, 2017-05-04" in swedish
    assert "Ended: Handle and deliver the order, 2017-05-04" in english


# -- sealing -----------------------------------------------------------------------------------------------------------


def test_manifests_are_sealed_and_verify_and_hold_what_was_decided(ran: Ran) -> None:
    items = verified_items(ran.site)
    assert set(items) == {"crm", "orders"}
    assert items["crm"]["customer", "7", "erase"] == []  # the whole record
    assert items["crm"]["customer", "21", "restrict"] == ["name", "street", "postal_code", "city"]
    assert items["crm"]["contact", "3", "erase"] == []
    assert {("order", "1", "erase"), ("order", "4", "erase"), ("invoice", "7", "erase")} <= set(items["orders"])
    assert items["orders"]["payment", "8", "restrict"] == ["amount"]
    assert not [key for key in items["crm"] if key[:2] in {("customer", "2"), ("customer", "9"), ("customer", "12")}]


def test_nothing_that_leaves_names_anybody(ran: Ran) -> None:
    names = {name for (name,) in ran.warehouse.rows("select name from raw.crm_customers where length(name) > 8")}
    sealed = b"".join(path.read_bytes() for path in ran.site.outbox.rglob("*") if path.is_file())
    assert len(names) > 50
    assert [name for name in names if name.encode() in sealed] == []


# -- what the export happens not to hold -------------------------------------------------------------------------------

PARTY = "id,code,name,active,create_date,write_date,replaced_by.id,lang.code,tax_identifier.code"
SALE = (
    "id,number,reference,state,sale_date,party.id,party.code,invoice_party.id,shipment_party.id,currency.code,"
    "untaxed_amount,total_amount,invoice_state,shipment_state,comment,create_date"
)
INVOICE = (
    "id,number,type,state,invoice_date,party.id,party.code,currency.code,total_amount,amount_to_pay,reconciled,"
    "create_date"
)
INVENTED = {
    "parties": (
        f"{PARTY}\n1,1,Eget AB,1,2026-12-01T23:30:00,,,,\n"
        "2,K2,Provfirman,1,2026-12-01T23:30:00,,,,SE199006022397\n"  # twelve digits are no VAT number
        "3,K3,Ada Testmans Foto,1,2026-12-01T23:30:00,,,,SE900602239701\n"
        "4,K4,Bo Provsson,1,2026-12-01T23:30:00,,,,19910717-2380\n"
        "5,K5,Kommunen,1,2026-12-01T23:30:00,,,,202100-5489\n"
        "6,K6,Cia Kabel,0,2026-12-01T23:30:00,2026-12-05T12:00:00,,,\n"
        "7,R7,Dan Exempelgren,1,2026-12-01T23:30:00,,,,\n"
    ),
    "sales": (
        f"{SALE}\n1,1,,done,2026-12-02,4,K4,,7,SEK,80,100.00,paid,sent,,2026-12-02T10:00:00\n"
        "2,2,,processing,2026-12-02,4,K4,,,SEK,160,200.00,none,none,,2026-12-02T10:00:00\n"
        "3,3,,processing,2026-12-02,4,K4,,,SEK,160,200.00,none,none,,2026-12-02T10:00:00\n"
        "4,,,draft,,4,K4,,,SEK,8,10.00,none,none,,2026-12-02T23:30:00\n"
        "5,5,,cancelled,2026-12-02,4,K4,,,SEK,8,10.00,none,none,,2026-12-02T10:00:00\n"
    ),
    "invoices": (
        f"{INVOICE}\n1,1,out,paid,2026-12-03,4,K4,SEK,100.00,0,2026-12-04,2026-12-03T10:00:00\n"
        "2,2,out,posted,2026-12-03,4,K4,SEK,200.00,150.00,,2026-12-03T10:00:00\n"
        "3,3,out,posted,2026-12-03,4,K4,SEK,-50.00,-50.00,,2026-12-03T10:00:00\n"
        "4,4,out,cancelled,2026-12-03,4,K4,SEK,70.00,0,,2026-12-03T10:00:00\n"
        "5,5,in,posted,2026-12-03,4,K4,SEK,70.00,70.00,,2026-12-03T10:00:00\n"
    ),
    "addresses": "id,party.id,party_name,street,postal_code,city,country.code,active\n",
    "contact_mechanisms": "id,party.id,party.code,type,value,active,create_date\n"
    "10,4,K4,email,gammal@hem.example,0,\n11,4,K4,email,bo@hem.example,1,\n12,4,K4,email,bo2@hem.example,1,\n"
    "13,4,K4,mobile,+46701740605,1,\n14,4,K4,fax,+46701740606,1,\n15,7,R7,email,dan@hem.example,0,\n",
    "relations": "id,from_.id,to.id,type.name\n",
    "opportunities": "id,number,state,start_date,end_date,party.id,description,amount\n"
    "1,1,lead,2026-12-02,2027-01-31,4,Vill ha album,\n",
    "web_users": "id,email,party.id,active,create_date\n9,bo@hem.example,4,1,2026-12-02T10:00:00\n",
    "newsletter": "id,email,list_.name,active,party.id,web_user.id,create_date\n"
    "1,bo@hem.example,Nyhetsbrev,0,,9,2026-12-02T23:30:00\n",
}


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A later export, in memory: the kinds of rows that the real one lacks."""
    folder, policy = tmp_path_factory.mktemp("invented"), Policy.load(FOLDER)
    site = Site(folder / "site")
    for name, text in INVENTED.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    for system, names in DELIVERIES.items():
        files = [folder / f"{name}.csv" for name in names]
        deliver(site, policy, system, files, mode="full", extracted_at=datetime(2026, 12, 6, tzinfo=UTC))
    with Warehouse.in_memory(pseudonym_key=b"invented", threads=1) as warehouse:
        policy.publish(warehouse)
        first = ingest(warehouse, policy, site, as_of=date(2026, 12, 6))
        assert [each.source for each in first.rejected] == ["crm"]  # nobody lives anywhere or is related to anybody
        for lookup in ("relations", "addresses"):
            accept_as_right(warehouse, "crm", lookup, by="Data protection", reason="none", at=datetime(2026, 12, 6))
        report = ingest(warehouse, policy, site, as_of=date(2026, 12, 6))
        assert (report.rejected, report.rows_quarantined) == ((), 0)
        yield warehouse


def test_a_tax_identifier_tells_the_kind_of_party(invented: Warehouse) -> None:
    assert invented.rows(
        "select customer_id, customer_type, national_id, org_number from raw.crm_customers order by all"
    ) == [
        ("2", "private", None, "SE199006022397"),
        ("3", "sole_trader", None, "9006022397"),
        ("4", "private", "19910717-2380", None),
        ("5", "company", None, "202100-5489"),
        ("6", "private", None, None),
    ]


def test_what_is_out_of_use_is_taken_in_too(invented: Warehouse) -> None:
    """Tryton keeps an address after a change: it is no address to know people by, and yet theirs."""
    assert invented.rows(
        "select email, other_emails, phone, other_phones, web_account_email from raw.crm_customers "
        "where customer_id = '4'"
    ) == [("bo@hem.example", "gammal@hem.example; bo2@hem.example", "+46701740605", "+46701740606", "bo@hem.example")]
    assert invented.rows("select email, other_emails from raw.crm_contacts") == [(None, "dan@hem.example")]


def test_days_are_local_and_count_after_the_move(invented: Warehouse) -> None:
    """Tryton writes UTC: half past eleven in the evening is the next day here."""
    assert invented.rows("select cast(customer_since as varchar) from raw.crm_customers where customer_id = '4'") == [
        ("2026-12-02",)
    ]
    assert invented.value("select relation_ended_at from raw.crm_customers where customer_id = '6'") == date(
        2026, 12, 5
    )
    assert invented.rows("select customer_id, subscribed_at, unsubscribed_at from raw.mailing_subscribers") == [
        ("4", date(2026, 12, 3), date(2026, 12, 3))
    ]
    assert invented.rows("select requested_at, sent_at, status from raw.crm_quotes") == [
        (date(2026, 12, 3), None, "requested")
    ]
    assert invented.rows("select occurred_at, case_closed_at from raw.crm_interactions") == [(date(2026, 12, 2), None)]


def test_a_recipients_role_is_over_with_the_sale(invented: Warehouse) -> None:
    assert invented.rows("select contact_id, customer_id, role_ended_at from raw.crm_contacts") == [
        ("7", "4", date(2026, 12, 2))
    ]


def test_sales_that_cannot_be_told_apart_are_linked_to_nothing(invented: Warehouse) -> None:
    assert invented.rows("select invoice_id, order_id from raw.orders_invoices order by all") == [
        ("1", "1"), ("2", None), ("3", None), ("4", None),
    ]  # fmt: skip
    assert invented.rows("select order_id, status, closed_at from raw.orders_orders order by all") == [
        ("1", "closed", None),  # its goods were sent on an unknown day
        ("2", "open", None),
        ("3", "open", None),
        ("5", "cancelled", None),
    ]


def test_credit_notes_cancelled_invoices_and_part_payments(invented: Warehouse) -> None:
    invoices = invented.rows(
        "select invoice_id, kind, cast(amount as integer), booked_on is not null from raw.orders_invoices order by all"
    )
    payments = invented.rows(
        "select payment_id, paid_at, cast(amount as integer) from raw.orders_payments order by all"
    )
    assert invoices == [
        ("1", "invoice", 100, True),
        ("2", "invoice", 200, True),
        ("3", "credit_note", 50, True),
        ("4", "invoice", 0, True),
    ]
    assert payments == [("1", date(2026, 12, 4), 100), ("2", None, 50)]
