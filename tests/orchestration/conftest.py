"""Sites for the tests of the orchestration: small, made once a test."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from assets.sample.generating import generate, telling_cases
from assets.site import Site
from orchestration.initialising import make_site
from orchestration.running import CycleOutcome, run_cycle

DAY = date(2026, 11, 22)
RUNNER = "B. Runner"


def a_sample_site(folder: Path) -> Site:
    """A site with the demonstration's telling cases and a few generated customers in its inbox."""
    site = make_site(folder)
    generate(site.inbox, customers=20, seed=7, day=DAY, cases=telling_cases())
    return site


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("GALLRING_", "DAGSTER_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def cycled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, CycleOutcome]:
    """A sample site after one cycle that `RUNNER` launched, the same for every worker. Whoever changes it copies it."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    told = shared / "cycled.pickle"
    with (shared / "cycled.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
        if not told.exists():
            site = a_sample_site(shared / "cycled")
            told.write_bytes(pickle.dumps(run_cycle(site, DAY, by=RUNNER)))
    return Site(shared / "cycled"), pickle.loads(told.read_bytes())


@pytest.fixture
def sample_site(tmp_path: Path) -> Callable[[str], Site]:
    """Makes sample sites of a test's own."""

    def make(name: str = "site") -> Site:
        return a_sample_site(tmp_path / name)

    return make
