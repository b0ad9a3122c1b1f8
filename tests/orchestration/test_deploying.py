"""The files of docs/deploying: the run history in a real PostgreSQL, and containers whose commands exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from assets.site import Site
from orchestration.history import ended_after, run_history
from orchestration.initialising import DAGSTER, make_site
from orchestration.running import run_cycle
from tests.orchestration.conftest import DAY
from tests.orchestration.postgres import cluster

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "deploying"


def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


# -- PostgreSQL --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def database() -> Iterator[dict[str, str]]:
    with cluster() as found:
        yield found


@pytest.fixture
def site(database: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site whose Dagster home is the one of docs/deploying, but for the port."""
    made = make_site(tmp_path / "site")
    text = (FOLDER / "dagster.yaml").read_text(encoding="utf-8")
    assert "port: 5432" in text
    (made.dagster / "dagster.yaml").write_text(text.replace("port: 5432", f"port: {database['port']}"))
    for name, value in database.items():
        monkeypatch.setenv(name, value)
    return made


def test_the_run_history_lives_in_postgresql(site: Site) -> None:
    first = run_cycle(site, DAY, job="ingest_deliveries")
    second = run_cycle(site, job="backfill_day", config={"day": DAY.isoformat()})  # nothing was evaluated yet
    assert (first.success, second.success) == (True, False)
    with run_history(site) as history:
        assert {run.run_id for run in history.get_runs()} == {first.run_id, second.run_id}
        ended = ended_after(history, 0, 10)
        assert [(each.run_id, each.success) for each in ended] == [(first.run_id, True), (second.run_id, False)]
        assert [each.run_id for each in ended_after(history, ended[0].place, 10)] == [second.run_id]
        assert history.get_latest_materialization_event(_blocks()) is not None
    files = [path.name for path in site.dagster.rglob("*") if path.suffix in (".db", ".sqlite")]
    assert files == []


def _blocks() -> Any:
    from dagster import AssetKey

    return AssetKey(["intake", "blocks"])


def test_a_database_that_does_not_answer_is_told_by_the_doctor(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    from orchestration.doctor import examine
    from orchestration.opening import open_warehouse
    from orchestration.settings import Settings

    open_warehouse(site, Settings.load(site)).close()
    monkeypatch.setenv("DAGSTER_POSTGRES_PASSWORD", "wrong")
    found = [each for each in examine(site, datetime.now(UTC)) if each.subject == "run history"]
    assert [each.verdict for each in found] == ["error"]
    assert "dagster.yaml" in found[0].mend
    assert "wrong" not in found[0].found + found[0].mend


def test_it_differs_from_a_new_sites_in_the_storage_alone() -> None:
    settings = read("dagster.yaml")
    assert set(settings.pop("storage")) == {"postgres"}
    assert settings == yaml.safe_load(DAGSTER)


# -- containers --------------------------------------------------------------------------------------------------------


def services() -> dict[str, Any]:
    return dict(read("compose.yaml")["services"])


def test_only_one_container_has_the_site_and_none_but_the_web_servers_is_reached() -> None:
    having = {name for name, service in services().items() if any("./site" in each for each in service["volumes"])}
    assert having == {"gallring"}
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:3000:3000"]}


@pytest.mark.parametrize("name", ["gallring", "web", "daemon"])
def test_every_command_of_a_container_exists_with_its_options(name: str) -> None:
    program, *words = services()[name]["command"]
    assert (ROOT / ".venv" / "bin" / program).exists() or shutil.which(program)
    command = _programs()[program]
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known
    for word in words:
        if "/" in word:
            assert (ROOT / word).exists()


def _programs() -> dict[str, click.Command]:
    from dagster._cli import create_dagster_cli
    from dagster._daemon.cli import create_dagster_daemon_cli
    from dagster_webserver.cli import dagster_webserver

    return {
        "dagster": create_dagster_cli(), "dagster-daemon": create_dagster_daemon_cli(),
        "dagster-webserver": dagster_webserver,
    }  # fmt: skip


def test_the_workspace_names_the_container_that_has_the_site() -> None:
    (location,) = read("workspace.yaml")["load_from"]
    words = services()["gallring"]["command"]
    server = location["grpc_server"]
    assert server["host"] in services()
    assert str(server["port"]) == words[words.index("--port") + 1]
    assert server["location_name"] == words[words.index("--location-name") + 1] == "gallring"


def test_the_database_is_the_one_that_dagsters_settings_ask_for() -> None:
    asked = {value["env"] for value in read("dagster.yaml")["storage"]["postgres"]["postgres_db"].values()
             if isinstance(value, dict)}  # fmt: skip
    for name in ("gallring", "web", "daemon"):
        assert asked <= services()[name]["environment"].keys()
    database = services()["database"]["environment"]
    given = services()["gallring"]["environment"]
    assert database["POSTGRES_USER"] == given["DAGSTER_POSTGRES_USER"]
    assert database["POSTGRES_DB"] == given["DAGSTER_POSTGRES_DB"]
    assert database["POSTGRES_PASSWORD"] == given["DAGSTER_POSTGRES_PASSWORD"]


def test_the_image_is_set_up_as_the_readme_says() -> None:
    lines = (FOLDER / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    steps = [line.split(maxsplit=1) for line in lines if line and not line.startswith(("#", " "))]
    assert {word for word, _ in steps} <= {"FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV"}
    made = [target for _, step in steps for target in re.findall(r"\bmake (\w+)", step)]
    assert made == ["setup"]
    listed = subprocess.run(["make", "--dry-run", "help"], cwd=ROOT, capture_output=True, check=True)
    assert listed.returncode == 0
    assert re.search(r"^setup:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    python = next(step for word, step in steps if word == "FROM")
    assert python.startswith("python:3.11")
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert {"site", "demo", ".venv", ".git", "secrets.env"} <= set(ignored)
    assert steps[-1][0] == "ENV" or steps[-2][0] == "USER"


def test_no_variable_is_read_that_nobody_sets() -> None:
    text = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+)", text)) == {"DAGSTER_POSTGRES_PASSWORD"}
    assert os.environ.get("DAGSTER_POSTGRES_PASSWORD") is None
