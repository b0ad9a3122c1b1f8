"""The gate stops what must not leave, whatever made the proposal, and it fails closed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from assets.manifests.gate import Refusal, refusals
from tests.manifests.company import DAY, Company, full
from tests.manifests.in_parts import in_small_parts

C1 = ("customer", "C1")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A proposal: a whole erasure, a redaction with a restriction, and one record that nothing is told about."""
    made = Company()
    for key in ("C1", "C2", "C3"):
        made.add("customer", key)
    made.add("web_event", "E1")
    made.add("delivery", "D1", partner_id="P1", delivered_at=DAY - timedelta(days=200))
    made.propose(
        DAY,
        {
            C1: full("customer", "erase"),
            ("customer", "C2"): {"phone": "erase", "email": "restrict"},
            ("web_event", "E1"): {"behaviour": "never"},
        },
    )
    path = tmp_path_factory.mktemp("proposed") / "kept.duckdb"
    made.keep(path)
    return path


@pytest.fixture(params=[0, 1, 2], ids=["at once", "one by one", "by two"])
def company(request: pytest.FixtureRequest, kept: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    """A company of a test's own with that proposal."""
    if request.param:
        in_small_parts(monkeypatch, request.param)
    begun = Company.begun(kept)
    yield begun
    begun.warehouse.close()


def rules(company: Company) -> set[str]:
    return {refusal.rule for refusal in refusals(company.warehouse)}


def test_a_sound_proposal_passes(company: Company) -> None:
    assert refusals(company.warehouse) == []


@pytest.mark.parametrize(
    ("tampering", "rule"),
    [
        (
            "update manifest.proposed set fields = ['phone', 'name'] where action = 'redact'",
            "kept_field_ordered_erased",
        ),
        ("update manifest.proposed set fields = ['shoe_size'] where action = 'redact'", "kept_field_ordered_erased"),
        ("update retention.dispositions set disposition = 'review' where row_id = 1", "kept_field_ordered_erased"),
        ("update retention.purpose_claims set ends_on = '2099-01-01' where row_id = 1", "kept_field_ordered_erased"),
        ("update manifest.proposed set action = 'erase' where action = 'redact'", "restricted_record_erased"),
        ("insert into triggers.restricted_records values ('customer', 2)", "restricted_record_erased"),
        ("update retention.purpose_claims set ends_on = null where row_id = 1", "no_ended_purpose"),
        ("update retention.purpose_claims set missing = 'closed_at' where row_id = 1", "no_ended_purpose"),
        ("delete from manifest.proposed where action = 'erase'", "erasure_not_in_one_manifest"),
        ("update manifest.proposed set fields = [] where action = 'redact'", "erasure_not_in_one_manifest"),
        ("insert into manifest.proposed select * from manifest.proposed where action = 'erase'", "told_twice"),
        ("update manifest.proposed set fields = ['name'] where action = 'restrict'", "items_differ_from_decisions"),
        (
            "update manifest.proposed set fields = ['email', 'name'] where action = 'restrict'",
            "items_differ_from_decisions",
        ),
        ("delete from manifest.proposed where action = 'restrict'", "items_differ_from_decisions"),
        ("update manifest.proposed set system = 'web' where action = 'erase'", "foreign_record"),
        ("update manifest.proposed set row_id = 3 where action = 'erase'", "foreign_record"),
        ("update raw.crm_customers set street = 'Provgatan 2' where row_id = 1", None),
        ("update retention.evaluation set as_of = as_of + 1", "proposal_of_another_day"),
        ("delete from retention.evaluation", "proposal_of_another_day"),
    ],
)
def test_a_broken_rule_is_seen(company: Company, tampering: str, rule: str | None) -> None:
    company.warehouse.run(tampering)
    assert rules(company) >= ({rule} if rule else set())
    assert bool(rules(company)) == (rule is not None)


def test_a_new_erasure_after_the_proposal_is_seen(company: Company) -> None:
    company.warehouse.run("update retention.dispositions set disposition = 'erase' where row_id = 3")
    company.warehouse.run("delete from retention.purpose_claims where row_id = 3")
    found = refusals(company.warehouse)
    assert [(one.rule, one.system, one.example) for one in found] == [("erasure_not_in_one_manifest", "crm", "C3")]
    assert found[0].count == 5


@pytest.mark.parametrize(
    "table",
    [
        "retention.purpose_claims", "policy.coverage", "retention.dispositions", "retention.records",
        "retention.evaluation", "intake.blocks", "manifest.proposed", "manifest.proposal", "manifest.told_bits",
        "policy.fields", "raw.crm_customers", "triggers.restricted_records",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(company: Company, table: str) -> None:
    company.warehouse.run(f"drop table {table}")
    found = refusals(company.warehouse)
    assert [(one.rule, one.system) for one in found] == [("unreadable", None)]
    assert company.seal(DAY).sealed == ()


def block(company: Company, source: str) -> None:
    company.warehouse.run("insert into intake.blocks values (?, 'any', 'stale', null)", [source])


@pytest.mark.parametrize("source", ["crm", "orders", "office", "mailing", "elsewhere"])
def test_a_blocked_source_holds_every_system_back(company: Company, source: str) -> None:
    block(company, source)
    found = refusals(company.warehouse)
    assert {one.system for one in found} == {"crm", "web", "partner:P1"}
    assert {(one.rule, one.example) for one in found} == {("blocked_delivery", f"{source}/any: stale")}
    report = company.seal(DAY)
    assert report.sealed == ()
    assert list(report.refusals) == found


def test_blocked_web_events_hold_back_the_web_alone(company: Company) -> None:
    block(company, "web")
    report = company.seal(DAY)
    assert [one.system for one in report.sealed] == ["crm", "partner:P1"]
    assert [one.system for one in report.refusals] == ["web"]
    company.warehouse.run("delete from intake.blocks")
    assert [one.system for one in company.seal(DAY).sealed] == ["web"]


def test_a_broken_rule_in_one_system_stops_all(company: Company) -> None:
    company.warehouse.run("update manifest.proposed set fields = ['url'] where system = 'web'")
    report = company.seal(DAY)
    assert report.sealed == ()
    assert {one.system for one in report.refusals} == {"web"}
    assert company.warehouse.value("select count(*) from manifest.items") == 0


def test_another_policy_or_day_than_the_proposals_is_refused(company: Company) -> None:
    assert [one.rule for one in company.seal(DAY + timedelta(days=1)).refusals] == ["proposal_of_another_day"]
    company.warehouse.run("update manifest.proposal set policy_sha256 = 'other'")
    assert [one.rule for one in company.seal(DAY).refusals] == ["proposal_of_another_policy"]


def test_a_refusal_reads_as_a_sentence() -> None:
    assert str(Refusal("told_twice", "crm", 2, "C1")) == "told twice: 2 (crm, for example C1)"
    assert str(Refusal("unreadable", None, 1, None)) == "unreadable: 1 (every system)"
