"""The run history of a run in this process: Dagster's own files, opened once."""

import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from inspect import unwrap
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetCheckSpec,
    AssetKey,
    AssetSelection,
    AssetSpec,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    Definitions,
    MaterializeResult,
    TableColumn,
    TableSchema,
    define_asset_job,
    job,
    multi_asset,
    multi_asset_check,
    op,
)
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from assets.errors import BadInput
from assets.site import Site
from orchestration import history as history_module
from orchestration.history import _QUIET, OpenEvents, forget_runs, make_history, run_history
from orchestration.initialising import DAGSTER


@op
def a_step() -> None:
    """Does nothing; Dagster writes a dozen events of it."""


@job
def short_job() -> None:
    a_step()


@pytest.fixture(autouse=True)
def _made_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "_make_files", unwrap(history_module._make_files))


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


# -- row for row ---------------------------------------------------------------------------------------------------

_CHECKS = [AssetCheckSpec(name, asset=["core", "b"]) for name in ("holds", "fails")]
_SHAPE = TableSchema(columns=[TableColumn("name", "text", 'Quoted: "å" {braces}')])


@multi_asset(specs=[AssetSpec(["core", "a"]), AssetSpec(["core", "b"], deps=[["core", "a"]])])
def tables() -> Iterator[MaterializeResult[Any]]:
    for name in ("a", "b"):
        yield MaterializeResult(AssetKey(["core", name]), metadata={"dagster/row_count": 7, "shape": _SHAPE})


@multi_asset(specs=[AssetSpec("c", deps=[["core", "b"]])])
def broken() -> Iterator[MaterializeResult[Any]]:
    raise ValueError("a defect")
    yield


@multi_asset_check(specs=_CHECKS)
def checks(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
    for each in _CHECKS:
        yield AssetCheckResult(asset_key=each.asset_key, check_name=each.name, passed=each.name == "holds")


def _nights(history: DagsterInstance) -> None:
    """The same job twice: assets that are new, and assets that are known."""
    definitions = Definitions(
        assets=[tables, broken], asset_checks=[checks], jobs=[define_asset_job("all", AssetSelection.all())]
    )
    for number in range(2):
        run_id = f"{number}0000000-0000-4000-8000-000000000000"
        definitions.resolve_job_def("all").execute_in_process(instance=history, raise_on_error=False, run_id=run_id)


#: What differs from one run to the next: instants, processes, ids that are drawn, and where a temporary folder is.
_PASSING = re.compile(
    r'"(?:timestamp|start_time|end_time|duration_ms|marker_start|marker_end|create_timestamp)": [0-9.]+|'
    r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]+|[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f-]{17}|"
    r"pid: [0-9]+|in [0-9.]+m?s\b|[0-9.]+ms|\b[0-9]{10}\.[0-9]+|/tmp/[^ \"]*|\b[a-z]{8}\b(?=\")"
)


def _rows(folder: Path) -> dict[str, list[Any]]:
    """Every row of every file of a history, but for what passes."""
    found: dict[str, list[Any]] = {}
    for path in sorted(folder.rglob("*.db")):
        with sqlite3.connect(path) as file:
            names = file.execute("select name from sqlite_master where type = 'table' order by 1").fetchall()
            for (name,) in names:
                rows = file.execute(f'select * from "{name}" order by rowid').fetchall()
                found[f"{path.relative_to(folder)}: {name}"] = [
                    tuple(_PASSING.sub("", str(value)) for value in row) for row in rows
                ]
        file.close()
    return found


def test_every_row_is_as_dagster_writes_it(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
    site = _site(ours)
    with run_history(site) as history:
        _nights(history)
    with DagsterInstance.from_ref(InstanceRef.from_dir(str(_site(theirs).dagster), overrides=_QUIET)) as history:
        _nights(history)
    found, expected = _rows(ours / "dagster"), _rows(theirs / "dagster")
    assert found.keys() == expected.keys()
    for name, rows in expected.items():
        assert found[name] == rows, name
    kinds = [row[3] for name, rows in found.items() if name.endswith("index.db: event_logs") for row in rows]
    for kind in ("ASSET_MATERIALIZATION", "ASSET_CHECK_EVALUATION", "ASSET_CHECK_EVALUATION_PLANNED", "RUN_FAILURE"):
        assert kinds.count(kind.replace("RUN_", "PIPELINE_")) >= 2, kind


def _tables_of(path: Path) -> list[Any]:
    """How a file's tables and indices are made, at which revision, and how it keeps its log."""
    with sqlite3.connect(path) as file:
        found = file.execute("select type, name, sql from sqlite_master order by type, name").fetchall()
        found += file.execute("select * from alembic_version").fetchall()
        found += file.execute("pragma journal_mode").fetchall()
    file.close()
    return found


def test_a_runs_own_file_has_the_tables_that_dagster_makes(tmp_path: Path) -> None:
    ours, theirs = OpenEvents(str(tmp_path / "ours")), SqliteEventLogStorage(str(tmp_path / "theirs"))
    for storage, number in ((ours, 1), (ours, 2), (theirs, 1)):  # made, made again in the same process, and theirs
        with storage.run_connection(f"run{number}"):
            pass
        storage.dispose()
    expected = _tables_of(tmp_path / "theirs" / "run1.db")
    assert len(expected) > 20
    assert [_tables_of(tmp_path / "ours" / f"run{number}.db") == expected for number in (1, 2)] == [True, True]
    assert _tables_of(tmp_path / "ours" / "index.db") == _tables_of(tmp_path / "theirs" / "index.db")


def test_a_runs_file_that_a_process_left_without_tables_gets_them(tmp_path: Path) -> None:
    storage = OpenEvents(str(tmp_path))
    for name in ("left", "whole"):
        if name == "left":
            (tmp_path / "left.db").touch()
        with storage.run_connection(name):
            pass
    storage.dispose()
    assert _tables_of(tmp_path / "left.db") == _tables_of(tmp_path / "whole.db")


def test_what_a_step_prints_goes_where_the_command_prints(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    @op
    def talks() -> None:
        print("said by a step")

    @job
    def talking() -> None:
        talks()

    site = _site(tmp_path)
    with run_history(site) as history:
        run_id = talking.execute_in_process(instance=history).run_id
        captured = [
            entry.dagster_event.logs_captured_data.file_key
            for entry in history.all_logs(run_id)
            if entry.dagster_event is not None and entry.dagster_event.event_type == DagsterEventType.LOGS_CAPTURED
        ]
    assert capfd.readouterr().out == "said by a step\n"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"said by a step" in path.read_bytes()]
    with DagsterInstance.from_config(str(site.dagster)) as served:  # the web UI waits for nothing
        assert captured
        assert all(served.compute_log_manager.is_capture_complete([run_id, "compute_logs", key]) for key in captured)


# -- letting go ----------------------------------------------------------------------------------------------------


def _told_of(folder: Path, run_id: str) -> list[str]:
    """Where a run is still named: tables of the history's files, and files by their names."""
    rows = [name for name, found in _rows_of_runs(folder).items() if run_id in found]
    return rows + [str(path.relative_to(folder)) for path in folder.rglob("*") if run_id in path.name]


def _rows_of_runs(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*.db")):
        with sqlite3.connect(path) as file:
            for (name,) in file.execute("select name from sqlite_master where type = 'table'").fetchall():
                found[f"{path.name}: {name}"] = str(file.execute(f'select * from "{name}"').fetchall())
        file.close()
    return found


def test_a_run_whose_period_is_over_leaves_nothing_and_the_last_of_each_job_stays(tmp_path: Path) -> None:
    site = _site(tmp_path)
    first, last = (f"{number}0000000-0000-4000-8000-000000000000" for number in range(2))
    later = datetime.now(UTC) + timedelta(days=1)
    with run_history(site) as history:
        _nights(history)
        short = short_job.execute_in_process(instance=history).run_id
        assert forget_runs(history, later - timedelta(days=2)) == 0
        before = history.get_latest_materialization_event(AssetKey(["core", "a"]))
        assert forget_runs(history, later) == 1
        assert {run.run_id for run in history.get_runs()} == {last, short}
        assert history.get_latest_materialization_event(AssetKey(["core", "a"])) == before
        assert forget_runs(history, later) == 0
    assert _told_of(site.dagster, first) == []
    assert len(_told_of(site.dagster, last)) > 5


def _ended(history: DagsterInstance, *endings: DagsterEventType) -> list[str]:
    """Runs of one job that ended so."""
    runs = [history.create_run_for_job(short_job).run_id for _ in endings]
    for run_id, ending in zip(runs, endings, strict=True):
        history.run_storage.handle_run_event(run_id, DagsterEvent(ending.value, short_job.name), datetime.now(UTC))
    return runs


def test_a_letting_go_that_is_cut_short_anywhere_is_done_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, later = _site(tmp_path), datetime.now(UTC) + timedelta(days=1)

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    steps = [(OpenEvents, "delete_events"), (Path, "unlink"), (LocalComputeLogManager, "delete_logs"),
             (SqliteRunStorage, "delete_run")]  # fmt: skip
    with run_history(site) as history:
        first, _ = (short_job.execute_in_process(instance=history).run_id for _ in range(2))
        for place, name in steps:
            with monkeypatch.context() as patched:
                patched.setattr(place, name, dies)
                with pytest.raises(KeyboardInterrupt):
                    forget_runs(history, later)
            assert history.get_run_by_id(first) is not None, name
    with run_history(site) as history:
        assert forget_runs(history, later) == 1
    assert _told_of(site.dagster, first) == []


def test_the_last_run_that_succeeded_stays_though_others_failed_since(tmp_path: Path) -> None:
    with run_history(_site(tmp_path)) as history:
        good, bad = DagsterEventType.RUN_SUCCESS, DagsterEventType.RUN_FAILURE
        _, stays, _, last = _ended(history, good, good, bad, bad)
        assert forget_runs(history, datetime.now(UTC) + timedelta(days=1)) == 2
        assert {run.run_id for run in history.get_runs()} == {stays, last}


def test_a_period_ends_at_the_midnight_of_the_sites_zone(tmp_path: Path) -> None:
    created, zone = datetime(2026, 6, 30, 22, 30, tzinfo=UTC), ZoneInfo("Europe/Stockholm")  # half past midnight there
    with run_history(_site(tmp_path)) as history:
        _ended(history, DagsterEventType.RUN_SUCCESS, DagsterEventType.RUN_SUCCESS)
        with sqlite3.connect(tmp_path / "dagster" / "history" / "runs.db") as file:
            file.execute("update runs set create_timestamp = ?", [f"{created:%Y-%m-%d %H:%M:%S}.000000"])
        file.close()
        assert forget_runs(history, datetime(2026, 7, 1, tzinfo=zone)) == 0
        assert forget_runs(history, datetime(2026, 7, 2, tzinfo=zone)) == 1


# -- the first moments ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [[], ["history"]], ids=["before they are named", "between their names"])
def test_a_process_that_dies_while_the_files_are_made_leaves_none_half_made(tmp_path: Path, named: list[str]) -> None:
    whole, site = tmp_path / "whole", _site(tmp_path)
    whole.mkdir()
    make_history(_site(whole))
    half = site.dagster / ".history-dead" / "history"
    half.mkdir(parents=True)
    (half / "runs.db").touch()
    for name in named:
        shutil.copytree(whole / "dagster" / name, site.dagster / name)
    make_history(site)
    assert _rows(site.dagster) == _rows(whole / "dagster")
    assert not list(site.dagster.glob(".history-*"))


def test_two_that_begin_at_once_make_the_files_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, both, made = _site(tmp_path), threading.Barrier(2), list[Path]()
    named = history_module._name

    def begin(_: int) -> None:
        both.wait()
        make_history(site)

    def note(half: Path, path: Path) -> None:
        made.append(path)
        named(half, path)

    monkeypatch.setattr(history_module, "_name", note)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(begin, range(2)))
    assert [path.name for path in made] == ["history", "schedules"]
    assert {path.name for path in site.dagster.iterdir()} == {"dagster.yaml", "history", "schedules"}


def test_a_file_that_is_no_history_is_said_in_a_sentence(tmp_path: Path) -> None:
    site = _site(tmp_path)
    make_history(site)
    (site.dagster / "history" / "runs.db").write_bytes(b"not a database" * 1000)
    with (
        pytest.raises(BadInput, match="its files are damaged: move the folder dagster/history away"),
        run_history(site),
    ):
        pass
    shutil.rmtree(site.dagster / "history")
    with run_history(site) as history:
        assert history.get_runs() == []


def test_a_run_that_is_under_way_is_not_forgotten(tmp_path: Path) -> None:
    with run_history(_site(tmp_path)) as history:
        for _ in range(2):
            history.create_run_for_job(short_job)
        assert forget_runs(history, datetime.now(UTC) + timedelta(days=1)) == 0
        assert len(history.get_runs()) == 2


def test_a_home_without_its_settings_gets_those_of_a_new_site(tmp_path: Path) -> None:
    """As after a restore: without them Dagster would report home how it is used, and try no run again."""
    site = Site(tmp_path)
    site.dagster.mkdir()
    with run_history(site) as history:
        assert not history.telemetry_enabled
        assert history.run_retries_enabled
    assert (site.dagster / "dagster.yaml").read_text() == DAGSTER
    (site.dagster / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    with run_history(site) as history:
        assert not history.run_retries_enabled, "its owner's stay"


def test_a_history_that_cannot_be_written_is_said_in_a_sentence_without_what_was_to_be_written(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.make()
    (site.dagster / "dagster.yaml").write_text(DAGSTER, encoding="utf-8")
    full = sqlite3.OperationalError("database or disk is full")
    with pytest.raises(BadInput, match="the disk is full: make room") as found, run_history(site):
        raise OperationalError("insert into events values (?)", ("secret",), full)
    assert "secret" not in found.value.message
