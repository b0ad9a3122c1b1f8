"""Sites for the tests of the orchestration: small, made once a test."""

from __future__ import annotations

import os
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
    """A sample site after one cycle. To be looked at: whoever changes it changes a copy."""
    site = make_site(tmp_path_factory.mktemp("cycled") / "site")
    generate(site.inbox, customers=20, seed=7, day=DAY, cases=telling_cases())
    return site, run_cycle(site, DAY)


@pytest.fixture
def sample_site(tmp_path: Path) -> Callable[[str], Site]:
    """Makes a site with the demonstration's telling cases and a few generated customers in its inbox."""

    def make(name: str = "site") -> Site:
        site = make_site(tmp_path / name)
        generate(site.inbox, customers=20, seed=7, day=DAY, cases=telling_cases())
        return site

    return make
