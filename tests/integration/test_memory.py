"""What was read is remembered (rules.md, *Dates* 6): obeying a manifest changes nothing about other records."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from assets.core.building import build
from assets.ingest.loading import load_rows
from assets.ingest.tables import prepare
from assets.manifests.changes import propose
from assets.manifests.sealing import seal
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.warehouse import Warehouse
from tests.oracle.companies import random_company

Exports = dict[str, list[dict[str, Any]]]
Decisions = dict[tuple[str, str, str], tuple[str, date | None]]

POLICY = Policy.load()
SEEDS = range(int(os.environ.get("GALLRING_TEST_SEEDS", "3")))
TABLES = {contract.record_type: contract for contract in POLICY.contracts.values() if contract.record_type}


def decide(warehouse: Warehouse, day: date) -> Decisions:
    """(record type, key, category) -> (disposition, last day) on a day."""
    build(warehouse)
    evaluate(warehouse, POLICY, day)
    rows = warehouse.rows(
        """
        select record.record_type, record.record_key, decided.data_category, decided.disposition, decided.keep_until
        from retention.dispositions as decided
        inner join retention.records as record
            on decided.record_type = record.record_type and decided.row_id = record.row_id
        """
    )
    return {(kind, key, category): (decided, until) for kind, key, category, decided, until in rows}


def ordered(warehouse: Warehouse, day: date) -> Iterator[tuple[str, str, str, list[str]]]:
    """Seal what the day brings and tell the sources' items."""
    propose(warehouse, POLICY, day)
    report = seal(warehouse, POLICY, None, None, as_of=day, issued_at=None)
    assert not report.refusals
    yield from warehouse.rows(
        "select record_type, record_key, action, fields from manifest.items "
        "where as_of = ? and action in ('erase', 'redact') and system not like 'partner:%' order by all",
        [day],
    )


def obey(exports: Exports, items: Iterator[tuple[str, str, str, list[str]]]) -> Exports:
    """The next exports of sources that did exactly as they were told."""
    obeyed = copy.deepcopy(exports)
    for kind, key, action, fields in items:
        contract = TABLES[kind]
        table = f"{contract.source}/{contract.table}"
        if action == "erase":
            obeyed[table] = [row for row in obeyed[table] if row[contract.key] != key]
            continue
        for row in obeyed[table]:
            if row[contract.key] == key:
                row.update(dict.fromkeys(fields))
    return obeyed


@pytest.mark.parametrize("seed", SEEDS)
def test_obeying_changes_nothing_about_what_is_left(seed: int) -> None:
    """Sources that obey night after night, and sources that never do: what is still there is decided alike."""
    exports, days = random_company(seed, 12)
    nights = sorted({days[0], days[0] + timedelta(days=1), days[0] + timedelta(days=40), days[0] + timedelta(days=400)})
    with (
        Warehouse.in_memory(pseudonym_key=b"memory", threads=1) as obedient,
        Warehouse.in_memory(pseudonym_key=b"memory", threads=1) as deaf,
    ):
        for warehouse in (obedient, deaf):
            POLICY.publish(warehouse)
            prepare(warehouse, POLICY)
        load_rows(deaf, POLICY, exports)
        left = exports
        for night in nights:
            load_rows(obedient, POLICY, left)
            told, untold = decide(obedient, night), decide(deaf, night)
            changed = {key: (found, untold[key]) for key, found in told.items() if found != untold[key]}
            assert not changed, f"seed {seed}, {night}: {len(changed)} changed, such as {sorted(changed.items())[:5]}"
            left = obey(left, ordered(obedient, night))
    assert sum(map(len, left.values())) < sum(map(len, exports.values())), "nothing was erased: the test proves nothing"
