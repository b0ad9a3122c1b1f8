"""Plain files wrapped as a delivery."""

from __future__ import annotations

import csv
import io
import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assets.contracts.contract import Contracts, Format, Lookup
from assets.errors import BadInput, BadUsage
from assets.ingest.delivering import deliver

WHEN = datetime(2026, 11, 25, 2, tzinfo=UTC)
CONTACTS = (
    'contact_id,customer_id,name,email,phone,job_title,role_ended_at,updated_at\nP1,K1,"Ada\nExempel",,,,,\nP2,K1\n'
)


@pytest.fixture
def contacts(tmp_path: Path) -> Path:
    path = tmp_path / "contacts-2026.csv"
    path.write_text(CONTACTS, encoding="utf-8")
    return path


def test_a_delivery_is_whole_counted_and_taken_in(company: Any, contacts: Path) -> None:
    folder = deliver(company.site, company.policy, "crm", [contacts], mode="full", extracted_at=WHEN)
    described = json.loads((folder / "delivery.json").read_text())
    assert folder.name == described["delivery_id"] == "2026-11-25T02-00-00"
    assert described["files"][0]["rows"] == 2
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name]
    outcome = company.ingest().deliveries[0].files[0]
    assert (outcome.table, outcome.loaded, outcome.quarantined) == ("contacts", 1, 1)


def _contacts_with_a_stray_quote(seed: int) -> str:
    """Some quoted texts, of which some go over two lines, and one quote anywhere below the heading; no blank."""
    chance = random.Random(seed)
    names = ("Exempel", '"Exempel,Ada"', '"Ada\nExempel"', '"Ada""A""Exempel"', '5"Exempel', '""')
    rows = (f"P{number},K{number},{chance.choice(names)},,,{chance.choice(names)},," for number in range(20))
    heading, _, text = CONTACTS.partition("\n")
    text = "\n".join(rows) + chance.choice(("", "\n"))
    beginnings = [at for at in range(len(text)) if text[at - 1] in ",\n"]
    place = chance.choice(beginnings) if chance.random() < 0.8 else chance.randrange(len(text) + 1)
    return f'{heading}\n{text[:place]}"{text[place:]}'


@pytest.mark.parametrize("seed", range(40))
def test_a_stray_quote_anywhere_loses_no_row(company: Any, tmp_path: Path, seed: int) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text(_contacts_with_a_stray_quote(seed), encoding="utf-8", newline="")
    records = sum(1 for record in csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")) if record) - 1
    try:
        folder = deliver(company.site, company.policy, "crm", [path], mode="full", extracted_at=WHEN)
    except BadInput as refusal:
        folder, said = None, str(refusal)
    if folder is None:
        assert "a quote is not closed" in said
        return
    assert json.loads((folder / "delivery.json").read_text())["files"][0]["rows"] == records
    (outcome,) = company.ingest().deliveries[0].files
    assert (outcome.rows_in, outcome.loaded + outcome.quarantined) == (records, records)


@pytest.mark.parametrize(
    ("text", "line"),
    [(CONTACTS + 'P3,K1,"Cia ', 5), (CONTACTS + 'P3,K1,"Cia,,,,,\nP4,K1,Bo,,,,,\nP5,K1,Bo,,,,,\n', 5),
     (CONTACTS + 'P3,K1,"Cia" "\n', 5), (CONTACTS + 'P3,K1, "Cia\n', 5), (CONTACTS.replace('l",', "l,"), 2)],
)  # fmt: skip
def test_a_file_that_ends_within_a_quote_is_not_delivered(company: Any, tmp_path: Path, text: str, line: int) -> None:
    """The reader lost what stood in it, and those whose rows they were counted as gone."""
    path = tmp_path / "contacts.csv"
    path.write_text(text, encoding="utf-8")
    said = f"contacts.csv: a quote is not closed, near line {line} or before it. See"
    with pytest.raises(BadInput, match=said):
        deliver(company.site, company.policy, "crm", [path], mode="full", extracted_at=WHEN)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [("unknown.csv", CONTACTS, "matches no contract"), ("contacts.csv", "contact_id,name\n", "column customer_id"),
     ("contacts.csv", "", "empty"), ("contacts[1].csv", CONTACTS, "plain name")],
)  # fmt: skip
def test_a_file_that_fits_no_contract_is_refused_and_nothing_is_delivered(
    company: Any, tmp_path: Path, name: str, text: str, said: str
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=said):
        deliver(company.site, company.policy, "crm", [path], mode="full", extracted_at=WHEN)
    assert company.ingest().deliveries == ()


def test_a_file_that_fits_nothing_is_told_each_pattern_once_and_the_lookups(company: Any, tmp_path: Path) -> None:
    countries = Lookup("countries", "land*.csv", ("kod",), Format())
    known = [
        replace(company.policy.contracts["crm", table], file_pattern="kunder*.csv", lookups=(countries,))
        for table in ("contacts", "customers")
    ]
    policy = SimpleNamespace(contracts=Contracts(known))
    path = tmp_path / "unknown.csv"
    path.write_text(CONTACTS, encoding="utf-8")
    with pytest.raises(BadInput, match=r"file patterns are kunder\*\.csv, land\*\.csv\."):
        deliver(company.site, policy, "crm", [path], mode="full", extracted_at=WHEN)


def test_nothing_is_delivered_behind_a_link_which_no_run_looks_into(
    company: Any, contacts: Path, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    (company.site.inbox / "crm").symlink_to(tmp_path / "disk")
    with pytest.raises(BadInput, match="mount the disk there"):
        deliver(company.site, company.policy, "crm", [contacts], mode="full", extracted_at=WHEN)
    assert list((tmp_path / "disk").iterdir()) == []


def test_a_delivery_id_is_used_once(company: Any, contacts: Path) -> None:
    deliver(company.site, company.policy, "crm", [contacts], mode="full", extracted_at=WHEN, delivery_id="a")
    with pytest.raises(BadInput, match="exists already"):
        deliver(company.site, company.policy, "crm", [contacts], mode="full", extracted_at=WHEN, delivery_id="a")


@pytest.mark.parametrize(
    "changes", [{"mode": "half"}, {"extracted_at": WHEN.replace(tzinfo=None)}, {"delivery_id": "../x"}, {"files": []}]
)
def test_what_means_nothing_is_refused(company: Any, contacts: Path, changes: dict[str, Any]) -> None:
    asked = {"files": [contacts], "mode": "full", "extracted_at": WHEN, **changes}
    files = asked.pop("files")
    with pytest.raises(BadUsage):
        deliver(company.site, company.policy, "crm", files, **asked)


def test_an_unknown_source_and_two_files_of_one_name_are_refused(company: Any, contacts: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No contract names the source erp"):
        deliver(company.site, company.policy, "erp", [contacts], mode="full", extracted_at=WHEN)
    (tmp_path / "again").mkdir()
    again = tmp_path / "again" / contacts.name
    again.write_text(CONTACTS, encoding="utf-8")
    with pytest.raises(BadInput, match="Two files"):
        deliver(company.site, company.policy, "crm", [contacts, again], mode="full", extracted_at=WHEN)
