"""`gallring` for the pages' scripts: each command runs in a process of its own, forked from one that has read the code.

Reading the code takes longer than most commands. What a command sees is what a fresh process sees: its own arguments,
folder, environment, output and exit code; nothing that was opened or changed by the one before.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import typer.main

#: What most commands read.
READ = (
    "altair", "assets.delivery.approving", "assets.erasure.restoring", "assets.evidence.chain",
    "assets.ledger.issued", "assets.policy_check", "assets.publication.report.building",
    "assets.retention.explaining", "assets.rehearsal.scenarios", "assets.rights.letters", "assets.rights.reports",
    "open_data_contract_standard.model", "orchestration.cli.summary", "orchestration.definitions",
    "orchestration.doctor", "orchestration.history", "orchestration.initialising", "orchestration.running",
)  # fmt: skip
#: Stands as `gallring` in the scripts' PATH.
_FACE = """#!{python} -IS
import json, os, socket, sys
to = socket.socket(socket.AF_UNIX)
to.connect({address!r})
told = {{"arguments": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}}
socket.send_fds(to, [(json.dumps(told) + "\\n").encode()], [0, 1, 2])
raise SystemExit(int(to.makefile().readline()))
"""


@contextmanager
def commands(folder: Path) -> Iterator[Path]:
    """A folder for PATH that holds `gallring`, for as long as the block runs."""
    address = str(folder / "s")
    face = folder / "gallring"
    face.write_text(_FACE.format(python=sys.executable, address=address), encoding="utf-8")
    face.chmod(0o700)
    command = [sys.executable, "-m", "tests.docs.forking", address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as served:
        assert served.stdout is not None
        assert served.stdout.readline() == "ready\n"
        yield folder
        served.kill()  # who started us may have it ignore a gentler word


def answer(address: str) -> None:
    """Fork a process for each command that comes."""
    read_ahead()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)
        while True:
            caller, _ = listening.accept()
            with caller:
                message, handles, _, _ = socket.recv_fds(caller, 1_000_000, 3)
                child = os.fork()
                if child == 0:
                    become(json.loads(message), handles)
                for handle in handles:
                    os.close(handle)
                _, status = os.waitpid(child, 0)
                caller.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def read_ahead() -> None:
    """Read the code, and what every command makes of it alone: the verbs, shipped contracts, what checks run on."""
    for module in READ:
        importlib.import_module(module)
    from assets.catalogue.assets import lineage_of
    from assets.contracts.declarations import canonical
    from assets.models import Models
    from expectations.validation import imported_meanwhile
    from orchestration.cli.verbs import app

    verbs = cache(typer.main.get_command)
    verbs(app)
    typer.main.get_command = verbs
    canonical()
    for model in Models.of("core", "triggers", "purposes", "retention").ordered:
        lineage_of(model.table, model.statement)
    with imported_meanwhile():  # and waits for the end of it: what forks has one thread
        pass


def become(told: dict[str, object], handles: list[int]) -> None:
    """Run the command in this process, and end it."""
    from orchestration.cli import main

    for number, handle in enumerate(handles):
        os.dup2(handle, number)
    os.chdir(str(told["folder"]))
    os.environ.clear()
    os.environ.update(told["environment"])  # type: ignore[call-overload]
    code = 70
    try:
        code = main(list(told["arguments"]))  # type: ignore[call-overload]
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    answer(sys.argv[1])
