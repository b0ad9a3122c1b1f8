"""The last verdict of each stop is what analysts see."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from assets.attaching import attached
from assets.catalogue.verdicts import record_verdicts
from assets.publication.analytics import publish
from assets.site import Site
from assets.warehouse import Warehouse
from expectations.validation import Verdict
from tests.publication.house import AS_OF, StubPolicy, hand_made

POLICY: Any = StubPolicy()


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    with hand_made() as warehouse:
        yield warehouse


def verdict(name: str, unexpected: int) -> Verdict:
    return Verdict(name, "raw.crm_customers", "critical", unexpected == 0, 10, unexpected, f"{name} holds")


def test_a_stops_new_verdicts_replace_its_old_ones_alone(warehouse: Warehouse, tmp_path: Path) -> None:
    record_verdicts(warehouse, "raw", [verdict("a", 1), verdict("b", 0)], date(2026, 11, 24))
    record_verdicts(warehouse, "core", [verdict("c", 0)], date(2026, 11, 24))
    record_verdicts(warehouse, "raw", [verdict("a", 0)], AS_OF)
    site = Site(tmp_path)
    publish(warehouse, POLICY, site)
    with Warehouse.in_memory() as reader, attached(reader, site.analytics, "a", read_only=True):
        found = reader.rows(
            "select stop, expectation, severity, passed, evaluated, unexpected, as_of from a.quality.expectations "
            "order by all"
        )
    assert found == [
        ("core", "c", "critical", True, 10, 0, date(2026, 11, 24)),
        ("raw", "a", "critical", True, 10, 0, AS_OF),
    ]
