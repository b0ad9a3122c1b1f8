"""A warehouse in memory that begins where another stood: what takes a night to make is made once, and begun from often.

What stood is kept in a file without encryption, of which each test gets all tables and views in a memory of its own.
"""

from __future__ import annotations

from pathlib import Path

from assets.attaching import attached
from assets.warehouse import Warehouse, identifier

#: What the file is called beside the warehouse while it is written and read.
_KEPT = "kept"
#: The product's macros: whoever opens a warehouse makes them anew, with its own key.
_MACROS = "select function_name from duckdb_functions() where database_name = ? and not internal"


def keep(warehouse: Warehouse, path: Path) -> None:
    """Keep what a warehouse in memory holds in a new file at `path`."""
    with attached(warehouse, path, _KEPT, is_new=True):
        warehouse.run(f"copy from database {warehouse.catalog} to {_KEPT}")
        for (name,) in warehouse.rows(_MACROS, [_KEPT]):
            warehouse.run(f"drop macro {_KEPT}.main.{identifier(name)}")
        warehouse.run(f"checkpoint {_KEPT}")


def begin(path: Path, *, pseudonym_key: bytes) -> Warehouse:
    """A warehouse in memory that holds what was kept in the file at `path`, under the key that it was made with."""
    warehouse = Warehouse.in_memory(pseudonym_key=pseudonym_key, threads=1)
    with attached(warehouse, path, _KEPT, read_only=True):
        warehouse.run(f"copy from database {_KEPT} to {warehouse.catalog}")
    return warehouse
