"""Delivery into folders of this machine (or of a file share mounted on it), and into the outbox itself.

Without a folder of its own a system looks into `outbox/SYSTEM/`, where manifests stand from their seal on. There
`MANIFEST_ID.delivered` beside a manifest says that it may be acted on, `MANIFEST_ID.cancelled` that it never may.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from assets.delivery.transports.contract import (
    CANCELLED,
    RECEIPTS,
    Lying,
    Parcel,
    ReceiptFile,
    RetryableTransportError,
    TerminalTransportError,
    already_there,
    fetched,
    is_receipt,
)
from assets.manifests import documents
from assets.writing import discard_half_written, flush, write_whole

DELIVERED_MARK = ".delivered"
CANCELLED_MARK = ".cancelled"
_FOLDER_MODE, _FILE_MODE = 0o750, 0o640
_MENDABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ENOENT, errno.ELOOP)


class OutboxTransport:
    """Marks in the outbox what may be acted on. Answers come in the site's own receipts folder."""

    def __init__(self, outbox: Path) -> None:
        """`outbox` is the system's own folder there."""
        self._outbox = outbox

    def put(self, manifest_folder: Path, manifest_id: str) -> None:
        """Write the mark that releases the manifest."""
        self._mark(manifest_folder, manifest_id + DELIVERED_MARK)

    def put_cancelled(self, manifest_folder: Path, manifest_id: str) -> None:
        """Write the mark that the manifest is not to be acted on."""
        self._mark(manifest_folder, manifest_id + CANCELLED_MARK)

    def fetch_receipts(self, seen: Collection[tuple[str, str]]) -> list[ReceiptFile]:
        """Nothing: `receipts/SYSTEM/` of the site is read anyway."""
        return []

    def _mark(self, manifest_folder: Path, name: str) -> None:
        with _disk():
            if not (manifest_folder / documents.DOCUMENT).is_file():
                raise FileNotFoundError(errno.ENOENT, "no manifest")
            discard_half_written(self._outbox / name)
            if not (self._outbox / name).exists():
                write_whole(self._outbox / name, b"")


class FolderTransport:
    """Copies manifests into another folder, which has to be there: one that is not mounted is not made."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds, or will hold, `manifests/`, `cancelled/` and `receipts/`."""
        self._folder = folder

    def put(self, manifest_folder: Path, manifest_id: str) -> None:
        """Copy the manifest under a temporary name, make it durable, and rename it."""
        self._put(Parcel(manifest_folder, manifest_id))

    def put_cancelled(self, manifest_folder: Path, manifest_id: str) -> None:
        """Copy the document and signature of a manifest that will never come."""
        self._put(Parcel(manifest_folder, manifest_id, CANCELLED))

    def fetch_receipts(self, seen: Collection[tuple[str, str]]) -> list[ReceiptFile]:
        """The files of `receipts/` that are new or have changed; links are not followed."""
        with _disk():
            self._expect_folder()
            folder, lying = self._folder / RECEIPTS, []
            for path in sorted(folder.iterdir()) if folder.is_dir() else []:
                if is_receipt(path.name) and not path.is_symlink() and path.is_file():
                    status = path.stat()
                    version = f"{status.st_size}-{status.st_mtime_ns}"
                    lying.append(Lying(path.name, version, status.st_size, path.read_bytes))
            return fetched(lying, seen)

    def _put(self, parcel: Parcel) -> None:
        with _disk():
            self._expect_folder()
            place = self._folder / parcel.place
            place.mkdir(mode=_FOLDER_MODE, exist_ok=True)
            target, arriving = place / parcel.manifest_id, place / f".arriving-{parcel.manifest_id}"
            if target.exists():
                already_there(parcel, (target / documents.DOCUMENT).read_bytes())
                return
            shutil.rmtree(arriving, ignore_errors=True)
            arriving.mkdir(mode=_FOLDER_MODE)
            for name in parcel.names:
                _copy(parcel.folder / name, arriving / name)
            flush(arriving)
            os.rename(arriving, target)  # noqa: PTH104 - one system call, which tests interrupt
            flush(place)

    def _expect_folder(self) -> None:
        if not self._folder.is_dir():
            raise RetryableTransportError(
                "unreachable", "The folder that manifests are to be delivered into is not there (not mounted?)."
            )


def _copy(source: Path, target: Path) -> None:
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    with source.open("rb") as reading, os.fdopen(handle, "wb") as writing:
        shutil.copyfileobj(reading, writing, 1 << 20)
        writing.flush()
        os.fsync(writing.fileno())


@contextmanager
def _disk() -> Iterator[None]:
    """Tell what the disk refused: what passes (no room, an input/output error), or what somebody has to mend."""
    try:
        yield
    except OSError as error:
        message = f"The folder for manifests cannot be used: {error.strerror}."
        if error.errno in _MENDABLE:
            raise TerminalTransportError("no_rights", message) from None
        raise RetryableTransportError("disk", message) from None
