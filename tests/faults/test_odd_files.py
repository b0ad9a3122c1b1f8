"""What a disk may hold where a delivery or an answer is expected: it is told and set aside, and the rest goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from assets.publication.status import status
from tests.faults.test_hostile_input import HEADER, row
from tests.ingest.company import AS_OF, Company


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    made = Company(tmp_path)
    yield made
    made.warehouse.close()


@pytest.mark.parametrize(
    ("name", "told"),
    [(b"caf\xe9", "caf\\udce9"), (b"two\nlines", "two\\nlines"), (b"red\x1b[31m", "red\\x1b[31m")],
)  # fmt: skip
def test_a_folders_name_that_is_no_text_keeps_nothing_else_from_being_taken_in(
    company: Company, name: bytes, told: str
) -> None:
    sent = company.send("web", {"events": HEADER + row("E1")})
    odd = Path(os.fsdecode(os.fsencode(company.site.inbox) + b"/web/" + name))
    odd.mkdir()
    (odd / "delivery.json").write_bytes((sent / "delivery.json").read_bytes())
    stranger = Path(os.fsdecode(os.fsencode(company.site.inbox) + b"/" + name)) / "D1"
    stranger.mkdir(parents=True)
    (stranger / "delivery.json").write_bytes(b"{}")
    assert {f"web/{told}", f"{told}/D1"} <= set(status(company.site, AS_OF).waiting)
    report = company.ingest()
    assert [each.delivery_id for each in report.loaded] == [sent.name]
    assert {(each.source, each.delivery_id) for each in report.rejected} == {("web", told), (told, "D1")}
    reason = json.loads((company.site.quarantine / "web" / told / "reason.json").read_bytes())
    assert reason["delivery_id"] == told
    assert company.value("select count(*) from raw.web_events") == 1
