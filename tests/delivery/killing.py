"""Delivers and reads receipts in processes that are killed at each of their steps; run as a module, prints JSON."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import tenacity  # noqa: F401 - here, so that not every process loads it anew

from assets.delivery import receipts, sending
from assets.delivery.receipts import read_receipts
from assets.delivery.sending import deliver_approved
from assets.delivery.transports import folder as folder_transport
from assets.delivery.transports.folder import FolderTransport
from assets.manifests.verifying import verify
from assets.site import Site
from assets.warehouse import Warehouse
from tests.delivery.sealed import NOW, TODAY, Counting, Sealed, Ways, answer


def main(path: Path) -> None:
    """Kill at step 1, 2, 3 … until a run gets through; after each kill, run again and look at what is there."""
    original = path / "original"
    original.mkdir()
    _forked(lambda: _prepare(original))
    steps: list[str] = []
    wrong: list[str] = []
    kills = 0
    folder, note = path / "copy", path / "step"
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(original, folder)
        note.unlink(missing_ok=True)
        status = _forked(partial(_night, folder, kills + 1, note))
        if status == 0:
            break
        kills += 1
        steps.append(note.read_text())
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            wrong.append(f"{steps[-1]} {kills}: ended by itself with {status}")
        wrong += [f"{steps[-1]} {kills}: {problem}" for problem in _after(folder, path / "problems")]
    print(json.dumps({"kills": kills, "steps": sorted(set(steps)), "wrong": wrong}))


def _prepare(path: Path) -> None:
    """A site with everything approved, and a receiver's folder that will answer for its first manifest."""
    with Warehouse.open(path / "warehouse.duckdb", key=None) as warehouse:
        sealed = Sealed(path / "site", warehouse)
        sealed.step("approved", sealed.manifests("crm")[0])
        first = sealed.manifests("crm")[0]
        items = sealed.items(first)
        (path / "crm").mkdir()
        (path / "answers").write_bytes(
            answer(first, items[0]) + answer(first, items[1], "refused", detail="Anna Testsson vill inte")
        )


def _night(path: Path, killed_at: int, note: Path) -> None:
    """Deliver, let the receiver answer, read the answers; die at the given step."""
    with Warehouse.open(path / "warehouse.duckdb", key=None) as warehouse:
        _count_steps(killed_at, note)
        _deliver_and_read(path, warehouse)


def _deliver_and_read(path: Path, warehouse: Warehouse) -> None:
    site = Site(path / "site")
    ways = Ways(crm=FolderTransport(path / "crm"), web=Counting())
    deliver_approved(warehouse, None, site, ways, as_of=TODAY, now=NOW)  # type: ignore[arg-type]
    answers = site.receipts / "crm" / "answers.jsonl"
    if not answers.exists():
        answers.parent.mkdir(exist_ok=True)
        shutil.copyfile(path / "answers", answers)
    read_receipts(warehouse, site, ways, now=NOW)


def _count_steps(killed_at: int, note: Path) -> None:
    """Die right before, and where it tells something, right after each thing that leaves a trace."""
    taken = 0

    def step(name: str) -> None:
        nonlocal taken
        taken += 1
        if taken == killed_at:
            note.write_text(name)
            os.kill(os.getpid(), signal.SIGKILL)

    def before(name: str, action: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            step(name)
            return action(*arguments, **named)

        return watched

    def after(name: str, action: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            result = action(*arguments, **named)
            step(name)
            return result

        return watched

    os.rename = after("rename", before("rename", os.rename))
    folder_transport._copy = before("copy", folder_transport._copy)
    folder_transport.flush = before("flush", folder_transport.flush)
    sending.record = after("record", before("record", sending.record))
    receipts.record_selected = after("answer", before("answer", receipts.record_selected))
    receipts.write_whole = after("rewrite", before("rewrite", receipts.write_whole))


def _after(path: Path, problems: Path) -> list[str]:
    """Run again, whole, and tell what is wrong with the receiver's folder and the ledger."""
    problems.unlink(missing_ok=True)
    status = _forked(lambda: _look(path, problems))
    return json.loads(problems.read_text()) if status == 0 else ["the next run did not get through"]


def _look(path: Path, problems: Path) -> None:
    wrong = []
    public, manifests = path / "site" / "keys" / "signing.pub.pem", path / "crm" / "manifests"
    with Warehouse.open(path / "warehouse.duckdb", key=None) as warehouse:
        _deliver_and_read(path, warehouse)
        first = warehouse.value("select manifest_id from manifest.manifests where system = 'crm' and sequence = 1")
        there = sorted(each.name for each in manifests.iterdir())
        if there != [first]:
            wrong.append(f"the receiver holds {len(there)} manifests")
        wrong += [f"{name} does not verify" for name in there if not verify(manifests / name, public).ok]
        delivered = [
            id for (id,) in warehouse.rows("select manifest_id from manifest.events where state = 'delivered'")
        ]
        if delivered != [first]:
            wrong.append(f"{len(delivered)} deliveries are recorded")
        answers = warehouse.rows("select status, count(*) from manifest.receipts group by all order by all")
        events = warehouse.rows(
            "select state, count(*) from manifest.events where origin = 'receipt' group by all order by all"
        )
        if not answers == events == [("done", 1), ("refused", 1)]:
            wrong.append(f"{answers} answers, {events} events")
    if b"Anna" in (path / "site" / "receipts" / "crm" / "answers.jsonl").read_bytes():
        wrong.append("a text is left")
    problems.write_text(json.dumps(wrong))


def _forked(action: Callable[[], None]) -> int:
    """Do it in a process of its own; its wait status."""
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
