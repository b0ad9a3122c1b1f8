"""The forecast adds up: what it tells of by month, later and without an end is all that is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from assets.errors import BadUsage, CheckFailed
from assets.publication.analytics import publish
from assets.retention.forecasting import Forecast, ForecastLine, forecast
from assets.site import Site
from assets.warehouse import Warehouse
from tests.publication.house import AS_OF, StubPolicy, hand_made

POLICY: Any = StubPolicy()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path / "site")
    site.make()
    return site


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    with hand_made() as warehouse:
        warehouse.run("update retention.dispositions set disposition = 'restrict', keep_until = date '2026-12-31' "
                      "where record_type = 'order' and row_id = 1")  # fmt: skip
        warehouse.run("insert into policy.coverage values ('accounting', 'archive', 'order', 'identity', 3, false)")
        warehouse.run("insert into retention.purpose_claims values ('accounting', 'order', 1, 'archive', "
                      "date '2026-11-01', date '2026-12-31', null, null, false)")  # fmt: skip
        yield warehouse


def test_a_category_falls_due_in_the_month_after_its_last_day(site: Site, warehouse: Warehouse) -> None:
    publish(warehouse, POLICY, site)
    found = forecast(site, 3)
    assert found.lines == (ForecastLine(date(2027, 1, 1), "orders", "accounting", 1, 1, 0),)
    assert found.as_of == AS_OF


def test_the_parts_are_all_that_is_kept(site: Site, warehouse: Warehouse) -> None:
    publish(warehouse, POLICY, site)
    kept = warehouse.value("select count(*) from retention.dispositions where disposition in ('retain', 'restrict')")
    for months in (1, 2, 3, 200):
        found = forecast(site, months)
        assert sum(line.categories for line in found.lines) + found.later + found.without_end == kept
    assert forecast(site, 2).lines == ()
    assert forecast(site, 200).later == 0


@pytest.mark.parametrize("is_orphan", [False, True])
def test_what_may_go_to_a_person_first_is_told_apart(site: Site, warehouse: Warehouse, is_orphan: bool) -> None:
    publish(warehouse, POLICY, site)
    before = forecast(site, 3)
    assert [line.in_doubt for line in before.lines] == [0]
    if is_orphan:
        warehouse.run("insert into retention.findings values ('orphan', 'order', 1, 'its parent is unknown')")
    else:
        warehouse.run(
            "insert into policy.coverage values ('order_fulfilment', 'while_open', 'order', 'identity', 3, false)"
        )
        warehouse.run("insert into retention.purpose_claims values ('order_fulfilment', 'order', 1, 'while_open', "
                      "date '2026-11-01', null, null, 'closed_at_missing', false)")  # fmt: skip
    publish(warehouse, POLICY, site)
    found = forecast(site, 3)
    assert [line.in_doubt for line in found.lines] == [1]
    assert [replace(line, in_doubt=0) for line in found.lines] == list(before.lines)
    assert (found.later, found.without_end) == (before.later, before.without_end)
    assert forecast(site, 1).later_in_doubt == found.later_in_doubt + 1


def test_json_names_a_month_and_nothing_else(site: Site, warehouse: Warehouse) -> None:
    publish(warehouse, POLICY, site)
    told = json.loads(json.dumps(forecast(site, 3).to_json()))
    assert told["lines"] == [
        {"month": "2027-01", "system": "orders", "purpose": "accounting", "records": 1, "categories": 1, "in_doubt": 0}
    ]
    assert Forecast(AS_OF, 1, (), 0, 0, 0).to_json()["as_of"] == "2026-11-25"


@pytest.mark.parametrize("months", [0, -1, 1201])
def test_no_number_of_months_is_refused(site: Site, months: int) -> None:
    with pytest.raises(BadUsage, match="--months"):
        forecast(site, months)


def test_before_the_first_run_it_says_what_to_do(site: Site) -> None:
    with pytest.raises(CheckFailed, match="gallring run"):
        forecast(site)
