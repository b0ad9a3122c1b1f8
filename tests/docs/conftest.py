"""The tutorial, followed once for every test of the documentation, also where workers share them."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.forking import commands
from tests.docs.pages import blocks

#: What a reader's shell knows nothing of.
_OURS = ("GALLRING_", "DAGSTER_")


@pytest.fixture(scope="session")
def gallring() -> Iterator[Path]:
    """A folder that holds the command `gallring`, for PATH."""
    with tempfile.TemporaryDirectory(prefix="gallring-") as short, commands(Path(short)) as folder:
        yield folder


def run_as_a_reader(
    gallring: Path, folder: Path, script: str, timeout: float = 600
) -> subprocess.CompletedProcess[str]:
    """A page's commands in one shell, in `folder`, as somebody would type them."""
    path = os.pathsep.join([str(gallring), str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return subprocess.run(
        ["bash", "-c", "set -euo pipefail\n" + script],
        cwd=folder, env={**kept, "PATH": path}, capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip


@dataclass(frozen=True)
class Followed:
    """The folder in which the tutorial was followed, and what was said."""

    folder: Path
    said: str


@pytest.fixture(scope="session")
def followed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Followed:
    """The tutorial, followed literally in an empty folder; it leaves the sites `demo` and `site`.

    Only the worker that follows it needs the command, which reads all the code.
    """
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent  # one for all workers
    folder, said = shared / "tutorial", shared / "tutorial.said"
    with (shared / "tutorial.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            folder.mkdir()
            done = run_as_a_reader(
                request.getfixturevalue("gallring"), folder, "\n".join(blocks("tutorial.md", "bash"))
            )
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
            said.write_text(done.stdout, encoding="utf-8")
    return Followed(folder, said.read_text(encoding="utf-8"))
