"""What a person is told when something cannot be done, and the exit code that says so to a machine.

One tree: every error that is someone's to mend is a `GallringError` leaf, its message says which file, row or rule
and what to do, and never holds a value of a record. Anything else that is raised is a defect of the program.
"""

from __future__ import annotations

import errno
from pathlib import PurePath

#: What a machine may lack, and what to do about it. Anything else that the system says is a defect of the program.
_LACKS = {
    errno.ENOSPC: "the disk is full: make room, then try again",
    errno.EDQUOT: "this account's share of the disk is used up: make room, then try again",
    errno.EFBIG: "the file grew larger than this account may write",
    errno.EROFS: "it is on a disk that is mounted read-only",
    errno.EACCES: "this account may not read or write there: check the owner and the mode",
    errno.EPERM: "this account may not do that: check the owner and the mode",
    errno.EIO: "the disk does not answer as it should",
    errno.ENAMETOOLONG: "the name is too long for this disk",
    errno.EMFILE: "this account has too many files open",
    errno.ENOENT: "there is no such file or folder",
    errno.EISDIR: "it is a folder, where a file is needed",
    errno.ENOTDIR: "it is a file, where a folder is needed",
    errno.EXDEV: "it would have to move to another disk",
}
#: Those of them that nothing in a run's own doing can cause.
_OF_THE_MACHINE = frozenset({
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE,
})  # fmt: skip
#: Those that somebody mends at the very file: of that name there may be one below every folder of a site.
_OF_RIGHTS = frozenset({errno.EACCES, errno.EPERM})

#: The exit code of what was stopped with Ctrl+C, as shells have it.
STOPPED = 130


class GallringError(Exception):
    """Something cannot be done, and the message says what to do about it."""

    exit_code = 3
    #: Whether the same may go well a little later, without anybody's doing.
    retryable = False

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        """Keep `message` for the person, and `exit_code` where it is not the leaf's own."""
        super().__init__(message)
        self.message = message
        if exit_code is not None:
            self.exit_code = exit_code


class CheckFailed(GallringError):
    """The check that was run says no."""

    exit_code = 1


class BadUsage(GallringError):
    """The command was called in a way that means nothing."""

    exit_code = 2


class BadInput(GallringError):
    """A file, a row, a setting or a policy cannot be used as it is, or blocks what depends on it."""

    exit_code = 3


class NeedsPerson(GallringError):
    """A person has to decide before this goes on."""

    exit_code = 4


def told_by_the_system(error: OSError) -> str:
    """An error of the operating system as a sentence: where, and what to do. Names of files are no values."""
    where = PurePath(str(error.filename)).name if error.filename else "The machine"
    of = f" of {error.filename}" if error.filename and error.errno in _OF_RIGHTS else ""
    return f"{where}: {_LACKS.get(error.errno or 0, 'the system refuses it')}{of}."


def is_of_the_machine(error: OSError) -> bool:
    """Whether the machine lacks something, rather than the program being at fault."""
    return error.errno in _OF_THE_MACHINE
