"""What people decided and have to look at again: the purpose register, what no purpose needs, findings, holds.

Counts and names of purposes, record types and findings; of a hold its number and day. Writes a page for the meeting
where the register is reviewed; decides nothing, and changes no policy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from assets.erasure.periods import last_day
from assets.errors import CheckFailed
from assets.ingest import registers
from assets.policy import Policy
from assets.retention.holding import HELD_BY_NONE
from assets.rights import holds
from assets.site import Site
from assets.warehouse import Warehouse
from assets.writing import write_whole

NAME = "register-review.md"
#: A version's day, and what may follow it.
_DAY = re.compile(r"^(\d{4}-\d{2}-\d{2})(?!\d).*\Z", re.DOTALL)


@dataclass(frozen=True)
class ReviewedPurpose:
    """A purpose of the register: who decided it, and on how many records it has a claim that still runs."""

    purpose: str
    purpose_class: str
    title: str
    decided_by: str
    periods: str
    records: int


@dataclass(frozen=True)
class RegisterReview:
    """What is to be looked at.

    Attributes:
        due_on: the day from which the register is to be reviewed; None when its version begins with no day.
        findings: how many of each kind: finding, record type, count.
        holds: those whose review is due: number and day.
    """

    as_of: date
    policy: str
    version: str
    due_on: date | None
    purposes: tuple[ReviewedPurpose, ...]
    findings: tuple[tuple[str, str, int], ...]
    holds: tuple[tuple[str, date], ...]

    @property
    def is_due(self) -> bool:
        """Whether the register is to be reviewed now. One whose version begins with no day is."""
        return self.due_on is None or self.due_on <= self.as_of

    @property
    def due_purposes(self) -> tuple[ReviewedPurpose, ...]:
        """The purposes that a person decided, rather than the law alone, once the register is due."""
        return tuple(each for each in self.purposes if each.decided_by != "law") if self.is_due else ()

    @property
    def unused_purposes(self) -> tuple[ReviewedPurpose, ...]:
        """Those that keep nothing."""
        return tuple(each for each in self.purposes if not each.records)


#: Records that each purpose keeps: those with a clock of it that runs on the day, and covers any category of theirs.
#: Surrogates are the bits of few numbers, so that a record with several clocks counts once however many there are.
_KEPT = f"""
    with kept as (
        select claims.purpose, claims.record_type, claims.row_id >> 5 as block,
            bit_or(cast(1 as bigint) << (claims.row_id & 31)) as records
        from retention.purpose_claims as claims
        cross join retention.evaluation
        left join {HELD_BY_NONE} as unheld
            on claims.record_type = unheld.record_type and claims.row_id = unheld.row_id
        where claims.ends_on >= evaluation.as_of and unheld.row_id is null
            and (claims.purpose, claims.clock, claims.record_type) in (
                select (coverage.purpose, coverage.clock, coverage.record_type) from policy.coverage
            )
        group by all
    )
    select purpose, cast(sum(bit_count(records)) as bigint) from kept group by purpose
"""

#: Findings by kind; before anything was ever proposed none is known of the office's disclosures.
_FINDINGS_BUT_DISCLOSURES = "select finding, record_type, count(*) from retention.findings group by all order by all"
_FINDINGS = """
    select finding, record_type, count(*)
    from (
        select finding, record_type from retention.findings
        union all
        select finding, record_type from manifest.unheard_disclosures
    )
    group by all
    order by all
"""


def review(warehouse: Warehouse, policy: Policy, as_of: date, *, period: str) -> RegisterReview:
    """What is to be looked at on a day, over the last evaluation.

    Args:
        warehouse: evaluated.
        policy: whose register is reviewed.
        as_of: the day.
        period: how long after its version's day the register is looked at again, as ISO 8601.

    Raises:
        CheckFailed: nothing has been evaluated yet.
    """
    if not warehouse.exists("retention", "evaluation"):
        raise CheckFailed("Nothing has been evaluated yet, so there is nothing to review: run `gallring run` first.")
    registers.prepare(warehouse)
    kept = dict(warehouse.rows(_KEPT))
    due = [(each.hold_id, each.review_on) for each in holds.holds(warehouse, as_of) if each.state == "review_due"]
    return RegisterReview(
        as_of,
        policy.register.policy,
        policy.version,
        register_due_on(policy.version, period),
        tuple(_reviewed(policy, kept)),
        tuple(warehouse.rows(
            _FINDINGS if warehouse.exists("manifest", "unheard_disclosures") else _FINDINGS_BUT_DISCLOSURES
        )),
        tuple((number, day) for number, day in due if day is not None),
    )  # fmt: skip


def write_review(site: Site, found: RegisterReview) -> None:
    """Write the page into the site's reports."""
    site.reports.mkdir(mode=0o700, exist_ok=True)
    write_whole(site.reports / NAME, page(found).encode())


def page(found: RegisterReview) -> str:
    """The review as Markdown."""
    due = "its version begins with no day" if found.due_on is None else str(found.due_on)
    lines = [
        f"# Register review: {found.policy} {found.version}, as of {found.as_of}",
        "",
        f"The register is to be reviewed from: {due}. {'It is due.' if found.is_due else 'It is not due.'}",
        "",
        "## Purposes that a person decided",
        "",
        *_table(
            ("purpose", "class", "decided by", "periods", "records held", "title"),
            [
                (each.purpose, each.purpose_class, each.decided_by, each.periods, each.records, each.title)
                for each in found.purposes
                if each.decided_by != "law"
            ],
        ),
        "",
        "## Purposes that keep nothing",
        "",
        *_table(("purpose", "title"), [(each.purpose, each.title) for each in found.unused_purposes]),
        "",
        "## Findings",
        "",
        *_table(("finding", "record type", "records"), found.findings),
        "",
        "## Holds to review",
        "",
        *_table(("hold", "to be reviewed on"), found.holds),
    ]
    return "\n".join(lines) + "\n"


def _reviewed(policy: Policy, kept: dict[str, int]) -> Iterator[ReviewedPurpose]:
    for name, entry in policy.register.purposes.items():
        periods = ", ".join(f"{clock} {period}" for clock, period in entry.periods.items())
        title = entry.title.en
        yield ReviewedPurpose(name, entry.purpose_class, title, entry.decided_by, periods, kept.get(name, 0))


def register_due_on(version: str, period: str) -> date | None:
    """The day from which a register of that version is to be reviewed; None where the version begins with no day.

    What follows the day, as `.2`, tells versions of one day apart.
    """
    try:
        return last_day(date.fromisoformat(_DAY.sub(r"\1", version)), period)
    except ValueError:
        return None


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    if not rows:
        return ["None."]
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines]
