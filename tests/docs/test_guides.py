"""The how-to guides, followed literally on a copy of the tutorial's sample site."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from assets.contracts.declarations import load_contracts
from assets.ingest.delivering import deliver
from tests.docs.conftest import Followed, run_as_a_reader
from tests.docs.pages import DOCS, blocks
from tests.ingest.company import Company

pytestmark = pytest.mark.slow
GUIDES = sorted(path.name for path in (DOCS / "how-to").glob("*.md"))
#: Something that is said when the guide has led where it wants to.
SAID = {
    "add-a-purpose.md": "ok      demo/policy/scenarios/reprint.yaml",
    "add-a-source.md": "holds the delivery. Next: gallring run",
    "answer-a-request.md": "site-r1 is answered: answered (due 2026-12-28)",
    "approve-a-manifest.md": "26 approved",
    "decide-by-a-column.md": "ok      demo/policy/scenarios/minors.yaml",
    "place-a-hold.md": "Released: 1 hold(s), last day 2026-11-25.",
    "rehearse-a-policy.md": "Purpose customer_care, clock care: P1Y becomes P6M, which is shorter.",
    "restore-a-backup.md": "entries, all hold",
    "rotate-the-keys.md": "are encrypted with the new key.",
    "when-a-run-stops.md": "it is no date as the contract declares it",
}


def test_every_guide_is_followed() -> None:
    assert sorted(SAID) == GUIDES


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_leads_where_it_says(guide: str, followed: Followed, gallring: Path, tmp_path: Path) -> None:
    shutil.copytree(followed.folder / "demo", tmp_path / "demo")
    done = run_as_a_reader(gallring, tmp_path, "\n".join(blocks(f"how-to/{guide}", "bash")))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert SAID[guide] in done.stdout
    assert "Traceback" not in done.stderr


def test_the_contract_of_a_guide_reads_every_row_of_the_guides_file(tmp_path: Path) -> None:
    export, contract = (
        re.search(r"<<'END'\n(.*\n)END", block, re.DOTALL).group(1)  # type: ignore[union-attr]
        for block in blocks("how-to/add-a-source.md", "bash")[1:3]
    )
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "crm_interactions.yaml").write_text(contract, encoding="utf-8")
    (tmp_path / "arenden.csv").write_text(export, encoding="utf-8")
    company = Company(tmp_path, load_contracts(tmp_path / "contracts"))
    with company.warehouse:
        at = datetime(2026, 11, 23, 2, tzinfo=UTC)
        deliver(company.site, company.policy, "crm", [tmp_path / "arenden.csv"], mode="delta", extracted_at=at)
        company.ingest()
        assert company.rows("select rows_in, rows_loaded from intake.files") == [(2, 2)]


def test_the_workflow_for_pull_requests_is_one() -> None:
    workflow = yaml.safe_load(blocks("how-to/rehearse-a-policy.md", "yaml")[0])
    steps = workflow["jobs"]["rehearse"]["steps"]
    assert all({"run", "uses"} & step.keys() for step in steps)
    assert workflow["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert workflow["jobs"]["rehearse"]["runs-on"] == ["self-hosted", "gallring"]
