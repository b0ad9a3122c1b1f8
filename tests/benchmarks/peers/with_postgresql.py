"""The job in PostgreSQL: a server of its own on a temporary folder, tuned for one big job; `rules.sql` decides.

Its cost is that of server, sessions and loading; making the empty cluster is not counted.
"""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assets.contracts.declarations import canonical
from tests.benchmarks.peers.task import Task, told

RULES = Path(__file__).with_name("rules.sql")
#: One job alone on the machine, and nothing that has to survive a crash.
SETTINGS = {
    "listen_addresses": "", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
    "autovacuum": "off", "wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "4GB",
    "shared_buffers": "1GB", "work_mem": "256MB", "maintenance_work_mem": "256MB", "jit": "off",
    "max_parallel_workers_per_gather": "1", "log_min_messages": "fatal",
}  # fmt: skip


def programs() -> Path | None:
    """Where Debian keeps the newest server's programs; None when there is no server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found and shutil.which("psql") else None


def run(inbox: str, as_of: str, out: str) -> dict[str, Any]:
    """Load the exports, decide every category of every record, and write them as CSV.

    Raises:
        RuntimeError: PostgreSQL is not installed.
    """
    task = Task.of(inbox, as_of)
    binaries = programs()
    if binaries is None:
        raise RuntimeError("PostgreSQL is not installed: apt-get install postgresql")
    with tempfile.TemporaryDirectory(prefix="gallring-postgresql-") as folder:
        home = Path(folder)
        user = _unprivileged(home)
        _quietly([binaries / "initdb", "-D", home / "data", "-A", "trust", "-U", "postgres", "-E", "UTF8",
                  "--locale=C", "-N"], user)  # fmt: skip
        began = _cpu()
        script = home / "job.sql"
        script.write_text(_script(task, Path(out)), encoding="utf-8")
        with _server(binaries, home, user):
            _quietly(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", f"as_of={task.as_of}", "-h", home,
                      "-U", "postgres", "-d", "postgres", "-f", script])  # fmt: skip
        used = _cpu() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    with Path(out).open("rb") as file:
        rows = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")) - 1
    return {**told(rows), "parts": {"work": used}, "peak_mb": peak}


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _unprivileged(home: Path) -> str | None:
    """PostgreSQL refuses to be run by root: Debian's own user does it then."""
    if os.geteuid() != 0:
        return None
    shutil.chown(home, "postgres", pwd.getpwnam("postgres").pw_gid)
    return "postgres"


def _quietly(command: list[Any], user: str | None = None) -> None:
    done = subprocess.run([str(part) for part in command], user=user, capture_output=True, text=True, cwd="/")
    if done.returncode != 0:
        raise RuntimeError(f"{Path(str(command[0])).name}: {done.stderr[-1500:]}")


@contextmanager
def _server(binaries: Path, home: Path, user: str | None) -> Iterator[None]:
    options = [f"-c{name}={value}" for name, value in SETTINGS.items()]
    command = [str(binaries / "postgres"), "-D", str(home / "data"), "-k", str(home), *options]
    with subprocess.Popen(command, user=user, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _await(home, server)
            yield
        finally:
            server.terminate()
            server.wait()


def _await(home: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while subprocess.run(["pg_isready", "-q", "-h", str(home)], check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("PostgreSQL did not start")
        time.sleep(0.1)


def _script(task: Task, out: Path) -> str:
    """Everything for psql: the exports as text, the rules, and the dispositions on their way out."""
    lines = ["create schema export;"]
    for contract in canonical().values():
        columns = ", ".join(f'"{column.name}" text' for column in contract.columns)
        with task.path(contract.source, contract.table).open(encoding="utf-8") as file:
            header = file.readline().strip()
        lines += [
            "begin;", f"create unlogged table export.{contract.table} ({columns});",
            f"\\copy export.{contract.table} ({header}) from '{task.path(contract.source, contract.table)}' csv header",
            "commit;", f"analyze export.{contract.table};",
        ]  # fmt: skip
    selects = " union all ".join(
        _category(task, record_type, category)
        for record_type, categories in task.categories.items()
        for category in categories
    )
    lines += [RULES.read_text(encoding="utf-8"), f"\\copy ({selects}) to '{out}' csv header"]
    return "\n".join(lines).replace(":'as_of'", f"date '{task.as_of}'")


def _category(task: Task, record_type: str, category: str) -> str:
    """What the claims on a category add up to on the day, a row a record."""
    claiming = task.claiming(record_type, category)
    day = f"date '{task.as_of}'"
    active = {
        name: " or ".join(f"{each} >= {day}" for each in purposes) or "false" for name, purposes in claiming.items()
    }
    doubts = " or ".join([*(f"{each}_missing" for purposes in claiming.values() for each in purposes), "is_orphan"])
    last = [f"case when {each} >= {day} then {each} end" for purposes in claiming.values() for each in purposes]
    until = f"greatest({', '.join(last)})" if last else "null::date"
    return (
        f"select '{record_type}' as record_type, record_key, '{category}' as data_category, "
        "case when not_personal then 'not_personal' when restricted then 'restrict' "
        f"when {active['use']} then 'retain' when {active['duty']} then 'restrict' "
        f"when {doubts} then 'review' else 'erase' end as disposition, "
        f'case when not (not_personal or restricted) then {until} end as keep_until from record."{record_type}"'
    )
