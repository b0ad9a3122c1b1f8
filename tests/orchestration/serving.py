"""A site served by `gallring ui`, and the little GraphQL that tests speak to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError

from assets.site import Site

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 600.0
#: Names in the environment of the tests that who serves a site does not have.
OURS = ("GALLRING_", "DAGSTER_", "COV", "PYTEST")

LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on PythonError { message }
  }
}
"""
STATUS = "query Status($id: ID!) { runOrError(runId: $id) { ... on Run { status tags { key value } } } }"


class Served:
    """The web UI of a site, while it runs."""

    def __init__(self, url: str, command: subprocess.Popen[bytes]) -> None:
        self.url = url
        self.command = command
        self.sessions: list[int] = []

    def notice(self) -> list[int]:
        """The sessions of what the command has started, each one of its own."""
        children = Path("/proc") / str(self.command.pid) / "task" / str(self.command.pid) / "children"
        self.sessions = [int(child) for child in children.read_text().split()]
        return self.sessions

    def stop(self) -> None:
        """Stop the command as its user does."""
        self.command.send_signal(signal.SIGTERM)
        self.command.wait(timeout=180)

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"{self.url}/graphql", body, {"Content-Type": "application/json", "Accept": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer
        return dict(answer["data"])

    def launch(self, job: str, config: dict[str, Any]) -> str:
        """Launch a job as the launchpad does; its run id."""
        selector = {
            "repositoryLocationName": "gallring",
            "repositoryName": "__repository__",
            "pipelineName": job,
        }
        answer = self.ask(LAUNCH, params={"selector": selector, "mode": "default", "runConfigData": config})
        assert answer["launchRun"]["__typename"] == "LaunchRunSuccess", answer
        return str(answer["launchRun"]["run"]["runId"])

    def finished(self, run_id: str) -> dict[str, Any]:
        """The run, once it has ended: its status and tags."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            run = self.ask(STATUS, id=run_id)["runOrError"]
            if run["status"] in ("SUCCESS", "FAILURE", "CANCELED"):
                return dict(run)
            time.sleep(0.5)
        raise TimeoutError(f"The run did not end within {PATIENCE} seconds.")


@contextmanager
def serving(site: Site, log: Path) -> Iterator[Served]:
    """Serve `site` on a free port of this machine until the block ends; what the server prints goes to `log`."""
    port = _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    code = "import sys; from orchestration.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "ui", "--site", str(site.path), "--port", str(port)]
    with log.open("wb") as output:
        started = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        served = Served(f"http://127.0.0.1:{port}", started)
        try:
            _wait_for(served, log)
            yield served
        finally:
            if started.poll() is None:
                served.notice()
                served.stop()
            for session in served.sessions:  # should the command have left them
                with suppress(ProcessLookupError):
                    os.killpg(session, signal.SIGKILL)


def still_there(session: int) -> list[str]:
    """The processes of a session that run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its_session = stat.read_text().rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(its_session) == session and state != "Z":
            found.append(stat.parent.name)
    return found


def _wait_for(served: Served, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and served.command.poll() is None:
        try:
            if (
                served.ask("{ repositoriesOrError { __typename } }")["repositoriesOrError"]["__typename"]
                != "PythonError"
            ):
                return
        except (URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.5)
    raise RuntimeError(f"The web UI did not start:\n{log.read_text(errors='replace')[-3000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
