"""Another policy, rehearsed: what would change is told, what is stored is not touched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from assets.contracts.declarations import CONTRACTS
from assets.errors import BadInput, CheckFailed
from assets.policy import SHIPPED_REGISTER, Policy
from assets.policy_diff import diff
from assets.rehearsal.simulating import Simulation, simulate
from assets.retention.evaluation import evaluate
from assets.sample.generating import SAMPLE_DAY
from assets.warehouse import Warehouse
from tests.publication.reported import decided_site


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    _, warehouse = decided_site(tmp_path_factory, "simulated")
    with warehouse:
        yield warehouse


def other_policy(folder: Path, *changes: tuple[str, str]) -> Policy:
    """The shipped policy with passages of its register put otherwise."""
    text = SHIPPED_REGISTER.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    folder.mkdir()
    (folder / "register.yaml").write_text(text, encoding="utf-8")
    return Policy.load(folder)


SHORTER = ("{followup: P1Y}", "{followup: P6M}")
LONGER = ("{archive: P7Y}", "{archive: P10Y}")
#: A column of a company's own, at the end of a contract's columns.
NICKNAME = """\
      - name: nickname
        logicalType: string
        customProperties:
          - {{property: dataCategory, value: {}}}
"""
BY_NICKNAME = """\
select
    'customer' as record_type, own.row_id, 'followup' as clock, own.customer_since as starts_on,
    own.customer_since as ends_on, cast(null as varchar) as ended_by, cast(null as varchar) as missing
from raw.crm_customers as own
where own.known_nickname is not null and own.nickname is not null
"""


def stored(warehouse: Warehouse) -> list[tuple[object, ...]]:
    """What the site holds and could have been touched: every decision, the policy, every table."""
    return [
        *warehouse.rows("select * from retention.dispositions order by all"),
        *warehouse.rows("select * from policy.about"),
        *warehouse.rows("select * from policy.periods order by all"),
        *warehouse.rows("select database_name, schema_name, table_name from duckdb_tables() order by all"),
        *warehouse.rows("select database_name from duckdb_databases() order by all"),
    ]


def by_direction(found: Simulation) -> dict[str, int]:
    counted: dict[str, int] = {}
    for flip in found.flips:
        counted[flip.direction] = counted.get(flip.direction, 0) + flip.fields
    return counted


def test_the_same_policy_changes_nothing(warehouse: Warehouse, tmp_path: Path) -> None:
    found = simulate(warehouse, Policy.load(), other_policy(tmp_path / "same"))
    assert (found.fields, found.erased_at_once, found.flips, found.examples) == (0, 0, (), ())
    assert found.as_of == SAMPLE_DAY


def test_nothing_of_the_site_is_touched(warehouse: Warehouse, tmp_path: Path) -> None:
    before = stored(warehouse)
    simulate(warehouse, Policy.load(), other_policy(tmp_path / "other", SHORTER, LONGER))
    assert stored(warehouse) == before


def test_it_tells_what_an_evaluation_under_the_other_policy_decides(warehouse: Warehouse, tmp_path: Path) -> None:
    other = other_policy(tmp_path / "other", SHORTER, LONGER)
    found = simulate(warehouse, Policy.load(), other)
    fields = (
        "select record_type, row_id, field, disposition, keep_until from retention.dispositions "
        "inner join policy.fields using (record_type, data_category)"
    )
    before = {row[:3]: row[3:] for row in warehouse.rows(fields)}
    try:
        with warehouse.transaction():
            other.publish(warehouse)
            evaluate(warehouse, other, SAMPLE_DAY)
            after = {row[:3]: row[3:] for row in warehouse.rows(fields)}
            raise InterruptedError  # nothing of it is kept
    except InterruptedError:
        pass
    changed = {key for key in before if before[key] != after[key]}
    erased = {key for key in changed if after[key][0] == "erase" and before[key][0] != "erase"}
    assert found.fields == len(changed) > 0
    assert found.erased_at_once == len(erased) > 0


def test_a_shorter_period_names_its_purpose_and_what_goes_at_once(warehouse: Warehouse, tmp_path: Path) -> None:
    found = simulate(warehouse, Policy.load(), other_policy(tmp_path / "other", SHORTER))
    assert set(by_direction(found)) <= {"erased_at_once", "shorter", "restricted"}
    at_once = [flip for flip in found.flips if flip.direction == "erased_at_once"]
    assert {(flip.purpose, flip.year, flip.system) for flip in at_once} == {("quote_followup", 2026, "crm")}
    assert found.flips[0].direction == "erased_at_once"
    example = found.examples[0]
    assert (example.before, example.after, example.after_until) == ("retain", "erase", None)
    assert example.before_until is not None
    assert example.before_until >= SAMPLE_DAY
    assert example.reason == "quote_followup no longer holds it, and nothing else does"


def test_a_field_that_moves_to_another_category_is_compared_by_itself(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    policies = [with_a_nickname(tmp_path / category, category) for category in ("identity", "national_id")]
    _, warehouse = decided_site(tmp_path_factory, "moved")
    with warehouse:
        policies[0].publish(warehouse)
        evaluate(warehouse, policies[0], SAMPLE_DAY)
        found = simulate(warehouse, *policies)
        count = "select count(*) from retention.dispositions as a inner join retention.dispositions as b "
        at_once = warehouse.value(
            f"{count} using (record_type, row_id) where record_type = 'customer' and a.data_category = 'identity' "
            "and b.data_category = 'national_id' and a.disposition <> 'erase' and b.disposition = 'erase'"
        )
    assert found.erased_at_once == at_once > 0
    assert {flip.system for flip in found.flips} == {"crm"}
    assert {example.data_category for example in found.examples} == {"identity"}


def with_a_nickname(folder: Path, category: str, *, remembered: bool = False) -> Policy:
    """The shipped policy with a column of the company's own among the customers."""
    folder.mkdir()
    shutil.copy(SHIPPED_REGISTER, folder / "register.yaml")
    shutil.copytree(CONTRACTS, folder / "contracts")
    contract = folder / "contracts" / "crm_customers.yaml"
    text = contract.read_text(encoding="utf-8")
    column = NICKNAME.format(category) + "          - {property: remembered, value: true}\n" * remembered
    contract.write_text(text.replace("slaProperties:", column + "slaProperties:"), encoding="utf-8")
    return Policy.load(folder)


def test_a_longer_period_keeps_again_and_says_until_when(warehouse: Warehouse, tmp_path: Path) -> None:
    found = simulate(warehouse, Policy.load(), other_policy(tmp_path / "other", LONGER), examples=1)
    assert set(by_direction(found)) == {"kept_again", "longer"}
    assert found.erased_at_once == 0
    assert {flip.system for flip in found.flips} == {"orders"}
    assert all(flip.year is not None and flip.year > 2026 for flip in found.flips)
    assert [example.direction for example in found.examples] == ["kept_again", "longer"]
    assert found.examples[0].reason == "accounting holds it; today nothing does"


def test_without_examples_no_key_is_told(warehouse: Warehouse, tmp_path: Path) -> None:
    assert simulate(warehouse, Policy.load(), other_policy(tmp_path / "other", LONGER), examples=0).examples == ()


def test_a_column_that_the_policy_brings_along_is_empty_until_it_is_delivered(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    with_a_nickname(tmp_path / "other", "identity", remembered=True)
    (tmp_path / "other" / "purposes").mkdir()
    (tmp_path / "other" / "purposes" / "quote_followup.sql").write_text(BY_NICKNAME, encoding="utf-8")
    before = stored(warehouse)
    found = simulate(warehouse, Policy.load(), Policy.load(tmp_path / "other"))
    assert {flip.purpose for flip in found.flips} == {"quote_followup"}, "nothing is known of it, and nothing claimed"
    assert set(by_direction(found)) <= {"erased_at_once", "shorter"}
    assert stored(warehouse) == before


def test_a_policy_that_reads_an_unknown_table_is_refused(warehouse: Warehouse, tmp_path: Path) -> None:
    other_policy(tmp_path / "other")
    (tmp_path / "other" / "purposes").mkdir()
    (tmp_path / "other" / "purposes" / "web_security.sql").write_text(
        "select 1 from raw.erp_projects", encoding="utf-8"
    )
    with pytest.raises(BadInput, match=r"raw\.erp_projects"):
        simulate(warehouse, Policy.load(), Policy.load(tmp_path / "other"))
    assert warehouse.value("select count(*) from duckdb_databases() where database_name = 'rehearsal'") == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (", grace: P30D}", "}", "purposes → debt_collection → periods: add grace; debts.sql reads it"),
        ("  still_open: {period", "  open_still: {period", "clocks: add still_open; order_states.sql reads it"),
    ],
)
def test_a_policy_without_a_period_that_its_sql_reads_is_refused(
    old: str, new: str, said: str, warehouse: Warehouse, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=said):
        simulate(warehouse, Policy.load(), other_policy(tmp_path / "other", (old, new)))


def test_another_policy_than_the_sites_is_refused(warehouse: Warehouse, tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="another policy"):
        simulate(warehouse, other_policy(tmp_path / "other", LONGER), Policy.load())


def test_a_difference_is_told_in_words(tmp_path: Path) -> None:
    other = other_policy(
        tmp_path / "other", SHORTER, LONGER, ("still_open: {period: P24M", "still_open: {period: P2Y"),
        ("      security: {web_event: [device]}", "      security: {web_event: [device, behaviour]}"),
    )  # fmt: skip
    found = {(each.where, each.kind): each.sentence for each in diff(Policy.load(), other)}
    assert found == {
        ("still_open", "period_same"):
            "Shared clock still_open: P24M becomes P2Y, which is the same.",
        ("accounting", "period_longer"): "Purpose accounting, clock archive: P7Y becomes P10Y, which is longer.",
        ("quote_followup", "period_shorter"):
            "Purpose quote_followup, clock followup: P1Y becomes P6M, which is shorter.",
        ("web_security", "coverage_added"): "Purpose web_security also covers web_event.behaviour (security).",
    }  # fmt: skip
    assert diff(Policy.load(), Policy.load()) == []


@pytest.mark.parametrize(
    ("old", "new", "turn"),
    [("P1M", "P30D", "different"), ("P1M", "P32D", "longer"), ("P1M", "P27D", "shorter"), ("P1Y", "P12M", "same")],
)
def test_a_month_is_no_number_of_days(old: str, new: str, turn: str) -> None:
    from assets.policy_diff import _turn

    assert _turn(old, new) == turn


def test_a_rule_a_purpose_and_a_contract_that_differ_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "other"
    other_policy(folder, ('version: "2026-11-22"', 'version: "2027-01-01"'))
    (folder / "purposes").mkdir()
    (folder / "purposes" / "web_security.sql").write_text("select 1", encoding="utf-8")
    (folder / "contracts").mkdir()
    for contract in sorted(CONTRACTS.glob("*.yaml")):
        if contract.stem != "web_events":
            (folder / "contracts" / contract.name).write_bytes(contract.read_bytes())
    kinds = {(each.where, each.kind) for each in diff(Policy.load(), Policy.load(folder))}
    assert {("policy", "version"), ("web_security", "rule_changed"), ("web/events", "contract_removed")} <= kinds
