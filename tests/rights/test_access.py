"""What a person is shown of themselves: everything certain, nothing of others, and what they gave."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from assets.errors import BadInput, BadUsage, CheckFailed, NeedsPerson
from assets.ingest.loading import load_rows
from assets.rights.access import gather, portable
from assets.rights.others import Own, names_another
from assets.rights.people import find_person, records_of
from assets.rights.rendering import CODED, LANGUAGES, words
from assets.rights.reports import require_form, write_report
from assets.rights.set_aside import NO_ROWS, rows_of_unknown
from assets.site import Site
from assets.warehouse import Warehouse
from tests.manifests.ordered import order_erased
from tests.rights.company import DAY, EXPORTS, NOW, company, evaluated, policy

EXPIRES = date(2026, 12, 25)


@pytest.fixture(scope="module")
def warehouse() -> Warehouse:
    return evaluated(company())


def report_on(
    warehouse: Warehouse, checked: frozenset[tuple[str, str, str]] = frozenset(), **who: str
) -> dict[str, Any]:
    person = find_person(warehouse, **who)
    return gather(warehouse, policy(), person, made_at=NOW, expires_on=EXPIRES, checked=checked)


def shown(report: dict[str, Any]) -> dict[tuple[str, str, str], Any]:
    return {
        (record["record_type"], record["record_key"], field["field"]): field["value"]
        for record in report["records"] for field in record["fields"] if not field["held_back"]
    }  # fmt: skip


def held(report: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(each["record_type"], each["record_key"], each["field"]) for each in report["held_back"]}


def test_everything_in_every_source_is_there(warehouse: Warehouse) -> None:
    report = report_on(warehouse, customer="C1")
    records = {(each["record_type"], each["record_key"]) for each in report["records"]}
    assert records == {
        ("customer", "C1"), ("interaction", "T1"), ("interaction", "T2"), ("consent", "S1"), ("order", "O1"),
        ("order_line", "L1"), ("delivery", "D1"), ("invoice", "I1"), ("subscriber", "N1"),
    }  # fmt: skip
    assert report["sources"] == ["crm", "mailing", "orders"]
    assert shown(report)["customer", "C1", "national_id"] == "199006022397"
    assert {each["purpose"] for each in report["purposes"]} >= {"order_fulfilment", "accounting", "newsletter"}
    (recipient,) = report["recipients"]
    assert (recipient["partner"], recipient["fields"]) == ("Fraktbolaget AB", "contact_name;street")


def test_nobody_elses_data_is_there(warehouse: Warehouse) -> None:
    report = report_on(warehouse, customer="C1")
    text = json.dumps(report, ensure_ascii=False)
    for other in ("Egil", "Fiktivsson", "Granne", "Grannvägen", "070-1740643", "Olle", "Vega"):
        assert other not in text
    assert held(report) == {
        ("interaction", "T2", "body"), ("delivery", "D1", "contact_name"), ("delivery", "D1", "phone"),
        ("delivery", "D1", "street"), ("delivery", "D1", "city"),
    }  # fmt: skip


def test_a_contact_is_shown_without_their_colleagues_and_what_names_them(warehouse: Warehouse) -> None:
    report = report_on(warehouse, contact="K1")
    records = {(each["record_type"], each["record_key"]) for each in report["records"]}
    assert records == {("contact", "K1"), ("interaction", "T3"), ("order", "O3"), ("order_line", "L3")}
    assert ("interaction", "T3", "body") in held(report)  # a number that is not theirs
    assert "Walter" not in json.dumps(report)


def test_where_a_record_names_nobody_its_number_and_address_are_the_persons_own_or_are_held_back() -> None:
    delivery = {"order_id": "O1", "partner_id": "P1"}
    own = {"street": "Provvägen 4", "postal_code": "000 04", "city": "Testinge"}
    report = report_on(evaluated(company({
        "orders/deliveries": [
            {**delivery, **own, "delivery_id": "D1", "phone": "070-174 06 40"},
            {**delivery, **own, "delivery_id": "D2", "phone": "070-1740643", "street": "Provvägen 9"},
        ],
        "orders/invoices": [{**EXPORTS["orders/invoices"][0], "buyer_name": None, "buyer_national_id": "199006022389"}],
    })), customer="C1")  # fmt: skip
    assert {each for each in held(report) if each[0] in ("delivery", "invoice")} == {
        ("delivery", "D2", "phone"), ("delivery", "D2", "street"), ("delivery", "D2", "postal_code"),
        ("delivery", "D2", "city"), ("invoice", "I1", "buyer_national_id"),
    }  # fmt: skip
    assert shown(report)["delivery", "D1", "street"] == "Provvägen 4"
    assert shown(report)["delivery", "D1", "phone"] == "070-174 06 40"


def test_what_a_person_has_checked_is_shown(warehouse: Warehouse) -> None:
    report = report_on(warehouse, frozenset({("interaction", "T2", "body")}), customer="C1")
    assert "Egil" in shown(report)["interaction", "T2", "body"]
    assert ("interaction", "T2", "body") not in held(report)


def test_only_what_was_given_on_consent_or_contract_is_portable(warehouse: Warehouse) -> None:
    found = portable(report_on(warehouse, customer="C1"))
    require_form(found, "portability-1.json")
    data = {(each["record_type"], each["record_key"]): each["data"] for each in found["records"]}
    assert data["customer", "C1"]["name"] == "Disa Testman"
    assert data["subscriber", "N1"]["email"] == "disa@hem.example"
    assert not {kind for kind, _ in data} & {"interaction", "invoice", "payment", "claim_event"}
    assert "Granne" not in json.dumps(found)
    assert portable(report_on(warehouse, contact="K1"))["records"] == []


def test_a_companys_order_is_not_portable_for_its_contact_though_they_subscribe_or_buy_too() -> None:
    vega = {"name": "Vega Testman", "email": "vega@skolan.example"}
    customers = [*EXPORTS["crm/customers"], vega | {"customer_id": "C9", "customer_type": "private"}]
    found = portable(report_on(evaluated(company({
        "crm/customers": customers,
        "mailing/subscribers": [vega | {"subscriber_id": "N2", "contact_id": "K1", "subscribed_at": "2026-02-01"}],
        "orders/orders": [*EXPORTS["orders/orders"],
                          {"order_id": "O9", "customer_id": "C9", "purchase_capacity": "private", "status": "open",
                           "placed_at": "2026-09-01", "buyer_name": "Vega Testman"}],
    })), contact="K1"))  # fmt: skip
    assert {(each["record_type"], each["record_key"]) for each in found["records"]} == {
        ("customer", "C9"), ("order", "O9"), ("subscriber", "N2"),
    }  # fmt: skip


def test_an_address_of_two_people_is_for_a_person_to_sort_out(warehouse: Warehouse) -> None:
    with pytest.raises(NeedsPerson, match="customer C3") as raised:
        find_person(warehouse, email="disa@hem.example")
    assert "disa" not in raised.value.message.lower()
    assert find_person(warehouse, email=" Egil@HEM.example ").keys("customer") == {"C2"}


def test_the_persons_name_is_known_by_its_hash_once_the_value_is_erased() -> None:
    warehouse = company()
    warehouse.run("update raw.crm_customers set name = null, email = null, phone = null where customer_id = 'C1'")
    warehouse.run("update raw.mailing_subscribers set name = null, email = null where customer_id = 'C1'")
    report = report_on(evaluated(warehouse), customer="C1")
    order = next(record for record in report["records"] if record["record_key"] == "O1")
    shown = {field["field"]: field["held_back"] for field in order["fields"]}
    assert shown["buyer_name"] is None
    assert shown["buyer_email"] is None


def test_what_the_source_holds_still_though_it_was_ordered_erased_is_told_of(tmp_path: Path) -> None:
    warehouse = evaluated(company())
    # what sealing and an export that holds the telephone number still leave behind; the address has gone there too
    warehouse.run(
        "update raw.crm_customers set phone = null, email = null, withheld = ['phone'] "
        "where customer_id in ('C1', 'C2')"
    )
    warehouse.run(
        "insert into manifest.items (manifest_id, item_id, system, record_type, record_key, action, fields, as_of, "
        "respond_by) values ('M', 'X', 'crm', 'customer', 'C1', 'redact', ['phone', 'email'], date '2026-11-21', "
        "date '2026-12-21')"
    )
    order_erased(warehouse, "customer", "C1", "phone", "email", action="redact", item="X", as_of=date(2026, 11, 21))
    warehouse.run("insert into manifest.events (item_id, manifest_id, state, on_day, sequence) "
                  "values ('X', 'M', 'delivered', date '2026-11-22', 1)")  # fmt: skip
    report = report_on(warehouse, customer="C1")
    assert report["ordered_erased"] == [
        {"source": "crm", "record_type": "customer", "record_key": "C1", "field": "phone", "ordered_on": "2026-11-21",
         "state": "delivered"},
    ]  # fmt: skip
    written = write_report(Site(tmp_path), report, None)
    swedish = (written.folder / "access-report.sv.html").read_text(encoding="utf-8")
    assert "beslutat raderat" in swedish
    assert "överlämnat, inget svar ännu" in swedish
    assert "ordered erased on" in (written.folder / "access-report.en.html").read_text(encoding="utf-8")


#: What a rule sets aside: rows of C1's, of nobody that is known, and of others.
SET_ASIDE = {
    "orders/payments": [
        {"payment_id": "B1", "invoice_id": "I1", "payer_name": "Disa Testman"},  # no amount
        {"payment_id": "B2", "invoice_id": "I9", "payer_name": "Disa Testman"},  # of an invoice that is set aside too
        {"payment_id": "B3", "invoice_id": "I7", "payer_name": "Egil Fiktivsson"},
    ],
    "orders/invoices": [
        *EXPORTS["orders/invoices"],
        {"invoice_id": "I9", "order_id": "O1", "kind": "invoice"},
        {"invoice_id": "I7", "order_id": "O2", "kind": "invoice"},
    ],
    "crm/customers": [
        *EXPORTS["crm/customers"],
        {"customer_id": "C9", "name": "Nova Testman", "email": "nova@hem.example"},  # no customer_type
    ],
    "mailing/subscribers": [
        *EXPORTS["mailing/subscribers"],
        {"subscriber_id": "N9", "email": "disa@hem.example", "subscribed_at": "i maj"},
        {"subscriber_id": "N1", "customer_id": "C1", "email": "nova@hem.example", "subscribed_at": "2026-02-01"},
    ],
    "crm/contacts": [
        *EXPORTS["crm/contacts"],
        {"contact_id": "K9", "customer_id": "C1", "name": "Olle Provsson", "role_ended_at": "i maj"},
    ],
}
#: What the one who is set aside has in other systems: an order with what hangs on it, and a contact.
OF_C9 = {
    "orders/orders": [
        *EXPORTS["orders/orders"],
        {"order_id": "O9", "customer_id": "C9", "placed_at": "2026-09-01", "status": "open", "buyer_name": "Nova"},
    ],
    "orders/order_lines": [*EXPORTS["orders/order_lines"], {"order_line_id": "L9", "order_id": "O9", "product": "VHS"}],
    "crm/contacts": [{"contact_id": "K8", "customer_id": "C9", "name": "Olle Provsson"}],
}


def test_what_was_set_aside_is_held_and_told_of(tmp_path: Path) -> None:
    known = evaluated(company(SET_ASIDE))
    known.run("update intake.deliveries set extracted_at = timestamp '2026-11-24 23:30:00'")
    report = report_on(known, customer="C1")
    told = {(each["record_type"], each["rule"], each["column"]): each["rows"] for each in report["set_aside"]}
    assert told == {
        ("payment", "required", "amount"): 2, ("invoice", "required", "amount"): 1,
        ("subscriber", "not_an_instant", "subscribed_at"): 1, ("subscriber", "duplicate_key", "subscriber_id"): 1,
    }  # fmt: skip
    assert {each["source"] for each in report["set_aside"]} == {"mailing", "orders"}
    folder = write_report(Site(tmp_path), report, None).folder
    assert {each["kept_through"] for each in report["set_aside"]} == {"2026-12-25"}, "thirty days from the local day"
    swedish, english = (
        (folder / f"access-report.{language}.html").read_text(encoding="utf-8") for language in LANGUAGES
    )
    assert "Vad som inte kunde läsas in" in swedish
    assert 'Betalningar (ordersystemet): 2 rader, <span class="day">t.o.m. 2026-12-25</span>' in swedish
    assert "What could not be read in" in english
    assert {each["record_type"] for each in report_on(known, customer="C2")["set_aside"]} == {"invoice", "payment"}
    assert report_on(known, customer="C3")["set_aside"] == [
        each for each in report["set_aside"] if each["rule"] == "not_an_instant"
    ], "C3 has the address that nobody's row holds"
    known.run("update intake.quarantined set row_text = null")
    assert report_on(known, customer="C1")["set_aside"] == []


@pytest.mark.parametrize("who", [{"customer": "C9"}, {"email": " Nova@hem.example"}])
def test_who_lies_in_the_quarantine_alone_is_told_of_too(who: dict[str, str]) -> None:
    known = evaluated(company(SET_ASIDE))
    with pytest.raises(BadInput):
        find_person(known, **who)
    (customer,) = rows_of_unknown(known, "P30D", **who).rows
    assert (customer["record_type"], customer["rule"], customer["column"], customer["rows"]) == (
        "customer", "required", "customer_type", 1
    )  # fmt: skip
    assert rows_of_unknown(known, "P30D", customer="F") == rows_of_unknown(known, "P30D", customer="C8") == NO_ROWS


def test_what_hangs_on_a_customer_who_lies_in_the_quarantine_is_found(tmp_path: Path) -> None:
    """It was taken in, and is no known person's: no report would tell of it."""
    known = evaluated(company({**SET_ASIDE, **OF_C9}))
    hanging = [
        {"source": "orders", "record_type": "order", "record_key": "O9"},
        {"source": "orders", "record_type": "order_line", "record_key": "L9"},
    ]
    for who in ({"customer": "C9"}, {"email": "nova@hem.example"}):
        assert list(rows_of_unknown(known, "P30D", **who).orphans) == hanging
    assert report_on(known, customer="C2")["orphans"] == []
    load_rows(known, policy(), {"mailing/subscribers": [
        {"subscriber_id": "N7", "email": "nova@hem.example", "name": "Nova Testman", "subscribed_at": "2026-02-01"},
    ]})  # fmt: skip
    report = report_on(evaluated(known), email="nova@hem.example")
    assert report["orphans"] == hanging
    folder = write_report(Site(tmp_path), report, None).folder
    assert "O9" in (folder / "access-report.sv.html").read_text(encoding="utf-8")


def test_what_is_missing_because_a_source_blocks_is_told_and_no_details(tmp_path: Path) -> None:
    known = company()
    known.insert(
        "intake.blocks",
        ("source", "table_name", "reason", "detail"),
        [("crm", "customers", "shrunk", "6 rows after 10"), ("web", None, "rejected", "delivery 7"),
         ("office", "partners", "never_arrived", None)],
    )  # fmt: skip
    report = report_on(evaluated(known), customer="C1")
    assert report["incomplete"] == [
        {"source": "crm", "table": "customers", "record_type": "customer", "reason": "shrunk"},
        {"source": "office", "table": "partners", "record_type": None, "reason": "never_arrived"},
        {"source": "web", "table": None, "record_type": None, "reason": "rejected"},
    ]
    written = write_report(Site(tmp_path), report, None)
    assert written.incomplete == ("crm/customers: shrunk", "office/partners: never_arrived", "web: rejected")
    swedish = (written.folder / "access-report.sv.html").read_text(encoding="utf-8")
    assert "Vad som kan saknas" in swedish
    assert "6 rows" not in swedish


def test_a_row_whose_record_came_whole_since_is_held_still_and_missing_no_more(tmp_path: Path) -> None:
    known = evaluated(company(SET_ASIDE))
    aside = {each["record_type"]: each for each in report_on(known, customer="C1")["set_aside"]}
    assert {kind: each["delivered_since"] for kind, each in aside.items()} == dict.fromkeys(aside, False)
    paid = {
        "payment_id": "B1",
        "invoice_id": "I1",
        "payer_name": "Disa Testman",
        "amount": "1",
        "paid_at": "2026-10-01",
    }
    load_rows(known, policy(), {"orders/payments": [paid], "orders/invoices": EXPORTS["orders/invoices"]})
    report = report_on(evaluated(known), customer="C1")
    told = [(each["record_type"], each["rows"], each["delivered_since"]) for each in report["set_aside"]]
    assert [each for each in told if each[0] in ("invoice", "payment")] == [
        ("invoice", 1, False), ("payment", 1, False), ("payment", 1, True),
    ]  # fmt: skip
    folder = write_report(Site(tmp_path), report, None).folder
    english = (folder / "access-report.en.html").read_text(encoding="utf-8")
    assert english.count("the record has been delivered whole since, and stands above") == 1
    assert "What they hold we give you separately" in english
    report["set_aside"] = [each for each in report["set_aside"] if each["delivered_since"]]
    english = (write_report(Site(tmp_path), report, None).folder / "access-report.en.html").read_text(encoding="utf-8")
    assert "What they hold we give you separately" not in english


@pytest.mark.parametrize(
    ("who", "kind"),
    [({"customer": "C9"}, BadInput), ({"customer": "F"}, BadInput), ({"email": "x@y.example"}, BadInput),
     ({}, BadUsage),
     ({"customer": "C1", "email": "x@y.example"}, BadUsage)],
)  # fmt: skip
def test_nobody_is_nobody(warehouse: Warehouse, who: dict[str, str], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        find_person(warehouse, **who)


def test_what_the_person_asked_before_is_what_the_rules_read_so() -> None:
    """An unknown customer falls through to the address; a known customer goes before the contact that is named too."""
    warehouse = company({"office/requests": [
        {"request_id": "R1", "customer_id": "P999", "email": "egil@hem.example", "kind": "objection",
         "received_at": "2026-11-01"},
        {"request_id": "R2", "customer_id": "C2", "contact_id": "K1", "kind": "objection",
         "received_at": "2026-11-02"},
        {"request_id": "R3", "customer_id": "F", "contact_id": "K1", "kind": "objection",
         "received_at": "2026-11-03"},
        {"request_id": "R4", "contact_id": "K999", "kind": "access", "received_at": "2026-11-04"},
    ]})  # fmt: skip
    evaluated(warehouse)

    def asked(**who: str) -> list[str]:
        return [each["request_id"] for each in report_on(warehouse, **who)["requests"]]

    assert (asked(customer="C2"), asked(contact="K1"), asked(customer="C1")) == (["R1", "R2"], ["R3"], [])
    load_rows(warehouse, policy(), {"office/requests": []})
    assert asked(customer="C2") == ["R1", "R2"]


def test_asking_leaves_no_trace_in_the_evaluation(warehouse: Warehouse) -> None:
    before = warehouse.rows("select * from triggers.restricted_records")
    assert records_of(warehouse, find_person(warehouse, customer="C1"))
    assert warehouse.rows("select * from triggers.restricted_records") == before == []


def test_without_an_evaluation_there_is_no_report() -> None:
    bare = company()
    with pytest.raises(CheckFailed, match="gallring run"):
        gather(bare, policy(), None, made_at=NOW, expires_on=EXPIRES)  # type: ignore[arg-type]


def test_the_files_are_the_persons_alone_and_self_contained(warehouse: Warehouse, tmp_path: Path) -> None:
    site = Site(tmp_path)
    written = write_report(site, report_on(warehouse, customer="C1"), None)
    assert written.folder.parent == site.reports / "access"
    assert set(written.files) == {
        "access-report.json", "portability.json", "access-report.sv.html", "access-report.en.html",
    }  # fmt: skip
    for name in written.files:
        path = written.folder / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        text = path.read_text(encoding="utf-8")
        assert not any(other in text for other in ("Egil", "Granne", "http://", "<script", "<img", "<link"))
    page = (written.folder / "access-report.sv.html").read_text(encoding="utf-8")
    assert "Integritetsskyddsmyndigheten" in page
    assert "Disa Testman" in page
    assert DAY.isoformat() in page


def test_what_is_to_be_erased_is_said_of_what_is_alone(tmp_path: Path) -> None:
    gone = {"customer_type": "private", "customer_since": "2015-03-01", "relation_ended_at": "2016-01-01"}
    warehouse = evaluated(company({
        "crm/customers": [gone | {"customer_id": "C5", "name": "Disa Testman"},
                          gone | {"customer_id": "C6", "name": "Olle Provsson"}],
        "mailing/subscribers": [{"subscriber_id": "N7", "email": "nova@hem.example", "name": "Nova Testman"}],
        "office/requests": [{"request_id": "R1", "customer_id": "C5", "kind": "restriction",
                             "received_at": "2026-11-01"}],
    }))  # fmt: skip

    def page(language: str, **who: str) -> str:
        report = report_on(warehouse, **who)
        assert report["purposes"] == []
        folder = write_report(Site(tmp_path), report, None).folder
        return (folder / f"access-report.{language}.html").read_text(encoding="utf-8")

    assert "what is listed below is to be erased" in page("en", customer="C6")
    assert "det som finns kvar nedan ska raderas" in page("sv", customer="C6")
    assert "to be erased" not in page("en", email="nova@hem.example")
    assert "ska raderas" not in page("sv", email="nova@hem.example")
    for language, said, unsaid in (
        ("en", "restricted until your request is answered", "as long as the purpose applies"),
        ("sv", "begränsad tills din begäran är besvarad", "så länge ändamålet gäller"),
    ):
        restricted = page(language, customer="C5")
        assert (said in restricted, unsaid in restricted) == (True, False)
        assert not any(each in restricted for each in ("to be erased", "ska raderas"))


def test_the_registers_recipients_are_told_for_what_is_or_was_held(warehouse: Warehouse, tmp_path: Path) -> None:
    register = policy().register
    abroad = register.record.recipients["mailings"].model_copy(  # type: ignore[union-attr]
        update={"country": "US", "safeguard": "Standardavtalsklausuler (artikel 46.2 c)"}
    )
    named = {**register.record.recipients, "mailings": abroad}  # type: ignore[union-attr]
    record = register.record.model_copy(update={"recipients": named})  # type: ignore[union-attr]
    rules = replace(policy(), register=register.model_copy(update={"record": record}))
    report = gather(warehouse, rules, find_person(warehouse, customer="C1"), made_at=NOW, expires_on=EXPIRES)
    told = {each["title_en"]: each for each in report["recipient_categories"]}
    assert told["Providers of e-mail mailings"] == {
        "title_sv": "Leverantörer av e-postutskick", "title_en": "Providers of e-mail mailings", "role": "processor",
        "country": "US", "safeguard": "Standardavtalsklausuler (artikel 46.2 c)",
        "purposes": ["newsletter", "email_marketing"],
    }  # fmt: skip
    assert told["Debt collectors"]["role"] == "controller"
    folder = write_report(Site(tmp_path), report, None).folder
    for language, title, role in (
        ("sv", "Inkassobolag", "självständig mottagare"), ("en", "Debt collectors", "controller in its own right"),
    ):  # fmt: skip
        page = (folder / f"access-report.{language}.html").read_text(encoding="utf-8")
        assert all(each in page for each in (title, role, "US", "Standardavtalsklausuler"))

    subscriber = evaluated(company({"mailing/subscribers": [
        {"subscriber_id": "N7", "email": "nova@hem.example", "name": "Nova Testman", "subscribed_at": "2026-02-01"},
    ]}))  # fmt: skip
    report = report_on(subscriber, email="nova@hem.example")
    assert report["recipients"] == []
    assert [each["title_sv"] for each in report["recipient_categories"]] == ["Leverantörer av e-postutskick"]


def test_values_are_text_and_never_markup(tmp_path: Path) -> None:
    nasty = "<script>alert(1)</script>"
    warehouse = evaluated(company({"crm/customers": [
        {"customer_id": "C1", "customer_type": "private", "name": nasty, "customer_since": "2026-03-01"},
    ]}))  # fmt: skip
    written = write_report(Site(tmp_path), report_on(warehouse, customer="C1"), None)
    page = (written.folder / "access-report.en.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    ("text", "is_sign"),
    [
        ("Undrade om fler kopior.", False), ("Ringde. Vill ha 20 band.", False), ("Disa ringde om sin order.", False),
        ("Klart 2026-10-01.", False), ("Bor på Provvägen i Testinge.", False), ("Talade med Karin om filmen.", True),
        ("Karin ringde.", True), ("Nås på 070-1740699.", True), ("Nås på 070-174 06 40.", False),
        ("Skriv till karin@hem.example", True), ("Skriv till disa@hem.example", False),
        ("hans granne egil fiktivsson", True),
    ],
)  # fmt: skip
def test_a_sign_of_someone_else_is_enough(text: str, is_sign: bool) -> None:
    own = Own(emails={"disa@hem.example"}, numbers={"701740640"})
    own.add_name("Disa Testman")
    own.add_words("Provvägen 4 Testinge")
    assert names_another(text, own, {"egil fiktivsson", "disa testman"}, {"karin", "disa"}, prose=True) is is_sign


def test_every_field_has_a_swedish_word() -> None:
    fields = {
        column.name for contract in policy().contracts.values() if contract.record_type is not None
        for column in contract.columns if column.name != contract.key
    }  # fmt: skip
    assert fields - set(words("sv")["fields"]) == set()


def test_every_closed_word_of_the_contracts_has_a_word_in_both_languages() -> None:
    """In English a word of one part is its own; every other would stand in a person's report as a program writes it."""
    closed = {
        (column.name, word) for contract in policy().contracts.values() if contract.record_type is not None
        for column in contract.columns for word in column.enum
    }  # fmt: skip
    assert {field for field, _ in closed} <= CODED
    assert {word for _, word in closed} - set(words("sv")["values"]) == set()
    assert {word for _, word in closed if "_" in word} - set(words("en")["values"]) == set()


@pytest.mark.parametrize(("table", "column", "group"), [
    ("partners", "role", "roles"), ("requests", "kind", "kinds"), ("requests", "scope", "values"),
])  # fmt: skip
def test_every_closed_word_of_the_office_that_is_told_has_one_too(table: str, column: str, group: str) -> None:
    closed = set(policy().contracts["office", table].column(column).enum)
    for language in LANGUAGES:
        assert closed - set(words(language)[group]) <= ({"newsletter"} if language == "en" else set())
