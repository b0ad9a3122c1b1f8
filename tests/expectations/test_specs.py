"""The suites as data: readable without Great Expectations, complete, and the same to Great Expectations itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from expectations import specs
from expectations.specs import STOPS, SuiteError, specs_of, suite
from expectations.validation import AUDITS, _quiet
from tests.expectations.checks import EVERY_CHECK

META = {"name": "holds", "asset": "raw.any", "severity": "warning", "description": "It holds.", "why": "A test."}


def test_reading_the_specs_imports_neither_great_expectations_nor_the_driver() -> None:
    program = (
        "import sys; from tests.expectations.checks import EVERY_CHECK; import expectations.validation; "
        "assert EVERY_CHECK; "
        "print([name for name in ('great_expectations', 'sqlalchemy', 'duckdb', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("stop", STOPS)
def test_great_expectations_reads_every_suite_whole(stop: str) -> None:
    with _quiet():
        from great_expectations.core import ExpectationSuite

        read = ExpectationSuite(**suite(stop))
    assert [expectation.meta["name"] for expectation in read.expectations] == [spec.name for spec in specs.specs(stop)]


def test_a_name_is_one_claim_in_snake_case() -> None:
    names = [spec.name for spec in EVERY_CHECK]
    assert sorted(names) == sorted(set(names))
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", name)] == []


def test_an_asset_is_a_table_and_a_description_a_sentence() -> None:
    for spec in EVERY_CHECK:
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", spec.asset), spec
        assert re.fullmatch(r"[A-Z].*\.", spec.description), spec


def test_every_audit_is_in_a_suite_of_its_own_stop() -> None:
    named = {
        f"{stop}/{query['$PARAMETER']}"
        for stop in STOPS
        for one in suite(stop)["expectations"]
        if isinstance(query := one["kwargs"].get("unexpected_rows_query"), dict)
    }
    assert named == {f"{path.parent.name}/{path.stem}" for path in AUDITS.glob("**/*.sql")}


def test_an_unknown_stop_is_named_with_the_ones_there_are() -> None:
    with pytest.raises(SuiteError, match=r"'nowhere': choose one of raw, core, claims, dispositions, manifests"):
        suite("nowhere")


@pytest.mark.parametrize("content", [None, "{not json"])
def test_an_unreadable_suite_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None) -> None:
    monkeypatch.setattr(specs, "SUITES", tmp_path)
    if content is not None:
        (tmp_path / "raw.json").write_text(content)
    with pytest.raises(SuiteError, match=r"raw\.json: .* restore the file"):
        suite("raw")


@pytest.mark.parametrize(
    ("metas", "message"),
    [
        ([{**META, "why": ""}], "the meta of holds lacks why"),
        ([{**META, "severity": "mild"}], "a severity other than"),
        ([META, {**META, "asset": "raw.other"}], "more than one check is called holds"),
    ],
)
def test_a_careless_suite_is_refused(metas: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        specs_of("raw", {"expectations": [{"type": "anything", "kwargs": {}, "meta": meta} for meta in metas]})


def test_suites_are_json_that_another_program_reads() -> None:
    for stop in STOPS:
        content = json.loads((specs.SUITES / f"{stop}.json").read_text(encoding="utf-8"))
        assert content["name"] == stop
        assert set(content) == {"name", "notes", "meta", "expectations"}
