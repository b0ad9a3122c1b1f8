"""Writing a file so that it is there whole or not at all. Knows nothing of what is written."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_whole(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write `content` under a temporary name, flush it to disk, and give it its name; its owner's alone by default.

    Raises:
        OSError: the system refused it; `filename` is `path`, whatever was refused.
    """
    try:
        _write_whole(path, content, mode)
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def _write_whole(path: Path, content: bytes, mode: int) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as target:
            os.fchmod(descriptor, mode)
            target.write(content)
            target.flush()
            os.fsync(target.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    flush(path.parent)


def put_in_place(half: Path, path: Path) -> None:
    """Give the finished file `half` the name `path`: whole or not at all, also where the one is on another disk.

    Raises:
        OSError: the system refused it; `filename` is the folder that was to take the file.
    """
    try:
        _move(half, path)
    except OSError as error:
        error.filename, error.filename2 = str(path.parent), None
        raise


def _move(half: Path, path: Path) -> None:
    try:
        half.replace(path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _carry_over(half, path)
    flush(path.parent)


def _carry_over(half: Path, path: Path) -> None:
    """Copy a file to another disk under a temporary name, make it durable, and give it its name."""
    discard_half_written(path)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with half.open("rb") as source, os.fdopen(descriptor, "wb") as target:
            os.fchmod(descriptor, half.stat().st_mode & 0o777)
            shutil.copyfileobj(source, target, 1 << 20)
            target.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    half.unlink()


def discard_half_written(path: Path) -> None:
    """Remove what processes that died left of writing `path`, where nobody else can be at it now."""
    for half in path.parent.glob(f".{path.name}-*"):
        half.unlink(missing_ok=True)


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Until the block ends, whoever else asks for the same folder waits. One that dies lets go."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a disk that knows no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def flush(path: Path) -> None:
    """Flush a file's bytes to disk, or a folder's entries, so that a rename in it survives a crash."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
