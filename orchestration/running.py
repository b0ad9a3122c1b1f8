"""Runs a job in this process, as the web UI would run it, and says how it went.

The run stands in the site's Dagster history like any other. Prints nothing and decides no exit code: both are the
command line's.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from assets.errors import STOPPED, BadInput, GallringError
from assets.policy import Policy
from assets.site import Site
from assets.warehouse import MachineLacks
from expectations.validation import imported_meanwhile
from orchestration.opening import load_policy, open_warehouse, require_site
from orchestration.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterEvent, DagsterInstance, EventLogEntry, ExecuteInProcessResult, JobDefinition
    from dagster_shared.error import SerializableErrorInfo

    from assets.warehouse import Warehouse

#: As the web UI calls the code that `workspace.yaml` loads, so that a run is listed under its job there.
_REPOSITORY = "__repository__@gallring"
_INTERRUPTED = "DagsterExecutionInterruptedError"
_FAILURE = "Failure"
#: Where a run failed that came to no step.
_BEGINNING = "beginning"
#: How many objects more than before make Python look for garbage in circles while a run lasts; by default 700.
_YOUNG = 20_000


@dataclass(frozen=True)
class FailedCheck:
    """A check that says no. `unexpected` counts the rows that break its claim.

    `blocking`: nothing after its table is made, and nothing sealed. One that is not holds nothing up.
    """

    name: str
    table: str
    severity: str
    unexpected: int
    blocking: bool = False


@dataclass(frozen=True)
class Block:
    """Why nothing that depends on a source's table is sealed."""

    source: str
    table: str
    reason: str
    detail: str


@dataclass(frozen=True)
class StepFailure:
    """A step that could not do its work. `exit_code` is None where it is a defect of the program, not an input's."""

    step: str
    message: str
    exit_code: int | None


@dataclass(frozen=True)
class Rejected:
    """A delivery that a run rejected: one that it looked at for the first time, or that was changed since."""

    source: str
    delivery_id: str
    reason: str


@dataclass(frozen=True)
class CycleOutcome:
    """How a run went."""

    run_id: str
    job: str
    as_of: date
    success: bool
    failed_checks: tuple[FailedCheck, ...]
    failures: tuple[StepFailure, ...]
    blocks: tuple[Block, ...]
    rejected: tuple[Rejected, ...] = ()


def run_cycle(
    site: Site,
    as_of: date | None = None,
    *,
    job: str = "run_cycle",
    by: str | None = None,
    config: Mapping[str, Any] | None = None,
    full: bool = False,
    watch: Callable[[str, int], None] | None = None,
    look: Callable[[Warehouse], None] | None = None,
) -> CycleOutcome:
    """Run a job on `site` as of a day (default: today in the site's time zone), and wait for its end.

    `by` is who launches it, where a name is given. `full` evaluates every record anew. `config` is the run's, for a
    job that takes another than the day. `watch` is told of each step that begins, and of the rows that it made. `look`
    is given the warehouse once the job has ended, before another process can have it; what it cannot read of one that
    the machine gave up on, its caller has to read anew.

    Raises:
        BadInput: the site, its settings, keys or policy cannot be used.
        WarehouseLocked: another process has the warehouse open.
    """
    with _looking_for_no_garbage():
        return _run(site, job, by, dict(config) if config is not None else _config(as_of, full), watch, look)


def _run(
    site: Site, job: str, by: str | None, config: dict[str, Any], watch: Callable[[str, int], None] | None,
    look: Callable[[Warehouse], None] | None,
) -> CycleOutcome:  # fmt: skip
    from orchestration.definitions import build_definitions
    from orchestration.history import run_history
    from orchestration.resources import BY_TAG, require_clock_that_goes_on

    settings = Settings.load(require_site(site))
    policy = _policy_for(job, settings)
    with open_warehouse(site, settings) as warehouse, run_history(site) as instance:
        if config.get("as_of") == "":
            require_clock_that_goes_on(instance, "", datetime.now(UTC))
        known = _last_delivery(warehouse)
        opened = {"warehouse": warehouse, "policy": policy}
        definitions = build_definitions(site=site.path, policy=policy, resource_overrides=opened)
        chosen = definitions.resolve_job_def(job)
        with _garbage_looked_for(), _ahead_of_checks(chosen):
            result = chosen.execute_in_process(
                run_config=config,
                instance=instance,
                tags={".dagster/repository": _REPOSITORY, **({BY_TAG: by} if by else {})},
                raise_on_error=False,
                run_id=_watched(instance, watch),
            )
        outcome = _outcome(result, job, _day_of(instance, result.run_id), warehouse, known)
        if look is not None:
            with suppress(GallringError):
                look(warehouse)
        return outcome


def _policy_for(job: str, settings: Settings) -> Policy:
    """The site's policy; the shipped one for the job that cancels where the site's own cannot be used.

    That job decides nothing by a policy, and what a wrong contract has brought about has to be stopped meanwhile.
    """
    from orchestration.jobs import CANCEL

    try:
        return load_policy(settings)
    except BadInput:
        if job != CANCEL:
            raise
        return Policy.load()


@contextmanager
def _looking_for_no_garbage() -> Iterator[None]:
    """Until the block ends, or until `_garbage_looked_for`, Python looks for no garbage in circles.

    What is made meanwhile is half a million objects of code and definitions, which stay for as long as the run does.
    """
    collects, thresholds = gc.isenabled(), gc.get_threshold()
    gc.disable()
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        if collects:
            gc.enable()


@contextmanager
def _garbage_looked_for() -> Iterator[None]:
    """Until the block ends it is looked for, though rarely, and not among what was there before."""
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
    gc.enable()
    try:
        yield
    finally:
        gc.disable()


def _ahead_of_checks(job: JobDefinition) -> AbstractContextManager[None]:
    """Where a job has steps of checks: what they run on is imported while the steps before them work."""
    from assets.catalogue.assets import CHECKS

    return imported_meanwhile() if any(node.name.endswith(CHECKS) for node in job.nodes) else nullcontext()


def _watched(instance: DagsterInstance, watch: Callable[[str, int], None] | None) -> str:
    """A new run's id, with whoever wants to know listening to it."""
    run_id = str(uuid4())
    if watch is not None:
        tell = watch
        instance.add_event_listener(run_id, lambda entry: _tell(entry, tell))
    return run_id


def _tell(entry: EventLogEntry, watch: Callable[[str, int], None]) -> None:
    event = entry.dagster_event
    if event is None:
        return
    if event.is_step_start:
        watch(event.step_key or "", 0)
    elif event.event_type_value == "ASSET_MATERIALIZATION":
        rows = event.step_materialization_data.materialization.metadata.get("dagster/row_count")
        watch("", int(str(rows.value)) if rows is not None else 0)


def _config(as_of: date | None, full: bool) -> dict[str, Any]:
    day = {"as_of": as_of.isoformat() if as_of else ""}
    return {**day, "full": True} if full else day


def _outcome(
    result: ExecuteInProcessResult, job: str, as_of: date, warehouse: Warehouse, known: int
) -> CycleOutcome:  # fmt: skip
    events = result.all_events
    return CycleOutcome(
        run_id=result.run_id,
        job=job,
        as_of=as_of,
        success=result.success,
        failed_checks=tuple(_failed_check(event) for event in events if _is_failed_check(event)),
        failures=_failures(events),
        blocks=_blocks(warehouse),
        rejected=_rejected(warehouse, known),
    )


def _day_of(instance: Any, run_id: str) -> date:
    from orchestration.resources import AS_OF_TAG

    return date.fromisoformat(instance.get_run_by_id(run_id).tags[AS_OF_TAG])


def _is_failed_check(event: DagsterEvent) -> bool:
    return event.event_type_value == "ASSET_CHECK_EVALUATION" and not event.asset_check_evaluation_data.passed


def _failed_check(event: DagsterEvent) -> FailedCheck:
    found = event.asset_check_evaluation_data
    return FailedCheck(
        name=found.check_name,
        table=".".join(found.asset_key.path),
        severity="critical" if found.severity.value == "ERROR" else "warning",
        unexpected=int(str(found.metadata["unexpected"].value)),
        blocking=bool(found.blocking) and found.severity.value == "ERROR",
    )


def _is_block(event: DagsterEvent) -> bool:
    """Whether a step failed only because a critical check said no: the check itself tells that."""
    error = event.step_failure_data.error
    return error is not None and error.cls_name == "DagsterAssetCheckFailedError"


def _failures(events: Sequence[DagsterEvent]) -> tuple[StepFailure, ...]:
    """The steps that failed; where none had begun, what kept the run from it."""
    steps = [event for event in events if event.is_step_failure]
    if steps:
        return tuple(_failure(event) for event in steps if not _is_block(event))
    return tuple(_no_beginning(event) for event in events if event.is_job_failure and event.job_failure_data.error)


def _failure(event: DagsterEvent) -> StepFailure:
    step = event.step_key or ""
    told = event.step_failure_data.user_failure_data
    if told is not None:
        code = told.metadata.get("exit_code")
        return StepFailure(step, told.description or "", int(str(code.value)) if code is not None else None)
    return _unforeseen(step, _innermost(event.step_failure_data.error))


def _no_beginning(event: DagsterEvent) -> StepFailure:
    """A run whose signing key, settings or day could not be had: the sentence is `clear_failures`'s own."""
    error = _innermost(event.job_failure_data.error)
    if error is not None and error.cls_name == _FAILURE:
        return StepFailure(_BEGINNING, error.message.partition(": ")[2].strip(), GallringError.exit_code)
    return _unforeseen(_BEGINNING, error)


def _unforeseen(step: str, error: SerializableErrorInfo | None) -> StepFailure:
    """Told by its kind alone. Its text stays in the history: nobody knows what it quotes."""
    kind = (error.cls_name if error is not None else None) or "Error"
    if kind == _INTERRUPTED:
        return StepFailure(step, "stopped from outside.", STOPPED)
    return StepFailure(step, f"{kind}: a defect of the program; the run in the web UI shows where.", None)


def _innermost(error: SerializableErrorInfo | None) -> SerializableErrorInfo | None:
    """The exception that began it."""
    while error is not None and error.cause is not None:
        error = error.cause
    return error


def _last_delivery(warehouse: Warehouse) -> int:
    """The number of the delivery that was looked at last."""
    if not warehouse.exists("intake", "deliveries"):
        return 0
    return int(warehouse.value("select coalesce(max(sequence), 0) from intake.deliveries"))


def _rejected(warehouse: Warehouse, known: int) -> tuple[Rejected, ...]:
    """What was rejected after the delivery `known`; what is as it was keeps its number, night after night."""
    try:
        if not warehouse.exists("intake", "deliveries"):
            return ()
        rows = warehouse.rows(
            "select source, delivery_id, reason from intake.deliveries "
            "where status = 'rejected' and sequence > $known order by all",
            {"known": known},
        )
    except MachineLacks:
        return ()
    return tuple(Rejected(*row) for row in rows)


def _blocks(warehouse: Warehouse) -> tuple[Block, ...]:
    """What blocks; nothing of a warehouse that the machine gave up on: the step in which it did says why."""
    try:
        return _read_blocks(warehouse)
    except MachineLacks:
        return ()


def _read_blocks(warehouse: Warehouse) -> tuple[Block, ...]:
    if not warehouse.exists("intake", "blocks"):
        return ()
    rows = warehouse.rows("select source, table_name, reason, detail from intake.blocks order by all")
    return tuple(Block(*row) for row in rows)
