"""A decision names every delivery that the rows which it was made from came in."""

from __future__ import annotations

from assets.ingest.inputs import deliveries_read
from tests.ingest.company import Company

PARTNERS = "partner_id,name,role,system\nP1,Frakt AB,processor,\n"
REGIONS = "partner_id,name,role,system,deleted\nP2,Lager AB,processor,,false\n"
HOLDS = "hold_id,record_type,record_key,fields,placed_at,released_at,reason\n"
INTERACTIONS = "interaction_id,customer_id,contact_id,channel,occurred_at,case_closed_at,subject,body\n"


def read(company: Company) -> list[tuple[str, str]]:
    return [(each["source"], each["delivery_id"]) for each in deliveries_read(company.warehouse)]


def test_a_table_comes_from_the_latest_full_delivery_that_brought_it_and_all_that_followed(company: Company) -> None:
    company.send("office", {"partners": PARTNERS}, day="2026-11-19", delivery_id="old")
    company.send("office", {"partners": PARTNERS}, day="2026-11-20", delivery_id="partners")
    company.send("office", {"partners": REGIONS}, day="2026-11-21", mode="delta", delivery_id="news")
    company.send("office", {"holds": HOLDS}, day="2026-11-22", delivery_id="holds")
    company.send("crm", {"interactions": INTERACTIONS}, day="2026-11-23", delivery_id="one")
    company.ingest()
    assert read(company) == [("crm", "one"), ("office", "partners"), ("office", "news"), ("office", "holds")]
    company.send("office", {"partners": PARTNERS}, day="2026-11-24", delivery_id="anew")
    company.ingest()
    assert read(company) == [("crm", "one"), ("office", "holds"), ("office", "anew")]
    (one, *_) = deliveries_read(company.warehouse)
    assert one["digest"] == company.value("select digest from intake.deliveries where source = 'crm'")


def test_changes_before_any_full_delivery_and_what_was_refused(company: Company) -> None:
    company.send("office", {"partners": REGIONS}, day="2026-11-20", mode="delta", delivery_id="first")
    company.send("office", {"partners": REGIONS}, day="2026-11-21", mode="delta", delivery_id="second")
    company.send("office", {"partners": PARTNERS}, day="2026-11-22", delivery_id="short", rows=7)
    company.ingest()
    assert read(company) == [("office", "first"), ("office", "second")]
