"""A run that may go well a little later is tried again as of the same day; one that a person has to mend is not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dagster import DagsterInstance

from assets.errors import BadInput, GallringError
from assets.site import Site
from assets.warehouse import WarehouseLocked
from orchestration import resources
from orchestration.definitions import build_definitions
from orchestration.history import run_history
from orchestration.initialising import make_site

WILL_RETRY = "dagster/will_retry"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("retries") / "site")


@pytest.fixture
def history(home: Site) -> Iterator[DagsterInstance]:
    with run_history(home) as instance:
        yield instance


def tags_of_a_run(site: Site, history: DagsterInstance, again: dict[str, str] | None = None) -> dict[str, str]:
    job = build_definitions(site=site.path).resolve_job_def("dry_run")
    result = job.execute_in_process(instance=history, raise_on_error=False, tags=again)
    assert not result.success
    run = history.get_run_by_id(result.run_id)
    assert run is not None
    return dict(run.tags)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (WarehouseLocked("warehouse.duckdb is open in another process."), True),
        (BadInput("warehouse.key is missing: restore it from the backup of the keys."), False),
    ],
)
def test_what_passes_is_tried_again_and_what_a_person_has_to_mend_is_not(
    home: Site, history: DagsterInstance, monkeypatch: pytest.MonkeyPatch, error: GallringError, again: bool
) -> None:
    def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr(resources, "open_warehouse", failing)
    assert (tags_of_a_run(home, history).get(WILL_RETRY) == "true") is again


def test_a_step_that_says_no_is_not_tried_again(home: Site, history: DagsterInstance) -> None:
    tags = tags_of_a_run(home, history)  # nothing was taken in yet
    assert tags.get(WILL_RETRY) != "true"


def test_the_kinds_of_errors_say_whether_they_pass() -> None:
    from assets.delivery.transports.contract import RetryableTransportError, TerminalTransportError

    assert RetryableTransportError.retryable
    assert WarehouseLocked.retryable
    assert not TerminalTransportError.retryable
    assert not BadInput.retryable
