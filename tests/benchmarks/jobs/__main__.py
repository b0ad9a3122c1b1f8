"""Runs one job, named on the command line with its arguments as JSON; its last line of output tells the result."""

from __future__ import annotations

import importlib
import json
import sys

from tests.benchmarks.jobs.cycle import cpu_seconds

#: Job -> module with a function `run`, which takes the arguments by name and returns what there is to tell.
JOBS = {
    "generate": "tests.benchmarks.jobs.generating",
    "floor": "tests.benchmarks.jobs.floor",
    "cycle": "tests.benchmarks.jobs.cycle",
    "plain_lines": "tests.benchmarks.jobs.plain_lines",
    "plain_copy": "tests.benchmarks.jobs.plain_copy",
    "decided": "tests.benchmarks.jobs.decided",
    "polars": "tests.benchmarks.peers.with_polars",
    "pandas": "tests.benchmarks.peers.with_pandas",
    "postgresql": "tests.benchmarks.peers.with_postgresql",
    "per_person": "tests.benchmarks.peers.person_by_person",
}

if __name__ == "__main__":
    run = importlib.import_module(JOBS[sys.argv[1]]).run
    began = cpu_seconds()
    told = run(**json.loads(sys.argv[2]))
    told.setdefault("parts", {}).setdefault("work", cpu_seconds() - began)  # without what importing cost
    print(json.dumps(told, default=str))
