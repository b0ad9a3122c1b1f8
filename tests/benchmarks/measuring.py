"""Runs a job in a process of its own and says what it cost: CPU of all threads and children, memory, time."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class JobFailed(Exception):
    """A job did not do its work; the message ends with what it said last."""


@dataclass(frozen=True)
class Measurement:
    """What one run of a job cost. `told` is what the job itself has to say, `parts` its CPU seconds by part."""

    cpu: float
    wall: float
    peak_mb: float
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, float]:
        return {name: float(seconds) for name, seconds in self.told.get("parts", {}).items()}

    @property
    def work(self) -> float:
        """What it cost without start-up: a cycle's steps, a peer's work; of a command all of it."""
        return self.parts.get("cycle", self.parts.get("work", self.cpu))


def measure(job: str, arguments: Mapping[str, Any], *, environment: Mapping[str, str] | None = None) -> Measurement:
    """Run a job and wait for it; CPU is user and system time, of its threads and of processes it waited for.

    Raises:
        JobFailed: it ended with an error.
    """
    command = [sys.executable, "-m", "tests.benchmarks.jobs", job, json.dumps(dict(arguments), default=str)]
    found, said = _run(command, environment or {}, (0,))
    told = json.loads(said.splitlines()[-1])
    return replace(found, told=told, peak_mb=max(found.peak_mb, told.pop("peak_mb", 0.0)))


def measure_command(command: Sequence[str], *, allowed: Sequence[int] = (0,)) -> Measurement:
    """Run a command of the virtual environment and wait for it.

    Raises:
        JobFailed: it ended with a code that is not allowed.
    """
    program = Path(sys.executable).with_name(command[0])
    return _run([str(program), *command[1:]], {}, allowed)[0]


def _run(command: Sequence[str], environment: Mapping[str, str], allowed: Sequence[int]) -> tuple[Measurement, str]:
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as complaints, subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=complaints, text=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore", **environment},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - began
        if process.returncode not in allowed:
            complaints.seek(0)
            last = (complaints.read() or said)[-2000:]
            raise JobFailed(f"{' '.join(command[1:5])} ended with {process.returncode}: {last}")
    return Measurement(cpu=usage.ru_utime + usage.ru_stime, wall=wall, peak_mb=usage.ru_maxrss / 1024), said


def median(runs: Sequence[Measurement]) -> Measurement:
    """The medians of several runs, part by part; what they tell beside is the first one's."""
    names = dict.fromkeys(name for run in runs for name in run.parts)
    parts = {name: statistics.median(run.parts.get(name, 0.0) for run in runs) for name in names}
    return Measurement(
        cpu=statistics.median(run.cpu for run in runs),
        wall=statistics.median(run.wall for run in runs),
        peak_mb=statistics.median(run.peak_mb for run in runs),
        told={**runs[0].told, **({"parts": parts} if parts else {})},
    )
