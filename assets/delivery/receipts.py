"""Receipts: the systems' answers, read from the site's receipts folder and from where the transports find them.

What receivers write is taken for hostile: lines have limits, nothing of a line is kept but ids, a status, an instant,
a day and a code of a known list; no file name and no text of a line is repeated in a report. An answer is a claim,
recorded as a step of its item; whether it is true `settling` decides from the next export.

- A file is taken once, by its digest, in one transaction with what it says. A file that holds an answer to something
  not yet recorded as delivered, or whose last line is still being written, is read again the next time; lines that
  were taken before are then repeated lines, and change nothing.
- In the site's folder a file from which text was dropped is written anew without it: refusal texts hold names.
- The steps themselves are `states`': an answer that does not lead on from where its item stands, or that one recorded
  before has followed already, by the instants that both give, is a backward step, or, where it says what was said
  before, a repetition: it changes nothing, and its instant does not count.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

from assets.delivery import circuit
from assets.delivery.answers import Answers
from assets.delivery.transports.contract import (
    ReceiptFile,
    RetryableTransportError,
    TransportError,
    Transports,
    is_receipt,
)
from assets.ledger.states import among_items, ask_of_items, record_selected
from assets.manifests.folders import folder_name
from assets.site import Site
from assets.warehouse import Warehouse
from assets.writing import write_whole

LARGEST_FILE = 1_000_000_000
#: The most answers to one item that one file may hold.
MOST_ANSWERS = 20
_BATCH = 10_000
_WHY_NOT_TAKEN = {
    "unknown": "they are about no item that this system was told",
    "early": "they are about items that are not delivered yet; the file is read again",
    "backward": "they lead back from where their item stands. What was said first holds until an export shows it",
    "incomplete": "the last one is cut off, or still being written; the file is read again",
}
#: Codes of answers that were read, and not taken.
NOT_TAKEN = frozenset({"malformed", *_WHY_NOT_TAKEN})
_UNREAD = "system varchar, code varchar, message varchar, times bigint"

_ID = "[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9a-f]{32}"
_TELLING_NAME = re.compile(rf"{_ID}(?:-[0-9]{{1,4}})?\.jsonl")
_TELLING_OTHER = re.compile(rf"{_ID}(?:-[0-9]{{1,4}})?\.(?:jsonl?|csv|txt)~?", re.IGNORECASE)
_OF_RECEIVE = re.compile(rf"received\.json\Z|{_ID}-answers\b")


@dataclass(frozen=True)
class FileReport:
    """What one file of answers held: lines by what became of them, and what was wrong with how many lines.

    Attributes:
        file: the file's name where it is a manifest's id, else the beginning of its digest.
        recorded: answers that moved their item on.
        repeated: answers that were given before, at whatever instant, or say no more than an export has shown already:
            it may be read first.
        backward: answers that do not lead on from where their item stands.
        unknown: answers to items that this system was never given.
        early: answers to items not recorded as delivered yet; the file is read again.
        texts: details that were no code, and dropped.
        problems: what makes lines malformed: how many, and the first line.
        incomplete: whether its last line seems to be still being written.
    """

    system: str
    file: str
    lines: int
    recorded: int
    repeated: int
    backward: int
    unknown: int
    early: int
    texts: int
    problems: dict[str, tuple[int, int]]
    incomplete: bool


@dataclass(frozen=True)
class UnreadReceipts:
    """Answers that could not be fetched or read: of which system, a code, and what to do."""

    system: str | None
    code: str
    message: str


@dataclass(frozen=True)
class ReceiptReport:
    """What was read now."""

    files: tuple[FileReport, ...]
    unread: tuple[UnreadReceipts, ...]

    @property
    def recorded(self) -> int:
        """How many answers moved their item on."""
        return sum(file.recorded for file in self.files)


def prepare(warehouse: Warehouse) -> None:
    """Make the tables of answers that are not there yet, such as `manifest.receipts`. Grain: an answer.

    `manifest.receipt_files` tells which files were taken. Grain: a file of answers.

    `manifest.unread_receipts` tells what the last reading could not read or take. Grain: a system, and why not.
    """
    warehouse.once(_make)


def _make(warehouse: Warehouse) -> None:
    warehouse.run("create schema if not exists manifest")
    warehouse.run(
        "create table if not exists manifest.receipts (manifest_id varchar, item_id varchar, status varchar, "
        '"at" timestamp, detail varchar, until date, system varchar, file_sha256 varchar, line bigint, '
        "received_at timestamp)"
    )
    warehouse.run(
        "create table if not exists manifest.receipt_files (system varchar, sha256 varchar, taken_at timestamp, "
        "lines bigint, recorded bigint, malformed bigint, texts bigint)"
    )
    warehouse.run(
        "create table if not exists manifest.fetched_receipts (system varchar, name varchar, version varchar)"
    )
    warehouse.run(f"create table if not exists manifest.unread_receipts ({_UNREAD})")
    circuit.prepare(warehouse)


def read_receipts(
    warehouse: Warehouse,
    site: Site,
    transports: Transports,
    *,
    now: datetime,
    zone: ZoneInfo | None = None,
    half_open_after: timedelta = circuit.HALF_OPEN_AFTER,
) -> ReceiptReport:
    """Read every answer that arrived, and record what leads its item on. Reading twice changes nothing.

    Args:
        warehouse: with the ledger; must not be in a transaction.
        site: whose `receipts/SYSTEM/` is read.
        transports: the way to each system.
        now: when this happens, with its time zone; written down, and the day on which the answers count.
        zone: in which that day is meant; Europe/Stockholm unless given.
        half_open_after: how long a system that did not answer is left alone.
    """
    prepare(warehouse)
    systems = [system for (system,) in warehouse.rows("select distinct system from manifest.manifests order by system")]
    unread: list[UnreadReceipts] = []
    reading = _Reading(warehouse, now, zone or ZoneInfo("Europe/Stockholm"), _taken(warehouse))
    files = [
        *_read_folders(reading, site, systems, unread),
        *_read_transports(reading, transports, systems, half_open_after, unread),
    ]
    _note_unread(warehouse, unread, files)
    return ReceiptReport(tuple(files), tuple(unread))


def _note_unread(warehouse: Warehouse, unread: Sequence[UnreadReceipts], files: Sequence[FileReport]) -> None:
    """Keep what could not be read or taken now, in the place of what could not before: a run tells of it at its end."""
    counted = Counter(unread)
    for file in files:
        counted.update(dict(_not_taken(file)))
    with warehouse.transaction():
        warehouse.run("delete from manifest.unread_receipts")
        warehouse.insert("manifest.unread_receipts", [column.split()[0] for column in _UNREAD.split(", ")], [
            (each.system, each.code, each.message, times) for each, times in counted.items()
        ])  # fmt: skip


def _not_taken(file: FileReport) -> Iterator[tuple[UnreadReceipts, int]]:
    """What was wrong with lines of a file, and with how many. A file is taken once: nobody says it again."""
    told = [
        ("malformed", times, f"the first is line {first}, which {problem}. Ask the system to answer as the format says")
        for problem, (times, first) in file.problems.items() if not (file.incomplete and first == file.lines)
    ]  # fmt: skip
    told += [(code, int(getattr(file, code)), why) for code, why in _WHY_NOT_TAKEN.items()]
    for code, times, why in told:
        if times:
            yield UnreadReceipts(file.system, code, f"Lines of {file.file}: {why}."), times


def _taken(warehouse: Warehouse) -> dict[tuple[str, str], int]:
    """How many texts each file that was ever taken held, by its system and digest: asked once, not for each file."""
    rows = warehouse.rows("select system, sha256, max(texts) from manifest.receipt_files group by system, sha256")
    return {(system, digest): int(texts or 0) for system, digest, texts in rows}


# -- the site's own folder ----------------------------------------------------------------------------------------


def _read_folders(
    reading: _Reading, site: Site, systems: Sequence[str], unread: list[UnreadReceipts]
) -> Iterator[FileReport]:
    folders = {folder_name(system): system for system in systems}
    if not site.receipts.is_dir():
        return
    for folder in sorted(path for path in site.receipts.iterdir() if not path.name.startswith(".")):
        if folder.name not in folders:
            unread.append(UnreadReceipts(
                None, "unknown_system",
                "receipts/ holds something of no system that was ever told anything: move it to receipts/SYSTEM/.",
            ))  # fmt: skip
            continue
        if folder.is_symlink() or not folder.is_dir():
            unread.append(UnreadReceipts(
                folders[folder.name], "no_folder",
                f"receipts/{folder.name} is no folder: make it one, and put the system's answers into it.",
            ))  # fmt: skip
            continue
        try:
            paths = sorted(folder.iterdir(), key=_by_number)
            unread += _otherwise_named(folders[folder.name], paths)
        except FileNotFoundError:  # its system renamed it meanwhile
            continue
        except PermissionError:
            unread.append(UnreadReceipts(
                folders[folder.name], "denied",
                f"this account may not look into receipts/{folder.name}: check the owner and the mode of the folder, "
                "and let this account in; the next run reads what is there.",
            ))  # fmt: skip
            continue
        for path in filter(lambda path: is_receipt(path.name), paths):
            report = _read_path(reading, folders[folder.name], path, unread)
            if report is not None:
                yield report


def _otherwise_named(system: str, paths: Sequence[Path]) -> Iterator[UnreadReceipts]:
    """Files that nobody reads for their name, but for what is on its way, and what `receive` keeps beside receipts."""
    for path in paths:
        if is_receipt(path.name) or path.name.startswith(".") or _OF_RECEIVE.match(path.name) or path.is_dir():
            continue
        which = path.name if _TELLING_OTHER.fullmatch(path.name) else "A file"
        yield UnreadReceipts(
            system, "other_name",
            f"{which} in receipts/{folder_name(system)} is not read, for its name does not end in .jsonl: give it "
            "such a name if it holds answers, else move it away.",
        )  # fmt: skip


def _read_path(reading: _Reading, system: str, path: Path, unread: list[UnreadReceipts]) -> FileReport | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:  # its system took it back, or renamed it, since it was listed
        return None
    except OSError:
        unread.append(UnreadReceipts(
            system, "unreadable", f"A file in receipts/{folder_name(system)} is a link or cannot be read: mend that."
        ))  # fmt: skip
        return None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_FILE:
        os.close(handle)  # a folder makes no file object
        unread.append(UnreadReceipts(
            system, "unreadable",
            f"A file in receipts/{folder_name(system)} is no plain file, or larger than any answers should be: move it "
            "away.",
        ))  # fmt: skip
        return None
    with os.fdopen(handle, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        taken = reading.texts_of(system, digest)
        file.seek(0)
        if taken is None:
            report = reading.take(system, _label(path.name, digest), digest, file, _write_clean(path, status))
        else:
            report = None
            if taken:  # a crash came between the taking and the writing anew
                _write_clean(path, status)(reading.cleaned(system, file))
    return report


def _write_clean(path: Path, read: os.stat_result) -> Callable[[bytes], None]:
    """What puts a file without its texts in the place of the one at `path`, if that is still the one that was read.

    Its system may have written to it, or put another there since: the next reading takes that up.
    """

    def write(content: bytes) -> None:
        with suppress(OSError):  # the next reading tries again
            if _same_file(path.lstat(), read):
                write_whole(path, content)

    return write


def _same_file(one: os.stat_result, other: os.stat_result) -> bool:
    return all(getattr(one, each) == getattr(other, each) for each in ("st_dev", "st_ino", "st_size", "st_mtime_ns"))


# -- the transports -----------------------------------------------------------------------------------------------


def _read_transports(
    reading: _Reading, transports: Transports, systems: Sequence[str], half_open_after: timedelta,
    unread: list[UnreadReceipts],
) -> Iterator[FileReport]:  # fmt: skip
    """All systems are asked at the same time, so that one that is down delays none; what came is read here."""
    warehouse, now = reading.warehouse, reading.now
    left_alone = {system for system in systems if circuit.position(warehouse, system, now, half_open_after) == "open"}
    unread += [
        UnreadReceipts(
            system, "circuit_open", f"{system}: It did not answer lately, and is left alone for now: its answers are "
            "fetched by a later run."
        ) for system in systems if system in left_alone
    ]  # fmt: skip
    asked = [(system, _seen(warehouse, system)) for system in systems if system not in left_alone]
    if not asked:
        return
    with ThreadPoolExecutor(min(8, len(asked)), thread_name_prefix="receipts") as pool:
        for (system, seen), answer in zip(asked, pool.map(lambda one: _fetch(transports, *one), asked), strict=True):
            if isinstance(answer, TransportError):
                if isinstance(answer, RetryableTransportError):
                    circuit.failed(warehouse, system, answer.code, now)
                unread.append(UnreadReceipts(system, answer.code, f"{system}: {answer.message}"))
                continue
            circuit.answered(warehouse, system)
            for file in sorted(answer, key=_by_number):
                if file.is_too_large:
                    unread.append(UnreadReceipts(
                        system, "too_large", f"{system}: A file of its answers is larger than any answers should be: "
                        "have the system write them anew in smaller files, and take this one away.",
                    ))  # fmt: skip
                elif (file.name, file.version) not in seen:
                    yield from _read_fetched(reading, system, file)


def _seen(warehouse: Warehouse, system: str) -> dict[tuple[str, str], None]:
    """What was fetched of a system before, as (name, version), in that order."""
    rows = warehouse.rows(
        "select name, version from manifest.fetched_receipts where system = $system order by rowid", {"system": system}
    )
    return dict.fromkeys((name, version) for name, version in rows)


def _fetch(
    transports: Transports, system: str, seen: Collection[tuple[str, str]]
) -> list[ReceiptFile] | TransportError:
    try:
        return transports.of(system).fetch_receipts(seen)
    except TransportError as error:
        return error


def _read_fetched(reading: _Reading, system: str, file: ReceiptFile) -> Iterator[FileReport]:
    import io

    digest = hashlib.sha256(file.content).hexdigest()
    report = None
    if reading.texts_of(system, digest) is None:
        report = reading.take(system, _label(file.name, digest), digest, io.BytesIO(file.content), None)
    if report is None or not (report.early or report.incomplete):
        pair = {"system": system, "name": file.name, "version": file.version}
        with reading.warehouse.transaction():
            reading.warehouse.run(
                "delete from manifest.fetched_receipts where system = $system and name = $name",
                {"system": system, "name": file.name},
            )
            reading.warehouse.run("insert into manifest.fetched_receipts values ($system, $name, $version)", pair)
    if report is not None:
        yield report


def _by_number(file: Path | ReceiptFile) -> list[str | int]:
    """Puts files in the order in which they were named: `receive` writes ID.jsonl, ID-2.jsonl … ID-10.jsonl."""
    parts = re.split(r"([0-9]+)", file.name.removesuffix(".jsonl"))
    return [int(part) if number % 2 else part for number, part in enumerate(parts)]


def _label(name: str, digest: str) -> str:
    """What a report calls a file: receivers may name theirs after a person."""
    return name if _TELLING_NAME.fullmatch(name) else f"sha256 {digest[:12]}…"


# -- one file -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Reading:
    """One reading of all answers: what its files share."""

    warehouse: Warehouse
    now: datetime
    zone: ZoneInfo
    taken: dict[tuple[str, str], int]

    def texts_of(self, system: str, digest: str) -> int | None:
        """How many texts a file that was taken held; None: it was not taken."""
        return self.taken.get((system, digest))

    def cleaned(self, system: str, file: IO[bytes]) -> bytes:
        """A file that was taken, without its texts; counted as taken too."""
        file.seek(0)
        content = Answers().cleaned(file)
        digest = hashlib.sha256(content).hexdigest()
        if self.texts_of(system, digest) is None:
            self._note_file(system, digest, Answers(), 0)
        return content

    def take(
        self, system: str, label: str, digest: str, file: IO[bytes], write: Callable[[bytes], None] | None
    ) -> FileReport:
        """Read one file, record what it says, and have it written anew if it held texts: all or nothing."""
        answers, clean = Answers(), b""
        with self.warehouse.transaction():
            self._stage(answers, file)
            counts = self._settle(system, digest)
            whole = not counts["early"] and not answers.incomplete
            if whole:
                self._note_file(system, digest, answers, counts["recorded"])
                if write is not None and answers.dropped:
                    clean = self.cleaned(system, file)
        if write is not None and whole and answers.dropped:
            write(clean)
        return FileReport(
            system, label, answers.count, counts["recorded"], counts["repeated"], counts["backward"],
            counts["unknown"], counts["early"], answers.texts, dict(answers.problems), answers.incomplete,
        )  # fmt: skip

    def _stage(self, answers: Answers, file: IO[bytes]) -> None:
        self.warehouse.run(
            "create or replace temp table arriving (line bigint, manifest_id varchar, item_id varchar, "
            'status varchar, "at" timestamp, detail varchar, until date)'
        )
        columns = ("line", "manifest_id", "item_id", "status", "at", "detail", "until")
        batch: list[tuple[Any, ...]] = []
        for row in answers.read(file):
            batch.append(row)
            if len(batch) == _BATCH:
                self.warehouse.insert("arriving", columns, batch)
                batch.clear()
        self.warehouse.insert("arriving", columns, batch)

    def _settle(self, system: str, digest: str) -> Counter[str]:
        """Judge the staged answers, one round for each item's next answer, and record those that lead on."""
        warehouse, counts = self.warehouse, Counter[str]()
        ask_of_items(warehouse, "select item_id from arriving")
        warehouse.run(_KNOWN.format(standing=among_items()), {"system": system})
        for verdict, number, more in warehouse.rows(
            "select verdict, count(*), sum(more) from answers group by verdict"
        ):
            counts[verdict] += number
            counts["repeated"] += int(more)
        rounds = warehouse.value("select coalesce(max(turn), 0) from answers where verdict = 'known'")
        names = {"system": system, "digest": digest, "now": self.now.astimezone(UTC).replace(tzinfo=None)}
        for turn in range(1, min(rounds, MOST_ANSWERS) + 1):
            standing = int(warehouse.value("select count(*) from answers where turn = $turn", {"turn": turn}))
            ask_of_items(warehouse, "select item_id from answers")
            warehouse.run(_LEADING.format(standing=among_items()), {"turn": turn})
            warehouse.run(_KEEP, names)
            recorded = record_selected(
                warehouse, _EVENTS, {"on_day": self.now.astimezone(self.zone).date()}
            )  # fmt: skip
            repeated = self._said_again(turn) if recorded < standing else 0
            counts["recorded"] += recorded
            counts["repeated"] += repeated
            counts["backward"] += standing - recorded - repeated
        counts["backward"] += int(
            warehouse.value("select count(*) from answers where turn > $most", {"most": MOST_ANSWERS})
        )
        for table in ("arriving", "answers", "taken"):
            warehouse.run(f"drop table if exists {table}")
        return counts

    def _said_again(self, turn: int) -> int:
        """How many of a turn's answers that were not taken say where their item stands already."""
        ask_of_items(self.warehouse, "select item_id from answers where turn = $turn", {"turn": turn})
        return int(self.warehouse.value(_SAID_AGAIN.format(standing=among_items()), {"turn": turn}))

    def _note_file(self, system: str, digest: str, answers: Answers, recorded: int) -> None:
        columns = ["system", "sha256", "taken_at", "lines", "recorded", "malformed", "texts"]
        now = self.now.astimezone(UTC).replace(tzinfo=None)
        row = (system, digest, now, answers.count, recorded, answers.malformed, answers.dropped)
        self.warehouse.insert("manifest.receipt_files", columns, [row])
        self.taken[system, digest] = max(answers.dropped, self.taken.get((system, digest), 0))


#: The staged answers with what they are: to an unknown item, one not delivered yet, repeated (by an earlier answer, or
#: by the export that has shown it), or known and in turn.
_KNOWN = """
create or replace temp table answers as
with first_lines as (
    select min(line) as line, manifest_id, item_id, status, "at", until, min(detail) as detail, count(*) - 1 as more
    from arriving
    group by all
),
judged as (
    select lines.*,
        case
            when states.item_id is null then 'unknown'
            when states.state in ('issued', 'approved') then 'early'
            when exists (
                select 1 from manifest.receipts as earlier
                where earlier.manifest_id = lines.manifest_id and earlier.item_id = lines.item_id
                    and earlier.status = lines.status and earlier.at = lines.at
                    and earlier.until is not distinct from lines.until
            ) then 'repeated'
            when states.state = 'verified' and lines.status in ('accepted', 'queued', 'done', 'already_absent')
                then 'repeated'
            else 'known'
        end as verdict
    from first_lines as lines
    left join ({standing}) as states
        on states.manifest_id = lines.manifest_id and states.item_id = lines.item_id and states.system = $system
)
select judged.*,
    case when verdict = 'known' then row_number() over (
        partition by manifest_id, item_id, verdict order by "at", line
    ) end as turn
from judged
"""

#: Of answers that say again where their item stands, those that give the same day and reason, or none; of what is
#: merely put off the day alone counts.
_SAME_REASON = (
    "answers.until is not distinct from states.until "
    "and coalesce(answers.detail, states.reason) is not distinct from states.reason"
)
_SAME_DAY = "coalesce(answers.until, states.until) is not distinct from states.until"

#: Of one turn, how many answers say again where their item stands, at another instant. The first one's stands: a later
#: `done` would excuse what an export has shown to be there since. What is kept for a reason is said again only with the
#: same one; what is withheld to another day, or for another reason, is a step of its own, and so is what is put off to
#: another day.
_SAID_AGAIN = f"""
select count(*)
from answers
inner join ({{standing}}) as states
    on states.manifest_id = answers.manifest_id and states.item_id = answers.item_id and states.state = answers.status
left join taken on taken.manifest_id = answers.manifest_id and taken.item_id = answers.item_id
where answers.turn = $turn and taken.item_id is null and (
    answers.status in ('accepted', 'queued', 'done', 'already_absent')
    or (answers.status in ('partly_retained', 'refused', 'withheld') and {_SAME_REASON})
)
"""

#: Of one turn, the answers after which one was recorded already that can have followed them, or says the same. An
#: instant that was still to come when it was read is that of the reading: a wrong clock keeps no later answer out.
_FOLLOWED = """
    select earlier.line
    from answers as earlier
    inner join manifest.receipts as later
        on later.manifest_id = earlier.manifest_id and later.item_id = earlier.item_id
    inner join (select following, list(state) as states from manifest.state_steps group by following) as before
        on before.following = later.status
    where earlier.turn = $turn and least(coalesce(later.at, later.received_at), later.received_at) > earlier.at
        and (later.status = earlier.status or list_contains(before.states, earlier.status))
"""

#: Of one turn, the answers that lead on from where their item stands. What is put off and said so again would put its
#: day off with each new instant. Nor does an answer count that another has followed already, by the instants that both
#: give: files come in any order, and late. What is queued without a day keeps the one for which it was accepted.
_LEADING = f"""
create or replace temp table taken as
select answers.*,
    coalesce(
        answers.until, case when answers.status = 'queued' and states.state = 'accepted' then states.until end
    ) as put_off_to
from answers
inner join ({{standing}}) as states
    on states.manifest_id = answers.manifest_id and states.item_id = answers.item_id
inner join manifest.state_steps as steps on steps.state = states.state and steps.following = answers.status
where answers.turn = $turn and not (
        answers.status = states.state
        and case when answers.status in ('accepted', 'queued') then {_SAME_DAY} else {_SAME_REASON} end
    )
    and answers.line not in ({_FOLLOWED})
"""

_KEEP = """
insert into manifest.receipts by name
select manifest_id, item_id, status, "at", detail, until, $system as system, $digest as file_sha256, line,
    cast($now as timestamp) as received_at
from taken
"""

_EVENTS = (
    "select manifest_id, item_id, status as state, cast($on_day as date) as on_day, 'receipt' as origin, "
    '"at" as happened_at, detail as reason, put_off_to as until from taken'
)
