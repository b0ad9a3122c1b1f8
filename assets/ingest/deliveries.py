"""Deliveries in the inbox: finding those that are complete, and proving that what arrived is what was sent.

A delivery is a folder `inbox/SOURCE/DELIVERY_ID/` with a `delivery.json`, which is written last. Reads folders, that
file and digests; opens no export as a table.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assets.site import Site

DESCRIPTION = "delivery.json"
MODES = ("full", "delta")
_NAME = re.compile(r"\w[\w .,+()=@-]*")
_DELIVERY_ID = re.compile(r"\w[\w.:+-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_LARGEST_DESCRIPTION = 16 << 20
#: A source that writes as an account of its own, and lets nobody in, holds up no other source.
DENIED = (
    "this account may not read the folder, or a file in it: check the owner and the mode, and let this account in; "
    "the next run tries the delivery again"
)
#: Its source renames it, or has taken it back: that is no other source's matter either.
GONE = "its folder, or a file in it, went away while it was looked at; the next run tries the delivery again"


class DeliveryRefused(Exception):
    """A delivery cannot be taken in. The text tells why, without a value of any row."""


@dataclass(frozen=True)
class DeliveredFile:
    """One file of a delivery as one table, with its control totals."""

    name: str
    table: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class Delivery:
    """A complete delivery. `extracted_at` is in UTC; `refused` tells why its description cannot be used."""

    source: str
    delivery_id: str
    folder: Path
    digest: str
    mode: str | None = None
    extracted_at: datetime | None = None
    files: tuple[DeliveredFile, ...] = ()
    refused: str | None = None


def find_deliveries(site: Site) -> list[Delivery]:
    """Every complete delivery of the inbox, oldest extract first; one still arriving (no description) is left alone.

    Nothing is found of a source whose folder is a link, or closed to this account: `barred_sources` names it.
    """
    folders = ((source.name, folder) for source in _sources(site) for folder in _listed(source) or ())
    found = [delivery for folder in folders if (delivery := _read(*folder)) is not None]
    start = datetime.min.replace(tzinfo=UTC)
    return sorted(found, key=lambda each: (each.extracted_at or start, each.source, each.delivery_id))


def barred_sources(site: Site) -> list[tuple[str, str]]:
    """The sources whose folder of the inbox is not looked into, and why: what they delivered is not known."""
    denied = [
        (told_name(source.name), f"this account may not look into inbox/{told_name(source.name)}")
        for source in _sources(site) if _listed(source) is None
    ]  # fmt: skip
    linked = [(told_name(source.name), f"{link_of(source)}: mount the disk there instead")
              for source in linked_sources(site)]  # fmt: skip
    return sorted([*denied, *linked])


def linked_sources(site: Site) -> list[Path]:
    """Folders of the inbox that are links. No link is followed: whoever made it may lead the next run elsewhere."""
    folders = _folders_in(site.inbox) if site.inbox.is_dir() else []
    return [folder for folder in folders if folder.is_symlink()]


def link_of(source: Path) -> str:
    """What is said of a source's folder that is a link."""
    return f"inbox/{told_name(source.name)} is a link, and none is followed"


def prove_files(delivery: Delivery) -> Mapping[str, tuple[int, ...]]:
    """Check that the folder holds exactly the files that were sent, byte for byte; how they stood just before that.

    Raises:
        DeliveryRefused: a file is missing, surplus, a link, not to be read, gone since, or has another digest.
    """
    try:
        return _proved(delivery)
    except PermissionError:
        raise DeliveryRefused(DENIED) from None
    except FileNotFoundError:
        raise DeliveryRefused(GONE) from None


def _proved(delivery: Delivery) -> Mapping[str, tuple[int, ...]]:
    names = {file.name for file in delivery.files}
    for path in sorted(delivery.folder.iterdir()):
        if path.is_symlink() or not path.is_file():
            raise DeliveryRefused("the folder holds a link or a folder; a delivery is plain files")
        if path.name not in names and path.name != DESCRIPTION:
            raise DeliveryRefused("the folder holds a file that delivery.json does not list")
    stood = {name: _standing(delivery.folder / name) for name in names}
    digests = {name: _file_digest(delivery.folder / name) for name in sorted(names)}
    for file in delivery.files:
        if digests[file.name] is None:
            raise DeliveryRefused(f"{file.name} is listed but not there")
        if digests[file.name] != file.sha256:
            raise DeliveryRefused(
                f"{file.name} has another sha256 than delivery.json states: it is cut off or was changed"
            )
    return stood


def changed_file(delivery: Delivery, stood: Mapping[str, tuple[int, ...]]) -> str | None:
    """Why the delivery is refused where a file was written, or replaced, since it was proved; None where none was."""
    names = (name for name, before in sorted(stood.items()) if _standing(delivery.folder / name) != before)
    name = next(names, None)
    return name and f"{name} was changed while it was read; the next run tries the delivery again"


def is_safe_name(name: str) -> bool:
    """Whether a file name stays in its folder and means nothing to a shell or a glob."""
    return _NAME.fullmatch(name) is not None and name != DESCRIPTION


def is_safe_delivery_id(name: str) -> bool:
    """Whether a delivery id can be a folder's name."""
    return _DELIVERY_ID.fullmatch(name) is not None


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def content_digest(source: str, mode: str, extracted_at: datetime, files: tuple[DeliveredFile, ...]) -> str:
    """What makes two deliveries the same one, whatever they are called."""
    content = [source, mode, extracted_at.isoformat(), sorted((f.table, f.name, f.rows, f.sha256) for f in files)]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


def _standing(path: Path) -> tuple[int, ...]:
    """What tells a file that was written since, or replaced, from one that was not. Empty where there is none."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _file_digest(path: Path) -> str | None:
    return sha256_of(path) if path.is_file() and not path.is_symlink() else None


def _sources(site: Site) -> list[Path]:
    folders = _folders_in(site.inbox) if site.inbox.is_dir() else []
    return [folder for folder in folders if not folder.is_symlink()]


def _listed(source: Path) -> list[Path] | None:
    """The folders of a source; None where this account may not look at them."""
    try:
        return _folders_in(source)
    except FileNotFoundError:
        return []
    except PermissionError:
        return None


def _folders_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def told_name(name: str) -> str:
    """A folder's name as it can be stored and told: bytes that are no text, and line ends, stand as escapes."""
    text = name.encode("utf-8", "backslashreplace").decode()
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _read(source_folder: str, folder: Path) -> Delivery | None:
    source = told_name(source_folder)
    path = folder / DESCRIPTION
    content = b""
    try:
        if not path.exists() and not path.is_symlink():
            return None
        if stat.S_ISLNK(folder.lstat().st_mode) or not stat.S_ISREG(path.lstat().st_mode):
            raise DeliveryRefused("the folder or its delivery.json is a link")
        if path.stat().st_size > _LARGEST_DESCRIPTION:
            raise DeliveryRefused("delivery.json is too large")
        content = path.read_bytes()
        return _parsed(source, folder, content)
    except FileNotFoundError:
        return None
    except PermissionError:
        refused = DENIED
    except DeliveryRefused as refusal:
        refused = str(refusal)
    return Delivery(source, told_name(folder.name), folder, hashlib.sha256(content).hexdigest(), refused=refused)


def _parsed(source: str, folder: Path, content: bytes) -> Delivery:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise DeliveryRefused("delivery.json is not JSON") from None
    if not isinstance(document, dict):
        raise DeliveryRefused("delivery.json is not a JSON object")
    if (stated := document.get("source")) != source:
        is_alike = isinstance(stated, str) and stated.casefold() == source.casefold()
        raise DeliveryRefused(
            f"delivery.json states another source than its folder, inbox/{source}"
            + (f": is inbox/{stated} meant?" if is_alike else "")
        )
    if document.get("delivery_id") != folder.name:
        raise DeliveryRefused("delivery.json states another delivery_id than the folder it lies in")
    if not is_safe_delivery_id(folder.name):
        raise DeliveryRefused("the delivery_id may hold letters, digits and . : + - _ alone")
    mode = document.get("mode")
    if mode not in MODES:
        raise DeliveryRefused("mode in delivery.json must be full or delta")
    extracted_at = parse_instant(document.get("extracted_at"))
    files = _files(document.get("files"))
    digest = content_digest(source, mode, extracted_at, files)
    return Delivery(source, folder.name, folder, digest, mode, extracted_at, files)


def parse_instant(text: Any) -> datetime:
    """An RFC 3339 instant with its offset, in UTC.

    Raises:
        DeliveryRefused: it is none.
    """
    if not isinstance(text, str) or not _INSTANT.fullmatch(text):
        raise DeliveryRefused(
            "extracted_at in delivery.json must be an instant with an offset, as 2026-11-22T02:00:00Z"
        )
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise DeliveryRefused("extracted_at in delivery.json is no instant of the calendar") from None


def _files(listed: Any) -> tuple[DeliveredFile, ...]:
    if not isinstance(listed, list) or not listed:
        raise DeliveryRefused("delivery.json must list its files")
    files = tuple(_file(entry) for entry in listed)
    if len({(file.name, file.table) for file in files}) != len(files):
        raise DeliveryRefused("delivery.json lists a file twice for the same table")
    return files


def _file(entry: Any) -> DeliveredFile:
    if not isinstance(entry, Mapping) or not {"name", "table", "rows", "sha256"} <= entry.keys():
        raise DeliveryRefused("every file in delivery.json needs name, table, rows and sha256")
    name, table, rows, digest = entry["name"], entry["table"], entry["rows"], entry["sha256"]
    if not isinstance(name, str) or not is_safe_name(name):
        raise DeliveryRefused("a file name in delivery.json is not a plain name in the delivery's own folder")
    if not isinstance(table, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", table):
        raise DeliveryRefused("a table in delivery.json is not a plain name")
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 0:
        raise DeliveryRefused("rows in delivery.json must be a number from 0 up")
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest.lower()):
        raise DeliveryRefused("sha256 in delivery.json must be 64 hexadecimal digits")
    return DeliveredFile(name, table, rows, digest.lower())
