"""The office's desk: a site's warehouse, open to write in its registers, and what the verbs that sit at it share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assets.errors import BadInput, BadUsage
from orchestration.cli.options import existing_site
from orchestration.cli.printing import complain

if TYPE_CHECKING:
    from assets.policy import Policy
    from assets.site import Site
    from assets.warehouse import Warehouse
    from orchestration.settings import Settings

OnOption = Annotated[str | None, typer.Option("--on", metavar="DATE", help="The day it happened. [default: today]")]


@dataclass(frozen=True)
class Desk:
    """A site's warehouse, open to write in its registers. `now` is UTC, `today` the day in the site's time zone.

    `rules` is the policy, or why it cannot be used: what somebody asks for is entered all the same.
    """

    site: Site
    settings: Settings
    rules: Policy | BadInput
    warehouse: Warehouse
    now: datetime
    today: date

    @property
    def policy(self) -> Policy:
        """The policy, for what is decided or told by it.

        Raises:
            BadInput: it cannot be used.
        """
        if isinstance(self.rules, BadInput):
            raise self.rules
        return self.rules

    def happened(self, day: date | None, option: str) -> date:
        """The day on which something happened: the one that was given, by default today.

        Raises:
            BadUsage: it is still to come. What is entered is not taken back, and would count from or until then.
        """
        if day is not None and day > self.today:
            raise BadUsage(f"{option} {day} is a day to come: look at the year, or enter it when it has come.")
        return day or self.today


@contextmanager
def desk(path: Path | None, policy: Path | None = None) -> Iterator[Desk]:
    """Open the desk of the site at `path`.

    A word that is to be entered waits for no mended policy: where the site's own cannot be used, the tables of the last
    run do.

    Raises:
        BadInput: the policy that was named cannot be used, or the site's own, and there was no run yet.
    """
    chosen, settings = existing_site(path, policy)
    from assets.ingest.tables import prepare
    from orchestration.opening import open_warehouse

    rules = _rules(settings, named=policy is not None)
    now = datetime.now(UTC).replace(microsecond=0)
    with open_warehouse(chosen, settings) as warehouse:
        known = warehouse.exists("policy", "records")
        if isinstance(rules, BadInput):
            if not known:
                raise rules
            complain(f"{rules.message} What is entered stands; no run decides by it before that is mended.")
            prepare(warehouse, None)
        else:
            prepare(warehouse, rules)
            if not known:
                rules.publish(warehouse)
        yield Desk(chosen, settings, rules, warehouse, now, now.astimezone(settings.zone).date())


def _rules(settings: Settings, *, named: bool) -> Policy | BadInput:
    """The policy, or why the site's own cannot be used; one that was named has to be usable."""
    from orchestration.opening import load_policy

    try:
        return load_policy(settings)
    except BadInput as error:
        if named:
            raise
        return error


def warn_of_matches(undecided: Sequence[str]) -> None:
    """Say which pairs nobody has decided on: what one of the two asks does not reach the other."""
    if undecided:
        complain(f"Undecided whether they are one person: {', '.join(undecided)}. Look at each with "
                 "`gallring people review --show PAIR`, then say --yes or --no PAIR.")  # fmt: skip


def warn_of_twins(number: str, twins: Sequence[str], done: str) -> None:
    """Say which entries of the register say the same as a new one: somebody else may have entered it too."""
    if twins:
        more = f" and {len(twins) - _TWINS} more" if len(twins) > _TWINS else ""
        stand = "stands" if len(twins) == 1 else "stand"
        complain(f"{', '.join(twins[:_TWINS])}{more} {stand} already for the same, and {number} beside: each counts "
                 f"until it is {done} itself.")  # fmt: skip


def warn_of_undated(numbers: Sequence[str]) -> None:
    """Say which requests have no day on which they came: no rule counts them, and no clock runs."""
    if numbers:
        more = f" and {len(numbers) - _TWINS} more" if len(numbers) > _TWINS else ""
        have = "has no day of receipt and counts" if len(numbers) == 1 else "have no day of receipt and count"
        complain(f"{', '.join(numbers[:_TWINS])}{more} {have} for nothing until the office's register tells it "
                 "(received_at).")  # fmt: skip


#: How many entries of a kind are named.
_TWINS = 5
