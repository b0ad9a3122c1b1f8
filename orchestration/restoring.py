"""Brings a backup back: laid out beside the warehouse, replayed and erased there, and put in its place last.

Finds keys, policy and files; what is replayed and erased is `assets.erasure`'s.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from pathlib import Path

from assets.erasure.erasing import Erasure, erase_own_copies
from assets.erasure.periods import held_against
from assets.erasure.restoring import (
    Replayed,
    discard_laid_out,
    lay_out,
    put_in_place,
    replay,
    require_restorable,
    restoring_alone,
)
from assets.ingest.blocking import fresh_until, refresh_blocks
from assets.ingest.registers import NOTHING_ENTERED, Entered, entered
from assets.ingest.tables import prepare
from assets.manifests.signatures import PublicKey
from assets.site import Site
from assets.warehouse import Warehouse, WarehouseError, WarehouseLocked
from orchestration.initialising import make_home
from orchestration.opening import PUBLIC_KEY, load_policy, open_file
from orchestration.settings import Settings


def restore_file(site: Site, settings: Settings, file: Path, as_of: date, *, today: date) -> tuple[Replayed, Erasure]:
    """Bring back the backup `file`. The warehouse that is there stays until the other one is fit to be read.

    It is erased as of a day; whether its own last day has passed is asked of today, whichever day that is.

    Raises:
        BadInput: it is no backup, its last day has passed, or the outbox does not verify or join on to it.
        WarehouseLocked: a run, or another restore, is at work on the warehouse.
        WarehouseKeyError: the backup was encrypted with another key.
    """
    require_restorable(file, max(today, as_of))
    with restoring_alone(site):
        return _restored(site, settings, file, as_of)


def _restored(site: Site, settings: Settings, file: Path, as_of: date) -> tuple[Replayed, Erasure]:
    was_there = site.warehouse.exists()
    current = _held(site, settings)
    try:
        since = _entered(current)
        target = lay_out(file, site)
        try:
            with open_file(site, settings, target) as warehouse:
                outcome = _replayed(warehouse, site, settings, as_of, since)
            if current is not None:
                with suppress(WarehouseError):  # a damaged one makes way as it is
                    current.checkpoint()  # its log goes first, and a kill may come right after
            make_home(site)  # the run history is in no backup
            put_in_place(site, in_place_of_one=was_there)
        except BaseException:
            discard_laid_out(site)
            raise
    finally:
        if current is not None:
            current.close()
    return outcome


def replay_here(site: Site, settings: Settings, as_of: date) -> tuple[Replayed, Erasure]:
    """Replay what the outbox knows and the site's warehouse does not."""
    with open_file(site, settings, site.warehouse) as warehouse:
        return _replayed(warehouse, site, settings, as_of)


def _entered(current: Warehouse | None) -> Entered:
    """What people have entered in the warehouse that makes way; nothing where it cannot be read."""
    if current is None:
        return NOTHING_ENTERED
    try:
        return entered(current)
    except WarehouseError:
        return NOTHING_ENTERED


def _replayed(
    warehouse: Warehouse, site: Site, settings: Settings, as_of: date, since: Entered = NOTHING_ENTERED
) -> tuple[Replayed, Erasure]:
    policy = load_policy(settings)
    prepare(warehouse, policy)
    recorded = replay(warehouse, policy, site, PublicKey.load(site.keys / PUBLIC_KEY), since)
    if recorded.lost:
        refresh_blocks(warehouse, policy, as_of)
    keeping = settings.keeping
    erased = erase_own_copies(
        warehouse, policy, as_of=as_of, quarantine=keeping.quarantine, residue=keeping.residue,
        closed=keeping.registers, departed=keeping.manifests,
        erased_bytes="P0D",  # whatever the site lets its own file wait for
        held_against=held_against(as_of, as_of, fresh_until(warehouse, policy)),
    )  # fmt: skip
    return recorded, erased


def _held(site: Site, settings: Settings) -> Warehouse | None:
    """The warehouse that is to be replaced, held open so that no run begins; None where it cannot be opened."""
    if not site.warehouse.exists():
        return None
    try:
        return open_file(site, settings, site.warehouse)
    except WarehouseLocked:
        raise
    except WarehouseError:
        return None
