"""Two commands at once on one site: who comes second is told who is at work, and takes nothing from who was first."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from assets.site import Site
from assets.warehouse import Warehouse, WarehouseLocked
from orchestration import running
from orchestration.cli import cycle, main, manifests
from orchestration.opening import open_warehouse
from orchestration.running import CycleOutcome
from orchestration.settings import Settings
from tests.orchestration.test_running import HOLD

DAY = "2026-11-22"


@pytest.fixture(scope="module")
def site(cycled: tuple[Site, CycleOutcome], tmp_path_factory: pytest.TempPathFactory) -> Site:
    path = tmp_path_factory.mktemp("two") / "site"
    shutil.copytree(cycled[0].path, path)
    return Site(path)


@pytest.fixture
def _taken_right_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run waits, and has the warehouse as soon as the first one that had it lets go."""

    def locked(*_: object) -> Any:
        raise WarehouseLocked("warehouse.duckdb is open in another process.")

    openings = iter([manifests.warehouse_of])
    monkeypatch.setattr(manifests, "warehouse_of", lambda *given: next(openings, locked)(*given))
    monkeypatch.setattr(cycle, "warehouse_of", locked)


def test_every_verb_that_needs_the_warehouse_says_who_has_it(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GALLRING_WAREHOUSE__WAIT_SECONDS", "0")
    monkeypatch.setenv("GALLRING_SITE", str(site.path))
    manifest = next((site.outbox / "crm").iterdir()).name[:43]
    keys = sorted((path.name, path.read_bytes()) for path in site.keys.iterdir())
    verbs = [
        ["run"], ["manifest", "approve", manifest, "--by", "A. Test", "--reason", "ok"], ["backup"], ["rotate-key"],
        ["restore", "--replay"], ["accept", "crm", "customers", "--by", "A. Test", "--reason", "ok"],
        ["hold", "list"], ["explain", "customer", "K1"],
    ]  # fmt: skip
    command = [sys.executable, "-c", HOLD, str(site.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        for verb in verbs:
            assert main(verb) == 3, verb
            told = capsys.readouterr().err
            assert f", process {holder.pid}): wait for that run to end, then try again." in told, verb
        assert main(["status"]) == 0
        holder.communicate()
    assert sorted((path.name, path.read_bytes()) for path in site.keys.iterdir()) == keys


@pytest.mark.usefixtures("_taken_right_after")
def test_a_decision_is_told_though_another_run_takes_the_warehouse_next(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = next((site.outbox / "crm").iterdir()).name[:43]
    decision = ["manifest", "cancel", manifest, "--by", "A. Test", "--reason", "ok", "--site", str(site.path)]
    assert main(decision) == 0, capsys.readouterr().err
    assert "cancelled" in capsys.readouterr().out


@pytest.mark.usefixtures("_taken_right_after")
def test_a_run_tells_how_it_went_though_another_takes_the_warehouse_next(
    site: Site, cycled: tuple[Site, CycleOutcome], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def ran(chosen: Site, *_: object, look: Callable[[Warehouse], None], **__: object) -> CycleOutcome:
        with open_warehouse(chosen, Settings.load(chosen)) as warehouse:
            look(warehouse)
        return cycled[1]

    monkeypatch.setattr(running, "run_cycle", ran)
    assert main(["run", "--as-of", DAY, "--site", str(site.path)]) == 0
    assert "Sealed manifests" in capsys.readouterr().out
