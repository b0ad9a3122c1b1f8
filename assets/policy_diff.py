"""What differs between two policies, in words: purposes, periods, grounds, coverage, rules and contracts.

Reads the two policies alone; `assets.rehearsal.simulating` tells what the difference does to a site's data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from assets.contracts.contract import Contract
from assets.policy import Policy
from assets.purpose_register import Purpose, months_and_days

_SAID = {"longer": "longer", "shorter": "shorter", "same": "the same", "different": "longer or shorter by the month"}


@dataclass(frozen=True)
class Difference:
    """One thing that differs. `where`: a purpose, a shared clock, a contract or `policy`; `kind` is a stable name."""

    where: str
    kind: str
    sentence: str


def diff(before: Policy, after: Policy) -> list[Difference]:
    """Everything that differs from `before` to `after`, in the order of `before`'s register, new things last."""
    return [*_register(before, after), *_clocks(before, after), *_purposes(before, after), *_contracts(before, after)]


def _register(before: Policy, after: Policy) -> Iterator[Difference]:
    for name in ("policy", "version", "controller"):
        old, new = getattr(before.register, name), getattr(after.register, name)
        if old != new:
            yield Difference("policy", name, f"The {name} was {old} and is {new}.")
    if before.register.record != after.register.record:
        yield Difference(
            "policy", "record", "The record differs: contacts, recipients, transfers or security measures."
        )


def _clocks(before: Policy, after: Policy) -> Iterator[Difference]:
    old = {name: clock.period for name, clock in before.register.clocks.items()}
    new = {name: clock.period for name, clock in after.register.clocks.items()}
    for name, kind, sentence in _periods(old, new):
        yield Difference(name, kind, f"Shared clock {sentence}")


def _purposes(before: Policy, after: Policy) -> Iterator[Difference]:
    old, new = before.register.purposes, after.register.purposes
    for name, purpose in old.items():
        if name not in new:
            yield Difference(name, "purpose_removed", f"Purpose {name} is gone: what it alone keeps would be erased.")
            continue
        yield from _purpose(name, purpose, new[name])
        yield from _covered(name, before, after)
        if _statement(before, name) != _statement(after, name):
            yield Difference(name, "rule_changed", f"Purpose {name}: its SQL differs; read purposes/{name}.sql.")
    for name, purpose in new.items():
        if name not in old:
            periods = ", ".join(f"{clock} {period}" for clock, period in purpose.periods.items())
            yield Difference(name, "purpose_added", f"Purpose {name} is new ({purpose.purpose_class}; {periods}).")


def _purpose(name: str, old: Purpose, new: Purpose) -> Iterator[Difference]:
    if old.purpose_class != new.purpose_class:
        turn = "restricted, for a duty alone" if new.purpose_class == "duty" else "in ordinary use"
        yield Difference(name, "class_changed", f"Purpose {name} was {old.purpose_class} and is {new.purpose_class}: "
                         f"what it keeps is kept {turn}.")  # fmt: skip
    if old.legal_basis != new.legal_basis:
        yield Difference(name, "legal_basis_changed", f"Purpose {name} rested on {', '.join(old.legal_basis)} and "
                         f"rests on {', '.join(new.legal_basis)}.")  # fmt: skip
    for _, kind, sentence in _periods(old.periods, new.periods):
        yield Difference(name, kind, f"Purpose {name}, clock {sentence}")
    for field in ("title", "law", "decided_by", "dpv_purpose", "erasure_exception"):
        if getattr(old, field) != getattr(new, field):
            yield Difference(name, f"{field}_changed", f"Purpose {name}: its {field.replace('_', ' ')} is worded anew.")


def _periods(old: dict[str, str], new: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Clock, kind and the end of a sentence for each period that differs."""
    for clock in [*old, *(each for each in new if each not in old)]:
        if clock not in new:
            yield clock, "period_removed", f"{clock}: {old[clock]} is gone."
        elif clock not in old:
            yield clock, "period_added", f"{clock}: {new[clock]} is new."
        elif old[clock] != new[clock]:
            turn = _turn(old[clock], new[clock])
            yield clock, f"period_{turn}", f"{clock}: {old[clock]} becomes {new[clock]}, which is {_SAID[turn]}."


def _turn(old: str, new: str) -> str:
    """Whether a period got longer or shorter. A month is between 28 and 31 days: in between it is `different`."""
    (months, days), (new_months, new_days) = months_and_days(old), months_and_days(new)
    shortest, longest = (new_months - months) * 28, (new_months - months) * 31
    low, high = sorted((shortest + new_days - days, longest + new_days - days))
    if low == high == 0:
        return "same"
    if low > 0:
        return "longer"
    return "shorter" if high < 0 else "different"


def _covered(name: str, before: Policy, after: Policy) -> Iterator[Difference]:
    old, new = _coverage(before, name), _coverage(after, name)
    for clock, category in sorted(old - new):
        yield Difference(name, "coverage_removed", f"Purpose {name} no longer covers {category} ({clock}).")
    for clock, category in sorted(new - old):
        yield Difference(name, "coverage_added", f"Purpose {name} also covers {category} ({clock}).")


def _coverage(policy: Policy, name: str) -> set[tuple[str, str]]:
    return {
        (entry.clock, f"{entry.record_type}.{entry.data_category}")
        for entry in policy.coverage()
        if entry.purpose == name
    }


def _statement(policy: Policy, name: str) -> str:
    return next((model.statement for model in policy.purpose_models if model.name == name), "")


def _contracts(before: Policy, after: Policy) -> Iterator[Difference]:
    old, new = _declared(before), _declared(after)
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield Difference(name, "contract_removed", f"Contract {name} is gone: its deliveries are no longer read.")
        elif name not in old:
            yield Difference(name, "contract_added", f"Contract {name} is new.")
        elif old[name].digest != new[name].digest:
            yield from _columns(name, old[name], new[name])


def _declared(policy: Policy) -> dict[str, Contract]:
    return {f"{each.source}/{each.table}": each for each in policy.contracts.values() if each.declared}


def _columns(name: str, old: Contract, new: Contract) -> Iterator[Difference]:
    """What a contract classifies otherwise; that it differs at all where the classes are the same."""
    before = {column.name: column.category for column in old.columns}
    after = {column.name: column.category for column in new.columns}
    changed = False
    for column in [*before, *(each for each in after if each not in before)]:
        was, now = before.get(column), after.get(column)
        if was != now or (column in before) != (column in after):
            changed = True
            gone, fresh = column not in after, column not in before
            turn = "is gone" if gone else f"is new ({now or 'not personal'})" if fresh else (
                f"was {was or 'not personal'} and is {now or 'not personal'}")  # fmt: skip
            yield Difference(name, "column_changed", f"Contract {name}: column {column} {turn}.")
    if not changed:
        yield Difference(name, "contract_changed", f"Contract {name} reads its files otherwise.")
