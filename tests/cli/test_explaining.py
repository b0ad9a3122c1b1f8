"""What `explain` says of a record's orders, and of a record that is gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assets.errors import BadInput, CheckFailed
from assets.warehouse import Warehouse
from orchestration.cli.records import _explain_record
from tests.delivery.nights import POLICY, Nights, System, name_of
from tests.delivery.test_outcomes import NEXT
from tests.delivery.test_unread import PAST
from tests.manifests.company import DAY


def test_a_record_that_is_gone_is_told_of_and_one_that_never_was_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nights = Nights(tmp_path, System("crm"))
    nights.systems["crm"].add("customers", "T1", name=name_of("T1"), **PAST)
    with nights.warehouse as warehouse:
        nights.night(DAY, *nights.systems)
        _explain_record(warehouse, POLICY, "customer", "T1", "en", with_orders=True, json=False)
        text = capsys.readouterr().out
        assert "To be erased: no purpose needs it any more." in text
        assert "\n\nWhat was ordered\n" in text
        assert "The system says that it is done" in text
        _explain_record(warehouse, POLICY, "customer", "T1", "en", with_orders=False, json=False)
        assert "What was ordered" not in capsys.readouterr().out

        nights.night(NEXT, *nights.systems)
        _explain_record(warehouse, POLICY, "customer", "T1", "en", with_orders=True, json=False)
        assert capsys.readouterr().out.startswith(f"customer T1 is in no source, {NEXT}.\n\nWhat was ordered\n")
        _explain_record(warehouse, POLICY, "customer", "T1", "en", with_orders=True, json=True)
        found = json.loads(capsys.readouterr().out)
        assert (found["record_key"], found["fields"], [each["state"] for each in found["orders"]]) == (
            "T1", [], ["verified"],
        )  # fmt: skip
        for key, with_orders in (("T9", True), ("T1", False)):
            with pytest.raises(BadInput, match="No customer with the key"):
                _explain_record(warehouse, POLICY, "customer", key, "en", with_orders=with_orders, json=False)


def test_before_anything_was_decided_that_is_what_is_told() -> None:
    with Warehouse.in_memory() as warehouse, pytest.raises(CheckFailed, match="Nothing has been decided yet"):
        _explain_record(warehouse, POLICY, "customer", "T1", "en", with_orders=True, json=False)
