"""The benchmark compares what can be compared: peers decide as the product does, and its sums are right."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from assets.core.building import build
from assets.ingest.loading import ingest
from assets.ingest.tables import prepare
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.sample.generating import SAMPLE_DAY, generate
from assets.site import Site
from assets.warehouse import Warehouse
from tests.benchmarks import printing, results
from tests.benchmarks.__main__ import Kept, keep, kept
from tests.benchmarks.agreement import Disagreement, require_agreement
from tests.benchmarks.jobs.cycle import told_of
from tests.benchmarks.jobs.decided import DISPOSITIONS
from tests.benchmarks.measuring import JobFailed, Measurement, measure
from tests.benchmarks.peers import person_by_person, with_pandas, with_polars, with_postgresql
from tests.benchmarks.peers.task import POLICY
from tests.benchmarks.running import PEERS, Found, Plan, chosen, require_comparable

#: A company in which somebody's data may only be stored (Art 18), and a few rows do not parse.
CUSTOMERS, SEED = 500, 37


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with the company's exports, and what the product decided by either policy."""
    site = Site(tmp_path_factory.mktemp("company"))
    site.make()
    generate(site.inbox, customers=CUSTOMERS, seed=SEED)
    leave_a_credit_note_alone(site.inbox)
    for name, policy in (("benchmark", Policy.load(POLICY)), ("shipped", Policy.load())):
        with Warehouse.in_memory(pseudonym_key=b"benchmark") as warehouse:
            policy.publish(warehouse)
            prepare(warehouse, policy)
            ingest(warehouse, policy, site, as_of=SAMPLE_DAY)
            build(warehouse)
            evaluate(warehouse, policy, SAMPLE_DAY)
            warehouse.run(
                f"copy ({DISPOSITIONS}) to $out (format parquet)", {"out": str(site.path / f"{name}.parquet")}
            )
    return site.path


def leave_a_credit_note_alone(inbox: Path) -> None:
    """Of an invoice with a credit note: an amount that is none, as in one of a few thousand such orders."""
    (invoices,) = inbox.glob("orders/*/invoices.csv")
    rows = [line.split(",") for line in invoices.read_text(encoding="utf-8").splitlines(keepends=True)]
    credited = next(row[5] for row in rows if row[4] == "credit_note")
    amount = rows[0].index("amount")
    for row in rows:
        if row[0] == credited:
            row[amount] = "unreadable"
    invoices.write_text("".join(",".join(row) for row in rows), encoding="utf-8")
    description = invoices.with_name("delivery.json")
    told = json.loads(description.read_text(encoding="utf-8"))
    for file in told["files"]:
        if file["name"] == invoices.name:
            file["sha256"] = sha256(invoices.read_bytes()).hexdigest()
    description.write_text(json.dumps(told), encoding="utf-8")


def postgresql_or_skip() -> None:
    if with_postgresql.programs() is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is not installed, and CI must have it: apt-get install postgresql")
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")


@pytest.mark.parametrize(
    ("peer", "run", "ending"),
    [
        ("polars", with_polars.run, "parquet"),
        ("pandas", with_pandas.run, "parquet"),
        ("postgresql", with_postgresql.run, "csv"),
    ],
)
def test_a_peer_decides_every_category_of_every_record_as_the_product_does(
    company: Path, tmp_path: Path, peer: str, run: Callable[[str, str, str], dict[str, Any]], ending: str
) -> None:
    if peer == "postgresql":
        postgresql_or_skip()
    out = tmp_path / f"decided.{ending}"
    told = run(str(company / "inbox"), str(SAMPLE_DAY), str(out))
    assert require_agreement(company / "benchmark.parquet", out, peer) == told["dispositions"] > 30_000


def test_one_person_at_a_time_comes_to_the_same_by_the_shipped_policy(company: Path, tmp_path: Path) -> None:
    out = tmp_path / "decided.csv"
    told = person_by_person.run(str(company / "inbox"), str(SAMPLE_DAY), str(out), sample=10)
    agreed = require_agreement(company / "shipped.parquet", out, "per_person", sampled=True)
    assert agreed == told["dispositions"] > 200


def test_the_policies_differ_so_that_the_comparison_can_fail(company: Path) -> None:
    with pytest.raises(Disagreement, match=r"shipped: [0-9]+ rows differ"):
        require_agreement(company / "benchmark.parquet", company / "shipped.parquet", "shipped")


def test_a_job_is_measured_in_a_process_of_its_own(company: Path) -> None:
    floor = measure("floor", {"inbox": company / "inbox", "threads": 1})
    assert floor.told["rows"] > 10_000
    assert 0 < floor.parts["work"] < floor.cpu
    assert floor.peak_mb > 20
    with pytest.raises(JobFailed, match=r"floor .* ended with 1"):
        measure("floor", {"nonsense": 1})


def test_steps_of_the_cycle_are_counted_to_its_parts_and_the_rest_lies_between() -> None:
    marks = [
        ("BEGIN", "", 2.0), ("STEP_START", "intake", 2.5), ("STEP_SUCCESS", "intake", 4.0),
        ("STEP_START", "raw_checks", 4.0), ("STEP_SUCCESS", "raw_checks", 5.0), ("END", "", 5.5),
    ]  # fmt: skip
    parts = told_of(marks, [])["parts"]
    assert parts == {"start-up": 2.0, "cycle": 3.5, "between steps": 1.0, "intake": 1.5, "checks": 1.0}


def costing(customers: int, cpu: float) -> Found:
    """A size at which reading costs one CPU-second a thousand customers, and the first night `cpu`."""
    found = Found(customers, agreed={"polars": 7}, sealed={"run 1": "a", "first night, 512MB": "a"})
    floor = customers / 1000
    parts = {"intake": cpu * 0.3, "core": cpu * 0.1, "evaluation": cpu * 0.2, "checks": cpu * 0.2, "sealing": cpu * 0.1,
             "lists": cpu * 0.05, "erasure": cpu * 0.1, "cycle": cpu, "start-up": 3.0}  # fmt: skip
    jobs: dict[str, dict[str, Any]] = {
        "F": {"rows": 28 * customers, "bytes": 3000 * customers, "parts": {"work": floor}},
        "generate a delta": {"rows": customers // 4, "parts": {"work": 1.0}},
        results.FIRST: {"parts": parts}, results.BENCHMARK: {"parts": parts}, "first night, 512MB": {"parts": parts},
        results.DAY: {"parts": {"cycle": 4.0}}, results.FULL: {"parts": {"cycle": 4.0 + floor}},
        results.DELTA: {"parts": {"cycle": 4.0 + floor}}, "polars": {"parts": {"work": cpu * 1.2}},
        "plain lines": {"rows": 5, "parts": {"work": cpu * 0.1}},
        "plain copy": {"bytes": 5, "parts": {"work": cpu * 0.1}},
    }  # fmt: skip
    for name, told in jobs.items():
        found.runs[name] = [Measurement(cpu=3.0, wall=1.0, peak_mb=600.0, told=told)]
    return found


@pytest.fixture(scope="module")
def summed_up() -> dict[str, Any]:
    """Two sizes whose cost grows twofold where it should grow tenfold, and a demo that is slow."""
    plan = Plan(sizes=(1000, 10_000), repeats=1, peers=("polars",))
    small = Found(0)
    found = {0: small, 1000: costing(1000, 15.0), 10_000: costing(10_000, 30.0)}
    for name, wall in (("gallring run", 13.0), ("gallring --help", 0.3)):
        small.runs[name] = [Measurement(cpu=2.0, wall=wall, peak_mb=100.0)]
    for name in (results.FIRST, results.DAY):
        small.runs[name] = [Measurement(3.0, 1.0, 100.0, {"parts": {"cycle": 4.0, "start-up": 2.0}})]
    return results.summed_up(plan, found, date(2026, 11, 25))


def test_goals_are_judged_at_the_largest_size_and_what_was_not_measured_says_so(summed_up: dict[str, Any]) -> None:
    met = {goal["goal"].split(" ≤")[0].split(" ≥")[0]: (goal["met"], goal["reached"]) for goal in summed_up["goals"]}
    assert met["CSV → validated dispositions with evidence, whole cycle without Dagster's start-up"] == (
        True, "3.0 F for the whole first night, of which 2.4 F to validated dispositions, at 10 000 customers",
    )  # fmt: skip
    assert met["growth: CPU exponent"] == (
        True,
        "; ".join(f"{name}: 0.30 from 1000 to 10000 customers" for name in (results.FIRST, results.BENCHMARK)),
    )
    assert met["a night where only the day changed"][0] is True
    assert met["a night with 1 % changed rows, full snapshots delivered"][0] is True
    assert met["the same as delta delivery"][0] is False
    assert met["sealing, per manifest row"] == (
        True, "1.0 × for 5 items at 10 000 customers, of which 0.5 × for the lists alone; the cycle's peak was 600 MB",
    )  # fmt: skip
    assert met["polars costs"] == (True, "2.00 × at 10 000 customers, 7 dispositions alike")
    assert met["pandas costs"] == (None, "not measured")
    assert met["10 M customers with memory_limit 4 GB (2 GB): peak"][0] is None
    assert met["the demo's `gallring run` from cold"][0] is False
    assert met["the same manifest bytes across thread counts, memory limits, orders of files and repeated runs"][0]


def test_the_results_are_printed_and_drawn(summed_up: dict[str, Any]) -> None:
    printed = printing.markdown(json.loads(json.dumps(summed_up)))
    assert "| first night | 3.00 | 30.00 | 1.0 | 600 | 1 |" in printed
    assert "| polars | 3.60 |" in printed
    assert "| whole cycle | 3.00 |" in printed
    assert "| first night: intake | 0.3 |" in printed
    drawn = printing.chart(summed_up)
    assert drawn.startswith("<svg")
    assert "Gallring, first night" in drawn
    assert "href=" not in drawn.replace('xmlns:xlink="http://www.w3.org/1999/xlink"', "")


def test_an_unknown_peer_is_refused() -> None:
    with pytest.raises(ValueError, match="There is no peer cobol"):
        chosen(["polars", "cobol"], PEERS, "peer")


@pytest.mark.parametrize(("peer", "own"), [("polars", "decided"), ("per_person", "whole")])
def test_a_peer_that_nothing_is_compared_with_is_refused(peer: str, own: str) -> None:
    with pytest.raises(ValueError, match=f"measure `{own}` too"):
        require_comparable(Plan(sizes=(), repeats=1, peers=(peer,), jobs=("peers",)))
    require_comparable(Plan(sizes=(), repeats=1, peers=(peer,), jobs=("peers", own)))


def test_what_was_kept_is_added_to(tmp_path: Path) -> None:
    found = Kept({1000: costing(1000, 15.0)})
    keep(tmp_path / "runs.json", found)
    again = kept(tmp_path / "runs.json")
    assert again == found
    again[1000].add("F", Measurement(cpu=3.0, wall=1.0, peak_mb=600.0, told={"parts": {"work": 5.0}}))
    assert results.Size(again[1000]).floor == 3.0
    assert again[2000] == Found(2000)


def test_a_goal_is_judged_at_the_largest_size_that_was_measured_for_it() -> None:
    smaller, larger = costing(1000, 3.0), costing(10_000, 50.0)
    for name in ("polars", results.DAY, results.FIRST):
        del larger.runs[name]
    found = {0: Found(0), 1000: smaller, 10_000: larger}
    told = results.summed_up(Plan(sizes=(), repeats=1, peers=()), found, date(2026, 11, 25))
    goals = {goal["goal"]: goal for goal in told["goals"]}
    assert "at 1 000 customers" in goals["polars costs ≥ 1.5 × the product's way to dispositions"]["reached"]
    assert goals["a night where only the day changed ≤ 0.02 F + start-up"]["reached"] == "not measured"
    assert printing.markdown(told)
