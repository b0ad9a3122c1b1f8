"""The answer's draft: where, who was told, what stays and why, in both languages, with the company's own words."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from assets.errors import BadInput
from assets.rights import requests
from assets.rights.letters import draft, gather_answer
from assets.rights.requests import KINDS
from assets.site import Site
from assets.warehouse import Warehouse
from tests.rights.company import DAY, NOW, company, evaluated, policy

RECEIVED = date(2026, 11, 20)


def asked(warehouse: Warehouse, kind: str, **who: str) -> str:
    number = requests.add(warehouse, kind, received_on=RECEIVED, at=NOW, verified_on=RECEIVED,
                          **(who or {"customer": "C1"}))  # type: ignore[arg-type]  # fmt: skip
    evaluated(warehouse)
    return number


def ordered(warehouse: Warehouse, system: str, kind: str, key: str, action: str, state: str, field: str) -> None:
    """A sealed item and what became of it."""
    item = f"{system}-{key}-{action}"
    warehouse.run(
        "insert into manifest.items (manifest_id, item_id, system, record_type, record_key, action, fields, as_of, "
        "respond_by) values ('M', ?, ?, ?, ?, ?, [?], date '2026-11-21', date '2026-12-21')",
        [item, system, kind, key, action, field],
    )
    for sequence, each in enumerate(("issued", state)):
        warehouse.run(
            "insert into manifest.events (item_id, manifest_id, state, on_day, sequence) "
            "values (?, 'M', ?, date '2026-11-22', ?)", [item, each, sequence],
        )  # fmt: skip


def test_an_erasure_is_answered_in_full(tmp_path: Path) -> None:
    warehouse = company()
    number = asked(warehouse, "erasure")
    ordered(warehouse, "crm", "customer", "C1", "redact", "verified", "phone")
    ordered(warehouse, "mailing", "subscriber", "N1", "erase", "done", "email")
    ordered(warehouse, "partner:P1", "delivery", "D1", "notify", "delivered", "contact_name")
    ordered(warehouse, "crm", "customer", "C2", "erase", "done", "phone")  # somebody else's
    written = draft(warehouse, policy(), Site(tmp_path), number, DAY, None)
    assert written.warnings == ()
    swedish = (written.folder / "answer.sv.txt").read_text(encoding="utf-8")
    assert "Kunduppgifter (1) i kundregistret: telefon. Läge: kontrollerat" in swedish
    assert "Prenumerationer på nyhetsbrev (1) i nyhetsbrevssystemet. Läge: systemet svarar att det är gjort" in swedish
    assert "Fraktbolaget AB: Leveranser (1). Svar: överlämnat, inget svar ännu" in swedish
    assert "t.o.m. 2032-12-31. Grund: GDPR artikel 6.1 c" in swedish
    assert "Art 17(3)(b)" in swedish
    assert "Art 17(3)(e)" in swedish
    assert "imy@imy.se" in swedish
    english = (written.folder / "answer.en.html").read_text(encoding="utf-8")
    assert "<h2>What stays, why and for how long</h2>" in english
    assert "Egil" not in swedish + english


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_letter_in_both_languages(kind: str, tmp_path: Path) -> None:
    warehouse = company()
    written = draft(warehouse, policy(), Site(tmp_path), asked(warehouse, kind), DAY, None)
    for name in written.files:
        text = (written.folder / name).read_text(encoding="utf-8")
        assert "Familjefilm AB" in text
        assert "None" not in text
        assert "\n\n\n" not in text or name.endswith("html")


def test_a_companys_own_template_goes_before_the_shipped_one(tmp_path: Path) -> None:
    warehouse = company()
    number = asked(warehouse, "objection")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "answer.txt.j2").write_text("Hej! {{ answer.request_id }}")
    written = draft(warehouse, policy(), Site(tmp_path), number, DAY, tmp_path)
    assert (written.folder / "answer.sv.txt").read_text(encoding="utf-8") == f"Hej! {number}"
    (tmp_path / "templates" / "answer.txt.j2").write_text("Hej! {{ answer.nickname }}")
    with pytest.raises(BadInput, match=r"answer\.txt\.j2"):
        draft(warehouse, policy(), Site(tmp_path), number, DAY, tmp_path)


def test_what_speaks_against_sending_is_said() -> None:
    warehouse = company()
    number = requests.add(warehouse, "erasure", received_on=DAY, at=NOW, email="disa@hem.example")
    evaluated(warehouse)
    warnings = " ".join(gather_answer(warehouse, policy(), number, DAY)["warnings"])
    assert "not been verified" in warnings
    assert "day after it came" in warnings
    assert "2 people" in warnings
