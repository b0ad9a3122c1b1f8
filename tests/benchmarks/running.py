"""The runs of a benchmark, interleaved: every round measures everything once, so that a slow minute hits all alike.

Each peer's dispositions are compared with the product's in the first round; one that decided otherwise ends the run.
"""

from __future__ import annotations

import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from assets.site import Site
from tests.benchmarks.agreement import require_agreement
from tests.benchmarks.measuring import JobFailed, Measurement, measure, measure_command
from tests.benchmarks.peers import with_postgresql
from tests.benchmarks.peers.task import POLICY
from tests.benchmarks.workplaces import FIRST, NEXT, Workplace, sealed_bytes, undelivered

#: Peer -> how the file it writes ends. `per_person` decides by the whole shipped policy, the others by the benchmark's.
PEERS = {"polars": ".parquet", "pandas": ".parquet", "postgresql": ".csv", "per_person": ".csv"}
#: What is measured beside F: the demo's company; the whole first night, of which everything is sealed; the nights after
#: it; the way to dispositions by the benchmark's policy; the peers, who decide by that policy too; and, once, the first
#: night with one thread and with its files in another order.
JOBS = ("small", "whole", "nights", "decided", "peers", "circumstances")
#: The first night by the shipped policy, of which everything waits for a person; the same, approved and delivered, from
#: which the later nights go on; and the first night by the benchmark's policy.
WHOLE, DELIVERED, DECIDED = "first night", "first night, delivered", "first night, benchmark policy"
#: Settings by which nobody has to approve anything, however much it is.
_APPROVING = {
    "GALLRING_APPROVAL__MODE": "automatic", "GALLRING_APPROVAL__ITEMS": str(10**9), "GALLRING_APPROVAL__SHARE": "1",
    "GALLRING_APPROVAL__TIMES_MEDIAN": str(10**9), "GALLRING_APPROVAL__ERASE_SHARE": "1",
}  # fmt: skip
#: What the peer decides by, in the names of the product's own runs.
BY_THE_SHIPPED_POLICY = "per_person"
MEMORY_LIMIT, THREADS, POLICY_SETTING = (
    "GALLRING_WAREHOUSE__MEMORY_LIMIT",
    "GALLRING_WAREHOUSE__THREADS",
    "GALLRING_POLICY",
)


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        sizes: how many customers, smallest first.
        repeats: how many rounds.
        peers: which peers.
        jobs: what is measured beside F, of `JOBS`.
        limits: memory limits such as `512MB`, under which the first night (the whole, if that is measured) runs again.
        change: of how many customers in a hundred there is news in the next night.
        sample: how many customers are decided one at a time.
    """

    sizes: tuple[int, ...]
    repeats: int
    peers: tuple[str, ...]
    jobs: tuple[str, ...] = JOBS
    limits: tuple[str, ...] = ()
    change: float = 12.0
    sample: int = 200


@dataclass
class Found:
    """What one size cost, run by run, and what was seen to agree."""

    customers: int
    runs: dict[str, list[Measurement]] = field(default_factory=lambda: defaultdict(list))
    agreed: dict[str, int] = field(default_factory=dict)
    sealed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, measurement: Measurement) -> None:
        """Keep a measurement."""
        self.runs[name].append(measurement)
        parts = ", ".join(f"{part} {seconds:.1f}" for part, seconds in measurement.parts.items() if part != "work")
        tell(f"  {name}: {measurement.work:.2f} CPU-s, {measurement.peak_mb:.0f} MB{' · ' if parts else ''}{parts}")

    def told(self) -> dict[str, Any]:
        """Everything, as plain data."""
        runs = {name: [asdict(each) for each in measured] for name, measured in self.runs.items()}
        return {**vars(self), "runs": runs}

    @classmethod
    def of(cls, told: dict[str, Any]) -> Found:
        """What `told` told."""
        runs = {name: [Measurement(**each) for each in measured] for name, measured in told["runs"].items()}
        return cls(**{**told, "runs": defaultdict(list, runs)})


def tell(text: str) -> None:
    """Say how far the benchmark has come."""
    print(text, file=sys.stderr, flush=True)


def run(plan: Plan, work: Path, found: Mapping[int, Found], keep: Callable[[], None]) -> None:
    """Measure every size in turn, the demo's company (size 0) first, and keep what was found after every round.

    Args:
        plan: what to measure.
        work: an empty folder with room for the largest size.
        found: customers -> what was found before, which this adds to.
        keep: writes down what is found.
    """
    if "small" in plan.jobs:
        small_site(plan.repeats, work, found[0])
        keep()
    for customers in plan.sizes:
        _size(plan, customers, work, found[customers], keep)


def small_site(repeats: int, work: Path, found: Found) -> None:
    """The demo's company: its first night, and a night without news: what every night costs before any row is read."""
    tell("the demo's company")
    place = Workplace(work / "small", 40, 10.0, cases=True)
    try:
        for _ in range(repeats):
            with place.site() as site:
                found.add("gallring run", measure_command(["gallring", "run", *_of(site, FIRST)], allowed=(0, 3, 4)))
            with place.site() as site:
                found.add(WHOLE, _cycle(site, FIRST))
                found.add("only the day changed", _cycle(site, NEXT))
            found.add("gallring --help", measure_command(["gallring", "--help"]))
    finally:
        shutil.rmtree(place.folder)


def _of(site: Site, day: object) -> list[str]:
    return ["--site", str(site.path), "--as-of", str(day)]


def _size(plan: Plan, customers: int, work: Path, found: Found, keep: Callable[[], None]) -> None:
    tell(f"{customers} customers")
    place = Workplace(work / str(customers), customers, plan.change)
    try:
        found.add("generate", place.generated)
        if "nights" in plan.jobs:
            found.add("generate the next night", place.next_full())
            found.add("generate a delta", place.next_delta())
        for number in range(plan.repeats):
            tell(f" round {number + 1} of {plan.repeats}")
            _round(plan, place, found, first=number == 0)
            keep()
    finally:
        shutil.rmtree(place.folder)


def _round(plan: Plan, place: Workplace, found: Found, *, first: bool) -> None:
    """Everything once. What is only looked at, not timed, is done in the first round."""
    _floor(place, found)
    if "whole" in plan.jobs:
        _whole(plan, place, found, first=first)
    _floor(place, found)
    if "decided" in plan.jobs:
        _decided(plan, place, found, first=first)
    if "peers" in plan.jobs:
        for peer in plan.peers:
            _peer(plan, peer, place, found, first=first)
    _floor(place, found)


def _whole(plan: Plan, place: Workplace, found: Found, *, first: bool) -> None:
    """The first night by the shipped policy, what follows it, and what it is measured against."""
    with place.site() as site:
        found.add(WHOLE, _cycle(site, FIRST))
        found.sealed[f"run {len(found.runs[WHOLE])}"] = sealed_bytes(site)
        _beside(site, place, found)
        if first and "peers" in plan.jobs:
            measure("decided", {"site": site.path, "out": place.folder / "shipped.parquet"})
    if "nights" in plan.jobs:
        _nights(place, found)
    for limit in plan.limits:
        _again(place, found, f"{WHOLE}, {limit}", {MEMORY_LIMIT: limit})
    if first and "circumstances" in plan.jobs:
        _again(place, found, f"{WHOLE}, 1 thread", {THREADS: "1"})
        _again(place, found, f"{WHOLE}, files in another order", {}, reversed_files=True)


def _decided(plan: Plan, place: Workplace, found: Found, *, first: bool) -> None:
    """The first night by the benchmark policy, which seals nothing; under the limits where the whole is left out."""
    environment = {POLICY_SETTING: str(POLICY)}
    with place.site() as site:
        found.add(DECIDED, _cycle(site, FIRST, environment))
        if first and "peers" in plan.jobs:
            measure("decided", {"site": site.path, "out": place.folder / "benchmark.parquet"}, environment=environment)
    for limit in plan.limits if "whole" not in plan.jobs else ():
        with place.site() as site:
            found.add(f"{DECIDED}, {limit}", _cycle(site, FIRST, {**environment, MEMORY_LIMIT: limit}))


def _floor(place: Workplace, found: Found) -> None:
    """F three times a round: everything is told as a multiple of it, and the first reading of a file costs more."""
    found.add("F", measure("floor", {"inbox": place.inbox("first")}))


def _cycle(site: Site, day: object, environment: dict[str, str] | None = None) -> Measurement:
    return measure("cycle", {"site": site.path, "as_of": day}, environment=environment)


def _delivering(site: Site, day: object) -> Measurement:
    """A night of which everything leaves.

    Raises:
        JobFailed: something waits, and the next nights would not be ordinary ones.
    """
    measured = measure("cycle", {"site": site.path, "as_of": day, "is_looked_at": True}, environment=_APPROVING)
    waiting = undelivered(site)
    if waiting:
        raise JobFailed(f"{len(waiting)} manifests were not delivered, the first of them {waiting[0]}")
    return measured


def _beside(site: Site, place: Workplace, found: Found) -> None:
    """What parts of the first night are measured against, over what it left."""
    found.add("plain lines", measure("plain_lines", {"site": site.path, "out": place.folder / "items.jsonl"}))
    found.add("plain copy", measure("plain_copy", {"site": site.path, "out": place.folder / "plain.duckdb"}))


def _nights(place: Workplace, found: Found) -> None:
    """Ordinary nights: what was sealed before is with the systems, which have not answered yet."""
    with place.site() as site:
        found.add(DELIVERED, _delivering(site, FIRST))
        for name, night in (("only the day changed", None), ("news in full", "full"), ("news as a delta", "delta")):
            with place.following(site, night) as following:
                found.add(name, _delivering(following, NEXT))


def _again(
    place: Workplace, found: Found, name: str, environment: dict[str, str], *, reversed_files: bool = False
) -> None:
    """The first night under other circumstances, and what it sealed."""
    with place.site(reversed_files=reversed_files) as site:
        found.add(name, _cycle(site, FIRST, environment))
        found.sealed[name] = sealed_bytes(site)


def _peer(plan: Plan, peer: str, place: Workplace, found: Found, *, first: bool) -> None:
    if peer == "postgresql" and with_postgresql.programs() is None:
        found.skipped[peer] = "not installed: apt-get install postgresql"
        tell(f"  {peer}: skipped, {found.skipped[peer]}")
        return
    out = place.folder / f"{peer}{PEERS[peer]}"
    more = {"sample": plan.sample} if peer == BY_THE_SHIPPED_POLICY else {}
    found.add(peer, measure(peer, {"inbox": place.inbox("first"), "as_of": FIRST, "out": out, **more}))
    if first:
        product = place.folder / ("shipped.parquet" if peer == BY_THE_SHIPPED_POLICY else "benchmark.parquet")
        found.agreed[peer] = require_agreement(product, out, peer, sampled=peer == BY_THE_SHIPPED_POLICY)
    out.unlink()


def require_comparable(plan: Plan) -> None:
    """See that what peers decided can be compared with what the product decided.

    Raises:
        ValueError: the product's own way to the same is left out.
    """
    for peer in plan.peers if "peers" in plan.jobs else ():
        own = "whole" if peer == BY_THE_SHIPPED_POLICY else "decided"
        if own not in plan.jobs:
            raise ValueError(f"{peer} is compared with the product, so measure `{own}` too, or leave {peer} out.")


def chosen(names: Sequence[str], among: Collection[str], what: str) -> tuple[str, ...]:
    """Those names, all of which there are.

    Raises:
        ValueError: there is no such one.
    """
    unknown = sorted(set(names) - set(among))
    if unknown:
        raise ValueError(f"There is no {what} {unknown[0]}: there are {', '.join(among)}.")
    return tuple(names)
