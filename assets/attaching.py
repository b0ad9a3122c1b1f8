"""A plain database file beside the open one, for as long as somebody makes or reads it: the published copy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assets.warehouse import Warehouse, identifier, literal

#: The oldest DuckDB that opens the file. Its way to pack words that repeat costs a third less to write.
READABLE_SINCE = "v1.3.0"


@contextmanager
def attached(
    warehouse: Warehouse, path: Path, catalog: str, *, read_only: bool = False, is_new: bool = False
) -> Iterator[None]:
    """The unencrypted database file at `path` as `catalog`, for as long as the block runs.

    A new one has no write-ahead log: whoever makes it checkpoints it in the end, or throws it away.
    """
    made = f" (storage_version {literal(READABLE_SINCE)}, recovery_mode no_wal_writes)"
    option = " (read_only)" if read_only else made if is_new else ""
    warehouse.run(f"attach {literal(str(path))} as {identifier(catalog)}{option}")
    try:
        yield
    finally:
        warehouse.run(f"detach {identifier(catalog)}")
