"""What a person is told when something cannot be done, and the exit code that says so to a machine.

One tree: every error that is someone's to mend is a `GallringError` leaf, its message says which file, row or rule
and what to do, and never holds a value of a record. Anything else that is raised is a defect of the program.
"""

from __future__ import annotations


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
