"""Two readings of rules.md must agree: the product's SQL and the row-at-a-time evaluator, on adversarial companies."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from assets.core.building import build
from assets.ingest.loading import load_rows
from assets.ingest.tables import prepare
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.warehouse import Warehouse
from tests.oracle.companies import random_company
from tests.oracle.evaluator import evaluate as evaluate_row_by_row

ROOT = Path(__file__).resolve().parents[2]
#: The last one has a hold on a customer that no source knows.
SEEDS = (*range(int(os.environ.get("GALLRING_TEST_SEEDS", "16"))), 501)


def decided_by_sql(policy: Policy, exports: dict, days: list[date]) -> Iterator[tuple[date, dict]]:
    """For each day, (record type, key, field) -> (disposition, last day) as the product decides."""
    with Warehouse.in_memory(pseudonym_key=b"agreement", threads=1) as warehouse:
        policy.publish(warehouse)
        prepare(warehouse, policy)
        load_rows(warehouse, policy, exports)
        build(warehouse)
        for day in days:
            evaluate(warehouse, policy, day)
            assert broken_claims(warehouse) == {}, f"as of {day}"
            rows = warehouse.rows(
                """
                select
                    record.record_type, record.record_key, field.field,
                    disposition.disposition, disposition.keep_until
                from retention.dispositions as disposition
                inner join retention.records as record
                    on disposition.record_type = record.record_type and disposition.row_id = record.row_id
                inner join policy.fields as field
                    on disposition.record_type = field.record_type and disposition.data_category = field.data_category
                """
            )
            yield day, {(kind, key, name): (decided, until) for kind, key, name, decided, until in rows}


def broken_claims(warehouse: Warehouse) -> dict[str, int]:
    """The critical audits of evaluation that find anything, and how much: each would keep a night from sealing."""
    found = {}
    for stop in ("core", "claims", "dispositions"):
        suite = json.loads((ROOT / "expectations" / "suites" / f"{stop}.json").read_text(encoding="utf-8"))
        for expectation in suite["expectations"]:
            query = expectation["kwargs"].get("unexpected_rows_query")
            if isinstance(query, dict) and expectation["meta"]["severity"] == "critical":
                text = (ROOT / "sql" / "audits" / stop / f"{query['$PARAMETER']}.sql").read_text(encoding="utf-8")
                rows = len(warehouse.rows(text))
                found |= {expectation["meta"]["name"]: rows} if rows else {}
    return found


@pytest.fixture(scope="module")
def policy() -> Policy:
    """The shipped policy."""
    return Policy.load()


@pytest.mark.parametrize("seed", SEEDS)
def test_sql_and_row_by_row_decide_alike(policy: Policy, seed: int) -> None:
    """Every field of every record, on every day."""
    exports, days = random_company(seed)
    for day, by_sql in decided_by_sql(policy, exports, days):
        by_row = {
            key: (decision.disposition, decision.keep_until)
            for key, decision in evaluate_row_by_row(exports, day).items()
        }
        differing = sorted(
            f"{day} {' '.join(key)}: SQL {by_sql.get(key)}, row by row {by_row.get(key)}"
            for key in by_sql.keys() | by_row.keys()
            if by_sql.get(key) != by_row.get(key)
        )
        assert not differing, f"seed {seed}: {len(differing)} differ, such as\n" + "\n".join(differing[:10])
