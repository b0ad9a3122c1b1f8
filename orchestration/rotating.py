"""Rotating the warehouse's key: every file that it opens is written anew with the next one.

Backups first, the warehouse last; the next key lies beside the old one until the warehouse has been swapped. Cut off
anywhere, each file opens with the one or the other, and rotating again finishes it. The pseudonym key is not rotated:
keyed hashes of what was erased cannot be made again.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from assets.errors import BadUsage
from assets.site import Site
from assets.writing import discard_half_written, write_whole
from orchestration.opening import (
    NEXT_WAREHOUSE_KEY,
    next_key,
    open_warehouse,
    promote_next_key,
    rewrite_backups,
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
        backups = rewrite_backups(site, settings, key)
        written = warehouse.copy_to(warehouse.rewriting_path, key=key)
        warehouse.swap_in(written.path, key=key)
        if not in_environment:
            promote_next_key(site)
    return Rotation(written.rows, backups, in_environment)


def _make_next_key(site: Site) -> str:
    key = secrets.token_hex(32)
    discard_half_written(site.keys / NEXT_WAREHOUSE_KEY)
    write_whole(site.keys / NEXT_WAREHOUSE_KEY, f"{key}\n".encode())
    return key
