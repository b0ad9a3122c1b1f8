"""The product: the cycle that `gallring run` runs, in process, with the CPU seconds of every step.

What comes before the run begins (imports, definitions, opening) is told apart as start-up. Dagster tells when a step
begins and ends; what lies between two steps is Dagster's own. Of sealing, the lists are told apart: what the gate reads
again and what the ledger keeps are not theirs.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

#: Step of the cycle -> the part of the work that it is counted to.
PARTS = {
    "policy": "intake", "intake": "intake", "core": "core", "retention": "evaluation", "proposal": "proposal",
    "manifests_checks": "checks of manifests", "sealing": "sealing", "own_copies": "erasure",
    "publication": "publication",
}  # fmt: skip
#: The part of sealing that makes the lists: ids, order, both files and the digest. Counted in `sealing` too.
LISTS = "lists"


def part_of(step: str) -> str:
    """Which part a step belongs to: Great Expectations' suites are `checks`, what is in no table above is `other`."""
    return PARTS.get(step, "checks" if step.endswith("_checks") else "other")


def cpu_seconds() -> float:
    """CPU of all threads of this process until now."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def counting(function: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    """The same function, adding what each of its calls costs to `spent`."""

    def counted(*arguments: Any, **more: Any) -> Any:
        began = cpu_seconds()
        try:
            return function(*arguments, **more)
        finally:
            spent.append(cpu_seconds() - began)

    return counted


def run(site: str, as_of: str, is_looked_at: bool = False) -> dict[str, Any]:
    """Run the cycle on a site as of a day.

    Args:
        site: its folder.
        as_of: the day.
        is_looked_at: somebody has looked at the rows that were set aside, so that no order waits for a person because
            of them, as nearly each of a company with a dirty row in a thousand would.

    Raises:
        RuntimeError: a step failed.
    """
    from dagster import DagsterInstance
    from dagster._core.definitions.job_definition import JobDefinition

    from assets.delivery import concerns
    from assets.manifests import folders, sealing
    from assets.site import Site
    from orchestration.running import run_cycle

    marks: list[tuple[str, str, float]] = []
    lists: list[float] = []
    handle, execute = DagsterInstance.handle_new_event, JobDefinition.execute_in_process

    def handled(self: Any, event: Any, **more: Any) -> None:
        if event.dagster_event is not None and event.dagster_event.step_key:
            marks.append((event.dagster_event.event_type_value, event.dagster_event.step_key, cpu_seconds()))
        handle(self, event, **more)

    def executed(self: Any, *arguments: Any, **more: Any) -> Any:
        marks.append(("BEGIN", "", cpu_seconds()))
        try:
            return execute(self, *arguments, **more)
        finally:
            marks.append(("END", "", cpu_seconds()))

    DagsterInstance.handle_new_event = handled  # type: ignore[method-assign]
    JobDefinition.execute_in_process = executed  # type: ignore[method-assign]
    for owner, name in ((sealing._Run, "_number_items"), (folders, "write_items")):  # ids and order; bytes and digest
        setattr(owner, name, counting(getattr(owner, name), lists))
    if is_looked_at:
        concerns._what_was_not_read = lambda *_: iter(())
    outcome = run_cycle(Site(Path(site)), date.fromisoformat(as_of))
    if outcome.failures:
        raise RuntimeError("; ".join(f"{failure.step}: {failure.message}" for failure in outcome.failures))
    told = told_of(marks, [check.name for check in outcome.failed_checks])
    return {**told, "parts": {**told["parts"], LISTS: sum(lists, 0.0)}}


def told_of(marks: list[tuple[str, str, float]], failed_checks: list[str]) -> dict[str, Any]:
    """Start-up, the whole cycle without it, each step, and the parts that steps are counted to."""
    began, ended = (next(at for kind, _, at in marks if kind == which) for which in ("BEGIN", "END"))
    starts = {step: at for kind, step, at in marks if kind == "STEP_START"}
    stops = {step: at for kind, step, at in marks if kind in ("STEP_SUCCESS", "STEP_FAILURE")}
    steps = {step: stops[step] - at for step, at in starts.items() if step in stops}
    parts = {"start-up": began, "cycle": ended - began, "between steps": ended - began - sum(steps.values())}
    for step, seconds in steps.items():
        parts[part_of(step)] = parts.get(part_of(step), 0.0) + seconds
    return {"parts": parts, "steps": steps, "failed_checks": failed_checks}
