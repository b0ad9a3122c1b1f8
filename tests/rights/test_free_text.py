"""Free text is scanned for what should not stand there: counted, and never told."""

from __future__ import annotations

import json

import pytest

from assets.rights.freetext import scan
from assets.warehouse import Warehouse
from tests.rights.company import company, evaluated

TEXTS = {
    "A1": ("Vill ha 40 band till 2026-12-24, ordernummer 20261224-0001.", {}),
    "A2": ("Personnummer 199006022397 och 900602-2397, inte 900602-2398.", {"personal_numbers": 2}),
    "A3": ("Skriv till disa@hem.example eller ring 070-1740640.", {"email_addresses": 1, "phone_numbers": 1}),
    "A4": ("Ring +46 70 174 06 41 eller 0701740642", {"phone_numbers": 2}),
    "A5": ("Är SJUKSKRIVEN för utmattning; har diabetes.", {"health_words": 3}),
    "A6": ("Försjunken i filmerna, avgift för Super 8.", {}),
    "A7": ("19900602-2397", {"personal_numbers": 1}),
    "A8": ("Samordningsnummer 202601612381.", {"personal_numbers": 1}),
    "B1": ("Order 1234567890 19900602-2397", {"personal_numbers": 1}),
    "B2": ("900602-2397 199006022397,900602 2397", {"personal_numbers": 3}),
    "B3": (
        "12345678 19900602-2397 070-1740640 +46 70 174 06 41\n0701740642",
        {"personal_numbers": 1, "phone_numbers": 3},
    ),
    "B4": ("199006022397199006022397 och 070174064007017406401", {}),
}


@pytest.fixture(scope="module")
def warehouse() -> Warehouse:
    found = evaluated(company({
        "crm/interactions": [
            {"interaction_id": key, "customer_id": "C1", "channel": "note", "occurred_at": "2026-10-01", "body": text}
            for key, (text, _) in TEXTS.items()
        ],
        "crm/quotes": [{"quote_id": "Q1", "customer_id": "C1", "requested_at": "2026-10-01", "status": "requested",
                        "request_text": "Ring 070-1740640"}],
        "orders/complaints": [{"complaint_id": "R1", "order_id": "O1", "opened_at": "2026-10-01",
                               "description": "Min mor har demens"}],
    }))  # fmt: skip
    scan(found)
    return found


@pytest.mark.parametrize("key", TEXTS)
def test_a_note_is_scanned(warehouse: Warehouse, key: str) -> None:
    found = dict(warehouse.rows("select kind, hits from rights.free_text where record_key = ?", [key]))
    assert found == TEXTS[key][1]


def test_quotes_and_complaints_are_scanned_too(warehouse: Warehouse) -> None:
    assert warehouse.rows("select record_type, field, kind from rights.free_text where source = 'orders'") == [
        ("complaint", "description", "health_words")
    ]
    assert warehouse.rows("select field, kind from rights.free_text where record_key = 'Q1'") == [
        ("request_text", "phone_numbers")
    ]


def test_no_text_is_told(warehouse: Warehouse) -> None:
    told = json.dumps(warehouse.rows("select * from rights.free_text"), ensure_ascii=False).lower()
    assert not any(word in told for word in ("disa", "1740640", "diabetes", "demens", "9006"))
