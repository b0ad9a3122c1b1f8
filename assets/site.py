"""A site: the folder that one company's Gallring lives in. Names its files and folders; reads no settings."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

FOLDERS = (
    "inbox",
    "quarantine",
    "outbox",
    "receipts",
    "reports",
    "evidence",
    "dagster",
    "keys",
    "policy",
    "tmp",
    "backups",
)


@dataclass(frozen=True)
class Site:
    """Where things are in a site folder."""

    path: Path

    @property
    def argument(self) -> str:
        """The site's folder as a shell takes it, for commands that people copy."""
        return shlex.quote(str(self.path))

    @property
    def settings(self) -> Path:
        """`gallring.toml`."""
        return self.path / "gallring.toml"

    @property
    def inbox(self) -> Path:
        """Deliveries: `inbox/SOURCE/DELIVERY_ID/`."""
        return self.path / "inbox"

    @property
    def quarantine(self) -> Path:
        """Rejected deliveries' reasons and rows (personal data)."""
        return self.path / "quarantine"

    @property
    def outbox(self) -> Path:
        """Sealed manifests: `outbox/SYSTEM/MANIFEST_ID/`."""
        return self.path / "outbox"

    @property
    def receipts(self) -> Path:
        """Answers of the systems."""
        return self.path / "receipts"

    @property
    def reports(self) -> Path:
        """Reports for people."""
        return self.path / "reports"

    @property
    def evidence(self) -> Path:
        """The hash chain."""
        return self.path / "evidence"

    @property
    def dagster(self) -> Path:
        """DAGSTER_HOME."""
        return self.path / "dagster"

    @property
    def policy(self) -> Path:
        """The site's own copy of the policy: register, purposes, contracts."""
        return self.path / "policy"

    @property
    def keys(self) -> Path:
        """Signing, warehouse and pseudonym keys, each with mode 0600."""
        return self.path / "keys"

    @property
    def temporary(self) -> Path:
        """Spill files and half-written output."""
        return self.path / "tmp"

    @property
    def backups(self) -> Path:
        """Encrypted copies of the warehouse, each with its last day in its name."""
        return self.path / "backups"

    @property
    def warehouse(self) -> Path:
        """The private, encrypted working store."""
        return self.path / "warehouse.duckdb"

    @property
    def analytics(self) -> Path:
        """The published copy for analysts."""
        return self.path / "analytics.duckdb"

    def make(self) -> None:
        """Make the folders that are not there yet, readable by their owner alone."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in FOLDERS:
            (self.path / name).mkdir(mode=0o700, exist_ok=True)
