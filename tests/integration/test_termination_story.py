"""One person: a termination with an unpaid invoice and a newsletter, the answer, the last item two years later.

Everything is real but the systems, which the tests of delivery simulate. The request is entered at the site.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from assets.rights import requests
from assets.rights.letters import draft
from tests.delivery.nights import POLICY, Nights, System, instant
from tests.rights.company import disposition

pytestmark = pytest.mark.slow
EVERYTHING = ("crm", "orders", "mailing", "web", "office")
NAME = "Tove Testman"


def systems() -> list[System]:
    crm, orders, mailing, office = System("crm"), System("orders"), System("mailing"), System("office")
    crm.add("customers", "T1", customer_type="private", name=NAME, email="tove@hem.example", phone="070-1740670",
            national_id="199107172380", customer_since="2023-06-01")  # fmt: skip
    orders.add("orders", "T4", customer_id="T1", purchase_capacity="private", placed_at="2023-12-01", status="closed",
               closed_at="2024-01-20", buyer_name=NAME)  # fmt: skip
    orders.add("order_lines", "T6", order_id="T4", product="Super 8", quantity="1", unit_price="100")
    orders.add("deliveries", "T7", order_id="T4", partner_id="P1", contact_name=NAME, delivered_at="2024-01-10")
    orders.add("invoices", "T5", invoice_number="1", order_id="T4", customer_id="T1", kind="invoice", amount="100",
               issued_on="2024-01-12", booked_on="2024-01-12", due_on="2024-02-11", currency="SEK", buyer_name=NAME,
               buyer_national_id="199107172380")  # fmt: skip
    mailing.add("subscribers", "T2", customer_id="T1", email="tove@hem.example", name=NAME, subscribed_at="2023-06-01")
    office.add("partners", "P1", name="Fraktbolaget AB", role="processor", system="frakt")
    office.add("disclosures", "D1", partner_id="P1", record_type="delivery", record_key="T7", fields="contact_name",
               disclosed_at="2024-01-05")  # fmt: skip
    return [crm, orders, mailing, office]


def test_from_the_termination_to_the_last_item_verified(tmp_path: Path) -> None:
    nights = Nights(tmp_path, *systems(), respond_within=30)
    warehouse = nights.warehouse
    nights.night(date(2024, 3, 1), *EVERYTHING)
    assert disposition(warehouse, "subscriber", "T2", "email") == "retain"

    # She leaves. It counts the same night, whatever the office's own export says, and the next one proves it.
    left = date(2024, 3, 10)
    number = requests.add(warehouse, "termination", received_on=left, at=instant(left, 9), customer="T1")
    nights.night(date(2024, 3, 11), *EVERYTHING)
    assert nights.states("T2") == ["done"]
    assert disposition(warehouse, "customer", "T1", "phone") == "restrict"  # an unpaid invoice keeps it
    nights.night(date(2024, 3, 12), *EVERYTHING)
    assert nights.states("T2") == ["verified"]

    # She is told what went, what stays, why and until when.
    answered = date(2024, 3, 12)
    letter = draft(warehouse, POLICY, nights.site, number, answered, None)
    assert letter.warnings == ()
    text = (letter.folder / "answer.sv.txt").read_text(encoding="utf-8")
    assert "Prenumerationer på nyhetsbrev (1) i nyhetsbrevssystemet. Läge: kontrollerat" in text
    assert "Indrivning av obetald faktura" in text
    assert "t.o.m. 2027-01-10" in text
    assert "t.o.m. 2031-12-31" in text
    assert requests.answered(warehouse, number, answered, instant(answered, 15)).standing.state == "answered"

    # Ninety days after the delivery the carrier is told to let go of its copy.
    nights.night(date(2024, 4, 10), *EVERYTHING)
    told = warehouse.value("select count(*) from manifest.items where system = 'partner:P1' and action = 'notify'")
    assert told == 1

    # Two years later she pays: the debt ends, thirty days on the personal number too; nothing is left in the CRM.
    paid = date(2026, 2, 25)
    nights.systems["orders"].add("payments", "T8", invoice_id="T5", paid_at=str(paid), amount="100", payer_name=NAME)
    nights.night(date(2026, 3, 1), *EVERYTHING)
    assert disposition(warehouse, "customer", "T1", "phone") == "erase"
    assert disposition(warehouse, "customer", "T1", "national_id") == "restrict"
    nights.night(date(2026, 3, 28), *EVERYTHING)
    assert "T1" not in nights.systems["crm"].tables["customers"]
    nights.night(date(2026, 3, 29), *EVERYTHING)
    assert {state for state in nights.states("T1") if state != "done"} == {"verified"}
    assert disposition(warehouse, "customer", "T1", "identity") is None
    assert disposition(warehouse, "invoice", "T5", "identity") == "restrict"  # bookkeeping, through 2031
    open_items = "select count(*) from manifest.item_states where state not in ('verified', 'done')"
    assert warehouse.value(open_items) == 0
    warehouse.close()
