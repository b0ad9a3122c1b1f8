"""A site served by `dagster dev`, as `gallring ui` serves it, and the little GraphQL that tests speak to it."""

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
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

from assets.site import Site

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 240.0

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

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"{self.url}/graphql", body, {"Content-Type": "application/json", "Accept": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:
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
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GALLRING_", "DAGSTER_"))}
    environment |= {"GALLRING_SITE": str(site.path), "DAGSTER_HOME": str(site.dagster)}
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(ROOT / "workspace.yaml"), "-h", "127.0.0.1"]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, "-p", str(port)], cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            served = Served(f"http://127.0.0.1:{port}")
            _wait_for(served, server, log)
            yield served
        finally:
            os.killpg(server.pid, signal.SIGKILL)  # `dagster dev` may outlive anything gentler
            server.wait()


def _wait_for(served: Served, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
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
