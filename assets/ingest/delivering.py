"""Wrapping plain export files as one delivery: found by name, checked, copied, counted, described.

Writes into the inbox and loads nothing. The delivery gets its name when it is whole, so nobody sees half of one.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from assets.contracts.contract import Contract, Contracts, Lookup
from assets.errors import BadInput, BadUsage
from assets.ingest.deliveries import DESCRIPTION, MODES, is_safe_delivery_id, is_safe_name, link_of, sha256_of
from assets.ingest.limits import NO_MORE_THAN, Limits
from assets.ingest.reading import FileRefused, Reading
from assets.ingest.tables import HasContracts
from assets.site import Site
from assets.warehouse import Warehouse
from assets.writing import flush, one_at_a_time, write_whole


def deliver(
    site: Site,
    policy: HasContracts,
    source: str,
    files: Sequence[Path],
    *,
    mode: str,
    extracted_at: datetime,
    delivery_id: str | None = None,
    limits: Limits = NO_MORE_THAN,
) -> Path:
    """Wrap `files` as a delivery of `source` and put it into the site's inbox.

    Args:
        site: whose inbox.
        policy: whose contracts say, by their file patterns, which table each file is.
        source: the system that the files come from.
        files: plain export files. A file may be the export of several tables.
        mode: `full` or `delta`.
        extracted_at: when the source wrote them; with a time zone.
        delivery_id: the folder's name; by default the instant of the extract.
        limits: how large files may be.

    Returns:
        The delivery's folder.

    Raises:
        BadUsage: no such mode, no files, an instant without a time zone.
        BadInput: a file matches no contract or is not what its contract declares, or the delivery exists already.
    """
    if mode not in MODES:
        raise BadUsage("the mode of a delivery is full or delta")
    if extracted_at.tzinfo is None:
        raise BadUsage("extracted_at needs a time zone")
    moment = extracted_at.astimezone(UTC)
    name = delivery_id or f"{moment:%Y-%m-%dT%H-%M-%S}"
    targets = _targets(policy.contracts, source, files)
    if mode == "full":
        _check_layouts(policy.contracts, source, targets)
    _check_lookups(targets)
    final = site.inbox / source / name
    if not is_safe_delivery_id(name):
        raise BadUsage("a delivery id may hold letters, digits and . : + - _ alone")
    if final.parent.is_symlink():
        raise BadInput(f"{link_of(final.parent)}: no run would read the delivery. Remove it, and mount the disk there.")
    final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with one_at_a_time(final.parent), _not_there_yet(final) as partial:
        for path in files:
            _copy(path, partial / path.name)
        described = _describe(partial, targets, site, limits, deletions=mode == "delta")
        content = {
            "source": source, "delivery_id": name, "extracted_at": moment.isoformat().replace("+00:00", "Z"),
            "mode": mode, "files": described,
        }  # fmt: skip
        write_whole(partial / DESCRIPTION, json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n")
        partial.rename(final)
    flush(final.parent)
    return final


@contextmanager
def _not_there_yet(final: Path) -> Iterator[Path]:
    """An empty folder to fill; what is in it goes when the block does not end well, since it is people's data.

    Raises:
        BadInput: the delivery that it is to become is there.
    """
    if final.exists():
        raise BadInput(f"The delivery {final.parent.name}/{final.name} exists already: give this one another id.")
    partial = final.parent / f".{final.name}.partial"
    try:
        yield _empty_folder(partial)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _targets(contracts: Contracts, source: str, files: Sequence[Path]) -> list[tuple[Path, Contract | Lookup]]:
    """Each file with every table or lookup whose pattern its name matches."""
    known = contracts.of_source(source)
    if not known:
        raise BadInput(f"No contract names the source {source}. Sources are {', '.join(contracts.sources)}.")
    if not files:
        raise BadUsage("there is no file to deliver")
    twice = [name for name, times in Counter(path.name for path in files).items() if times > 1]
    if twice:
        raise BadInput(f"Two files are called {twice[0]}: give them different names.")
    found: list[tuple[Path, Contract | Lookup]] = []
    for path in files:
        if not path.is_file():
            raise BadInput(
                f"{path} is {'no file' if path.exists() else 'not there'}: name the export files themselves."
            )
        if not is_safe_name(path.name):
            raise BadInput(
                f"{path} has no plain name: rename it to letters, digits, blanks and . , + ( ) = @ - _, the first of "
                "them a letter, a digit or _."
            )
        matches = _matches(known, path.name)
        if not matches:
            tables = [layout.file_pattern for contract in known for layout in contract.layouts]
            lookups = [lookup.file_pattern for contract in known for lookup in contract.all_lookups]
            patterns = ", ".join(dict.fromkeys([*tables, *lookups]))
            raise BadInput(f"{path.name} matches no contract of {source}. Their file patterns are {patterns}.")
        found += [(path, match) for match in matches]
    return found


def _matches(known: Sequence[Contract], name: str) -> list[Contract | Lookup]:
    tables = [layout for contract in known for layout in contract.layouts if fnmatchcase(name, layout.file_pattern)]
    twice = [table for table, times in Counter(layout.table for layout in tables).items() if times > 1]
    if twice:
        raise BadInput(f"{name} matches more than one layout of {twice[0]}: make their file patterns differ.")
    lookups = {
        lookup.name: lookup
        for contract in known for lookup in contract.all_lookups
        if fnmatchcase(name, lookup.file_pattern) and lookup.name not in {table.table for table in tables}
    }  # fmt: skip
    return [*tables, *lookups.values()]


def _check_layouts(contracts: Contracts, source: str, targets: Sequence[tuple[Path, Contract | Lookup]]) -> None:
    """A full delivery of a table that several systems write brings the files of all of them."""
    tables = {target.table for _, target in targets if isinstance(target, Contract)}
    for contract in contracts.of_source(source):
        missing = contract.layouts_missing([path.name for path, _ in targets]) if contract.table in tables else []
        if missing:
            raise BadInput(
                f"{contract.table} comes in several layouts, and no file is one of {missing[0]}: name the files of all "
                "of them, or deliver changes alone with --mode delta."
            )


def _check_lookups(targets: Sequence[tuple[Path, Contract | Lookup]]) -> None:
    """Full or delta: what a table's expressions look into comes with it in one file, or no run could read the table."""
    brought = Counter(target.table if isinstance(target, Contract) else target.name for _, target in targets)
    for layout in (target for _, target in targets if isinstance(target, Contract)):
        for lookup in layout.lookups:
            if brought[lookup.name] != 1:
                raise BadInput(
                    f"{layout.table} needs exactly one file for the lookup {lookup.name} ({lookup.file_pattern}) in "
                    f"each delivery, and {brought[lookup.name]} are named."
                )


def _empty_folder(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700)
    return path


def _copy(path: Path, target: Path) -> None:
    shutil.copyfile(path, target)
    target.chmod(0o600)
    with target.open("rb") as copied:
        os.fsync(copied.fileno())


def _describe(
    folder: Path, targets: Sequence[tuple[Path, Contract | Lookup]], site: Site, limits: Limits, *, deletions: bool
) -> list[dict[str, str | int]]:
    described: list[dict[str, str | int]] = []
    site.temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
    with Warehouse.in_memory() as warehouse, Reading(warehouse, site.temporary, limits) as reading:
        for path, target in targets:
            copy = folder / path.name
            try:
                rows = reading.count(copy, target, deletions=deletions)
            except FileRefused as refusal:
                raise BadInput(f"{path.name}: {refusal}. See the contract of {_table(target)}.") from None
            described.append({"name": path.name, "table": _table(target), "rows": rows, "sha256": sha256_of(copy)})
    return described


def _table(target: Contract | Lookup) -> str:
    return target.table if isinstance(target, Contract) else target.name
