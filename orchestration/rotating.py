"""Rotating the warehouse's key: every file that it opens is written anew with the next one.

Backups first, the warehouse last; the next key lies beside the old one until the warehouse has been swapped. Cut off
anywhere, each file opens with the one or the other, and rotating again finishes it. The pseudonym key is not rotated:
keyed hashes of what was erased cannot be made again.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass

from assets.errors import BadUsage
from assets.site import Site
from assets.warehouse import WarehouseKeyError
from orchestration.opening import (
    NEXT_WAREHOUSE_KEY,
    WAREHOUSE_KEY,
    next_key,
    open_warehouse,
    open_with,
    promote_next_key,
    read_key,
)
from orchestration.settings import Settings


@dataclass(frozen=True)
class Rotation:
    """What was written anew: the warehouse's rows, and how many backups. `in_environment`: the key is not a file."""

    rows: int
    backups: int
    in_environment: bool


def rotate_key(site: Site, settings: Settings) -> Rotation:
    """Write the warehouse and its backups anew, encrypted with another key, and forget the old one.

    Raises:
        BadUsage: the key comes from the environment, and the next one does not.
        RewriteFailed: a file could not be written; it still opens with the old key.
    """
    in_environment = settings.warehouse_key is not None
    if in_environment and settings.next_warehouse_key is None:
        raise BadUsage(
            "The warehouse's key comes from GALLRING_WAREHOUSE_KEY: put the new one into GALLRING_NEXT_WAREHOUSE_KEY."
        )
    with open_warehouse(site, settings) as warehouse:
        key = next_key(site, settings) or _make_next_key(site)
        backups = _rewrite_backups(site, settings, key)
        written = warehouse.copy_to(warehouse.rewriting_path, key=key)
        warehouse.swap_in(written.path, key=key)
        if not in_environment:
            promote_next_key(site)
    return Rotation(written.rows, backups, in_environment)


def _make_next_key(site: Site) -> str:
    key = secrets.token_hex(32)
    handle = os.open(site.keys / NEXT_WAREHOUSE_KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
    return key


def _rewrite_backups(site: Site, settings: Settings, key: str) -> int:
    count = 0
    for backup in sorted(site.backups.glob("*.duckdb")):
        try:
            open_with(site, settings, backup, key).close()
        except WarehouseKeyError:
            _rewrite_backup(site, settings, backup.name, key)
            count += 1
    return count


def _rewrite_backup(site: Site, settings: Settings, name: str, key: str) -> None:
    old = read_key(site, WAREHOUSE_KEY, settings.warehouse_key)
    half = site.temporary / name
    with open_with(site, settings, site.backups / name, old) as warehouse:
        warehouse.copy_to(half, key=key)
    half.replace(site.backups / name)
