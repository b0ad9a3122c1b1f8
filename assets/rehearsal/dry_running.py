"""A day rehearsed: evaluated, and proposed on, in a transaction that is taken back. Nothing of it stays but counts.

Two uses. A dry run says what a cycle would seal on a day, over what was last taken in. A day that no cycle ran on is
evaluated afterwards, over what is known now: what happened after that day has no effect (rules.md, *Dates* 4), what a
source corrected since has, and what was erased since is not in it. Neither seals, tells, erases or publishes anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from assets.core.building import build
from assets.errors import CheckFailed
from assets.ingest.blocking import refresh_blocks
from assets.ingest.tables import require_intake
from assets.manifests.changes import propose
from assets.policy import Policy
from assets.publication.standings import Standing, remember_standing_of, standing
from assets.retention.evaluation import evaluate
from assets.warehouse import Warehouse


@dataclass(frozen=True)
class DryRun:
    """What a cycle would decide and seal.

    Attributes:
        standing: by source and disposition, how many categories of records.
        proposed: by system and action, how many items.
        blocks: by source, how many of its tables block; what depends on them would not be sealed.
    """

    as_of: date
    standing: tuple[Standing, ...]
    proposed: tuple[tuple[str, str, int], ...]
    blocks: tuple[tuple[str, int], ...]


def dry_run(warehouse: Warehouse, policy: Policy, as_of: date) -> DryRun:
    """Evaluate a day and propose on it, over what was last taken in; change nothing.

    What the exports of that day will prove, and what they take back, is not known yet: the cycle looks at both first.

    Raises:
        CheckFailed: nothing was taken in yet.
    """
    with _evaluated(warehouse, policy, as_of):
        refresh_blocks(warehouse, policy, as_of)
        propose(warehouse, policy, as_of)
        return DryRun(
            as_of,
            tuple(standing(warehouse)),
            tuple(warehouse.rows(
                "select system, action, count(*) from manifest.proposed group by all order by all"
            )),
            tuple(warehouse.rows("select source, count(*) from intake.blocks group by all order by all")),
        )  # fmt: skip


def backfill_day(warehouse: Warehouse, policy: Policy, day: date) -> tuple[bool, tuple[Standing, ...]]:
    """Evaluate an earlier day over what is known now, and remember its counts where no cycle has.

    Returns:
        Whether they are remembered now (not, where a cycle has decided that day), and the counts.

    Raises:
        CheckFailed: nothing was evaluated yet, or the day is not earlier than the last evaluated one.
    """
    last = warehouse.value("select as_of from retention.evaluation") if _is_evaluated(warehouse) else None
    if last is None or day >= last:
        known = "nothing was evaluated yet" if last is None else f"the last evaluated day is {last}"
        raise CheckFailed(f"{day} cannot be filled in afterwards: {known}. Run `gallring run --as-of {day}` instead.")
    with _evaluated(warehouse, policy, day):
        found = tuple(standing(warehouse))
    return remember_standing_of(warehouse, day, found), found


def _is_evaluated(warehouse: Warehouse) -> bool:
    return warehouse.exists("retention", "evaluation")


@contextmanager
def _evaluated(warehouse: Warehouse, policy: Policy, as_of: date) -> Iterator[None]:
    """The evaluation of a day, for as long as the block runs; then everything is as it was."""
    require_intake(warehouse)
    with warehouse.taken_back():
        policy.publish(warehouse)
        build(warehouse)
        evaluate(warehouse, policy, as_of)
        yield
