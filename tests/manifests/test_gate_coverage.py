"""What the gate finds by numbers is what a plain look at every field finds, whatever happened before."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

import pytest

from assets.manifests.gate import refusals
from assets.models import SQL
from tests.manifests.company import DAY, RECORDS, Company
from tests.manifests.in_parts import in_small_parts

RULE = "erasure_not_in_one_manifest"
AUDIT = SQL / "audits" / "manifests" / "erasures_not_told_once.sql"
KEPT = SQL / "audits" / "manifests" / "kept_fields_ordered_erased.sql"
OUTCOMES = ("retain", "restrict", "erase", "erase", "never", "not_personal")
TAMPERING = (
    "delete from manifest.proposed where row_id = {row}",
    "update manifest.proposed set fields = fields[2:] where action = 'redact' and row_id = {row}",
    "insert into manifest.proposed select * from manifest.proposed where row_id = {row}",
    "update retention.dispositions set disposition = 'erase' where row_id = {row}",
    "update raw.crm_customers set phone = '070-1740606', street = null where row_id = {row}",
)
#: What makes items erase what is kept, or what nobody knows.
TOO_MUCH = (
    "update retention.dispositions set disposition = 'retain' where row_id = {row}",
    "update manifest.proposed set fields = ['shoe_size', 'phone'] where action = 'redact' and row_id = {row}",
    "update manifest.proposed set action = 'erase' where row_id = {row}",
)


@pytest.mark.parametrize("seed", range(4))
def test_erasures_that_are_missing_or_repeated_are_found_field_by_field(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seed % 2:
        in_small_parts(monkeypatch, 2)
    chance = random.Random(seed)
    company = _company(chance)
    found = 0
    for night in range(3):
        day = DAY + timedelta(days=night)
        company.propose(day, _outcomes(chance, company))
        assert not _missing(company)
        assert refusals(company.warehouse) == []
        for tampering in chance.sample(TAMPERING, 3):
            found += _compare_after(company, tampering.format(row=chance.randint(1, 6)))
        _compare_kept_after(company, chance.choice(TOO_MUCH).format(row=chance.randint(1, 3)))
        company.propose(day, _outcomes(chance, company))
        company.seal(day)
    assert found


def _compare_after(company: Company, tampering: str) -> int:
    """Tamper, compare the gate and the audit with the plain look, and take the tampering back."""
    warehouse = company.warehouse
    warehouse.run("begin")
    warehouse.run(tampering)
    missing = _missing(company)
    told = {one.system: one.count for one in refusals(warehouse) if one.rule == RULE}
    assert told == missing, tampering
    if "raw." not in tampering:  # what changed after the proposal is the gate's to see
        assert bool(warehouse.value(f"select count(*) from ({AUDIT.read_text()})")) == bool(missing), tampering
    warehouse.run("rollback")
    return missing.total()


def _compare_kept_after(company: Company, tampering: str) -> None:
    """Tamper, compare what the audit finds with what each item's fields say, and take the tampering back."""
    warehouse = company.warehouse
    warehouse.run("begin")
    warehouse.run(tampering)
    kept = warehouse.rows(f"select * from ({KEPT.read_text()})")
    assert len(kept) == len(set(kept))
    assert set(kept) == _kept(company), tampering
    warehouse.run("rollback")


def _company(chance: random.Random) -> Company:
    company = Company()
    for number in range(3):
        for record_type in ("customer", "delivery"):
            fields = [field for names in RECORDS[record_type][3].values() for field in names]
            company.add(record_type, f"K{number}", **{field: None for field in fields if chance.random() < 0.3})
    return company


def _outcomes(chance: random.Random, company: Company) -> dict[tuple[str, str], dict[str, str]]:
    """Half of the records whole, half of them category by category."""
    found = {}
    for number in range(3):
        for record_type in ("customer", "delivery"):
            common = chance.choice((None, *OUTCOMES))
            found[record_type, f"K{number}"] = {
                category: common or chance.choice(OUTCOMES) for category in RECORDS[record_type][3]
            }
    return found


def _missing(company: Company) -> Counter[str]:
    """By source: fields that hold a value and are to go, and that neither one item nor an earlier order names."""
    rows = company.warehouse.rows
    ordered = set(rows("select record_type, record_key, field from manifest.ordered_fields"))
    due = set(
        rows(
            "select dispositions.record_type, row_id, field from retention.dispositions inner join policy.fields "
            "using (record_type, data_category) where disposition = 'erase'"
        )
    )
    items = rows(
        "select record_type, row_id, action, fields from manifest.proposed where action in ('erase', 'redact')"
    )
    missing: Counter[str] = Counter()
    for record_type, source, row_id, key in rows(
        "select record_type, source, row_id, record_key from retention.records"
    ):
        held = {field for field in _held(company, record_type, row_id) if (record_type, row_id, field) in due}
        named = Counter(
            field
            for item_type, item_row, action, fields in items
            if (item_type, item_row) == (record_type, row_id)
            for field in (held if action == "erase" else fields)
        )
        for field in held:
            missing[source] += named[field] > 1 or (not named[field] and (record_type, key, field) not in ordered)
    return +missing


def _kept(company: Company) -> set[tuple[str, int, str | None]]:
    """Each category that an item would erase and that is not up for erasure; None where a name is nobody's."""
    rows = company.warehouse.rows
    due = set(rows("select record_type, row_id, data_category from retention.dispositions where disposition = 'erase'"))
    fields = rows("select record_type, field, data_category from policy.fields")
    kept: set[tuple[str, int, str | None]] = set()
    for record_type, row_id, action, names in rows(
        "select record_type, row_id, action, fields from manifest.proposed where action in ('erase', 'redact')"
    ):
        known = {field: category for of, field, category in fields if of == record_type}
        for field in known if action == "erase" else names:
            kept.add((record_type, row_id, known.get(field)))
    return {one for one in kept if one not in due}


def _held(company: Company, record_type: str, row_id: int) -> set[str]:
    source, table, _, categories = RECORDS[record_type]
    fields = [field for names in categories.values() for field in names]
    values = company.warehouse.rows(f"select {', '.join(fields)} from raw.{source}_{table} where row_id = ?", [row_id])
    return {field for field, value in zip(fields, values[0], strict=True) if value is not None}
