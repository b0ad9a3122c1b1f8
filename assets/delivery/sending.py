"""Sending: every approved manifest to its system, each system's in their order, no system waiting for another.

At least once: a manifest counts as delivered only once that is recorded, and one that was put but not recorded is put
again under the same id, which changes nothing at the receiver. `manifest.sending` notes it from before it is put until
it is recorded: what is recalled in between may have arrived. Nothing is sent that is not approved; what is approved
is `approving`'s to say, what no longer stands is the `recheck`'s. How things travel is the transports'.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from queue import Queue

from assets.delivery import circuit
from assets.delivery.transports.contract import (
    RetryableTransportError,
    TerminalTransportError,
    Transport,
    TransportError,
    Transports,
)
from assets.ledger import issued
from assets.ledger.states import Event, among, ask_of_manifests, record
from assets.manifests.folders import altered_file, folder_name, manifest_folder
from assets.manifests.gate import BLOCKED, held_by_blocks
from assets.policy import Policy
from assets.site import Site
from assets.warehouse import Warehouse

#: Why a manifest stays here whose files are not what was sealed.
ALTERED = "altered"

#: How many systems are served at the same time.
AT_ONCE = 8

Recheck = Callable[[Warehouse, Policy, Site], object]


@dataclass(frozen=True)
class Retry:
    """How often, and after how many seconds, what may pass is tried again: doubling, with jitter.

    A test gives its own `sleep`.
    """

    attempts: int = 4
    first_wait: float = 1.0
    longest_wait: float = 30.0
    sleep: Callable[[float], None] = time.sleep

    def once(self) -> Retry:
        """The same, but for a single attempt."""
        return Retry(1, self.first_wait, self.longest_wait, self.sleep)

    def call(self, action: Callable[[], None]) -> None:
        """Do `action`, again where it raises what may pass.

        Raises:
            TransportError: the last attempt's, or one that does not pass.
        """
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

        Retrying(
            retry=retry_if_exception_type(RetryableTransportError),
            stop=stop_after_attempt(self.attempts),
            wait=wait_exponential_jitter(multiplier=self.first_wait, max=self.longest_wait, jitter=self.first_wait),
            sleep=self.sleep,
            reraise=True,
        )(action)


@dataclass(frozen=True)
class Delivered:
    """A manifest that reached its system now."""

    manifest_id: str
    system: str


@dataclass(frozen=True)
class NotDelivered:
    """An approved manifest that stays here for now. `code` says why, `message` what to do; `passes`: it may go by
    itself, without anybody's doing.
    """  # noqa: D205

    manifest_id: str
    system: str
    code: str
    message: str
    passes: bool


@dataclass(frozen=True)
class DeliveryReport:
    """What was delivered now, and what was not."""

    as_of: date
    delivered: tuple[Delivered, ...]
    waiting: tuple[NotDelivered, ...]


def deliver_approved(
    warehouse: Warehouse,
    policy: Policy,
    site: Site,
    transports: Transports,
    *,
    as_of: date,
    now: datetime,
    recheck: Recheck | None = None,
    retry: Retry | None = None,
    half_open_after: timedelta = circuit.HALF_OPEN_AFTER,
) -> DeliveryReport:
    """Send every manifest that is approved and not delivered yet, and record each as it arrives.

    A system's manifests go in the order of their chain: none before an earlier one that still waits. Those that were
    cancelled in between go as bare documents, so that the receiver's chain has no hole. Must not be called in a
    transaction: what has been delivered stays recorded.

    Args:
        warehouse: with the ledger.
        policy: handed to `recheck`.
        site: whose outbox holds the manifests.
        transports: the way to each system.
        as_of: the day on which the delivery counts.
        now: the instant, with its time zone.
        recheck: called first, as `recheck(warehouse, policy, site)`; recalls what no longer stands.
        retry: how failures that may pass are tried again.
        half_open_after: how long a system that did not answer is left alone.
    """
    circuit.prepare(warehouse)
    issued.prepare(warehouse)
    if recheck is not None:
        recheck(warehouse, policy, site)
    waiting: list[NotDelivered] = []
    chains = _without_blocked(warehouse, _in_order(warehouse, site, waiting), waiting)
    queues = [
        queue
        for system, chain in chains.items()
        if (steps := _as_sealed(warehouse, site, system, chain, waiting))
        if (queue := _ready(warehouse, transports, system, steps, now, retry or Retry(), half_open_after, waiting))
    ]
    _note_sending(warehouse, queues)
    delivered = [] if not queues else list(_send_all(warehouse, queues, as_of, now, waiting))
    return DeliveryReport(as_of, tuple(delivered), tuple(waiting))


@dataclass(frozen=True)
class _Step:
    """One manifest to send, or (`cancelled`) to tell of."""

    manifest_id: str
    folder: Path
    cancelled: bool = False


@dataclass(frozen=True)
class _Queue:
    """What one system is to get, in order."""

    system: str
    transport: Transport
    steps: Sequence[_Step]
    retry: Retry

    def send(self, outcomes: Queue[_Outcome | None]) -> None:
        """Put one after another, telling each outcome; the first failure ends it. None tells the end."""
        try:
            for step in self.steps:
                put = self.transport.put_cancelled if step.cancelled else self.transport.put
                try:
                    self.retry.call(partial(put, step.folder, step.manifest_id))
                except TransportError as error:
                    outcomes.put(_Outcome(self, step, error))
                    return
                outcomes.put(_Outcome(self, step, None))
        finally:
            outcomes.put(None)


@dataclass(frozen=True)
class _Outcome:
    queue: _Queue
    step: _Step
    error: TransportError | None


#: What has not been delivered yet stands somewhere; of the rest it is enough that it has been.
_UNDELIVERED = """
select manifest_id from manifest.manifests
where manifest_id not in (select manifest_id from manifest.events where state = 'delivered')
"""

_CHAIN = """
select manifests.system, manifests.manifest_id,
    bool_or(states.state = 'issued') as is_issued,
    bool_or(states.state = 'approved') as is_approved,
    bool_and(states.state = 'cancelled') as is_cancelled,
    bool_or(states.state = 'cancelled') and bool_or(states.state = 'approved') as is_torn,
    manifests.manifest_id not in (select manifest_id from asked_manifests) as is_delivered
from manifest.manifests as manifests
left join ({standing}) as states on states.manifest_id = manifests.manifest_id
where manifests.signature is not null and manifests.manifest_id in (select manifest_id from manifest.items)
group by manifests.system, manifests.manifest_id, manifests.sequence
order by manifests.system, manifests.sequence
"""


def held_back(warehouse: Warehouse, site: Site) -> list[NotDelivered]:
    """The approved manifests that no run delivers before a person has decided on another one of their system."""
    waiting: list[NotDelivered] = []
    _in_order(warehouse, site, waiting)
    return waiting


def _in_order(warehouse: Warehouse, site: Site, waiting: list[NotDelivered]) -> dict[str, list[_Step]]:
    """What each system is to get next, up to the first manifest that still waits for its approval."""
    chains: dict[str, list[_Step]] = {}
    held: dict[str, str] = {}
    ask_of_manifests(warehouse, _UNDELIVERED)
    chain = warehouse.rows(_CHAIN.format(standing=among("manifest_states")))
    for system, manifest_id, is_issued, is_approved, is_cancelled, is_torn, is_delivered in chain:
        steps = chains.setdefault(system, [])
        step = _Step(manifest_id, manifest_folder(site, system, manifest_id), cancelled=is_cancelled)
        if is_delivered:
            steps.clear()  # the receiver has the chain up to here
        elif is_issued:
            held.setdefault(system, manifest_id)
        elif is_torn:
            held.setdefault(system, manifest_id)
            waiting.append(NotDelivered(
                manifest_id, system, "partly_cancelled",
                f"Some items of manifest {manifest_id} of {system} are cancelled, and what is sealed cannot be sent "
                "without them: cancel the whole manifest, and the next run seals the rest anew.", False,
            ))  # fmt: skip
        elif is_approved and system in held:
            waiting.append(NotDelivered(
                manifest_id, system, "earlier_waits",
                f"Manifest {held[system]} of {system} comes before it: approve or cancel that one first.", False,
            ))  # fmt: skip
        elif (is_approved or is_cancelled) and system not in held:
            steps.append(step)
    return {system: steps for system, steps in chains.items() if any(not step.cancelled for step in steps)}


#: Of manifests: whose records their items are about, and whether something is to be kept or spared by them.
_ABOUT = """
select items.system, list_sort(list(distinct coalesce(records.source, items.system))) as sources,
    bool_or(items.action in ('restrict', 'lift')) as spares
from manifest.items as items
left join policy.records as records on records.record_type = cast(items.record_type as varchar)
where list_contains($manifests, items.manifest_id)
group by items.system
order by items.system
"""


def _without_blocked(
    warehouse: Warehouse, chains: dict[str, list[_Step]], waiting: list[NotDelivered]
) -> dict[str, list[_Step]]:
    """The chains of the systems that no blocked delivery holds back, by the rule of the sealing gate.

    What a silent source would have said of an approved order is not known, and an unknown never erases. A restriction
    or a lift keeps data: where a system waits for one, its chain goes on.
    """
    if not chains or not warehouse.value("select count(*) from intake.blocks"):
        return chains
    manifests = [step.manifest_id for steps in chains.values() for step in steps if not step.cancelled]
    about = warehouse.rows(_ABOUT, {"manifests": manifests})
    held = held_by_blocks(warehouse, {system: sources for system, sources, spares in about if not spares})
    for system in held:
        waiting += [NotDelivered(
            step.manifest_id, system, BLOCKED,
            f"{system}: manifest {step.manifest_id} waits, because a delivery that it depends on is blocked "
            f"({held[system][0]}). Deliver a full export; what still stands then leaves by itself.", True,
        ) for step in chains[system] if not step.cancelled]  # fmt: skip
    return {system: steps for system, steps in chains.items() if system not in held}


def _as_sealed(
    warehouse: Warehouse, site: Site, system: str, steps: Sequence[_Step], waiting: list[NotDelivered]
) -> Sequence[_Step]:
    """The steps before the first manifest whose folder somebody changed; none where nothing of them is to be sent."""
    for number, step in enumerate(steps):
        name = altered_file(warehouse, site, system, step.manifest_id)
        if name is not None:
            message = (
                f"outbox/{folder_name(system)}/{step.manifest_id}: {name} is not what was sealed, and nothing of it "
                "was delivered. Find out who changed it, and move the folder away: the next run writes it again."
            )
            waiting += [NotDelivered(each.manifest_id, system, ALTERED, message, False)
                        for each in steps[number:] if not each.cancelled]  # fmt: skip
            steps = steps[:number]
            break
    return steps if any(not step.cancelled for step in steps) else ()


def _ready(
    warehouse: Warehouse, transports: Transports, system: str, steps: Sequence[_Step], now: datetime, retry: Retry,
    half_open_after: timedelta, waiting: list[NotDelivered],
) -> _Queue | None:  # fmt: skip
    """The system's queue, or None where its circuit is open or its settings are of no use."""
    position = circuit.position(warehouse, system, now, half_open_after)
    last = max(number for number, step in enumerate(steps) if not step.cancelled)
    steps = steps[: last + 1]
    try:
        if position == "open":
            raise RetryableTransportError("circuit_open", "It did not answer lately, and is left alone for now.")
        return _Queue(system, transports.of(system), steps, retry.once() if position == "half_open" else retry)
    except TransportError as error:
        waiting += _not_delivered(system, steps, error)
        return None


def _note_sending(warehouse: Warehouse, queues: Sequence[_Queue]) -> None:
    """Note what is about to leave, before any of it does."""
    noted = {manifest_id for (manifest_id,) in warehouse.rows("from manifest.sending")}
    leaving = {step.manifest_id for queue in queues for step in queue.steps if not step.cancelled} - noted
    if leaving:
        warehouse.insert("manifest.sending", ["manifest_id"], [(manifest_id,) for manifest_id in sorted(leaving)])


def _send_all(
    warehouse: Warehouse, queues: Sequence[_Queue], as_of: date, now: datetime, waiting: list[NotDelivered]
) -> Iterator[Delivered]:
    """Serve all systems at once; record here, in one thread, a system's outcomes after those of the one before it.

    In which order they are recorded is then not left to who answers first. What has arrived meanwhile and is not
    recorded stands in `manifest.sending`.
    """
    with ThreadPoolExecutor(min(AT_ONCE, len(queues)), thread_name_prefix="delivery") as pool:
        running: list[tuple[Queue[_Outcome | None], Future[None]]] = []
        for queue in queues:
            outcomes: Queue[_Outcome | None] = Queue()
            running.append((outcomes, pool.submit(queue.send, outcomes)))
        for outcomes, _ in running:
            while (outcome := outcomes.get()) is not None:
                if outcome.error is not None:
                    waiting += _failure(warehouse, outcome, outcome.error, now)
                else:
                    yield from _success(warehouse, outcome, as_of, now)
        for _, future in running:
            future.result()


def _success(warehouse: Warehouse, outcome: _Outcome, as_of: date, now: datetime) -> Iterator[Delivered]:
    manifest_id, system = outcome.step.manifest_id, outcome.queue.system
    with warehouse.transaction():
        circuit.answered(warehouse, system)
        if not outcome.step.cancelled:
            record(warehouse, [Event(manifest_id, "delivered", as_of, "deliver", at=now)])
            warehouse.run("delete from manifest.sending where manifest_id = $id", {"id": manifest_id})
    if not outcome.step.cancelled:
        yield Delivered(manifest_id, system)


def _failure(warehouse: Warehouse, outcome: _Outcome, error: TransportError, now: datetime) -> Iterator[NotDelivered]:
    """What the failure leaves undelivered. Only what may pass opens the circuit: a refusal delays nobody."""
    queue = outcome.queue
    if isinstance(error, RetryableTransportError):
        circuit.failed(warehouse, queue.system, error.code, now)
    at = queue.steps.index(outcome.step)
    yield from _not_delivered(queue.system, queue.steps[at:], error)


def _not_delivered(system: str, steps: Sequence[_Step], error: TransportError) -> Iterator[NotDelivered]:
    for step in steps:
        if not step.cancelled:
            passes = not isinstance(error, TerminalTransportError)
            yield NotDelivered(step.manifest_id, system, error.code, f"{system}: {error.message}", passes)
