"""`python -m tests.benchmarks`: measures, compares, and writes runs.json, results.json, results.md and cost.svg."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.matching import section
from tests.benchmarks.measuring import ROOT
from tests.benchmarks.printing import chart, markdown
from tests.benchmarks.results import summed_up
from tests.benchmarks.running import JOBS, PEERS, Found, Plan, chosen, require_comparable, run


def asked() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--customers", type=int, nargs="+", default=[10_000], help="the sizes")
    parser.add_argument("--repeats", type=int, default=3, help="rounds; medians are told")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), help=f"of {', '.join(PEERS)}")
    parser.add_argument("--jobs", nargs="*", default=list(JOBS), help=f"what to measure beside F, of {', '.join(JOBS)}")
    parser.add_argument("--limits", nargs="*", default=[], help="memory limits for a further first night, as 512MB")
    parser.add_argument("--change", type=float, default=12.0, help="customers with news in the next night, in percent")
    parser.add_argument("--sample", type=int, default=200, help="customers that are decided one at a time")
    parser.add_argument("--work", type=Path, help="where there is room; emptied afterwards")
    parser.add_argument("--out", type=Path, default=ROOT / "artifacts" / "benchmark", help="where the results go")
    parser.add_argument("--add", action="store_true", help="add to the runs that were kept there")
    parser.add_argument("--print", type=Path, metavar="JSON", help="measure nothing: print kept results")
    return parser.parse_args()


class Kept(dict[int, Found]):
    """Customers -> what was found at that size; a size that was not measured before has nothing yet."""

    def __missing__(self, customers: int) -> Found:
        return self.setdefault(customers, Found(customers))


def kept(path: Path) -> Kept:
    """What earlier benchmarks found, as `keep` wrote it."""
    return Kept({each["customers"]: Found.of(each) for each in json.loads(path.read_text(encoding="utf-8"))})


def keep(path: Path, found: Kept) -> None:
    """Write down every run, so that a long benchmark may be broken off and gone on with."""
    path.write_text(json.dumps([found[size].told() for size in sorted(found)]) + "\n", encoding="utf-8")


def main() -> int:
    """Measure, print, keep. 1 when what was measured cannot be compared."""
    options = asked()
    if options.print is not None:
        print(markdown(json.loads(options.print.read_text(encoding="utf-8"))))
        return 0
    plan = Plan(
        sizes=tuple(sorted(options.customers)), repeats=options.repeats, peers=chosen(options.peers, PEERS, "peer"),
        jobs=chosen(options.jobs, JOBS, "job"), limits=tuple(options.limits), change=options.change,
        sample=options.sample,
    )  # fmt: skip
    require_comparable(plan)
    options.out.mkdir(parents=True, exist_ok=True)
    found = kept(options.out / "runs.json") if options.add else Kept()
    if options.work is not None:
        Path(options.work).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gallring-benchmark-", dir=options.work) as work:
        run(plan, Path(work), found, lambda: keep(options.out / "runs.json", found))
    results = summed_up(plan, found, datetime.now(UTC).date())
    (options.out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    page = f"{markdown(results)}\n{section()}"
    (options.out / "results.md").write_text(page, encoding="utf-8")
    (options.out / "cost.svg").write_text(chart(results), encoding="utf-8")
    print(page)
    print(f"Kept in {options.out}.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
