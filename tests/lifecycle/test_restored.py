"""What became of orders after the backup comes from the evidence log: no order that its source has is forgotten."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from assets.delivery.approving import cancel
from assets.delivery.rechecking import recall
from assets.erasure.restoring import back_up, replay
from assets.evidence.chain import EvidenceBroken
from assets.evidence.recording import record as record_evidence
from assets.ledger.states import Event
from assets.ledger.states import record as take_step
from assets.manifests.changes import propose
from assets.manifests.signatures import PublicKey
from assets.site import Site
from assets.warehouse import Warehouse
from tests.erasure.house import POLICY, House, customer

DAY, LATER = date(2026, 11, 25), date(2026, 11, 27)
AT = datetime(2026, 11, 25, 4, tzinfo=UTC)
BEFORE = {"crm/customers": [customer("K2", customer_since="2026-01-01")]}
SEALED = {"crm/customers": [*BEFORE["crm/customers"], customer("K1")]}
IN_USE_AGAIN = {"crm/customers": [*BEFORE["crm/customers"], customer("K1", customer_since="2026-11-26")]}


@dataclass
class Lived:
    """A site with a backup from before its first manifests were sealed, and those."""

    site: Site
    backup: Path
    manifests: list[str]

    def open(self) -> Warehouse:
        return Warehouse.open(self.site.warehouse, key=None, pseudonym_key=b"restored", threads=1)

    @property
    def house(self) -> House:
        return House(self.open(), self.site)

    def restored(self) -> House:
        """The warehouse of the backup, with what the outbox and the evidence log know since."""
        shutil.copyfile(self.backup, self.site.warehouse)
        house = self.house
        replay(house.warehouse, POLICY, self.site, PublicKey.load(self.site.keys / "signing.pub.pem"))
        return house


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Made once; tests take a copy."""
    lived = Lived(Site(tmp_path_factory.mktemp("restored") / "site"), Path(), [])
    lived.site.path.mkdir()
    house = lived.house
    house.evaluate(DAY, BEFORE)
    lived.backup = back_up(house.warehouse, lived.site, made_at=datetime(2026, 11, 25, 3), period="P35D")[0].path
    lived.manifests = [each.manifest_id for each in house.seal(DAY, SEALED).sealed]
    house.warehouse.close()
    return lived


@pytest.fixture
def lived(first: Lived, tmp_path: Path) -> Lived:
    shutil.copytree(first.site.path, tmp_path / "site")
    site = Site(tmp_path / "site")
    return Lived(site, site.backups / first.backup.name, first.manifests)


def tell_of(house: House, site: Site) -> None:
    """The night's last step: what happened goes into the evidence log."""
    assert house.signer is not None
    record_evidence(house.warehouse, site, house.signer, AT)
    house.warehouse.close()


def states(house: House) -> set[str]:
    return {state for (state,) in house.warehouse.rows("select state from manifest.item_states")}


def proposed(house: House) -> set[tuple[str, str]]:
    """What K1's source is to be told on the next day, on which K1 is a customer again."""
    house.evaluate(LATER, IN_USE_AGAIN)
    recall(house.warehouse, POLICY, LATER, at=AT + timedelta(days=2))
    propose(house.warehouse, POLICY, LATER)
    return set(house.warehouse.rows("select record_key, action from manifest.proposed"))


def test_an_order_that_was_delivered_after_the_backup_is_lifted_and_not_taken_back(lived: Lived) -> None:
    house = lived.house
    for manifest_id in lived.manifests:
        take_step(house.warehouse, [Event(manifest_id, "approved", DAY, "approve", at=AT, by_whom="Eva"),
                                    Event(manifest_id, "delivered", DAY, "deliver", at=AT)])  # fmt: skip
    tell_of(house, lived.site)
    house = lived.restored()
    assert states(house) == {"delivered"}
    assert ("K1", "lift") in proposed(house), "its source has the order, and will carry it out"
    tell_of(house, lived.site)


def test_what_was_cancelled_after_the_backup_stays_cancelled(lived: Lived) -> None:
    house = lived.house
    for manifest_id in lived.manifests:
        cancel(house.warehouse, manifest_id, by="Eva", reason="nej", on_day=DAY, at=AT)
    tell_of(house, lived.site)
    house = lived.restored()
    assert states(house) == {"cancelled"}
    assert house.warehouse.value("select count(*) from manifest.told") == 0
    assert {action for _, action in proposed(house)} == {"redact"}, "its source was told nothing: nothing is lifted"
    house.warehouse.close()


@pytest.mark.parametrize("is_cancelled_before", [True, False])
def test_an_approved_order_that_the_log_does_not_call_delivered_may_have_arrived(
    lived: Lived, is_cancelled_before: bool
) -> None:
    """Its delivery may have been cut off after the backup, or not have been recorded: it is lifted all the same."""
    house = lived.house
    for manifest_id in lived.manifests:
        take_step(house.warehouse, [Event(manifest_id, "approved", DAY, "approve", at=AT, by_whom="Eva")])
        if is_cancelled_before:
            house.warehouse.run("insert into manifest.sending values ($id)", {"id": manifest_id})
            cancel(house.warehouse, manifest_id, by="Eva", reason="nej", on_day=DAY, at=AT)
    tell_of(house, lived.site)
    house = lived.restored()
    if not is_cancelled_before:
        for manifest_id in lived.manifests:
            cancel(house.warehouse, manifest_id, by="Eva", reason="nej", on_day=LATER, at=AT)
    assert states(house) == {"cancelled"}
    assert ("K1", "lift") in proposed(house), "its source may have the order"
    house.warehouse.close()


def test_what_the_log_does_not_tell_of_waits_as_it_did(lived: Lived) -> None:
    house = lived.restored()
    assert states(house) == {"issued"}
    house.warehouse.close()


def test_a_log_that_is_not_what_was_signed_is_not_followed(lived: Lived) -> None:
    tell_of(lived.house, lived.site)
    log = next(path for path in sorted(lived.site.evidence.rglob("*.jsonl")))
    log.write_bytes(log.read_bytes().replace(b'"sealed"', b'"sEaled"'))
    with pytest.raises(EvidenceBroken):
        lived.restored()
