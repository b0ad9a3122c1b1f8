"""The ways to the systems of a company whose life is played: now and then a delivery is cut off.

What a line carries is left to the product's own transports. Whether it breaks before or after the manifest has come to
its system is drawn by lot; whoever sends cannot tell.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from assets.delivery.transports.contract import ReceiptFile, TerminalTransportError, Transport, Transports

#: How many of a hundred deliveries are cut off: half of them too late.
CUT_OFF = 14


@dataclass
class Lines:
    """The line to each system, and what broke since it was last asked."""

    seed: int
    transports: Transports
    lots: dict[str, Random] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def of(self, system: str) -> Transport:
        """The line to `system`."""
        lot = self.lots.setdefault(system, Random(f"{self.seed} line {system}"))
        return Line(system, self.transports.of(system), lot, self.broken)


@dataclass(frozen=True)
class Line:
    """One system's."""

    system: str
    transport: Transport
    lot: Random
    broken: list[str]

    def put(self, manifest_folder: Path, manifest_id: str) -> None:
        """Bring a manifest, or break."""
        breaks = self.lot.randrange(100)
        if breaks >= CUT_OFF // 2:
            self.transport.put(manifest_folder, manifest_id)
        if breaks < CUT_OFF:
            when = "before" if breaks < CUT_OFF // 2 else "after"
            self.broken.append(f"{self.system}: the line breaks {when} {manifest_id[:6]} has come")
            raise TerminalTransportError("cut_off", "The line broke.")

    def put_cancelled(self, manifest_folder: Path, manifest_id: str) -> None:
        """Tell of a cancelled one."""
        self.transport.put_cancelled(manifest_folder, manifest_id)

    def fetch_receipts(self, seen: Collection[tuple[str, str]]) -> list[ReceiptFile]:
        """Fetch what was answered."""
        return self.transport.fetch_receipts(seen)
