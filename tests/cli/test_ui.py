"""`gallring ui` serves the site's graph on this machine, and leaves nothing running when it is stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from orchestration.cli import main

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def asked(port: int, query: str) -> dict[str, object] | None:
    """The web UI's answer to a GraphQL query, or None while it is not up."""
    body = json.dumps({"query": query}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"}
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            found: dict[str, object] = json.load(answer)["data"]
            return found
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def started_by(group: int) -> list[str]:
    """The processes of a session that are still there, but for those that have ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(session) == group and state != "Z":
            found.append(stat.parent.name)
    return found


def test_the_site_is_served_and_nothing_is_left_running(tmp_path: Path) -> None:
    assert main(["init", str(tmp_path / "site")]) == 0
    port = free_port()
    code = "import sys; from orchestration.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "ui", "--site", str(tmp_path / "site"), "--port", str(port)]
    log = (tmp_path / "log").open("wb")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
    ui = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        deadline = time.monotonic() + 120
        answer = None
        while answer is None and time.monotonic() < deadline and ui.poll() is None:
            answer = asked(port, "{ repositoriesOrError { ... on RepositoryConnection { nodes { jobs { name } } } } }")
            time.sleep(0.5)
        children = (Path("/proc") / str(ui.pid) / "task" / str(ui.pid) / "children").read_text().split()
    finally:
        ui.send_signal(signal.SIGTERM)
        ui.wait(timeout=60)
        log.close()
    assert "run_cycle" in json.dumps(answer)
    assert children
    assert [started_by(int(child)) for child in children] == [[] for _ in children]
