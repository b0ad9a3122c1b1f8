"""Manifest folders on disk: written whole or not at all, and put right after a crash.

Moves bytes and asks the ledger what should be there; what the bytes say is `documents`', when they are written
`sealing`'s. Everything is written below `outbox/.sealing/`, made durable, and renamed into place. A name that begins
with a dot is never a system.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any
from urllib.parse import quote

from assets.errors import GallringError
from assets.manifests import documents
from assets.site import Site
from assets.warehouse import Params, Warehouse, WarehouseError, literal
from assets.writing import flush

_LONGEST_NAME = 120
#: One column as it stands: nothing quoted, and the character that would part it from a second one never comes.
_RAW = "format csv, header false, quote '', escape '', delimiter '\\x01'"
#: For people and spreadsheets.
_QUOTED = f"format csv, header false, prefix {literal(documents.CSV_HEADER)}, suffix '\n', force_quote *"


class SealingFailed(GallringError):
    """A manifest cannot be put into the outbox, and none of it was."""


@dataclass(frozen=True)
class WrittenItems:
    """What was written: how many items, and the digests of `items.jsonl` and `manifest.csv`.

    `table_sha256` is None where the items were only counted.
    """

    count: int
    sha256: str
    table_sha256: str | None = None


def folder_name(system: str) -> str:
    """A system's folder in the outbox: its own name where that is a safe one, never a path."""
    name = quote(system, safe=":")
    if len(name) > _LONGEST_NAME or name.startswith("."):
        name = "_" + hashlib.sha256(system.encode()).hexdigest()
    return name


def manifest_folder(site: Site, system: str, manifest_id: str) -> Path:
    """Where a sealed manifest stands."""
    return site.outbox / folder_name(system) / manifest_id


def work_folder(site: Site) -> Path:
    """Where manifests are written before they are renamed into place."""
    return site.outbox / ".sealing"


def new_work_folder(site: Site, system: str) -> Path:
    """An empty folder to write one system's manifest in."""
    folder = work_folder(site) / folder_name(system)
    with _disk():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
    return folder


def write_items(warehouse: Warehouse, rows: str, params: Params | None, folder: Path | None) -> WrittenItems:
    """Write the items of the SQL source `rows` to `items.jsonl` and `manifest.csv` in `folder`; None only counts.

    The rows come in the order of their lines. The engine writes the files, the digest is that of what it wrote.
    """
    if folder is None:
        with TemporaryDirectory() as aside:
            return _write_lines(warehouse, rows, params, Path(aside))
    written = _write_lines(warehouse, rows, params, folder)
    cells = f"select {documents.SQL_CELLS} from {rows}"
    if _write(warehouse, cells, params, folder / documents.TABLE, _QUOTED) != written.count:
        raise SealingFailed("The two lists of a manifest do not hold the same items: nothing was sealed. Run again.")
    return replace(written, table_sha256=_sha256(folder / documents.TABLE))


def _write_lines(warehouse: Warehouse, rows: str, params: Params | None, folder: Path) -> WrittenItems:
    count = _write(warehouse, f"select {documents.SQL_LINE} from {rows}", params, folder / documents.ITEMS, _RAW)
    return WrittenItems(count, _sha256(folder / documents.ITEMS))


def _write(warehouse: Warehouse, query: str, params: Params | None, path: Path, form: str) -> int:
    """Write the rows of a query to a new file, a row a line; how many rows.

    On one thread: a file is one, in the order of its rows, and a second thread mostly waits for the first.
    """
    with _disk(), _new_file(path):
        pass
    try:
        with warehouse.one_thread():
            written = warehouse.value(f"copy ({query}) to {literal(str(path))} ({form}, use_tmp_file false)", params)
    except WarehouseError as error:
        raise SealingFailed(f"{path.name} could not be written ({error.message}): nothing of this manifest was sealed. "
                            "Make room or mend the folder's rights, then run again.") from None  # fmt: skip
    with _disk():
        flush(path)
    return int(written)


def write_document(folder: Path, text: str, signature: str) -> None:
    """Write `manifest.json` and its signature."""
    with _disk():
        for name, content in ((documents.DOCUMENT, text), (documents.SIGNATURE, signature + "\n")):
            with _new_file(folder / name) as file:
                file.write(content.encode())


def put_in_place(folder: Path, target: Path) -> None:
    """Make `folder` durable and rename it to `target`, so that it is there whole or not at all."""
    with _disk():
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flush(folder)
        os.rename(folder, target)  # noqa: PTH104 - one system call, which tests interrupt
        flush(target.parent)
        flush(target.parent.parent)


def document_text(document: dict[str, Any]) -> str:
    """`manifest.json` as people read it: sorted and indented. Signed is its canonical form."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def altered_file(warehouse: Warehouse, site: Site, system: str, manifest_id: str) -> str | None:
    """The name of a file of a sealed manifest that is not what the ledger sealed, or is gone; None: all are as sealed.

    Every file is compared with what the ledger noted of it when it was written. That is enough for `manifest.csv` too,
    though no signature covers it: whoever can write another digest into the ledger can write other items there, from
    which the list would be made for a comparison. Where the ledger knows no digest of it (the manifest was sealed by an
    earlier version, or recorded again after a restore), it is written once more from the ledger's items, aside.
    """
    sealed = _sealed(warehouse, manifest_id)
    folder = manifest_folder(site, system, manifest_id)
    expected = {
        documents.DOCUMENT: hashlib.sha256(sealed.text.encode()).hexdigest(),
        documents.SIGNATURE: hashlib.sha256(f"{sealed.signature}\n".encode()).hexdigest(),
        documents.ITEMS: sealed.sha256,
    }
    for name, digest in expected.items():
        if _digest(folder / name) != digest:
            return name
    table = sealed.table_sha256 or _table_written_aside(warehouse, site, system, manifest_id)
    return None if _digest(folder / documents.TABLE) == table else documents.TABLE


def _table_written_aside(warehouse: Warehouse, site: Site, system: str, manifest_id: str) -> str:
    """The digest of `manifest.csv` as it follows from the ledger's items."""
    aside = new_work_folder(site, system)
    try:
        cells = f"select {documents.SQL_CELLS} from {_ITEMS_OF}"
        _write(warehouse, cells, {"id": manifest_id}, aside / documents.TABLE, _QUOTED)
        return _sha256(aside / documents.TABLE)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _digest(path: Path) -> str | None:
    """SHA-256 of a plain file; None where there is none. No link is followed."""
    if path.is_symlink() or not path.is_file():
        return None
    return _sha256(path)


def _sha256(path: Path) -> str:
    with _disk(), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class _Sealed:
    """A manifest as the ledger has it: the document's text, its signature, and the digests of both lists.

    `table_sha256` is None where it was never noted.
    """

    text: str
    signature: str
    sha256: str
    table_sha256: str | None


def _sealed(warehouse: Warehouse, manifest_id: str) -> _Sealed:
    row = warehouse.rows(
        "select document, signature, items_sha256, table_sha256 from manifest.manifests where manifest_id = $id",
        {"id": manifest_id},
    )[0]
    return _Sealed(*row)


_ITEMS_OF = f"(select * from manifest.items where manifest_id = $id order by {documents.LINE_ORDER})"


# -- after a crash ------------------------------------------------------------------------------------------------


def restore(warehouse: Warehouse, site: Site) -> None:
    """Make the outbox and the ledger agree: undo what a crash left half done, write again what is missing.

    Raises:
        SealingFailed: the outbox holds a manifest that this warehouse never sealed.
    """
    with _disk():
        site.outbox.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(work_folder(site), ignore_errors=True)
    _undo_intended(warehouse, site)
    sealed = dict(warehouse.rows("select manifest_id, system from manifest.manifests where signature is not null"))
    known = {manifest_folder(site, system, manifest_id) for manifest_id, system in sealed.items()}
    _refuse_strangers(site, known)
    for manifest_id, system in sorted(sealed.items()):
        if not manifest_folder(site, system, manifest_id).is_dir():
            _write_again(warehouse, site, system, manifest_id)


def _undo_intended(warehouse: Warehouse, site: Site) -> None:
    """Take away folders that were put in place but whose sealing was never committed."""
    rows = warehouse.rows(
        "select manifest_id, system from manifest.intended as intended where not exists "
        "(select 1 from manifest.manifests as sealed where sealed.manifest_id = intended.manifest_id) order by all"
    )
    for manifest_id, system in rows:
        target = manifest_folder(site, system, manifest_id)
        if target.is_dir():
            aside = new_work_folder(site, system) / "undone"
            with _disk():
                os.rename(target, aside)  # noqa: PTH104
                flush(target.parent)
                shutil.rmtree(aside)
    warehouse.run("delete from manifest.intended")


def _refuse_strangers(site: Site, known: set[Path]) -> None:
    for system in sorted(path for path in site.outbox.iterdir() if path.is_dir() and not path.name.startswith(".")):
        for folder in sorted(path for path in system.iterdir() if path.is_dir()):
            if folder not in known:
                raise SealingFailed(
                    f"outbox/{system.name}/{folder.name} is a manifest that this warehouse never sealed. A warehouse "
                    "older than its outbox would break the chain: restore the newest warehouse.duckdb, or move the "
                    "folder away if it does not belong here."
                )


def _write_again(warehouse: Warehouse, site: Site, system: str, manifest_id: str) -> None:
    """Write a sealed manifest that has gone from the outbox once more, from the ledger: the same bytes.

    `manifest.csv` follows from the items: how another version of the program writes it is what is noted from now on.
    """
    sealed = _sealed(warehouse, manifest_id)
    folder = new_work_folder(site, system)
    written = write_items(warehouse, _ITEMS_OF, {"id": manifest_id}, folder)
    if written.sha256 != sealed.sha256:
        raise SealingFailed(f"The ledger's items of manifest {manifest_id} are not those that were sealed: restore "
                            "warehouse.duckdb from its last good copy.")  # fmt: skip
    write_document(folder, sealed.text, sealed.signature)
    if written.table_sha256 != sealed.table_sha256:
        warehouse.run(
            "update manifest.manifests set table_sha256 = $sha256 where manifest_id = $id",
            {"sha256": written.table_sha256, "id": manifest_id},
        )
    put_in_place(folder, manifest_folder(site, system, manifest_id))


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that its owner alone may read, on disk when the block ends."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _disk() -> Iterator[None]:
    """Tell what the disk refused as something that a person can mend."""
    try:
        yield
    except OSError as error:
        mend = _ON_ONE_DISK if error.errno == errno.EXDEV else "Make room or mend the folder's rights"
        raise SealingFailed(f"The outbox cannot be written ({error.strerror}): nothing of this manifest was sealed. "
                            f"{mend}, then run again.") from error  # fmt: skip


#: A folder of the outbox that is mounted by itself cannot be renamed into.
_ON_ONE_DISK = "Mount outbox/ as a whole, not one system's folder in it; a transport delivers to another disk"
