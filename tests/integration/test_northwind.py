"""The public Northwind sample: orders of 1996 to 1998, decided in 1999 and today, as worked out by hand.

The contracts and the register are `tests/examples/northwind`; docs/examples.md tells why they are as they are. Runs the
product's functions in the order of the cycle, since the cycle itself is run on Tryton's exports.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from assets.core.building import build
from assets.ingest.delivering import deliver
from assets.ingest.loading import ingest
from assets.manifests.changes import propose
from assets.manifests.sealing import seal
from assets.manifests.signatures import Signer, make_key
from assets.policy import Policy
from assets.policy_check import check
from assets.rehearsal import scenarios
from assets.retention.evaluation import evaluate
from assets.retention.explaining import explain, render
from assets.site import Site
from assets.warehouse import Warehouse
from expectations.validation import validate
from orchestration.opening import PUBLIC_KEY, SIGNING_KEY
from tests.examples.real import (
    EXAMPLES,
    accounting,
    decisions,
    explained,
    exports,
    purposes,
    rows_in,
    verified_items,
)

FOLDER = EXAMPLES / "northwind"
THEN, NOW = date(1999, 6, 1), date(2026, 11, 22)
EXTRACTED = datetime(1998, 5, 7, tzinfo=UTC)
DELIVERIES = {"crm": ("customers",), "orders": ("orders", "order_details", "products")}
UNSHIPPED = 21


@dataclass(frozen=True)
class Company:
    """A site with the export taken in."""

    site: Site
    warehouse: Warehouse
    policy: Policy

    def decide(self, day: date) -> None:
        """Evaluate as of a day."""
        if self.warehouse.exists("retention", "evaluation") and self.on() == day:
            return
        evaluate(self.warehouse, self.policy, day)

    def on(self) -> date:
        """The day of the last evaluation."""
        return date.fromisoformat(str(self.warehouse.value("select as_of from retention.evaluation")))

    def seal(self, day: date) -> None:
        """Decide, propose and seal as of a day."""
        self.decide(day)
        propose(self.warehouse, self.policy, day)
        signer = Signer.load(self.site.keys / SIGNING_KEY)
        report = seal(
            self.warehouse, self.policy, self.site, signer, as_of=day, issued_at=datetime(2026, 11, 22, tzinfo=UTC)
        )
        assert report.refusals == ()

    def counted(self) -> dict[tuple[str, str], int]:
        """How many records have a category with a disposition, by record type and disposition."""
        return {
            (record_type, disposition): records
            for record_type, disposition, records in self.warehouse.rows(
                "select record_type, disposition, count(distinct row_id) from retention.dispositions group by all"
            )
        }


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    source = exports("northwind")
    site, policy = Site(tmp_path_factory.mktemp("northwind") / "site"), Policy.load(FOLDER)
    site.make()
    make_key(site.keys / SIGNING_KEY, site.keys / PUBLIC_KEY)
    for system, names in DELIVERIES.items():
        files = [source / f"{name}.csv" for name in names]
        deliver(site, policy, system, files, mode="full", extracted_at=EXTRACTED)
    with Warehouse.in_memory(pseudonym_key=b"northwind", threads=2) as warehouse:
        policy.publish(warehouse)
        assert ingest(warehouse, policy, site, as_of=NOW).rejected == ()
        build(warehouse)
        yield Company(site, warehouse, policy)


# -- the policy --------------------------------------------------------------------------------------------------------


def test_the_policy_is_whole() -> None:
    assert {each.rule for each in check(Policy.load(FOLDER))} == {"not_delivered"}, "notes alone"


@pytest.mark.parametrize("path", sorted((FOLDER / "scenarios").glob("*.yaml")), ids=lambda path: path.stem)
def test_its_scenarios_come_out_as_worked_out_by_hand(path: Path) -> None:
    outcome = scenarios.run(path, Policy.load(FOLDER))
    assert outcome.expectations > 0
    assert outcome.differences == []


# -- taking in ---------------------------------------------------------------------------------------------------------


def test_every_row_is_loaded_or_out_of_scope_and_none_is_lost(company: Company) -> None:
    found = accounting(company.warehouse)
    assert found == {
        ("crm", "customers", "customers.csv"): (91, 91, 0, 0),
        ("crm", "contacts", "customers.csv"): (91, 89, 0, 2),
        ("orders", "orders", "orders.csv"): (830, 830, 0, 0),
        ("orders", "deliveries", "orders.csv"): (830, 830, 0, 0),
        ("orders", "order_lines", "order_details.csv"): (2155, 2155, 0, 0),
        ("orders", "products", "products.csv"): (77, 77, 0, 0),
    }
    for (_, _, file), (rows, *_) in found.items():
        assert rows == rows_in(exports("northwind") / file)
    assert [verdict.name for verdict in validate(company.warehouse, "raw") if not verdict.passed] == []


def test_an_export_of_1998_is_not_stale(company: Company) -> None:
    assert company.warehouse.rows("select * from intake.blocks") == []


def test_a_firm_that_bears_its_owners_name_is_a_person(company: Company) -> None:
    traders = company.warehouse.rows(
        "select customer_id from raw.crm_customers where customer_type = 'sole_trader' order by all"
    )
    assert traders == [("ANATR",), ("ANTON",)]
    assert not company.warehouse.rows("select 1 from raw.crm_contacts where contact_id in ('ANATR', 'ANTON')")
    people, rows = company.warehouse.rows("select count(distinct person_id), count(*) from core.people")[0]
    assert people == rows == 2 + 89


def test_order_lines_are_named_by_order_and_product_and_know_what_was_sold(company: Company) -> None:
    line = company.warehouse.rows(
        "select order_id, product, description is not null, cast(quantity as varchar), cast(unit_price as varchar), "
        "cast(discount as varchar) from raw.orders_order_lines where order_line_id = '10250-51'"
    )
    assert line == [("10250", "51", True, "35.0000", "42.4000", "0.1500")]


# -- deciding ----------------------------------------------------------------------------------------------------------


def test_in_1999_the_latest_orders_are_evidence_and_the_oldest_nothing(company: Company) -> None:
    """Shipped 1998-05-06 (order 11069): evidence to 2000-05-06. 10248, shipped 1996-07-16: to 1998-07-16."""
    company.decide(THEN)
    latest = company.warehouse.value(
        "select min(line.order_line_id) from raw.orders_order_lines as line inner join raw.orders_orders as purchase "
        "on line.order_id = purchase.order_id where purchase.closed_at = date '1998-05-06'"
    )
    assert decisions(company.warehouse, "order_line", latest) == {"transaction": ("restrict", date(2000, 5, 6))}
    assert decisions(company.warehouse, "order_line", "10248-11") == {"transaction": ("erase", None)}
    assert set(decisions(company.warehouse, "delivery", "10248").values()) == {("erase", None)}


def test_in_1999_contacts_are_kept_three_years_after_the_last_order(company: Company) -> None:
    """The last order of VINET is of 1997-11-12, of the sole trader ANATR of 1998-03-04."""
    company.decide(THEN)
    assert set(decisions(company.warehouse, "contact", "VINET").values()) >= {("retain", date(2000, 11, 12))}
    assert set(decisions(company.warehouse, "customer", "VINET").values()) == {("not_personal", None)}
    trader = decisions(company.warehouse, "customer", "ANATR")
    assert trader["identity"] == trader["phone"] == trader["address"] == ("retain", date(2001, 3, 4))


def test_in_1999_what_was_not_shipped_is_still_open(company: Company) -> None:
    company.decide(THEN)
    counted = company.counted()
    assert counted["delivery", "retain"] == UNSHIPPED
    assert ("order", "review") not in counted
    assert decisions(company.warehouse, "order", "11077")["identity"] == ("retain", None)


@pytest.mark.parametrize("day", [THEN, NOW])
def test_a_contact_without_any_order_is_for_a_person_to_look_at(company: Company, day: date) -> None:
    company.decide(day)
    for key in ("FISSA", "PARIS"):
        assert set(decisions(company.warehouse, "contact", key).values()) >= {("review", None)}


def test_today_only_what_was_never_shipped_is_left_and_that_is_in_doubt(company: Company) -> None:
    company.decide(NOW)
    counted = company.counted()
    assert {disposition for _, disposition in counted} == {"erase", "review", "not_personal"}
    assert counted["order", "review"] == counted["delivery", "review"] == UNSHIPPED
    assert counted["order", "erase"] == 830 - UNSHIPPED


# -- telling why -------------------------------------------------------------------------------------------------------


def test_explain_tells_of_order_10248_in_both_languages(company: Company) -> None:
    company.decide(THEN)
    fields = explained(company.warehouse, company.policy, "order", "10248")
    assert {field.disposition for field in fields.values()} == {"erase"}
    assert purposes(fields["buyer_name"]) == {
        "order_fulfilment": ("ended", date(1996, 7, 16)),
        "complaint_evidence": ("ended", date(1998, 7, 16)),
    }
    assert purposes(fields["buyer_phone"]) == {"order_fulfilment": ("ended", date(1996, 7, 16))}
    line = explained(company.warehouse, company.policy, "order_line", "10248-11")
    assert purposes(line["product"]) == {
        "order_fulfilment": ("ended", date(1996, 7, 16)),
        "complaint_evidence": ("ended", date(1998, 7, 16)),
        "product_development": ("ended", date(1997, 7, 16)),
    }
    swedish = render(explain(company.warehouse, company.policy, "order", "10248", "sv"))
    english = render(explain(company.warehouse, company.policy, "order", "10248", "en"))
    assert "Slut: Reklamation (bevis om vad som såldes), 1998-07-16" in swedish
    assert "Ended: Complaints (evidence of what was sold), 1998-07-16" in english


def test_explain_tells_of_order_10248_while_it_was_evidence(company: Company) -> None:
    company.decide(date(1998, 1, 1))
    product = explained(company.warehouse, company.policy, "order_line", "10248-11")["product"]
    assert (product.disposition, product.keep_until) == ("restrict", date(1998, 7, 16))
    assert purposes(product)["complaint_evidence"] == ("active", date(1998, 7, 16))


# -- sealing -----------------------------------------------------------------------------------------------------------


def test_manifests_of_both_days_are_sealed_and_verify_and_tell_each_erasure_once(company: Company) -> None:
    company.seal(THEN)
    then = verified_items(company.site)
    company.seal(NOW)
    both = verified_items(company.site)
    assert ("order_line", "10248-11", "erase") in then["orders"]
    assert "crm" not in then  # no marketing began to end before 1999-07-04, three years after the first order
    assert ("contact", "VINET", "erase") in both["crm"]
    assert ("order", "10248", "erase") not in both["orders"]  # it holds nothing of its own
    told = company.warehouse.value(
        "select max(times) from (select count(*) as times from manifest.items where action = 'erase' "
        "group by record_type, record_key)"
    )
    assert told == 1
