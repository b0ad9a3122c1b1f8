"""A real PostgreSQL of Debian's, for as long as a test needs one: a cluster of its own, on a free port."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REASON = "postgresql is not installed: `apt-get install postgresql` lets the tests of the run history in it run"
#: It refuses to run as root, so there it runs as the account that Debian made for it.
AS = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


def binaries() -> Path:
    """Where initdb and pg_ctl are. Missing, it is a failure in CI and a reason to skip elsewhere."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        if os.environ.get("CI") == "true":
            pytest.fail(REASON)
        pytest.skip(REASON)
    return found[-1].parent


@contextmanager
def cluster() -> Iterator[dict[str, str]]:
    """A server with an empty database; the environment that docs/deploying/dagster.yaml reads."""
    tools = binaries()
    folder = Path(tempfile.mkdtemp(prefix="gallring-postgres-"))
    if AS:
        shutil.chown(folder, "postgres")
    port = _free_port()
    (data, password) = (folder / "data", folder / "password")
    password.write_text("correct horse")
    password.chmod(0o644)
    run(tools / "initdb", "-D", data, "-U", "gallring", "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c shared_buffers=16MB"
    run(tools / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
    try:
        yield {
            "DAGSTER_POSTGRES_HOST": "127.0.0.1",
            "DAGSTER_POSTGRES_USER": "gallring",
            "DAGSTER_POSTGRES_PASSWORD": "correct horse",
            "DAGSTER_POSTGRES_DB": "postgres",
            "port": str(port),
        }
    finally:
        run(tools / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


def run(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, check=False, **AS)  # type: ignore[call-overload]  # fmt: skip
    assert done.returncode == 0, done.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
