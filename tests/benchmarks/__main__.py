"""`python -m tests.benchmarks`: measures, compares, and writes results.json, results.md and cost.svg."""

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
from tests.benchmarks.running import PEERS, Plan, chosen, run, small_site


def asked() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--customers", type=int, nargs="+", default=[10_000], help="the sizes")
    parser.add_argument("--repeats", type=int, default=3, help="rounds; medians are told")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), help=f"of {', '.join(PEERS)}")
    parser.add_argument("--limits", nargs="*", default=[], help="memory limits for a further first night, as 512MB")
    parser.add_argument("--change", type=float, default=12.0, help="customers with news in the next night, in percent")
    parser.add_argument("--sample", type=int, default=200, help="customers that are decided one at a time")
    parser.add_argument("--work", type=Path, help="where there is room; emptied afterwards")
    parser.add_argument("--out", type=Path, default=ROOT / "artifacts" / "benchmark", help="where the results go")
    parser.add_argument("--print", type=Path, metavar="JSON", help="measure nothing: print kept results")
    return parser.parse_args()


def main() -> int:
    """Measure, print, keep. 1 when what was measured cannot be compared."""
    options = asked()
    if options.print is not None:
        print(markdown(json.loads(options.print.read_text(encoding="utf-8"))))
        return 0
    plan = Plan(
        sizes=tuple(sorted(options.customers)), repeats=options.repeats, peers=chosen(options.peers),
        limits=tuple(options.limits), change=options.change, sample=options.sample,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="gallring-benchmark-", dir=options.work) as work:
        small = small_site(plan.repeats, Path(work))
        found = run(plan, Path(work))
    results = summed_up(plan, found, small, datetime.now(UTC).date())
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    page = f"{markdown(results)}\n{section()}"
    (options.out / "results.md").write_text(page, encoding="utf-8")
    (options.out / "cost.svg").write_text(chart(results), encoding="utf-8")
    print(page)
    print(f"Kept in {options.out}.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
