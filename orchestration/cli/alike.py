"""Partners that stand alike, told together: of two hundred that all wait for the same, one line says so.

A company's own systems are few, and are each told of. What needs a person is told by name, as far as somebody reads
on. Only what is printed is folded: what is asked for as JSON is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from assets.ledger.issued import ManifestSummary
    from assets.publication.status import ManifestState, OverdueItems, Turn
    from orchestration.cli.summary import UndeliveredLine, UnreadLine

#: How a partner's system is named.
PARTNER = "partner:"
#: So many partners that stand alike are told of one by one.
FEW = 5
#: So many that need a person are named before the rest is counted.
NAMED = 20
#: What says which partners a line counts.
EACH_BY_NAME = "`gallring status --json` names each partner; `gallring manifest list` each manifest."


class Line(Protocol):
    """A line of a table, or a message, about a system."""

    @property
    def system(self) -> str | None:
        """The system; None where it is not known."""
        ...


Told = TypeVar("Told", bound=Line)


def folded(
    lines: Iterable[Told], alike: Callable[[Told], Hashable], together: Callable[[Sequence[Told], str], Told],
    named: Callable[[Told], bool] = lambda line: False,
) -> list[Told]:  # fmt: skip
    """The lines, with one in the place of more than a few partners' that are alike.

    Args:
        lines: in the order in which they are told.
        alike: partners' lines of which this is the same are alike.
        together: makes one line of several, given whose they are in words (`198 partners`).
        named: whether a line needs a person, so that the first of its kind are told by name.
    """
    kinds: dict[Hashable, list[Told]] = {}
    for line in lines:
        kind = (alike(line),) if (line.system or "").startswith(PARTNER) else (alike(line), line.system, len(kinds))
        kinds.setdefault(kind, []).append(line)
    told: list[Told] = []
    for each in kinds.values():
        shown = min(len(each), NAMED if named(each[0]) else 0)
        rest = each[shown:]
        if len({line.system for line in rest}) <= FEW:
            told += each
        else:
            told += each[:shown]
            told.append(together(rest, _whose(rest, more=bool(shown))))
    return told


def _whose(lines: Sequence[Line], *, more: bool) -> str:
    return f"{len({line.system for line in lines})} {'more ' if more else ''}partners"


def states_alike(lines: Sequence[ManifestState]) -> list[ManifestState]:
    """How many manifests and items are in a state."""
    return folded(
        lines,
        lambda line: line.state,
        lambda lines, whose: replace(
            lines[0], system=whose, manifests=sum(line.manifests for line in lines),
            items=sum(line.items for line in lines),
        ),
    )  # fmt: skip


def turns_alike(lines: Sequence[Turn]) -> list[Turn]:
    """Whose turn it is: what is for whoever answers for the personal data to take up with a partner names it."""
    return folded(
        lines,
        lambda line: (line.owner, line.state, line.next_step),
        lambda lines, whose: replace(
            lines[0], system=whose, items=sum(line.items for line in lines),
            due_on=_first(line.due_on for line in lines),
        ),
        named=lambda line: line.owner == "privacy",
    )  # fmt: skip


def overdue_alike(lines: Sequence[OverdueItems]) -> list[OverdueItems]:
    """What is late, by name as far as anybody reads on: the longest first."""
    return folded(
        sorted(lines, key=lambda line: (line.system.startswith(PARTNER), line.due_on)),
        lambda line: "late",
        lambda lines, whose: replace(
            lines[0], system=whose, manifest_id=f"{len({line.manifest_id for line in lines})} manifests",
            respond_by=min(line.respond_by for line in lines), due_on=min(line.due_on for line in lines),
            items=sum(line.items for line in lines),
        ),
        named=lambda line: True,
    )  # fmt: skip


def manifests_alike(lines: Sequence[ManifestSummary]) -> list[ManifestSummary]:
    """Sealed manifests of one day that are to be answered by one day and stand in the same states."""
    return folded(
        lines,
        lambda line: (line.as_of, line.respond_by, tuple(line.states)),
        lambda lines, whose: replace(
            lines[0], manifest_id=f"{len(lines)} manifests", system=whose, items=sum(line.items for line in lines),
            actions=_added(line.actions for line in lines), states=_added(line.states for line in lines),
        ),
    )  # fmt: skip


def manifests_in(line: ManifestSummary) -> int:
    """How many manifests a line is about that `manifests_alike` gives."""
    number, _, several = line.manifest_id.partition(" ")
    return int(number) if several else 1


def undelivered_alike(lines: Sequence[UndeliveredLine]) -> list[UndeliveredLine]:
    """What did not reach its system, for one reason; the message is the first one's."""
    return folded(lines, lambda line: line.code, lambda lines, whose: replace(lines[0], system=whose))


def unread_alike(lines: Sequence[UnreadLine]) -> list[UnreadLine]:
    """Answers that could not be read or taken, for one reason; the message is the first one's."""
    return folded(
        lines,
        lambda line: line.code,
        lambda lines, whose: replace(lines[0], system=whose, times=sum(line.times for line in lines)),
    )


def _first(days: Iterable[date | None]) -> date | None:
    return min((day for day in days if day is not None), default=None)


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    added: dict[str, int] = {}
    for each in counts:
        for name, number in each.items():
            added[name] = added.get(name, 0) + number
    return dict(sorted(added.items()))
