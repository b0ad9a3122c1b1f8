"""What every way of telling people does. A way that does not work now raises what transports raise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from assets.delivery.sending import Retry
from assets.delivery.transports.contract import TerminalTransportError
from assets.notification.notices import Notice

#: Seconds without an answer after which a receiver counts as down. Short: a sensor's tick has sixty.
TIMEOUT = 5.0
RETRY = Retry(attempts=3, first_wait=0.5, longest_wait=2.0)


class PartlyTold(TerminalTransportError):
    """Somebody was told and somebody was not: told all the same, or the first would hear it for ever."""


class Channel(Protocol):
    """A way to tell people. Telling the same notice again does no harm: it bears the same id."""

    @property
    def name(self) -> str:
        """`log`, `webhook` or `email`."""
        ...

    def tell(self, notice: Notice) -> None:
        """Tell it, trying again what may pass.

        Raises:
            RetryableTransportError: it may work later.
            TerminalTransportError: it will not work until somebody mends something.
            PartlyTold: it was told, and not to everybody.
        """


@dataclass(frozen=True)
class Unusable:
    """A way that cannot be used as it is set: it tells nothing, keeps its place, and holds up no other."""

    name: str
    reason: str

    def tell(self, notice: Notice) -> None:
        """Say why.

        Raises:
            TerminalTransportError: always.
        """
        raise TerminalTransportError("settings", self.reason)
