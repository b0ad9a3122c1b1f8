"""The receiver's side: what the administrator of a system without an API does with a manifest, and with the answers.

Trusts the sender's public key alone. Needs no site, no warehouse and no network: a manifest folder, a folder to keep
answers in, and beside them `received.json`, which remembers what came: each system's manifests in the order of their
chain, and whether they were answered. A manifest that was answered is never handed out as work again (a replay), and
one that does not follow the last one received is not handed out at all.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from assets.delivery.answers import code_of
from assets.delivery.transports.contract import CANCELLED, MANIFESTS, RECEIPTS
from assets.delivery.transports.folder import CANCELLED_MARK, DELIVERED_MARK
from assets.errors import BadInput, CheckFailed
from assets.ledger.states import ANSWERS
from assets.manifests import documents
from assets.manifests.signatures import PublicKey
from assets.manifests.verifying import Verification, read_document, verify
from assets.writing import write_whole

STATE = "received.json"
COLUMNS = ("item_id", "record_type", "key", "action", "fields", "respond_by", "status", "at", "detail", "until")
_LARGEST_CSV = 500_000_000
_MOST_LINKS = 10_000


@dataclass(frozen=True)
class Task:
    """One line of the work list: what is to be done to which record."""

    item_id: str
    record_type: str
    key: str
    action: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Received:
    """A manifest that may be acted on: what to do, by when, and whether it was answered before."""

    manifest_id: str
    system: str
    controller: str
    as_of: str
    respond_by: str
    tasks: tuple[Task, ...]
    counts: dict[tuple[str, str], int]
    answered: bool


@dataclass(frozen=True)
class _Entry:
    """A manifest that came before."""

    manifest_id: str
    digest: str
    answered: bool


def receive(
    folder: Path, key: PublicKey, receipts: Path, *, previous: Path | None = None, answering: bool = False
) -> Received:
    """Check a manifest and remember it; what is to be done with it.

    Args:
        folder: the manifest's folder.
        key: the sender's public key.
        receipts: the folder where answers go and `received.json` stands.
        previous: the folder of the manifest before, where it did not come this way.
        answering: its answers are being given, so that it may have been answered before.

    Raises:
        CheckFailed: it does not verify, was answered or cancelled, is not released, or does not follow the last one.
        BadInput: `received.json` cannot be read.
    """
    _require_released(folder)
    found = verify(folder, key, previous)
    if not found.ok or found.manifest_id is None or found.system is None:
        raise CheckFailed(f"{folder} does not verify: do not act on it, ask the sender for it again.\n"
                          + "\n".join(f"  {problem}" for problem in found.problems))  # fmt: skip
    document = read_document(folder)
    state = _State(receipts / STATE)
    entries = state.of(found.system)
    known = next((entry for entry in entries if entry.manifest_id == found.manifest_id), None)
    cancelled = _cancelled(folder, previous, found.system, key)
    if documents.digest(document) in cancelled and (known is None or not answering):
        raise CheckFailed(
            f"Manifest {found.manifest_id} was cancelled: its delivery was cut off, and nothing of it is to be done. "
            "Do not act on it. What was done of it before can be answered with --answers; what follows says the rest."
        )
    if known is None:
        _require_next(found, document, entries, cancelled, previous)
        state.add(found.system, _Entry(found.manifest_id, documents.digest(document), answered=False))
    elif known.answered and not answering:
        raise CheckFailed(
            f"Manifest {found.manifest_id} was received and answered before: it is a replay. Do not act on it again; "
            "its records may be others by now."
        )
    tasks = tuple(_tasks(folder))
    counts = Counter((task.record_type, task.action) for task in tasks)
    return Received(
        found.manifest_id, found.system, document["controller"], document["as_of"], document["respond_by"], tasks,
        dict(sorted(counts.items())), known is not None and known.answered,
    )  # fmt: skip


def _require_released(folder: Path) -> None:
    """In a site's own outbox manifests stand from their seal on; only the mark beside one says that it was approved."""
    outbox = folder.resolve().parent
    in_site = (outbox.parent.parent / "gallring.toml").is_file() and outbox.parent.name == "outbox"
    if in_site and not (outbox / (folder.resolve().name + DELIVERED_MARK)).is_file():
        raise CheckFailed(
            f"{folder} is sealed but not delivered (no {folder.name}{DELIVERED_MARK} beside it): it may wait for its "
            "approval, or be cancelled. Do not act on it."
        )


# -- the chain ----------------------------------------------------------------------------------------------------


def _require_next(
    found: Verification, document: dict[str, Any], entries: Sequence[_Entry], cancelled: dict[str, str | None],
    previous: Path | None,
) -> None:  # fmt: skip
    """The manifest has to follow the last one received, but for cancelled ones in between.

    Raises:
        CheckFailed: one before it is missing, or it follows one that another followed already.
    """
    last = entries[-1].digest if entries else None
    named = _before(document.get("previous"), last, cancelled)
    if named == last or (not entries and previous is not None):
        return
    if any(entry.digest == named for entry in entries) or (named is None and entries):
        raise CheckFailed(
            f"Manifest {found.manifest_id} continues an older one than the last that was received: the chain is split, "
            "or an old manifest was sent again. Do not act on it, ask the sender."
        )
    raise CheckFailed(
        f"A manifest before {found.manifest_id} is missing: a link of the chain was lost, or held back. Receive that "
        "one first; where this system begins in mid-chain, name the folder of the one before with --previous."
    )


def _before(named: str | None, last: str | None, cancelled: dict[str, str | None]) -> str | None:
    """The digest of the last manifest received, or of the last not cancelled, going back from the one named.

    One that was received may be cancelled too: its sending was cut off, and the sender cannot know that it came.
    """
    for _ in range(_MOST_LINKS):
        if named is None or named == last or named not in cancelled:
            break
        named = cancelled[named]
    return named


def _cancelled(folder: Path, previous: Path | None, system: str | None, key: PublicKey) -> dict[str, str | None]:
    """The digest of each manifest that is said to be cancelled, with that of the one before it.

    A document counts where the sender signed it. In the sender's own outbox a mark beside a manifest says it.
    """
    here = folder.resolve().parent
    beside = here.parent / CANCELLED
    candidates = [
        beside / folder.resolve().name,  # its own word first, however many there are
        *(sorted(beside.iterdir()) if beside.is_dir() else []),
        *(path.with_suffix("") for path in sorted(here.glob(f"*{CANCELLED_MARK}"))),
        *([previous] if previous is not None and previous.resolve().parent.name == CANCELLED else []),
    ]
    links: dict[str, str | None] = {}
    for path in candidates[:_MOST_LINKS]:
        with suppress(CheckFailed, OSError, ValueError):
            document = read_document(path)
            signature = (path / documents.SIGNATURE).read_text(encoding="ascii")
            if document.get("system") == system and key.fits(signature, documents.canonical(document)):
                links[documents.digest(document)] = document.get("previous")
    return links


class _State:
    """`received.json`: each system's manifests in the order in which they came."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._systems: dict[str, list[dict[str, Any]]] = json.loads(path.read_bytes()) if path.exists() else {}
            for system in self._systems.keys():  # noqa: SIM118 - what is no object has none
                self.of(system)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise BadInput(
                f"{path} cannot be read: restore it from a backup. It remembers which manifests were received, so that "
                "none is acted on twice."
            ) from None

    def of(self, system: str) -> list[_Entry]:
        return [
            _Entry(str(entry["manifest_id"]), str(entry["digest"]), bool(entry["answered"]))
            for entry in self._systems.get(system, [])
        ]

    def add(self, system: str, entry: _Entry) -> None:
        self._write(system, [*self.of(system), entry])

    def answered(self, system: str, manifest_id: str) -> None:
        self._write(system, [
            replace(entry, answered=entry.answered or entry.manifest_id == manifest_id) for entry in self.of(system)
        ])  # fmt: skip

    def _write(self, system: str, entries: Sequence[_Entry]) -> None:
        self._systems[system] = [
            {"manifest_id": entry.manifest_id, "digest": entry.digest, "answered": entry.answered} for entry in entries
        ]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._path, json.dumps(self._systems, indent=2, sort_keys=True).encode() + b"\n")


def _tasks(folder: Path) -> Iterator[Task]:
    """The items of a folder that verified."""
    with (folder / documents.ITEMS).open("rb") as lines:
        for line in lines:
            item = json.loads(line)
            yield Task(
                item["item_id"], item["record_type"], next(iter(item["key"].values())), item["action"],
                tuple(item["fields"]),
            )  # fmt: skip


# -- the answers --------------------------------------------------------------------------------------------------


def default_receipts(folder: Path) -> Path:
    """The folder where answers go unless it is said: where the sender looks, if the manifest lies as it delivers."""
    place = folder.resolve().parent
    if place.name == MANIFESTS:
        return place.parent / RECEIPTS
    if (place.parent.parent / "gallring.toml").is_file() and place.parent.name == "outbox":
        return place.parent.parent / RECEIPTS / place.name
    return Path(RECEIPTS)


def write_template(received: Received, path: Path) -> None:
    """Write the table that the administrator fills in: an item a row; no cell can be taken for a formula.

    Raises:
        BadInput: it is there already: somebody may have filled it in.
    """
    if path.exists():
        raise BadInput(f"{path} is there already, and may have been filled in: name another, or move it away.")
    lines = [",".join(COLUMNS) + "\n"]
    for task in received.tasks:
        cells = (task.item_id, task.record_type, task.key, task.action, " ".join(task.fields), received.respond_by,
                 "", "", "", "")  # fmt: skip
        lines.append(",".join(documents.csv_cell(cell) for cell in cells) + "\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, "".join(lines).encode("utf-8-sig"))


@dataclass(frozen=True)
class Answered:
    """What a filled-in table says: the receipt's lines, how many of each status, and how many rows said nothing."""

    lines: tuple[bytes, ...]
    statuses: dict[str, int]
    unanswered: int


def read_answers(received: Received, path: Path, *, at: datetime) -> Answered:
    """Read a filled-in table, as a spreadsheet may have saved it: comma, semicolon or tab; UTF-8 or Windows-1252.

    Args:
        received: the manifest that is answered.
        path: the table. Needed are the columns item_id and status; a row without a status says nothing.
        at: when the answers count where a row has no `at`.

    Raises:
        BadInput: a row cannot be used; the message names its line and column, and no value.
    """
    known = {task.item_id for task in received.tasks}
    lines: list[bytes] = []
    statuses: Counter[str] = Counter()
    seen: set[str] = set()
    for number, row in _rows(path):
        status = row.get("status", "").lower().replace(" ", "_").replace("-", "_")
        item_id = row.get("item_id", "").removeprefix("'")
        if item_id not in known:
            raise BadInput(f"{path}, line {number}, column item_id: not an item of manifest {received.manifest_id}.")
        if item_id in seen:
            raise BadInput(f"{path}, line {number}, column item_id: the item has a row already.")
        seen.add(item_id)
        if status:
            lines.append(_line(received.manifest_id, item_id, status, row, at, f"{path}, line {number}"))
            statuses[status] += 1
    return Answered(tuple(lines), dict(sorted(statuses.items())), len(received.tasks) - len(lines))


def _line(manifest_id: str, item_id: str, status: str, row: dict[str, str], at: datetime, place: str) -> bytes:
    if status not in ANSWERS:
        raise BadInput(f"{place}, column status: not one of {', '.join(ANSWERS)}.")
    answer: dict[str, str] = {"manifest_id": manifest_id, "item_id": item_id, "status": status}
    answer["at"] = _instant(row.get("at", ""), at, place)
    if detail := row.get("detail", ""):
        code = code_of(detail)
        if code is None:
            raise BadInput(f"{place}, column detail: not a reason code (docs/manifest-format.md lists them). "
                           "Free text is not sent: it could name somebody.")  # fmt: skip
        answer["detail"] = code
    if until := row.get("until", ""):
        answer["until"] = _day(until, place)
    elif status == "withheld":
        raise BadInput(f"{place}, column until: what is withheld needs the day until which it is, as YYYY-MM-DD.")
    return json.dumps(answer).encode() + b"\n"


def _instant(text: str, otherwise: datetime, place: str) -> str:
    """An instant in RFC 3339; a day alone counts from its beginning."""
    try:
        moment = datetime.fromisoformat(text.upper()) if text else otherwise
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=otherwise.tzinfo)
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        raise BadInput(f"{place}, column at: not a day or an instant such as 2026-11-25T10:00:00+01:00.") from None


def _day(text: str, place: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise BadInput(f"{place}, column until: not a day such as 2026-11-25.") from None


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table with their line numbers, by column name in lower case."""
    try:
        if path.stat().st_size > _LARGEST_CSV:
            raise BadInput(f"{path} is larger than any table of answers should be.")
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(";,\t", key=first.count))
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if not {"item_id", "status"} <= set(header):
            raise BadInput(f"{path}, line 1: the columns item_id and status are needed.")
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, dict(zip(header, (cell.strip() for cell in row), strict=False))
    except csv.Error:
        raise BadInput(f"{path}, line {reader.line_num}: not a row of a table.") from None


def write_receipt(received: Received, answered: Answered, receipts: Path, path: Path | None = None) -> Path:
    """Write the receipt under a name that no other has, and remember that the manifest was answered.

    Raises:
        BadInput: nothing was answered, or `path` is there already.
    """
    if not answered.lines:
        raise BadInput("No row has a status, so there is nothing to answer: fill in the column status.")
    target = path or _free_name(receipts, received.manifest_id)
    if target.exists():
        raise BadInput(f"{target} is there already: a receipt is never overwritten. Name another.")
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, b"".join(answered.lines))
    _State(receipts / STATE).answered(received.system, received.manifest_id)
    return target


def _free_name(receipts: Path, manifest_id: str) -> Path:
    for number in range(1, 10_000):
        path = receipts / f"{manifest_id}{'' if number == 1 else f'-{number}'}.jsonl"
        if not path.exists():
            return path
    raise BadInput(f"{receipts} holds ten thousand receipts for {manifest_id}: something writes them in a loop.")
