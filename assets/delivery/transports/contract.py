"""What every transport does, how it fails, and how what it carries is laid out. Imports no transport and no network.

Wherever manifests go, they lie alike: `manifests/MANIFEST_ID/` holds a manifest's four files, `cancelled/MANIFEST_ID/`
the document and signature of one that will never come (the next one's `previous` names it), and the receiver puts
its answers into `receipts/` as `*.jsonl`. What is in `manifests/` is there whole: files arrive under a temporary name
and are renamed, or, where there is no renaming, `manifest.json` arrives last. The manifest's id is the idempotency key:
putting it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

from assets.errors import GallringError
from assets.manifests import documents

MANIFESTS, CANCELLED, RECEIPTS = "manifests", "cancelled", "receipts"

#: In the order in which they arrive: a manifest without its document is still arriving.
MANIFEST_FILES = (documents.ITEMS, documents.TABLE, documents.SIGNATURE, documents.DOCUMENT)
CANCELLED_FILES = (documents.SIGNATURE, documents.DOCUMENT)

#: The most that is fetched at one time, and of one file; the rest comes the next time.
LARGEST_FETCH = 256_000_000
LARGEST_RECEIPT_FILE = 64_000_000

#: Seconds without an answer after which a server counts as down.
TIMEOUT = 30.0


class TransportError(GallringError):
    """A transport could not do what it was asked; `code` says why, and never holds a server's own words."""

    def __init__(self, code: str, message: str) -> None:
        """Keep the code beside the sentence for people."""
        super().__init__(message)
        self.code = code


class RetryableTransportError(TransportError):
    """Something that passes: nobody answers, the line broke, the server is busy."""

    retryable = True


class TerminalTransportError(TransportError):
    """Something that a person has to mend: rights, keys, settings, or another content under the same id."""


@dataclass(frozen=True)
class Parcel:
    """A sealed folder on its way: which of its files go where."""

    folder: Path
    manifest_id: str
    place: str = MANIFESTS

    @property
    def names(self) -> tuple[str, ...]:
        """The files that go, in their order."""
        return MANIFEST_FILES if self.place == MANIFESTS else CANCELLED_FILES

    def document(self) -> bytes:
        """The bytes of `manifest.json`, by which a parcel that arrived is known again."""
        return (self.folder / documents.DOCUMENT).read_bytes()


@dataclass(frozen=True)
class ReceiptFile:
    """A file of answers as it lay at the receiver. `version` changes when the file does.

    One that `is_too_large` was not read: its content is empty, and somebody has to be told of it.
    """

    name: str
    version: str
    content: bytes
    is_too_large: bool = False


class Transport(Protocol):
    """A way to one system. Calls may come from any thread, one at a time."""

    def put(self, manifest_folder: Path, manifest_id: str) -> None:
        """Bring a manifest to the system, so that it is there whole; where it is already, nothing happens.

        Raises:
            RetryableTransportError: it may work later.
            TerminalTransportError: it will not work until somebody mends something.
        """

    def put_cancelled(self, manifest_folder: Path, manifest_id: str) -> None:
        """Tell the system that a manifest which it never got is cancelled. Raises like `put`."""

    def fetch_receipts(self, seen: Collection[tuple[str, str]]) -> list[ReceiptFile]:
        """The answers that lie at the system, but for those whose (name, version) is in `seen`. Raises like `put`.

        `seen` is in the order in which they were fetched. A file that is too large to be read is among the answers each
        time, as that.
        """


class Transports(Protocol):
    """The ways to all systems."""

    def of(self, system: str) -> Transport:
        """The way to `system`.

        Raises:
            TerminalTransportError: its settings name a key that is not there, or an address that is none.
        """


def already_there(parcel: Parcel, found: bytes) -> None:
    """Take note that `found` already stands at the receiver as the parcel's document.

    Raises:
        TerminalTransportError: it is another document.
    """
    if found != parcel.document():
        raise TerminalTransportError(
            "other_content",
            f"Another manifest stands at the receiver as {parcel.manifest_id}: find out who wrote it there.",
        )


def parts_of(address: str) -> SplitResult:
    """The parts of an address; of one that is none (a port in letters, half an IPv6 address) no part.

    Whoever asks tells that as the settings' fault: a bare `ValueError` would end every other system's delivery too.
    """
    nothing = urlsplit("")
    try:
        url = urlsplit(address)
        return nothing if url.port == 0 or not address.isprintable() else url
    except ValueError:
        return nothing


def is_receipt(name: str) -> bool:
    """Whether a file name is that of a finished file of answers."""
    return name.endswith(".jsonl") and not name.startswith(".")


@dataclass(frozen=True)
class Lying:
    """A finished file of answers that lies at the receiver, and how its content is read."""

    name: str
    version: str
    size: int
    read: Callable[[], bytes]


def fetched(lying: Iterable[Lying], seen: Collection[tuple[str, str]]) -> list[ReceiptFile]:
    """What one fetch takes of the files that lie there, in their order.

    What was fetched before, or is too large to be read, takes no room from the others.
    """
    found, size = [], 0
    for file in lying:
        if (file.name, file.version) in seen:
            continue
        if file.size > LARGEST_RECEIPT_FILE:
            found.append(ReceiptFile(file.name, file.version, b"", is_too_large=True))
        elif size + file.size <= LARGEST_FETCH:
            size += file.size
            found.append(ReceiptFile(file.name, file.version, file.read()))
    return found


def receipts_below(
    store: Any,
    folder: str,
    seen: Collection[tuple[str, str]],
    version: Callable[[Mapping[str, Any]], str],
    read: Callable[[str], bytes],
) -> list[ReceiptFile]:
    """The finished files of answers in a folder of a store, by name, as far as one fetch takes them.

    Args:
        store: a file system of fsspec's.
        folder: where the receiver puts its answers; none is there until the first.
        seen: the name and version of each file that was fetched before.
        version: what changes with a file, of its entry.
        read: the bytes of a file, of its path.
    """
    entries = store.ls(folder, detail=True) if store.exists(folder) else []
    lying = []
    for entry in sorted(entries, key=lambda entry: str(entry["name"])):
        name = str(entry["name"]).rpartition("/")[2]
        if is_receipt(name) and entry["type"] == "file":
            lying.append(Lying(name, version(entry), entry["size"], partial(read, entry["name"])))
    return fetched(lying, seen)
