"""How many records a purpose keeps: each once, however many clocks of the purpose run for it."""

from __future__ import annotations

import random

import pytest

from assets.assurance.register_review import _KEPT
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
