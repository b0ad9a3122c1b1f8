"""How many records a purpose keeps: each once, however many clocks of the purpose run for it."""

from __future__ import annotations

import random
from datetime import date

import pytest

from assets.assurance.register_review import _KEPT, register_due_on
from assets.warehouse import Warehouse

#: On both sides of where the bits of one number end.
SURROGATES = (0, 1, 30, 31, 32, 33, 63, 64, 1_000_000)


@pytest.mark.parametrize("seed", range(5))
def test_a_record_counts_once(seed: int) -> None:
    chance = random.Random(seed)
    covered = [("care", "a", "order"), ("care", "b", "order"), ("care", "a", "quote"), ("law", "a", "order")]
    claims = [
        (chance.choice(("care", "law")), chance.choice("abc"), chance.choice(("order", "quote")),
         chance.choice(SURROGATES), chance.choice(("2026-11-25", "2026-11-26", "9999-12-31", None)))
        for _ in range(80)
    ]  # fmt: skip
    kept = {
        (purpose, record_type, row_id)
        for purpose, clock, record_type, row_id, ends_on in claims
        if ends_on is not None
        and ends_on >= "2026-11-26"
        and (purpose, clock, record_type) in covered
        and (record_type, row_id) not in (("order", 31), ("quote", 64))  # one has left, one is a company's own
    }
    with Warehouse.in_memory() as warehouse:
        warehouse.run("create schema retention")
        warehouse.run("create schema policy")
        warehouse.run("create schema core")
        warehouse.run("create table core.records as from (values "
                      "('order', 31, false, false), ('quote', 64, true, true), ('order', 0, true, false)) "
                      "as known(record_type, row_id, in_source, not_personal)")  # fmt: skip
        warehouse.run("create table retention.evaluation as select date '2026-11-26' as as_of")
        warehouse.run("create table policy.coverage (purpose varchar, clock varchar, record_type varchar)")
        warehouse.insert("policy.coverage", ["purpose", "clock", "record_type"], covered)
        warehouse.run(
            "create table retention.purpose_claims "
            "(purpose varchar, clock varchar, record_type varchar, row_id bigint, ends_on date)"
        )
        names = ["purpose", "clock", "record_type", "row_id", "ends_on"]
        warehouse.insert("retention.purpose_claims", names, claims)
        found = dict(warehouse.rows(_KEPT))
    assert found == {purpose: sum(1 for each in kept if each[0] == purpose) for purpose in {each[0] for each in kept}}


@pytest.mark.parametrize("version", ["2026-11-22", "20261122", "2026-11-22.2", "2026-11-22b", "2026-11-22 (second)"])
def test_a_version_may_say_more_than_its_day(version: str) -> None:
    """A register that is changed twice on a day is reviewed like any other."""
    assert register_due_on(version, "P1Y") == date(2027, 11, 22)


@pytest.mark.parametrize("version", ["3", "v2026-11-22", "2026-11-221", "2026-13-22", ""])
def test_a_version_that_begins_with_no_day_has_none(version: str) -> None:
    assert register_due_on(version, "P1Y") is None
