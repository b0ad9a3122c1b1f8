"""What the shell offers after TAB: record types, sources, tables, systems, manifests. Never a record's key.

Looks at names of files alone, opens nothing and says nothing about what it cannot read: a completion has no errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from assets.site import Site

_SHIPPED = Path(__file__).resolve().parents[2] / "expectations" / "contracts"
_RECORD_TYPE = re.compile(r"property: recordType, value: (\w+)")


def record_types(incomplete: str) -> list[str]:
    """The kinds of records that the rules know."""
    texts = (path.read_text(encoding="utf-8") for path in _SHIPPED.glob("*.yaml"))
    return _beginning(incomplete, (found for text in texts for found in _RECORD_TYPE.findall(text)))


def sources(ctx: typer.Context, incomplete: str) -> list[str]:
    """The systems that deliver, as the site's contracts are named."""
    return _beginning(incomplete, (source for source, _ in _contracts(_site(ctx))))


def tables(ctx: typer.Context, incomplete: str) -> list[str]:
    """The tables of the source that was named before."""
    named = ctx.params.get("source")
    return _beginning(incomplete, (table for source, table in _contracts(_site(ctx)) if named in (None, source)))


def systems(ctx: typer.Context, incomplete: str) -> list[str]:
    """The systems that were sent manifests."""
    return _beginning(incomplete, _names(_site(ctx).outbox))


def manifest_ids(ctx: typer.Context, incomplete: str) -> list[str]:
    """The manifests in the site's outbox."""
    outbox = _site(ctx).outbox
    return _beginning(incomplete, (each for system in _names(outbox) for each in _names(outbox / system)))


def _site(ctx: typer.Context) -> Site:
    from orchestration.settings import chosen_site

    return chosen_site(ctx.params.get("site"))


def _contracts(site: Site) -> list[tuple[str, str]]:
    folder = site.policy / "contracts"
    paths = (folder if folder.is_dir() else _SHIPPED).glob("*.yaml")
    found = [path.stem.partition(".")[0].partition("_") for path in paths]
    return [(source, table) for source, _, table in found if table]


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except OSError:
        return []


def _beginning(incomplete: str, words: Iterable[str]) -> list[str]:
    return sorted({word for word in words if word.startswith(incomplete)})
