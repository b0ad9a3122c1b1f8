"""The folders that the benchmark works in: exports that are written once, and sites that are made from them anew.

Every site has the same keys, so that what two of them seal can be compared byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from assets.sample.generating import SAMPLE_DAY
from assets.site import Site
from orchestration.initialising import make_site
from tests.benchmarks.measuring import Measurement, measure

#: The first night, and the next.
FIRST, NEXT = SAMPLE_DAY, SAMPLE_DAY + timedelta(days=1)


class Workplace:
    """The exports of one size, and sites made from them.

    Attributes:
        customers: how many.
        change: of how many customers in a hundred the next night has news.
    """

    def __init__(self, folder: Path, customers: int, change: float, *, cases: bool = False) -> None:
        """Write the exports and a site's keys below `folder`."""
        self.folder = folder
        self.customers = customers
        self.change = change
        self.generated = self._generate("first", cases=cases)
        self.template = make_site(folder / "template")

    def next_full(self) -> Measurement:
        """Write the next night's exports, whole."""
        return self._generate("full", percent=self.change)

    def next_delta(self) -> Measurement:
        """Write what changes until the next night."""
        return self._generate("delta", percent=self.change, mode="delta")

    def inbox(self, night: str) -> Path:
        """Where the exports of a night are: `first`, `full` or `delta`."""
        return self.folder / "exports" / night

    def _generate(self, night: str, **more: object) -> Measurement:
        self.inbox(night).mkdir(parents=True)
        return measure("generate", {"inbox": self.inbox(night), "customers": self.customers, **more})

    @contextmanager
    def site(self, *, reversed_files: bool = False) -> Iterator[Site]:
        """A site that has taken in nothing yet, with the first night in its inbox; gone afterwards."""
        path = self.folder / "site"
        shutil.copytree(self.template.path, path)
        site = Site(path)
        deliver(self.inbox("first"), site, reversed_files=reversed_files)
        try:
            yield site
        finally:
            shutil.rmtree(path)

    @contextmanager
    def following(self, site: Site, night: str | None) -> Iterator[Site]:
        """A copy of a site after its first night; `night` has arrived in its inbox, or nothing. Gone afterwards."""
        path = self.folder / "following"
        shutil.copytree(site.path, path, ignore=shutil.ignore_patterns("inbox", "outbox", "analytics.duckdb.*"))
        shutil.copytree(
            site.outbox, path / site.outbox.name, copy_function=os.link
        )  # what is sealed is never written again
        copied = Site(path)
        copied.inbox.mkdir(mode=0o700)
        deliver(site.inbox, copied)
        if night is not None:
            deliver(self.inbox(night), copied)
        try:
            yield copied
        finally:
            shutil.rmtree(path)


def deliver(exports: Path, site: Site, *, reversed_files: bool = False) -> None:
    """Put exports into a site's inbox: the same files under a second name, so that nothing is copied."""
    for source in sorted(exports.iterdir()):
        for delivery in sorted(source.iterdir()):
            target = site.inbox / source.name / delivery.name
            target.mkdir(mode=0o700, parents=True)
            for path in delivery.iterdir():
                if path.name != "delivery.json":
                    os.link(path, target / path.name)
            description = json.loads((delivery / "delivery.json").read_text(encoding="utf-8"))
            if reversed_files:
                description["files"].reverse()
            (target / "delivery.json").write_text(json.dumps(description), encoding="utf-8")


def sealed_bytes(site: Site) -> str:
    """One digest over what was sealed: every manifest but for its instant of issue, and all its items."""
    digest = hashlib.sha256()
    for document in sorted(site.outbox.glob("*/*/manifest.json")):
        content = json.loads(document.read_text(encoding="utf-8"))
        content.pop("issued_at")
        digest.update(f"{document.parent.name}\n{json.dumps(content, sort_keys=True)}\n".encode())
        with (document.parent / content["items"]["file"]).open("rb") as items:
            digest.update(hashlib.file_digest(items, "sha256").digest())
    return digest.hexdigest()


def undelivered(site: Site) -> list[str]:
    """The manifests in the outbox that have not left."""
    folders = [folder for folder in site.outbox.glob("*/*") if folder.is_dir()]
    return sorted(folder.name for folder in folders if not folder.with_name(f"{folder.name}.delivered").exists())
