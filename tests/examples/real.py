"""Where the real exports are, and what the tests over them ask for alike. Holds no row of theirs.

They are no part of the repository: `GALLRING_TEST_EXPORTS` names their folder, one a company, or they lie in
`../shared/data`. Where they are absent the tests skip; where the variable names a folder they must be in it.
"""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path

import pytest

from assets.manifests.verifying import verify
from assets.policy import Policy
from assets.retention.explaining import ExplainedField, Language, explain
from assets.site import Site
from assets.warehouse import Warehouse
from orchestration.opening import PUBLIC_KEY

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "tests" / "examples"
#: Read before any test takes the product's variables out of the environment.
NAMED = os.environ.get("GALLRING_TEST_EXPORTS")

#: rows in, loaded, quarantined, out of scope
Accounting = tuple[int, int, int, int]
#: record type, key, action -> fields
Items = dict[tuple[str, str, str], list[str]]


def exports(company: str) -> Path:
    """The folder of a company's exports; skips where nobody has them, fails where they were promised."""
    folder = (Path(NAMED) if NAMED else ROOT.parent / "shared" / "data") / company
    if folder.is_dir():
        return folder
    if NAMED:
        pytest.fail(f"GALLRING_TEST_EXPORTS names a folder without the exports of {company}")
    pytest.skip(f"the exports of {company} are not here: GALLRING_TEST_EXPORTS names the folder that has them")


def rows_in(path: Path) -> int:
    """How many rows a CSV file has, counted by something that is not the product."""
    import csv

    with path.open(encoding="utf-8", newline="") as lines:
        return sum(1 for _ in csv.reader(lines)) - 1


def accounting(warehouse: Warehouse) -> dict[tuple[str, str, str], Accounting]:
    """What became of the rows of each file, by source, table and file."""
    return {
        (source, table, file): (rows, loaded, quarantined, outside)
        for source, table, file, rows, loaded, quarantined, outside in warehouse.rows(
            "select source, table_name, file_name, rows_in, rows_loaded, rows_quarantined, rows_out_of_scope "
            "from intake.files"
        )
    }


def decisions(warehouse: Warehouse, record_type: str, key: str) -> dict[str, tuple[str, date | None]]:
    """Disposition and last day of every data category of a record."""
    return {
        category: (disposition, keep_until)
        for category, disposition, keep_until in warehouse.rows(
            "select decided.data_category, decided.disposition, decided.keep_until "
            "from retention.dispositions as decided inner join retention.records as record "
            "on decided.record_type = record.record_type and decided.row_id = record.row_id "
            "where record.record_type = ? and record.record_key = ?",
            [record_type, key],
        )
    }


def explained(
    warehouse: Warehouse, policy: Policy, record_type: str, key: str, language: Language = "en"
) -> dict[str, ExplainedField]:
    """The fields of a record, each with the claims behind it."""
    explanation = explain(warehouse, policy, record_type, key, language)
    return {field.field: field for field in explanation.fields}


def purposes(field: ExplainedField) -> dict[str, tuple[str, date | None]]:
    """How each purpose of a field stands, and its last day."""
    return {claim.purpose: (claim.standing, claim.keep_until) for claim in field.claims}


def verified_items(site: Site) -> dict[str, Items]:
    """The items of every sealed manifest by system, after each manifest was verified with the public key."""
    found: dict[str, Items] = {}
    for folder in sorted(site.outbox.glob("*/*")):
        verification = verify(folder, site.keys / PUBLIC_KEY)
        assert verification.problems == ()
        for line in (folder / "items.jsonl").read_text(encoding="utf-8").splitlines():
            item = json.loads(line)
            (key,) = item["key"].values()
            items = found.setdefault(folder.parent.name, {})
            items[item["record_type"], key, item["action"]] = item["fields"]
    return found
