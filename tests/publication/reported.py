"""A site with a sample company, decided, sealed and published without Dagster, and a reader of the report's HTML."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

from assets.core.building import build
from assets.ingest.loading import ingest
from assets.ingest.tables import prepare
from assets.manifests import ledger
from assets.manifests.changes import propose
from assets.manifests.sealing import seal
from assets.policy import Policy
from assets.publication.analytics import publish
from assets.retention.evaluation import evaluate
from assets.retention.standings import remember_standing
from assets.rights.freetext import scan
from assets.sample.generating import SAMPLE_DAY, generate, telling_cases
from assets.site import Site
from assets.warehouse import Warehouse

ISSUED = datetime(2026, 11, 22, 3, tzinfo=UTC)
#: Elements that never have an end.
_VOID = frozenset({"meta", "link", "br", "img", "hr", "input"})


def decided_site(folder: Path, customers: int = 12) -> tuple[Site, Warehouse]:
    """The site, and its warehouse in memory, still open."""
    site = Site(folder)
    site.make()
    generate(site.inbox, customers=customers, seed=5, cases=telling_cases())
    warehouse = Warehouse.in_memory(pseudonym_key=b"k" * 32)
    policy = Policy.load()
    policy.publish(warehouse)
    prepare(warehouse, policy)
    ledger.prepare(warehouse)
    ingest(warehouse, policy, site, as_of=SAMPLE_DAY)
    build(warehouse)
    evaluate(warehouse, policy, SAMPLE_DAY)
    scan(warehouse)
    propose(warehouse, policy, SAMPLE_DAY)
    seal(warehouse, policy, None, None, as_of=SAMPLE_DAY, issued_at=ISSUED)
    remember_standing(warehouse)
    publish(warehouse, policy, site)
    return site, warehouse


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
