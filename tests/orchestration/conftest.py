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


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("GALLRING_", "DAGSTER_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def cycled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, CycleOutcome]:
    """A sample site after one cycle, the same for every worker. To be looked at: whoever changes it changes a copy."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    told = shared / "cycled.pickle"
    with (shared / "cycled.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
        if not told.exists():
            site = make_site(shared / "cycled")
            generate(site.inbox, customers=20, seed=7, day=DAY, cases=telling_cases())
            told.write_bytes(pickle.dumps(run_cycle(site, DAY)))
    return Site(shared / "cycled"), pickle.loads(told.read_bytes())


@pytest.fixture
def sample_site(tmp_path: Path) -> Callable[[str], Site]:
    """Makes a site with the demonstration's telling cases and a few generated customers in its inbox."""

    def make(name: str = "site") -> Site:
        site = make_site(tmp_path / name)
        generate(site.inbox, customers=20, seed=7, day=DAY, cases=telling_cases())
        return site

    return make
