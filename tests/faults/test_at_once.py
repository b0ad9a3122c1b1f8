"""Two of one command at once: the second waits for the first, and then says what it would have said after it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from assets.errors import BadInput
from assets.ingest import delivering
from assets.ingest.delivering import deliver
from assets.sample import generating
from assets.sample.generating import generate
from assets.site import Site
from orchestration import initialising
from orchestration.cli import main, sites
from orchestration.initialising import make_site
from orchestration.settings import Settings
from tests.ingest.company import Company

CONTACTS = "contact_id,customer_id,name,email,phone,job_title,role_ended_at,updated_at\nP1,K1,Ada Exempel,,,,,\n"

Make = Callable[[], Any]


def delivered(folder: Path) -> tuple[Make, ModuleType, Path]:
    company = Company(folder)
    file = folder / "contacts.csv"
    file.write_text(CONTACTS, encoding="utf-8")
    at = datetime(2026, 11, 25, 2, tzinfo=UTC)

    def make() -> Path:
        return deliver(company.site, company.policy, "crm", [file], mode="full", extracted_at=at, delivery_id="one")

    return make, delivering, company.site.inbox / "crm"


def generated(folder: Path) -> tuple[Make, ModuleType, Path]:
    return lambda: generate(folder / "inbox", customers=1), generating, folder / "inbox"


@pytest.mark.parametrize("prepare", [delivered, generated])
def test_the_second_of_two_at_once_waits_and_leaves_the_firsts_half_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepare: Callable[[Path], tuple[Make, ModuleType, Path]]
) -> None:
    make, module, held = prepare(tmp_path)
    describe, barred = module._describe, []

    def described(*given: Any, **named: Any) -> Any:
        handle = os.open(held, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            barred.append(held)
        finally:
            os.close(handle)
        return describe(*given, **named)

    monkeypatch.setattr(module, "_describe", described)
    with ThreadPoolExecutor(2) as both:
        failures = [each.exception() for each in [both.submit(make), both.submit(make)]]
    assert [type(each) for each in failures if each is not None] == [BadInput]
    assert barred, "nobody else came to write in the meantime"
    assert not [path for path in held.rglob(".*") if path.is_dir()]


def is_held(folder: Path) -> bool:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def test_of_two_that_make_one_site_neither_loses_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_keys, held = initialising._make_keys, []

    def made(site: Site, settings: Settings) -> None:
        held.append(is_held(site.path))
        make_keys(site, settings)
        held.append(is_held(site.path))

    monkeypatch.setattr(initialising, "_make_keys", made)
    folder = tmp_path / "site"
    with ThreadPoolExecutor(4) as several:
        made_at_once = [several.submit(lambda: make_site(folder)) for _ in range(4)]
    assert [each.exception() for each in made_at_once] == [None] * 4
    assert held == [True] * 8
    assert not is_held(folder)


def test_a_second_demo_waits_and_does_not_empty_the_firsts_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []

    def cleared(folder: Path) -> None:
        held.append(is_held(folder))
        raise BadInput("far enough")

    monkeypatch.setattr(sites, "_clear_demo", cleared)
    assert main(["demo", str(tmp_path / "demo")]) == 3
    assert held == [True]
    assert not is_held(tmp_path / "demo")
