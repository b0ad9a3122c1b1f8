"""A word that came by an address, or from its owner, goes on when a source corrects or empties that address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest

from assets.core.building import build
from assets.ingest.loading import load_rows
from assets.ingest.tables import prepare
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.rights.people import people_of
from assets.warehouse import Warehouse

AS_OF = date(2026, 11, 25)
OLD, NEW = "ada@hem.example", "ada@arbete.example"
Row = dict[str, str | None]
ORDER = {"order_id": "O1", "customer_id": "C1", "placed_at": "2026-03-01", "status": "delivered"}
DELIVERY = {"delivery_id": "L1", "order_id": "O1", "delivered_at": "2026-03-10"}


def customer(email: str | None, key: str = "C1", name: str = "Ada Exempel", **more: str) -> Row:
    return {"customer_id": key, "customer_type": "private", "name": name, "email": email, **more}


def request(kind: str, received_at: str = "2026-06-01", **named: str) -> Row:
    return {"request_id": "R1", "kind": kind, "received_at": received_at, **(named or {"email": OLD})}


@contextmanager
def evaluated(replaced_on: date | None, email: str | None, **exports: list[Row]) -> Iterator[Warehouse]:
    """Customer C1 with an order, whose address the CRM replaced by `email` as of a day."""
    policy = Policy.load()
    tables: dict[str, Any] = {name.replace("__", "/"): rows for name, rows in exports.items()}
    with Warehouse.in_memory(pseudonym_key=b"former", threads=1) as warehouse:
        policy.publish(warehouse)
        prepare(warehouse, policy)
        first = {"crm/customers": [customer(OLD)], "orders/orders": [ORDER], "orders/deliveries": [DELIVERY]}
        load_rows(warehouse, policy, {**first, **tables})
        load_rows(warehouse, policy, {"crm/customers": [customer(email)]}, mode="delta")
        warehouse.run("update raw.former_addresses set replaced_on = ?", [replaced_on])
        build(warehouse)
        evaluate(warehouse, policy, AS_OF)
        yield warehouse


def ends(warehouse: Warehouse, purpose: str) -> list[date]:
    """The last days of the claims of a purpose on customer C1."""
    return [
        day
        for (day,) in warehouse.rows(
            "select distinct claims.ends_on from retention.purpose_claims as claims inner join raw.crm_customers as "
            "known on claims.row_id = known.row_id and known.customer_id = 'C1' where claims.record_type = 'customer' "
            "and claims.purpose = ? order by all",
            [purpose],
        )
    ]


def listed(warehouse: Warehouse, email: str) -> bool:
    return bool(
        warehouse.value(
            "select count(*) from retention.suppressions where email_key = pseudonym(normalised_email(?))", [email]
        )
    )


@pytest.mark.parametrize("email", [NEW, None])
@pytest.mark.parametrize("replaced_on", [date(2026, 6, 1), date(2026, 8, 1), None])
def test_an_objection_by_an_address_follows_who_had_it(email: str | None, replaced_on: date | None) -> None:
    with evaluated(replaced_on, email, office__requests=[request("objection")]) as warehouse:
        assert ends(warehouse, "email_marketing") == [date(2026, 6, 1)]
        assert [row.record_key for person in people_of(warehouse, "R1") for row in person.rows] == ["C1"]
        assert listed(warehouse, OLD)
        assert email is None or listed(warehouse, email), "the same person's new address"


def test_a_word_about_an_address_is_not_about_who_had_it_long_before() -> None:
    with evaluated(date(2026, 5, 31), NEW, office__requests=[request("objection")]) as warehouse:
        assert max(ends(warehouse, "email_marketing")) > AS_OF
        assert not people_of(warehouse, "R1")
        assert (listed(warehouse, OLD), listed(warehouse, NEW)) == (True, False)


def test_the_address_of_who_objected_by_name_stays_on_the_list() -> None:
    """A row that comes anew with it, and another name, is not written to."""
    with evaluated(date(2026, 8, 1), None, office__requests=[request("objection", customer_id="C1")]) as warehouse:
        assert listed(warehouse, OLD)


@pytest.mark.parametrize("kind", ["erasure", "termination"])
def test_what_cannot_be_taken_back_is_about_who_has_the_address(kind: str) -> None:
    """Ada stood with Bo's address by mistake, and was corrected: what he asked for is not about her."""
    asked = request(kind, identity_verified_at="2026-06-02", email=OLD)
    other = customer(OLD, "C2", "Bo Exempel")
    customers = [customer(OLD), other]
    with evaluated(date(2026, 8, 1), NEW, office__requests=[asked], crm__customers=customers) as warehouse:
        assert max(ends(warehouse, "email_marketing")) > AS_OF
        reached = warehouse.rows("select customer_id from triggers.exits") if kind == "termination" else [
            (row_id,) for (row_id,) in warehouse.rows(
                "select people.row_id from triggers.request_people inner join core.people using (person_id)")
        ]  # fmt: skip
        assert reached == warehouse.rows("select row_id from raw.crm_customers where customer_id = 'C2'")


@pytest.mark.parametrize("kind", ["restriction", "rectification"])
def test_a_contested_address_stays_contested_when_it_is_corrected(kind: str) -> None:
    asked = request(kind, identity_verified_at="2026-06-02", email=OLD)
    with evaluated(date(2026, 8, 1), NEW, office__requests=[asked]) as warehouse:
        assert warehouse.value("select count(*) from triggers.restricted_people") == 1


CONSENT: Row = {"consent_id": "S1", "email": OLD, "purpose": "newsletter", "given_at": "2026-01-01"}


def test_a_consent_whose_address_is_corrected_was_withdrawn_all_the_same() -> None:
    """By who had the address then, whoever empties it in the row that was withdrawn."""
    policy = Policy.load()
    consent: Row = {**CONSENT, "withdrawn_at": "2026-06-01"}
    with Warehouse.in_memory(pseudonym_key=b"former", threads=1) as warehouse:
        policy.publish(warehouse)
        prepare(warehouse, policy)
        load_rows(warehouse, policy, {
            "crm/customers": [customer(OLD)], "orders/orders": [ORDER], "orders/deliveries": [DELIVERY],
            "crm/consents": [consent],
        })  # fmt: skip
        load_rows(warehouse, policy, {"crm/consents": [{**consent, "email": None}]}, mode="delta")
        build(warehouse)
        evaluate(warehouse, policy, AS_OF)
        assert ends(warehouse, "email_marketing") == [date(2026, 6, 1)]


@pytest.mark.parametrize(("replaced_on", "is_theirs"), [(date(2026, 8, 1), True), (date(2025, 12, 31), False)])
def test_a_consent_by_an_address_is_whose_it_was_when_it_was_given(replaced_on: date, is_theirs: bool) -> None:
    words = [request("objection", customer_id="C1")]
    with evaluated(replaced_on, NEW, office__requests=words, crm__consents=[CONSENT]) as warehouse:
        end = warehouse.value("select ends_on from triggers.consent_ends")
    assert (end == date(2026, 6, 1)) is is_theirs


@pytest.mark.parametrize(("replaced_on", "is_ended"), [(date(2026, 8, 1), True), (date(2026, 5, 31), False)])
def test_who_unsubscribed_stays_so_whichever_source_corrects_the_address(replaced_on: date, is_ended: bool) -> None:
    subscriber: Row = {"subscriber_id": "S1", "email": OLD, "subscribed_at": "2026-01-01",
                       "unsubscribed_at": "2026-06-01"}  # fmt: skip
    with evaluated(replaced_on, NEW, mailing__subscribers=[subscriber]) as warehouse:
        assert (ends(warehouse, "email_marketing") == [date(2026, 6, 1)]) is is_ended


def test_an_address_that_the_mailing_provider_corrects_was_withdrawn_all_the_same() -> None:
    policy = Policy.load()
    subscriber: Row = {"subscriber_id": "S1", "email": OLD, "subscribed_at": "2026-01-01",
                       "unsubscribed_at": "2026-06-01"}  # fmt: skip
    with Warehouse.in_memory(pseudonym_key=b"former", threads=1) as warehouse:
        policy.publish(warehouse)
        prepare(warehouse, policy)
        load_rows(warehouse, policy, {
            "crm/customers": [customer(OLD)], "orders/orders": [ORDER], "orders/deliveries": [DELIVERY],
            "mailing/subscribers": [subscriber],
        })  # fmt: skip
        load_rows(warehouse, policy, {"mailing/subscribers": [{**subscriber, "email": NEW}]}, mode="delta")
        build(warehouse)
        evaluate(warehouse, policy, AS_OF)
        assert ends(warehouse, "email_marketing") == [date(2026, 6, 1)]
