"""The options that several verbs share, and what they stand for. Reads no environment: that is the settings' alone."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assets.errors import BadUsage, CheckFailed

if TYPE_CHECKING:
    from assets.policy import Policy
    from assets.site import Site
    from assets.warehouse import Warehouse
    from orchestration.settings import Settings

SiteOption = Annotated[
    Path | None, typer.Option("--site", metavar="DIR", help="The site's folder. [default: GALLRING_SITE, else ./site]")
]
PolicyOption = Annotated[
    Path | None,
    typer.Option("--policy", metavar="DIR", help="A policy folder. [default: the site's own, else the shipped one]"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a machine to read.")]
#: The most that is ever shown at once, and the largest number that is anybody's: the engine counts no further than
#: some such number, and told of its own error instead.
MOST = 1_000_000_000

AsOfOption = Annotated[
    str | None, typer.Option("--as-of", metavar="DATE", help="The day of evaluation, YYYY-MM-DD. [default: today]")
]


def trimmed(given: Any) -> Any:
    """What was given for a key, a pair or a number, each text without the blanks that come along when it is pasted.

    The same blanks are taken off the keys that sources deliver: no key begins or ends with one.
    """
    if isinstance(given, str):
        from assets.ingest.projecting import BLANKS

        return given.strip(BLANKS)
    return type(given)(trimmed(each) for each in given) if isinstance(given, list | tuple) else given


KeyArgument = Annotated[
    str, typer.Argument(metavar="KEY", callback=trimmed, help="Its key, as the source system writes it.")
]
CustomerOption = Annotated[
    str | None, typer.Option("--customer", metavar="KEY", callback=trimmed, help="A customer, by key.")
]
ContactOption = Annotated[
    str | None, typer.Option("--contact", metavar="KEY", callback=trimmed, help="A contact, by key.")
]


def given_day(text: str | None, option: str = "--as-of") -> date | None:
    """A day that was given with an option as YYYY-MM-DD, or None.

    Raises:
        BadUsage: it is no such day, or of no year that anything here is about.
    """
    if text is None:
        return None
    from orchestration.settings import FIRST_DAY, LAST_DAY

    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadUsage(f"{option} {text!r} is not a day: write it as YYYY-MM-DD, such as 2026-11-22.") from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise BadUsage(f"{option} {text!r} is not a day between {FIRST_DAY} and {LAST_DAY}: look at the year.")
    return day


def existing_site(path: Path | None, policy: Path | None = None) -> tuple[Site, Settings]:
    """The site that was named, with its settings; `policy` takes the place of the site's own.

    Raises:
        BadInput: no site is there, or its settings cannot be used.
    """
    from orchestration.opening import require_site
    from orchestration.settings import Settings, chosen_site

    if policy is not None:
        os.environ["GALLRING_POLICY"] = str(policy.absolute())  # for this process and those it starts
    site = require_site(chosen_site(path))
    return site, Settings.load(site)


def chosen_policy(site_path: Path | None, policy: Path | None) -> Policy:
    """The policy folder that was named, else that of the site if there is one, else the shipped policy.

    Raises:
        BadInput: the policy cannot be read, or the site that was named is none.
    """
    from assets.policy import Policy
    from orchestration.settings import chosen_site, site_is_named

    if policy is not None:
        return Policy.load(policy)
    if not site_is_named(site_path) and not chosen_site().settings.is_file():
        return Policy.load()
    _, settings = existing_site(site_path)
    return Policy.load(settings.policy)


def warehouse_of(site: Site, settings: Settings) -> Warehouse:
    """The site's warehouse, opened.

    Raises:
        CheckFailed: nothing has been run on the site yet.
        BadInput: it is missing, though something was.
    """
    from orchestration.opening import is_lost, open_warehouse

    if not site.warehouse.exists() and not is_lost(site):
        raise CheckFailed(f"Nothing has been run on {site.path} yet: `gallring run --site {site.argument}` does it.")
    return open_warehouse(site, settings)
