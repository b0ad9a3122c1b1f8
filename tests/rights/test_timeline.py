"""The questions about a whole customer, answered in both languages, with a drawing."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import get_args

import pytest

from assets.core.building import build
from assets.errors import BadInput
from assets.ingest.loading import load_rows
from assets.ledger import issued
from assets.manifests.changes import propose
from assets.retention.evaluation import evaluate
from assets.rights.access import gather
from assets.rights.people import find_person
from assets.rights.recipients import keys_hanging_on
from assets.rights.rendering import Language, words
from assets.rights.timeline import Ordered, Timeline, as_page, as_text, timeline
from assets.warehouse import Warehouse
from tests.delivery.nights import POLICY, Nights, System, name_of
from tests.delivery.test_unread import PAST
from tests.manifests.company import DAY as SEALED
from tests.rights.company import DAY, EXPORTS, NOW, company, disposition, evaluated, policy


@pytest.fixture(scope="module")
def warehouse() -> Warehouse:
    return evaluated(company())


def test_the_three_questions_are_answered(warehouse: Warehouse) -> None:
    swedish = as_text(timeline(warehouse, policy(), "C1", "sv"))
    assert (
        "Bokföring, moms och skatteunderlag: fakturor, beställda produkter, sedan 2025-09-02 (den första "
        "verifikationen), t.o.m. 2032-12-31" in swedish
    )
    assert "Fakturor (uppgiftsslag: 3): försvinner 2033-01-01." in swedish
    assert "Fraktbolaget AB, sedan 2026-09-05 (poster: 1)." in swedish
    english = as_text(timeline(warehouse, policy(), "C1", "en"))
    assert "Why do you still have this?" in english
    assert (
        "Newsletter (consent): consents, newsletter subscriptions, since 2026-02-01 (the subscription or the consent), "
        "through 2028-02-01" in english
    )
    assert "customer details, from the customer relation; the time counts from its end, through" in english
    assert not any(value in swedish + english for value in ("Disa", "disa@", "1740640", "199006"))


def test_what_was_ordered_is_told_until_it_is_proved_and_after(tmp_path: Path) -> None:
    nights = Nights(tmp_path, System("crm"))
    nights.systems["crm"].add("customers", "T1", name=name_of("T1"), **PAST)
    note = {"customer_id": "T1", "channel": "note", "occurred_at": "2021-01-01", "body": "Fiktiv text"}
    nights.systems["crm"].add("interactions", "T2", **note)
    with nights.warehouse as known:
        assert timeline_of(nights).ordered == ()
        nights.night(SEALED, *nights.systems)
        assert timeline_of(nights).ordered == (Ordered("crm", "erase", "done", SEALED, 2),)
        after = SEALED + timedelta(days=1)
        nights.night(after, *nights.systems)
        assert known.value("select count(*) from retention.records") == 0
        assert timeline_of(nights).ordered == (Ordered("crm", "erase", "verified", after, 2),)
        text = as_text(timeline_of(nights))
        assert "What has been ordered?\n- crm: is erased (records: 2); checked; the data is no longer there" in text
        elsewhere = timeline(known, POLICY, "T1", "sv", with_orders=False)
        assert elsewhere.ordered is None
        assert "beordrats" not in as_text(elsewhere)
        assert "beordrats" in as_page(timeline(known, POLICY, "T1", "sv"), None)


def timeline_of(nights: Nights) -> Timeline:
    if nights.sealed is None:
        nights.export("crm", SEALED - timedelta(days=1))
        nights.take_in(SEALED - timedelta(days=1))
        build(nights.warehouse)
        evaluate(nights.warehouse, POLICY, SEALED - timedelta(days=1))
    return timeline(nights.warehouse, POLICY, "T1", "en")


@pytest.mark.parametrize("language", get_args(Language))
def test_every_shipped_purpose_says_what_starts_it(language: Language) -> None:
    assert set(words(language)["timeline"]["started_by"]) == set(policy().purpose_words)


def test_a_company_is_told_of_with_its_contacts_and_orders(warehouse: Warehouse) -> None:
    found = timeline(warehouse, policy(), "F", "en")
    assert {"contact", "order", "interaction"} <= {kind for line in found.purposes for kind in line.record_types}
    assert warehouse.value("select count(*) from triggers.held_customers") == 0


def test_a_hold_on_a_customer_that_nobody_knows_tells_no_other_company_of_what_hangs_on_it() -> None:
    known = evaluated(company({
        "office/holds": [{"hold_id": "H1", "record_type": "customer", "record_key": "ZZ", "placed_at": "2026-01-01",
                          "reason": "tvist"}],
        "orders/orders": [*EXPORTS["orders/orders"],
                          {"order_id": "OZ", "customer_id": "ZZ", "purchase_capacity": "private",
                           "placed_at": "2026-09-01", "status": "open", "buyer_name": "Zelda Provsson"}],
        "crm/interactions": [*EXPORTS["crm/interactions"],
                             {"interaction_id": "TZ", "customer_id": "ZZ", "occurred_at": "2026-10-02", "body": "x"}],
    }))  # fmt: skip
    hanging = keys_hanging_on(known, "F")
    assert hanging == [("contact", "K1"), ("contact", "K2"), ("customer", "F"), ("interaction", "T3"), ("order", "O3"),
                       ("order_line", "L3")]  # fmt: skip
    assert timeline(known, policy(), "F", "en").records == len(hanging)


def test_the_timeline_and_the_report_know_the_same_recipients() -> None:
    delivery = {"delivery_id": "D2", "order_id": "O2", "partner_id": "P1", "contact_name": "Egil Fiktivsson"}
    known = evaluated(company({"orders/deliveries": [*EXPORTS["orders/deliveries"], delivery]}))
    (told,) = timeline(known, policy(), "C2", "en").recipients
    assert (told.partner, told.since, told.records) == ("Fraktbolaget AB", None, 1)
    assert "Fraktbolaget AB (records: 1); the day is not on record." in as_text(timeline(known, policy(), "C2", "en"))
    report = gather(known, policy(), find_person(known, customer="C2"), made_at=NOW, expires_on=DAY)
    assert [(each["partner"], each["record_key"]) for each in report["recipients"]] == [("Fraktbolaget AB", "D2")]


def test_who_was_given_a_copy_is_a_recipient_once_the_record_has_left_its_source() -> None:
    """Art 15(1)(c): "have been disclosed". The partner has its copy still, whether the register or the row named it."""
    delivery = {"delivery_id": "D2", "order_id": "O1", "partner_id": "P2", "contact_name": "Disa Testman"}
    partners = [*EXPORTS["office/partners"], {"partner_id": "P2", "name": "Budfirman AB", "role": "processor"}]
    known = company({"orders/deliveries": [*EXPORTS["orders/deliveries"], delivery], "office/partners": partners})
    load_rows(known, policy(), {"orders/deliveries": []})
    evaluated(known)
    assert known.value("select count(*) from retention.records where record_type = 'delivery'") == 0
    report = gather(known, policy(), find_person(known, customer="C1"), made_at=NOW, expires_on=DAY)
    assert {(each["partner"], each["record_key"]) for each in report["recipients"]} == {
        ("Fraktbolaget AB", "D1"), ("Budfirman AB", "D2"),
    }  # fmt: skip
    assert {each.partner for each in timeline(known, policy(), "C1", "en").recipients} == {
        "Fraktbolaget AB", "Budfirman AB",
    }  # fmt: skip


def test_the_ledger_lists_who_got_anything_that_hangs_on_the_customer() -> None:
    hanging = [("customer", "C1"), ("interaction", "T1"), ("consent", "S1"), ("order", "O1"), ("order_line", "L1"),
               ("delivery", "D1"), ("invoice", "I1"), ("subscriber", "N1")]  # fmt: skip
    disclosures = [
        {"disclosure_id": f"U{number}", "partner_id": "P1", "record_type": record_type, "record_key": key,
         "disclosed_at": "2026-09-05"}
        for number, (record_type, key) in enumerate([*hanging, ("order", "O2"), ("contact", "K1")])
    ]  # fmt: skip
    known = evaluated(company({"office/disclosures": disclosures}))
    propose(known, policy(), DAY)

    def listed(customer: str) -> set[tuple[str, str]]:
        found = issued.recipients(known, "customer", customer, keys_hanging_on(known, customer))
        return {(each.record_type, each.record_key) for each in found}

    assert listed("C1") == set(hanging)
    assert listed("F") == {("contact", "K1")}
    assert listed("C99") == set()


def test_the_page_stands_by_itself_and_is_drawn(warehouse: Warehouse) -> None:
    page = as_page(timeline(warehouse, policy(), "C1", "sv"), None)
    assert page.count("<svg") == 1
    assert "Nyhetsbrev (samtycke)" in page
    assert not any(mark in page for mark in ("<script", "<link", "url(http", "Disa"))


def test_where_nothing_was_ordered_that_is_said(warehouse: Warehouse) -> None:
    assert "What has been ordered?\n- Nothing has been ordered.\n" in as_text(timeline(warehouse, policy(), "C1", "en"))
    assert "Vad har beordrats?\n- Ingenting har beordrats.\n" in as_text(timeline(warehouse, policy(), "C1", "sv"))


def test_what_may_go_to_a_person_first_is_not_told_as_going() -> None:
    """A sole trader's purchase whose capacity is missing: evidence of the complaint may be needed for longer."""
    order = {"order_id": "O7", "customer_id": "C7", "placed_at": "2026-01-05", "status": "closed",
             "closed_at": "2026-02-01"}  # fmt: skip
    known = company({
        "crm/customers": [{"customer_id": "C7", "customer_type": "sole_trader", "name": "Siv Testman"}],
        "orders/orders": [order],
        "orders/order_lines": [{"order_line_id": "L7", "order_id": "O7", "product": "x"}],
        "orders/deliveries": [{"delivery_id": "D7", "order_id": "O7", "delivered_at": "2026-01-20"}],
        "orders/invoices": [],
    })  # fmt: skip
    text = as_text(timeline(evaluated(known), policy(), "C7", "en"))
    doubt = "something is unclear, and a person may have to look at it first."
    assert f"- Products ordered (kinds of data: 1): goes on 2027-02-02 at the earliest; {doubt}" in text
    assert "Beställda produkter (uppgiftsslag: 1): försvinner tidigast 2027-02-02; något är oklart" in as_text(
        timeline(known, policy(), "C7", "sv")
    )
    assert disposition(evaluated(known, date(2027, 2, 2)), "order_line", "L7", "transaction") == "review"


def test_an_unknown_customer_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(BadInput):
        timeline(warehouse, policy(), "C99")
