"""What the report asks (`questions.yaml`) and what the published file answers. Words and looks are elsewhere.

Every question is plain SQL that runs as it stands on `analytics.duckdb`, so that a reader can follow a number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

from assets.attaching import attached
from assets.catalogue.published import of_this_version
from assets.errors import CheckFailed
from assets.publication.analytics import standing_in
from assets.site import Site
from assets.warehouse import Warehouse
from assets.yaml_files import read_own_yaml

QUESTIONS = Path(__file__).with_name("questions.yaml")
Language = Literal["sv", "en"]
Words = Mapping[str, str]


@dataclass(frozen=True)
class ShownColumn:
    """A column of a table: how its values are shown, and what it is called. `group` names the words of a code."""

    name: str
    kind: str
    group: str
    title: Words


@dataclass(frozen=True)
class Question:
    """One number or table. `total` is the expression over the columns that counts the rows of `keys`.

    `one` is the title of a number where it is 1.
    """

    id: str
    sql: str
    keys: str | None
    title: Words
    columns: tuple[ShownColumn, ...]
    chart: str | None = None
    computed: str | None = None
    note: Words | None = None
    empty: Words | None = None
    total: str | None = None
    link: str | None = None
    alarm: bool = False
    one: Words | None = None


@dataclass(frozen=True)
class Section:
    """A part of the report under a heading of its own."""

    id: str
    title: Words
    lead: Words | None
    figures: tuple[Question, ...]
    tables: tuple[Question, ...]


@dataclass(frozen=True)
class Answers:
    """What the published file said. `rows`: question -> its rows, in the order of its columns."""

    as_of: date
    policy: str
    policy_version: str
    controller: str
    deliveries: tuple[str, ...]
    purposes: tuple[Mapping[str, Any], ...]
    particulars: tuple[Mapping[str, Any], ...]
    rows: Mapping[str, tuple[tuple[Any, ...], ...]]


@cache
def sections() -> tuple[Section, ...]:
    """The report's parts in order."""
    content = read_own_yaml(QUESTIONS)
    return tuple(
        Section(
            id=entry["id"],
            title=entry["title"],
            lead=entry.get("lead"),
            figures=tuple(_question(each, each["label"]) for each in entry.get("figures", ())),
            tables=tuple(_question(each, each["caption"]) for each in entry.get("tables", ())),
        )
        for entry in content["sections"]
    )


def questions() -> Iterator[Question]:
    """Every question, in the report's order."""
    for section in sections():
        yield from section.figures
        yield from section.tables


def ask(site: Site, reader: Warehouse | None = None) -> Answers:
    """Ask the site's published file everything, by `reader` where there is one.

    Raises:
        CheckFailed: nothing has been published yet, or not by this version.
    """
    if not site.analytics.exists():
        raise CheckFailed(f"Nothing has been run on {site.path} yet: `gallring run --site {site.argument}` does it.")
    with published(site, reader) as reader, of_this_version(reader, site):
        policy, version, controller, as_of, deliveries = reader.rows(
            "select policy, policy_version, controller, as_of, deliveries from about"
        )[0]
        return Answers(
            as_of=as_of,
            policy=policy,
            policy_version=version,
            controller=controller,
            deliveries=tuple(deliveries),
            purposes=tuple(reader.records("select * from retention.purposes order by position")),
            particulars=tuple(reader.records("select * from retention.particulars order by position")),
            rows={question.id: tuple(reader.rows(question.sql)) for question in questions()},
        )


@contextmanager
def published(site: Site, reader: Warehouse | None = None) -> Iterator[Warehouse]:
    """The published file as a reader in the DuckDB command line has it: its tables under their own names.

    `reader` is whoever has a DuckDB already, within limits that hold here too: the open warehouse itself is one.
    """
    with ExitStack() as stack:
        reader = reader or stack.enter_context(Warehouse.in_memory())
        stack.enter_context(attached(reader, site.analytics, "site", read_only=True))
        stack.enter_context(standing_in(reader, "site"))
        yield reader


def _question(entry: Mapping[str, Any], title: Words) -> Question:
    return Question(
        id=entry["id"],
        sql=entry["sql"].strip(),
        keys=entry["keys"].strip() if "keys" in entry else None,
        title=title,
        columns=tuple(_column(name, *shown) for name, shown in entry.get("columns", {}).items()),
        chart=entry.get("chart"),
        computed=entry.get("computed"),
        note=entry.get("note"),
        empty=entry.get("empty"),
        total=entry.get("total"),
        link=entry.get("link"),
        alarm=entry.get("alarm", False),
        one=entry.get("one"),
    )


def _column(name: str, kind: str, swedish: str, english: str) -> ShownColumn:
    kind, _, group = kind.partition(":")
    return ShownColumn(name, kind, group, {"sv": swedish, "en": english})
