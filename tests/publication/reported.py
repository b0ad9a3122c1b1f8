"""A site with a sample company, decided, sealed and published without Dagster, and a reader of the report's HTML."""

from __future__ import annotations

import fcntl
import os
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from assets.core.building import build
from assets.ingest.loading import ingest
from assets.ingest.tables import prepare
from assets.ledger import issued
from assets.manifests.changes import propose
from assets.manifests.sealing import seal
from assets.policy import Policy
from assets.publication.analytics import publish
from assets.retention.evaluation import evaluate
from assets.rights.freetext import scan
from assets.sample.generating import SAMPLE_DAY, generate, telling_cases
from assets.site import Site
from assets.warehouse import Warehouse

ISSUED = datetime(2026, 11, 22, 3, tzinfo=UTC)
#: Elements that never have an end.
_VOID = frozenset({"meta", "link", "br", "img", "hr", "input"})


def decided_site(tmp_path_factory: pytest.TempPathFactory, name: str, customers: int = 12) -> tuple[Site, Warehouse]:
    """A site of the caller's own in a new folder `name`, and its warehouse in a file beside it, open.

    Copied from one that is made once for all workers and closed: to make one takes fifteen times as long.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    kept = shared / f"decided-{customers}"
    with (shared / f"{kept.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
        if not kept.exists():
            begun = tmp_path_factory.mktemp("decided")
            _make(begun, customers)
            begun.rename(kept)
    folder = tmp_path_factory.mktemp(name) / "decided"
    shutil.copytree(kept, folder)
    return Site(folder / "site"), _opened(folder)


def _make(folder: Path, customers: int) -> None:
    site = Site(folder / "site")
    site.make()
    generate(site.inbox, customers=customers, seed=5, cases=telling_cases())
    policy = Policy.load()
    with _opened(folder) as warehouse:
        policy.publish(warehouse)
        prepare(warehouse, policy)
        issued.prepare(warehouse)
        ingest(warehouse, policy, site, as_of=SAMPLE_DAY)
        build(warehouse)
        evaluate(warehouse, policy, SAMPLE_DAY)
        scan(warehouse)
        propose(warehouse, policy, SAMPLE_DAY)
        seal(warehouse, policy, None, None, as_of=SAMPLE_DAY, issued_at=ISSUED)
        publish(warehouse, policy, site)


def _opened(folder: Path) -> Warehouse:
    return Warehouse.open(folder / "warehouse.duckdb", key=None, pseudonym_key=b"k" * 32)


@dataclass
class Element:
    """An element of a page."""

    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What it says, children included."""
        return "".join(self.texts)

    def all(self, *tags: str) -> list[Element]:
        """Every element below with one of the tags, in the page's order."""
        found = []
        for child in self.children:
            found += [child] if child.tag in tags else []
            found += child.all(*tags)
        return found

    def every(self) -> list[Element]:
        """Every element below."""
        return [each for child in self.children for each in (child, *child.every())]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[Element] = [Element("page", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.texts.append(data)


def read_page(path: Path) -> Element:
    """The page as a tree; every element that was opened is closed."""
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    assert len(reader.open) == 1
    return reader.open[0]
