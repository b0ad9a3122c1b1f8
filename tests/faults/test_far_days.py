"""Days at the end of the calendar, which programs write for "no end" or "never", and what is worked out from them."""

from __future__ import annotations

from datetime import date

import pytest

from assets.core.building import build
from assets.ingest.loading import load_rows
from assets.ingest.tables import prepare
from assets.policy import Policy
from assets.retention.evaluation import evaluate, gather_claims
from assets.rights.requests import requests
from assets.warehouse import Warehouse
from expectations.validation import validate

DAY = date(2026, 11, 27)
LAST = "9999-12-31"
#: The last instant that .NET and others know, and how it may be written.
INSTANTS = (LAST, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.9999999Z", "9999-12-31T23:30:00+00:00")


@pytest.mark.parametrize("instant", INSTANTS)
def test_what_ends_with_the_calendar_has_no_end_and_stops_no_night(instant: str) -> None:
    exports = {
        "crm/customers": [
            {"customer_id": "C1", "customer_type": "private", "name": "Test Person", "phone": "070-1740600",
             "customer_since": instant, "relation_ended_at": instant, "deceased_on": LAST, "birth_date": LAST},
        ],
        "crm/quotes": [
            {"quote_id": "Q1", "customer_id": "C1", "status": "sent", "requested_at": "2026-01-10",
             "valid_until": LAST, "request_text": "film", "amount": "10.00"},
        ],
        "crm/consents": [{"consent_id": "S1", "customer_id": "C1", "purpose": "newsletter", "given_at": instant}],
        "orders/orders": [
            {"order_id": "O1", "customer_id": "C1", "placed_at": instant, "status": "closed", "closed_at": instant,
             "purchase_capacity": "private", "buyer_name": "Test Person"},
        ],
        "orders/invoices": [
            {"invoice_id": "F1", "order_id": "O1", "customer_id": "C1", "kind": "invoice", "issued_on": LAST,
             "due_on": LAST, "booked_on": LAST, "amount": "10.00", "buyer_name": "Test Person"},
        ],
        "web/events": [{"event_id": "E1", "customer_id": "C1", "ip": "192.0.2.1", "occurred_at": instant}],
        "office/holds": [{"hold_id": "H1", "record_type": "quote", "record_key": "Q1", "placed_at": "2026-01-10",
                          "released_at": instant}],
        "office/requests": [{"request_id": "R1", "customer_id": "C1", "kind": "access", "received_at": instant}],
    }  # fmt: skip
    policy = Policy.load()
    with Warehouse.in_memory(pseudonym_key=b"far days") as warehouse:
        policy.publish(warehouse)
        prepare(warehouse, policy)
        load_rows(warehouse, policy, exports)
        build(warehouse)
        evaluate(warehouse, policy, DAY)
        ends = warehouse.rows(
            "select distinct claim.purpose, claim.keep_until, claim.open_ended from retention.claims as claim "
            "inner join retention.records as record on record.record_type = claim.record_type "
            "and record.row_id = claim.row_id where record.record_key = 'Q1' and claim.is_active order by all"
        )
        assert ends == [("legal_hold", None, True), ("product_development", None, True), ("quote_followup", None, True),
                        ("quote_open", None, True)]  # fmt: skip
        for stop in ("raw", "core", "claims", "dispositions"):
            broken = {
                each.name for each in validate(warehouse, stop) if each.severity == "critical" and not each.passed
            }
            assert broken == set(), stop
        # a policy's own purpose may give its days as text, which is compared with no date
        warehouse.run("create or replace table purposes.quote_open as select * replace "
                      "(cast(ends_on as varchar) as ends_on) from purposes.quote_open")  # fmt: skip
        gather_claims(warehouse, policy)
        sums = "select count(*), max(ends_on) from retention.purpose_claims where purpose = 'quote_open'"
        ((claims, latest),) = warehouse.rows(sums)
        assert (claims > 0, latest) == (True, date(9999, 12, 31))
        (asked,) = requests(warehouse, DAY)
        assert (asked.request_id, asked.clock.received_on) == ("R1", date(9999, 12, 31))
