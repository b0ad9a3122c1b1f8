"""What the runs add up to: medians, ratios to F, growth, and each goal with what was reached.

Everything here is plain data, ready for JSON. Draws no conclusion that the numbers do not hold: a goal that was not
measured says so.
"""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.benchmarks.jobs.cycle import LISTS
from tests.benchmarks.measuring import Measurement, median
from tests.benchmarks.running import BY_THE_SHIPPED_POLICY, DECIDED, PEERS, WHOLE, Found, Plan

FIRST, BENCHMARK = WHOLE, DECIDED
DAY, FULL, DELTA = "only the day changed", "news in full", "news as a delta"
#: The parts of the cycle that end in validated dispositions with their evidence.
TO_DISPOSITIONS = ("intake", "core", "evaluation", "checks")
CHECKS = ("checks", "checks of manifests")
PARTS = ("intake", "core", "evaluation", *CHECKS, "proposal", "sealing", "erasure", "publication", "other",
         "between steps")  # fmt: skip
TEN_MILLION = "10 M customers with memory_limit 4 GB (2 GB): peak ≤ 1.3 × the limit, CPU ≤ 1.15 × of unlimited"
HALF_A_GIGABYTE = "1 M customers under a 512 MB limit: completes, ≤ 1.5 × CPU"
PACKAGES = ("duckdb", "dagster", "great-expectations", "polars", "pandas", "pyarrow", "numpy")


@dataclass(frozen=True)
class Goal:
    """A goal of the issue, and what was reached at which size. `met` is None where it was not measured."""

    goal: str
    reached: str
    met: bool | None


class Size:
    """One size's medians."""

    def __init__(self, found: Found) -> None:
        """Take the medians of what was found."""
        self.customers = found.customers
        self.found = found
        self.medians = {name: median(runs) for name, runs in found.runs.items()}

    def __getitem__(self, name: str) -> Measurement:
        return self.medians[name]

    def __contains__(self, name: str) -> bool:
        return name in self.medians

    @property
    def floor(self) -> float:
        """F, in CPU seconds."""
        return self["F"].parts["work"]

    def work(self, name: str) -> float:
        """What a job cost without its start-up."""
        return self[name].work

    def to_dispositions(self, name: str, *, checked: bool = True) -> float:
        """What the product's way from the exports to dispositions cost."""
        parts = TO_DISPOSITIONS if checked else TO_DISPOSITIONS[:-1]
        return sum(self[name].parts.get(part, 0.0) for part in parts)


def summed_up(plan: Plan, found: Mapping[int, Found], day: date) -> dict[str, Any]:
    """Everything that is printed and kept; `found` by customers, 0 is the demo's company."""
    sizes, little = [Size(found[customers]) for customers in sorted(found) if customers], Size(found[0])
    return {
        "date": day.isoformat(),
        "machine": machine(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "plan": asdict(plan),
        "sizes": [_told(size) for size in sizes],
        "small": {name: _measured(each) for name, each in little.medians.items()},
        "growth": growth(sizes),
        "goals": [asdict(goal) for goal in goals(sizes, little)],
    }


def machine() -> dict[str, Any]:
    """What it ran on."""
    model = next(
        (line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
         if line.startswith("model name")),
        platform.processor(),
    )  # fmt: skip
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"processor": model, "cores": os.cpu_count(), "memory_gib": round(memory, 1),
            "load_before": round(os.getloadavg()[0], 1)}  # fmt: skip


def _told(size: Size) -> dict[str, Any]:
    return {
        "customers": size.customers,
        "rows": size["F"].told["rows"],
        "bytes": size["F"].told["bytes"],
        "floor_cpu": round(size.floor, 3),
        "jobs": {name: {**_measured(each), "f": round(size.work(name) / size.floor, 2)}
                 for name, each in size.medians.items()},
        "runs": {name: [round(run.work, 3) for run in runs]
                 for name, runs in size.found.runs.items()},
        "agreed": size.found.agreed,
        "skipped": size.found.skipped,
        "sealed": size.found.sealed,
    }  # fmt: skip


def _measured(each: Measurement) -> dict[str, Any]:
    return {
        "cpu": round(each.cpu, 3),
        "work": round(each.work, 3),
        "wall": round(each.wall, 2),
        "peak_mb": round(each.peak_mb),
        "parts": {name: round(seconds, 3) for name, seconds in each.parts.items()},
        **{name: told for name, told in each.told.items() if name in ("rows", "bytes", "sampled", "customers")},
    }


# -- growth ------------------------------------------------------------------------------------------------------------


def growth(sizes: Sequence[Size]) -> dict[str, dict[str, float]]:
    """How cost grows between neighbouring sizes: the exponent of CPU over customers, by job and part."""
    found: dict[str, dict[str, float]] = {}
    for smaller, larger in pairwise(sizes):
        for name in _costs(smaller):
            if name in _costs(larger):
                step = f"{smaller.customers} to {larger.customers}"
                found.setdefault(name, {})[step] = _exponent(smaller, larger, name)
    return found


def _costs(size: Size) -> dict[str, float]:
    """CPU seconds by job, and of the first night by part."""
    jobs = {name: size.work(name) for name in ("F", FIRST, BENCHMARK, DAY, FULL, DELTA, *PEERS) if name in size}
    parts = {f"{FIRST}: {part}": size[FIRST].parts.get(part, 0.0) for part in PARTS} if FIRST in size else {}
    return jobs | parts


def _exponent(smaller: Size, larger: Size, name: str) -> float:
    """1.0: ten times the customers, ten times the cost."""
    less, more = _costs(smaller)[name], _costs(larger)[name]
    if less <= 0 or more <= 0:
        return 0.0
    return round(math.log(more / less) / math.log(larger.customers / smaller.customers), 2)


# -- goals -------------------------------------------------------------------------------------------------------------


def goals(sizes: Sequence[Size], small: Size) -> list[Goal]:
    """Every line of the issue's table, each at the largest size at which what it compares was measured."""
    peers = (("polars", 1.5), ("pandas", 5.0), ("postgresql", 10.0), ("per_person", 200.0))
    nights = (
        (DAY, "a night where only the day changed ≤ 0.02 F + start-up", 0.02),
        (FULL, "a night with 1 % changed rows, full snapshots delivered ≤ 1.3 F + start-up", 1.3),
        (DELTA, "the same as delta delivery ≤ 0.25 F + start-up", 0.25),
    )
    return [
        _first_night(sizes),
        _growth(sizes),
        _limited(sizes, TEN_MILLION, {"4GB": 4e9 / 2**20, "2GB": 2e9 / 2**20}, 1.15, 1.3, least=10_000_000),
        _limited(sizes, HALF_A_GIGABYTE, {"512MB": 512.0}, 1.5, None),
        *(_night(sizes, small, *night) for night in nights),
        _checks(sizes),
        _sealing(sizes),
        _rewriting(sizes),
        *(_peer(sizes, *peer) for peer in peers),
        _small_site(small),
        _overhead(small),
        _determinism(sizes),
    ]


def _measured_at(sizes: Sequence[Size], *names: str) -> Size | None:
    """The largest size at which all of that was measured."""
    return next((size for size in reversed(sizes) if all(name in size for name in names)), None)


def _at(size: Size) -> str:
    return f"at {size.customers:,} customers".replace(",", " ")


def _first_night(sizes: Sequence[Size]) -> Goal:
    goal = "CSV → validated dispositions with evidence, whole cycle without Dagster's start-up ≤ 4 F (≤ 3 F)"
    size = _measured_at(sizes, FIRST)
    if size is None:
        return Goal(goal, "not measured", None)
    whole, decided = size.work(FIRST) / size.floor, size.to_dispositions(FIRST) / size.floor
    told = f"{whole:.1f} F for the whole first night, of which {decided:.1f} F to validated dispositions, {_at(size)}"
    return Goal(goal, told, whole <= 4)


def _growth(sizes: Sequence[Size]) -> Goal:
    """Of the whole night and of the way to dispositions, each between the two largest sizes that measured it."""
    told, met = [], []
    for name in (FIRST, BENCHMARK):
        measured = [size for size in sizes if name in size]
        for smaller, larger in list(pairwise(measured))[-1:]:
            exponent = _exponent(smaller, larger, name)
            told.append(f"{name}: {exponent:.2f} from {smaller.customers} to {larger.customers} customers")
            met.append(exponent <= 1.05)
    return Goal("growth: CPU exponent ≤ 1.05", "; ".join(told) or "needs two sizes", all(met) if met else None)


def _limited(
    sizes: Sequence[Size], goal: str, limits: dict[str, float], most: float, peak: float | None, *, least: int = 0
) -> Goal:
    """Under a limit: that it completed, in how much memory, and at which CPU beside a run without one."""
    for size in reversed([size for size in sizes if size.customers >= least]):
        for job, limit in ((job, limit) for job in (FIRST, BENCHMARK) for limit in limits):
            if f"{job}, {limit}" in size:
                under = size[f"{job}, {limit}"]
                fits = peak is None or under.peak_mb <= peak * limits[limit]
                ratio = under.work / size.work(job) if job in size else None
                cost = f"{ratio:.2f} × the CPU" if ratio else "completes (without a limit: not measured)"
                told = f"{job}, {limit}: {cost}, {under.peak_mb:.0f} MB at most, {_at(size)}"
                return Goal(goal, told, fits and (ratio <= most if ratio else None))
    return Goal(goal, "not measured", None)


def _night(sizes: Sequence[Size], small: Size, name: str, goal: str, limit: float) -> Goal:
    """Without what a night costs on a company with hardly a row: start-up, and every step's own overhead."""
    size = _measured_at(sizes, name)
    if size is None or DAY not in small:
        return Goal(goal, "not measured", None)
    nothing = small.work(DAY)
    reached = (size.work(name) - nothing) / size.floor
    changed = ""
    if name != DAY:
        changed = f", {size['generate a delta'].told['rows'] / size['F'].told['rows']:.1%} of the rows new"
    told = f"{reached:.2f} F more than the {nothing:.1f} CPU-s of a night on the demo's company{changed}, {_at(size)}"
    return Goal(goal, told, reached <= limit)


def _checks(sizes: Sequence[Size]) -> Goal:
    goal = "Great Expectations' share of the cycle ≤ 25 %"
    size = _measured_at(sizes, FIRST)
    if size is None:
        return Goal(goal, "not measured", None)
    share = sum(size[FIRST].parts.get(part, 0.0) for part in CHECKS) / size.work(FIRST)
    return Goal(goal, f"{share:.0%} {_at(size)}", share <= 0.25)


def _sealing(sizes: Sequence[Size]) -> Goal:
    """The whole step, which is what is judged; and what the lists of every manifest cost, without gate and ledger."""
    goal = "sealing, per manifest row ≤ 2.2 × DuckDB writing the same rows as plain JSON Lines"
    size = _measured_at(sizes, FIRST, "plain lines")
    if size is None:
        return Goal(goal, "not measured", None)
    ratio = size[FIRST].parts["sealing"] / size.work("plain lines")
    rows = size["plain lines"].told["rows"]
    lists = size[FIRST].parts.get(LISTS)
    alone = "" if lists is None else f", of which {lists / size.work('plain lines'):.1f} × for the lists alone"
    return Goal(
        goal,
        f"{ratio:.1f} × for {rows} items {_at(size)}{alone}; the cycle's peak was {size[FIRST].peak_mb:.0f} MB",
        ratio <= 2.2,
    )


def _rewriting(sizes: Sequence[Size]) -> Goal:
    goal = "rewriting the warehouse for erasure ≤ 1.3 × a plain COPY FROM DATABASE of what is left"
    size = _measured_at(sizes, FIRST, "plain copy")
    if size is None:
        return Goal(goal, "not measured", None)
    ratio = size[FIRST].parts["erasure"] / size.work("plain copy")
    return Goal(goal, f"{ratio:.2f} × {_at(size)}", ratio <= 1.3)


def _peer(sizes: Sequence[Size], peer: str, least: float) -> Goal:
    """A peer against the product's own way to dispositions, by the same policy and without its checks."""
    goal = f"{peer.replace('_', ' ')} costs ≥ {least:g} × the product's way to dispositions"
    own = FIRST if peer == BY_THE_SHIPPED_POLICY else BENCHMARK
    size = _measured_at(sizes, peer, own)
    if size is None:
        skipped = next((each.found.skipped[peer] for each in sizes if peer in each.found.skipped), "")
        return Goal(goal, f"not measured{': ' if skipped else ''}{skipped}", None)
    ratio = size.work(peer) / size.to_dispositions(own, checked=False)
    return Goal(goal, f"{ratio:.2f} × {_at(size)}, {size.found.agreed.get(peer)} dispositions alike", ratio >= least)


def _small_site(small: Size) -> Goal:
    goal = "the demo's `gallring run` from cold ≤ 12 s wall, of which imports ≤ 5 s; `gallring --help` ≤ 0.5 s"
    if "gallring run" not in small:
        return Goal(goal, "not measured", None)
    whole, imports, usage = small["gallring run"].wall, small[FIRST].parts["start-up"], small["gallring --help"].wall
    return Goal(
        goal,
        f"{whole:.1f} s ({small['gallring run'].cpu:.1f} CPU-s), start-up {imports:.1f} CPU-s, help {usage:.2f} s",
        whole <= 12 and imports <= 5 and usage <= 0.5,
    )


def _overhead(small: Size) -> Goal:
    """What lies between two steps: choosing, recording, storing. What a step reports is counted to the step."""
    goal = "Dagster's overhead a step ≤ 0.3 s"
    if FIRST not in small:
        return Goal(goal, "not measured", None)
    first, steps = small[FIRST], len(small[FIRST].told.get("steps", ())) or 1
    each = first.parts.get("between steps", 0.0) / steps
    return Goal(goal, f"{each:.2f} CPU-s between {steps} steps", each <= 0.3)


def _determinism(sizes: Sequence[Size]) -> Goal:
    """One version of the manifests at every size, whatever it was decided under."""
    sizes = [size for size in sizes if len(size.found.sealed) > 1]
    told = [f"{len(set(size.found.sealed.values()))} in {len(size.found.sealed)} runs {_at(size)}" for size in sizes]
    runs = dict.fromkeys(name for size in sizes for name in size.found.sealed)
    return Goal(
        "the same manifest bytes across thread counts, memory limits, orders of files and repeated runs",
        f"versions of the manifests: {'; '.join(told)} ({', '.join(runs)})",
        all(len(set(size.found.sealed.values())) == 1 for size in sizes) if sizes else None,
    )
