"""What each column of a SELECT is made of, one step back, as the web UI shows it; remembered from process to process.

To trace a hundred SELECTs takes a third of a second, and they are the same every night. A site keeps what was found in
a file: names of tables and columns alone, under a digest of the SELECT and of the program that traced it. The file is
taken as it stands or not at all; whoever has to know that nothing leaks traces anew (`published_lineage`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from assets.writing import write_whole

FILE = "column_lineage.json"
#: Column -> the columns that it is made of, each as table and column.
Parents = Mapping[str, list[tuple[str, str]]]

_known: dict[str, Parents] = {}
_used: set[str] = set()


def parents_of(table: str, statement: str) -> Parents:
    """What each column of a table that a SELECT makes is made of; empty where that cannot be traced."""
    digest = hashlib.sha256(f"{_program()}\n{table}\n{statement}".encode()).hexdigest()
    _used.add(digest)
    if digest not in _known:
        _known[digest] = _traced(table, statement)
    return _known[digest]


@contextmanager
def remembered(folder: Path) -> Iterator[None]:
    """What is traced until the block ends is looked up in a folder's file first, and kept there."""
    path = folder / FILE
    before = _read(path)
    _known.update(before)
    _used.clear()
    yield
    if _used - before.keys() and folder.is_dir():
        kept = {digest: _known[digest] for digest in sorted(_used)}
        with suppress(OSError):  # whoever may not write there traces anew
            write_whole(path, json.dumps(kept, separators=(",", ":")).encode())


def _read(path: Path) -> dict[str, Parents]:
    try:
        content = json.loads(path.read_bytes())
        return {
            str(digest): {
                str(column): [(str(table), str(name)) for table, name in made] for column, made in each.items()
            }
            for digest, each in content.items()
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _traced(table: str, statement: str) -> Parents:
    from assets.catalogue.lineage import Lineage, LineageUnknown

    if "unpivot" in statement.lower():  # what the tracing does not follow
        return {}
    one = Lineage({table: statement})
    try:
        return {
            name: sorted({(each.table, each.column) for each in one.origins(table, name)})
            for name in one.columns(table)
        }
    except LineageUnknown:
        return {}


@cache
def _program() -> str:
    """A digest of what traces: another one may find something else."""
    from assets.catalogue import lineage

    return hashlib.sha256(Path(lineage.__file__).read_bytes() + version("sqlglot").encode()).hexdigest()
