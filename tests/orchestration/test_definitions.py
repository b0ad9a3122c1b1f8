"""The definitions load without work, and the asset graph is the one that somebody has read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from dagster import DefaultScheduleStatus, DefaultSensorStatus, Definitions, build_sensor_context

from assets.assurance.assets import NO_COPY_OUTLIVED, VERIFICATIONS
from assets.catalogue.assets import POOL
from assets.errors import BadInput
from assets.rights.assets import CHECKS
from assets.site import Site
from orchestration.definitions import build_definitions
from orchestration.initialising import make_site
from orchestration.sensors import sensors
from orchestration.settings import AUTOMATIONS, Settings
from tests.expectations.checks import EVERY_CHECK
from tests.orchestration.graph import ACCEPTED, drawn

ROOT = Path(__file__).resolve().parents[2]
FLOW = [
    "0_policy", "1_intake", "2_core", "3_triggers", "4_purposes", "5_retention", "6_manifests", "7_delivery",
    "7_own_copies", "7_publication", "8_evidence",
]  # fmt: skip


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> Definitions:
    return build_definitions(site=tmp_path_factory.mktemp("nothing") / "site")


def test_the_graph_is_the_accepted_one(definitions: Definitions) -> None:
    assert drawn(definitions) == ACCEPTED.read_text(encoding="utf-8"), (
        "The asset graph changed. Read the difference; `python -m tests.orchestration.graph` accepts it."
    )


def test_data_only_walks_forwards(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    nodes = [graph.get(key) for key in graph.get_all_asset_keys()]
    assert sorted({node.group_name for node in nodes}) == FLOW
    backwards = [
        f"{node.key.to_user_string()} reads {parent.to_user_string()}"
        for node in nodes
        for parent in node.parent_keys
        if FLOW.index(graph.get(parent).group_name) > FLOW.index(node.group_name)
    ]
    assert backwards == []


def test_every_asset_is_described_owned_and_of_a_kind(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.kinds, key


def test_only_the_inbox_is_made_elsewhere(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    outside = [key for key in graph.get_all_asset_keys() if not graph.get(key).is_materializable]
    assert {key.path[0] for key in outside} == {"inbox"}


def test_every_expectation_is_a_check_and_critical_ones_block(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    found = {(".".join(key.asset_key.path), key.name): graph.get(key).blocking for key in graph.asset_check_keys}
    expected = {(spec.asset, spec.name): spec.severity == "critical" for spec in EVERY_CHECK}
    others = {each: blocking for each, blocking in found.items() if each not in expected}
    assert {each: found.get(each) for each in expected} == expected
    assert {(asset, name) for name, asset in CHECKS.items()} <= others.keys()
    assert not any(others.values())  # a late answer, or a copy that nobody wrote down, stops no run
    assert {key.asset_key for key in graph.asset_check_keys} <= set(graph.get_all_asset_keys())


def test_whatever_writes_the_warehouse_waits_its_turn(definitions: Definitions) -> None:
    job = definitions.resolve_job_def("run_cycle")
    assert {node.definition.pool for node in job.nodes} == {POOL}  # type: ignore[attr-defined]


def test_the_night_leaves_out_what_reads_everything_there_is(definitions: Definitions) -> None:
    checks = definitions.resolve_job_def("run_cycle").asset_layer.asset_graph.asset_check_keys
    assert set(VERIFICATIONS) & set(checks) == {NO_COPY_OUTLIVED}
    weekly = definitions.resolve_job_def("verify_everything").asset_layer.asset_graph.asset_check_keys
    assert set(VERIFICATIONS) <= set(weekly)


def test_nothing_starts_by_itself(definitions: Definitions) -> None:
    repository = definitions.get_repository_def()
    assert {each.default_status for each in repository.schedule_defs} == {DefaultScheduleStatus.STOPPED}
    starting = [each for each in repository.sensor_defs if each.targets]
    assert {each.default_status for each in starting} == {DefaultSensorStatus.STOPPED}
    telling = [each for each in repository.sensor_defs if not each.targets]
    assert {each.name: each.default_status for each in telling} == {"attention_needed": DefaultSensorStatus.RUNNING}
    assert {each.name for each in [*repository.schedule_defs, *starting]} == set(AUTOMATIONS)


def test_a_site_says_what_runs_by_itself_there(tmp_path: Path) -> None:
    (tmp_path / "gallring.toml").write_text('[automation]\nrunning = ["nightly_cycle", "approval_given"]\n')
    repository = build_definitions(site=tmp_path).get_repository_def()
    running = {each.name for each in repository.schedule_defs if each.default_status == DefaultScheduleStatus.RUNNING}
    running |= {each.name for each in repository.sensor_defs if each.default_status == DefaultSensorStatus.RUNNING}
    assert running == {"nightly_cycle", "approval_given", "attention_needed"}


def test_what_a_site_cannot_run_is_told(tmp_path: Path) -> None:
    (tmp_path / "gallring.toml").write_text('[automation]\nrunning = ["nightly_cicle"]\n')
    with pytest.raises(BadInput, match=r"automation.running can hold nightly_cycle, weekly_verification"):
        build_definitions(site=tmp_path)


def test_schedules_keep_the_sites_time(definitions: Definitions) -> None:
    schedules = definitions.get_repository_def().schedule_defs
    assert {each.execution_timezone for each in schedules} == {"Europe/Stockholm"}


def test_a_delivery_starts_one_run_once_it_is_complete(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    watch = next(each for each in sensors(site) if each.name == "delivery_arrived")
    folder = site.inbox / "crm" / "2026-11-22T02-00"
    folder.mkdir(parents=True)
    assert watch.evaluate_tick(build_sensor_context()).run_requests == []
    (folder / "delivery.json").write_text(
        '{"source": "crm", "delivery_id": "2026-11-22T02-00", "extracted_at": "2026-11-22T01:00:00Z", '
        '"mode": "full", "files": []}'
    )
    (first,) = watch.evaluate_tick(build_sensor_context()).run_requests or []
    (again,) = watch.evaluate_tick(build_sensor_context()).run_requests or []
    assert first.run_key == again.run_key
    assert first.run_key


def test_overrides_replace_a_resource(tmp_path: Path) -> None:
    overridden = build_definitions(site=tmp_path, resource_overrides={"signer": "nobody"})
    assert overridden.resources is not None
    assert overridden.resources["signer"] == "nobody"


def test_loading_imports_neither_pandas_nor_great_expectations() -> None:
    code = (
        "import sys; from orchestration.definitions import build_definitions; build_definitions();"
        "print([name for name in ('pandas', 'great_expectations', 'numpy') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == "[]"


def test_the_page_on_deploying_names_everything_that_runs(definitions: Definitions, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
    repository = definitions.get_repository_def()
    for each in [*repository.schedule_defs, *repository.sensor_defs]:
        assert f"| `{each.name}` |" in page, each.name
    started = {each.job_name for each in repository.schedule_defs} | {
        each.job_name for each in repository.sensor_defs if each.targets
    }
    assert {name for name in started if f"`{name}`" not in page} == set()
    examples = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert len(examples) == 2
    (tmp_path / "gallring.toml").write_text("".join(examples))
    settings = Settings.load(Site(tmp_path))
    assert settings.automation.running
    assert settings.notifications.email.host_and_port() == ("mail.company.example", 587)


@pytest.mark.slow
def test_the_workspace_validates_without_a_site(tmp_path: Path) -> None:
    """With one, it is what `tests.browser.test_dagster_ui` has served."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GALLRING_", "DAGSTER_"))}
    environment["DAGSTER_HOME"] = str(tmp_path)
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-w", str(ROOT / "workspace.yaml")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
