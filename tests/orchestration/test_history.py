"""The run history of a run in this process: Dagster's own files, opened once."""

from pathlib import Path
from typing import Any

from dagster import DagsterInstance, job, op
from sqlalchemy import event
from sqlalchemy.engine import Engine

from assets.site import Site
from orchestration.history import run_history
from orchestration.initialising import DAGSTER


@op
def a_step() -> None:
    """Does nothing; Dagster writes a dozen events of it."""


@job
def short_job() -> None:
    a_step()


def _site(folder: Path) -> Site:
    site = Site(folder)
    site.dagster.mkdir()
    (site.dagster / "dagster.yaml").write_text(DAGSTER, encoding="utf-8")
    return site


def test_a_run_opens_few_files_and_the_web_ui_reads_what_it_wrote(tmp_path: Path) -> None:
    site = _site(tmp_path)
    opened: list[str] = []

    def note(connection: Any, _: Any) -> None:
        opened.append(connection.execute("pragma database_list").fetchone()[2])

    with run_history(site) as history:
        short_job.execute_in_process(instance=history)  # whatever is made once, is made
        event.listen(Engine, "connect", note)
        try:
            run = short_job.execute_in_process(instance=history)
        finally:
            event.remove(Engine, "connect", note)
        assert sum(path.endswith(("runs.db", "index.db")) for path in opened) == 0, opened
        assert len(opened) < 10  # the run's own file: to make its tables, and once to write its events
        told = [str(entry) for entry in history.all_logs(run.run_id)]
    assert any("STEP_SUCCESS" in entry for entry in told)
    with DagsterInstance.local_temp(str(site.dagster)) as plain:
        assert [str(entry) for entry in plain.all_logs(run.run_id)] == told
        assert {each.run_id: each.status.value for each in plain.get_runs()}[run.run_id] == "SUCCESS"


def test_the_files_are_closed_when_the_run_is_over(tmp_path: Path) -> None:
    site = _site(tmp_path)
    with run_history(site) as history:
        run_id = short_job.execute_in_process(instance=history).run_id
    held = {path.resolve() for path in Path("/proc/self/fd").iterdir() if path.exists()}
    assert not [path for path in held if path.is_relative_to(site.dagster)]
    assert (site.dagster / "history" / "runs" / f"{run_id}.db").is_file()
