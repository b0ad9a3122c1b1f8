"""What a source let go of on an order stays known when the order is told anew; what it empties by itself is news."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from assets.delivery.approving import cancel
from assets.delivery.reminding import fall_due
from assets.ledger.states import Event
from assets.ledger.states import record as take_step
from assets.warehouse import Warehouse
from tests.erasure.house import House

DAY = date(2026, 11, 25)
AT = datetime(2026, 11, 25, 4, tzinfo=UTC)
CONSENT = {"consent_id": "S1", "email": "eva@hem.example", "purpose": "newsletter", "given_at": "2015-01-01",
           "evidence": "formulär v3"}  # fmt: skip
GIVEN = {"crm/consents": [CONSENT]}
HALF_GONE = {"crm/consents": [{**CONSENT, "email": None, "purpose": None}]}


@pytest.fixture
def house() -> House:
    """The proof of a consent that is long over was ordered erased."""
    house = House(Warehouse.in_memory(pseudonym_key=b"remembered", threads=1))
    house.night(DAY, GIVEN)
    assert decided(house) == {"erase"}
    return house


def decided(house: House) -> set[str]:
    """What becomes of the proof."""
    rows = house.warehouse.rows(
        "select disposition from retention.dispositions where record_type = 'consent' and data_category = 'consent'"
    )
    return {disposition for (disposition,) in rows}


def items(house: House) -> list[tuple[str, str]]:
    return house.warehouse.rows("select manifest_id, item_id from manifest.items order by as_of")


def told_by(house: House, item_id: str) -> set[str]:
    """The fields of which an item is the last word."""
    return {field for (field,) in house.warehouse.rows(
        "select field from manifest.sealed_fields where state = 'erase' and item_id = ?", [item_id]
    )}  # fmt: skip


def anew(house: House, day: date) -> None:
    """A night on which orders are told anew."""
    house.evaluate(day, HALF_GONE)
    fall_due(house.warehouse, day)
    house.night(day, HALF_GONE)


def test_what_an_order_took_is_remembered_after_it_was_told_anew(house: House) -> None:
    ((manifest_id, item_id),) = items(house)
    take_step(house.warehouse, [
        Event(manifest_id, "approved", DAY, "approve", at=AT, by_whom="Eva"),
        Event(manifest_id, "delivered", DAY, "deliver", at=AT),
        Event(manifest_id, "partly_retained", DAY, "receipt", item_id=item_id, at=AT),
    ])  # fmt: skip
    anew(house, DAY + timedelta(days=30))
    _, (_, new_id) = items(house)
    assert told_by(house, new_id) == {"evidence", "given_at"}, "what is left of it"
    assert told_by(house, item_id) == {"email", "purpose"}, "what its source let go of on it"
    house.night(DAY + timedelta(days=31), HALF_GONE)
    assert decided(house) == {"erase"}, "the purpose went on the order that was closed: that is no news"


def test_what_is_emptied_after_the_order_was_taken_back_is_news(house: House) -> None:
    ((manifest_id, _),) = items(house)
    cancel(house.warehouse, manifest_id, by="Eva", reason="nej", on_day=DAY, at=AT)
    anew(house, DAY + timedelta(days=30))
    assert decided(house) == {"review"}, "its source was told nothing: what the consent allowed is not known any more"
    assert len(items(house)) == 1
