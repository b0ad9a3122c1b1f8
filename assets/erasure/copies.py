"""The copy register: every file of a site that can hold personal data, with its purpose and last day.

Lists what is there, finds what is on no line of the register, and destroys files whose last day has passed. Reads
names, sizes and dates of files, and what intake and the ledger say of them; never what is in a file. Evidence, keys,
policy and run history hold no personal data and are not walked.

A link in the site is nobody's copy: it is never followed, and counts as a file that is not on the register. So does
what this account may not look at. What goes while it is looked at, since its source renames what arrives, is not there.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from assets.delivery.transports.contract import CANCELLED, MANIFESTS
from assets.erasure.periods import Periods, last_day
from assets.erasure.taking_out import Lingering, lingering
from assets.ingest.deliveries import find_deliveries
from assets.ingest.loading import AHEAD
from assets.ingest.projecting import LOCAL_ZONE
from assets.manifests.folders import folder_name
from assets.site import Site
from assets.warehouse import Warehouse

BACKUP_NAME = re.compile(r"warehouse-[0-9T-]+-until-(?P<until>[0-9]{4}-[0-9]{2}-[0-9]{2})\.duckdb")


@dataclass(frozen=True)
class Kind:
    """A line of the register: where such files stand, and what for."""

    name: str
    patterns: tuple[str, ...]
    purpose: str


#: In the order in which a file finds its line. A pattern's `*` stays within one folder, `**` is everything below.
KINDS = (
    Kind("delivery", ("inbox/*/*/*",), "export files as the sources sent them, to be taken in"),
    Kind("quarantine", ("quarantine/**",), "why a delivery was kept out, to mend it"),
    Kind("warehouse", ("warehouse.duckdb", "warehouse.duckdb.wal", "warehouse.duckdb.re*"),
         "what the rules read, encrypted; rewritten without what is ordered erased"),
    Kind("backup", ("backups/*",), "bringing the warehouse back, encrypted"),
    Kind("analytics", ("analytics.duckdb",), "analysis under pseudonyms; replaced by each run"),
    Kind("mark", ("outbox/*/*.delivered", "outbox/*/*.cancelled"), "that a manifest may be acted on, or never may"),
    Kind("manifest", ("outbox/*/*/*", "outbox/.sealing/**"), "what each system was ordered; keys of records alone"),
    Kind("received", ("exchange/**/received.json", "receipts/**/received.json"),
         "which manifests a system was handed, so that none is acted on twice; holds no keys of records"),
    Kind("parcel", ("exchange/**",), "manifests on their way to a system"),
    Kind("receipt", ("receipts/**",), "what each system answered"),
    Kind("access_report", ("reports/access*/**", "reports/access*"), "what is held on a person, for that person"),
    Kind("report", ("reports/**",), "reports on the company's data as a whole"),
    Kind("leftover", ("tmp/**",), "spill files and half-written output of the run that is under way"),
)  # fmt: skip

#: Top-level names that hold no personal data.
IMPERSONAL = frozenset({
    "gallring.toml", ".gallring-demo", "dagster", "evidence", "keys", "policy", "workspace.yaml", ".gitignore",
})  # fmt: skip


@dataclass(frozen=True)
class Copy:
    """A file, or a delivery's or a manifest's folder, that can hold personal data. `last_day` None: no end of its own.

    Attributes:
        path: from the site's folder. A file name can be personal: it goes into no table, log or metadata.
        kind: the register's line.
        purpose: what it is kept for.
        last_day: the last day on which it may be there.
        size_bytes: its size.
    """

    path: Path
    kind: str
    purpose: str
    last_day: date | None
    size_bytes: int


@dataclass(frozen=True)
class CopyRegister:
    """The copies of a site, the files that are on no line, and since and until when the warehouse's bytes linger.

    The warehouse has no end of its own: on the last day of its bytes it is not destroyed but written anew.
    """

    copies: tuple[Copy, ...]
    strangers: tuple[Path, ...]
    lingering: Lingering | None = None


def copy_register(site: Site, warehouse: Warehouse, periods: Periods) -> CopyRegister:
    """Every file of `site` that can hold personal data, in the order of their paths."""
    units: dict[tuple[str, ...], tuple[Kind, int]] = {}
    strangers = []
    for place, found in _walk(site.path):
        kind = _kind_of(place) if not found.is_symlink() else None
        try:
            size = _size_of(found)
        except FileNotFoundError:
            continue
        if kind is None or size is None:
            strangers.append(Path(*place))
            continue
        unit = _unit(place, kind)
        units[unit] = (kind, size + (units[unit][1] if unit in units else 0))
    dates = _Dates(site, warehouse, periods)
    copies = (
        Copy(path := Path(*unit), kind.name, kind.purpose, dates.of(path, kind.name), size)
        for unit, (kind, size) in sorted(units.items(), key=lambda each: each[0])
    )
    return CopyRegister(tuple(copies), tuple(sorted(strangers)), lingering(warehouse, periods.erased_bytes))


def expired(register: CopyRegister, as_of: date) -> list[Copy]:
    """The copies whose last day is before `as_of`."""
    return [copy for copy in register.copies if copy.last_day is not None and copy.last_day < as_of]


def outlived(warehouse: Warehouse, register: CopyRegister, today: date) -> list[Copy]:
    """The copies that were past their last day when the last run evaluated, and are there: it could not destroy them.

    A copy whose last day came later than that run is none of them: the next run destroys it. So is one whose last day
    has not come by today: that run was as of a day to come.
    """
    if not warehouse.exists("retention", "evaluation"):
        return []
    evaluated = warehouse.value("select as_of from retention.evaluation")
    return [] if evaluated is None else expired(register, min(evaluated, today))


def destroy(site: Site, copies: Sequence[Copy]) -> list[Copy]:
    """Remove these copies, and the folders that they leave empty; those that are gone. Gone already is no error.

    One that the disk does not let go of, because its source alone may write there, keeps no other.
    """
    gone = []
    for copy in copies:
        target = site.path / copy.path
        with suppress(OSError):  # it stays on the register, past its last day: a check tells of it until it is gone
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target, ignore_errors=False)
            else:
                target.unlink(missing_ok=True)
            gone.append(copy)
            _remove_empty(target.parent, site)
    return gone


def forget_manifests(warehouse: Warehouse, copies: Sequence[Copy]) -> None:
    """Take what destroyed manifests said of records out of the ledger; that they were sealed, and when, stays.

    Their folders are destroyed first: one that is missing is written again from the ledger.
    """
    ids = [copy.path.name for copy in copies if copy.kind == "manifest"]
    if not ids:
        return
    with warehouse.transaction():
        for table in ("items", "events", "receipts", "verifications"):
            warehouse.run(f"delete from manifest.{table} where list_contains($ids, manifest_id)", {"ids": ids})
        warehouse.run(
            "update manifest.manifests set document = null, signature = null where list_contains($ids, manifest_id)",
            {"ids": ids},
        )


def destroy_expired(warehouse: Warehouse, site: Site, periods: Periods, as_of: date) -> tuple[int, CopyRegister]:
    """Destroy every copy whose last day is before `as_of`; how many, and the register of those that are left."""
    register = copy_register(site, warehouse, periods)
    gone = destroy(site, expired(register, as_of))
    forget_manifests(warehouse, gone)
    past = {copy.path for copy in gone}
    left = tuple(copy for copy in register.copies if copy.path not in past)
    return len(gone), replace(register, copies=left)


def record_register(warehouse: Warehouse, register: CopyRegister) -> None:
    """Write the register down as `erasure.copies`: counts by kind, no file's name."""
    counts: dict[str, list[Any]] = {kind.name: [kind.name, kind.purpose, 0, 0, None] for kind in KINDS}
    for copy in register.copies:
        line = counts[copy.kind]
        line[2], line[3] = line[2] + 1, line[3] + copy.size_bytes
        line[4] = min(filter(None, (line[4], copy.last_day)), default=None)
    if register.lingering is not None:
        counts["warehouse"][4] = register.lingering.until
    with warehouse.transaction():
        warehouse.run("create schema if not exists erasure")
        warehouse.run(
            "create or replace table erasure.copies "
            "(kind varchar, purpose varchar, copies bigint, bytes bigint, first_last_day date)"
        )
        warehouse.insert(
            "erasure.copies", ("kind", "purpose", "copies", "bytes", "first_last_day"), list(counts.values())
        )


def _remove_empty(folder: Path, site: Site) -> None:
    """Remove `folder` if it is empty, and then those above it, as far as they may go."""
    while _may_go(folder, site) and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _may_go(folder: Path, site: Site) -> bool:
    """The site's own folders stay, and those that others write into, or that manifests are delivered into.

    A source that delivers as an account of its own could not make its folder again, and a transport makes none: what is
    not there counts as not mounted. Of those below `exchange/`, what one delivery brought may go.
    """
    if folder == site.path or folder.parent in (site.path, site.inbox, site.receipts):
        return False
    return site.path / "exchange" not in folder.parents or folder.parent.name in (MANIFESTS, CANCELLED)


# -- which file is what ------------------------------------------------------------------------------------------------


def _walk(top: Path) -> Iterator[tuple[tuple[str, ...], os.DirEntry[str]]]:
    """Every file and link below the site but in its impersonal folders, by its place; links are not followed.

    A folder that this account may not look into stands for what is in it.

    Tens of thousands after some years, looked at every night: nothing is asked of the disk twice.
    """
    if not top.is_dir():
        return
    for found in _listed(top):
        if found.name not in IMPERSONAL:
            yield from _below((), found)


def _below(folder: tuple[str, ...], found: os.DirEntry[str]) -> Iterator[tuple[tuple[str, ...], os.DirEntry[str]]]:
    place = (*folder, found.name)
    listed = None
    if found.is_dir(follow_symlinks=False):
        try:
            listed = _listed(found.path)
        except FileNotFoundError:
            return
        except PermissionError:
            pass
    if listed is None:
        yield place, found
        return
    for each in listed:
        yield from _below(place, each)


def _size_of(found: os.DirEntry[str]) -> int | None:
    """A file's size; None of what this account may not look at, such as a whole folder."""
    try:
        return None if found.is_dir(follow_symlinks=False) else found.stat(follow_symlinks=False).st_size
    except PermissionError:
        return None


def _listed(folder: Path | str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        return sorted(found, key=lambda each: each.name)


def _files_below(folder: Path) -> Iterator[Path]:
    try:
        found = sorted(folder.iterdir())
    except (PermissionError, FileNotFoundError):
        found = []
    for path in found:
        if path.is_symlink() or not path.is_dir():
            yield path
        else:
            yield from _files_below(path)


def _kind_of(place: tuple[str, ...]) -> Kind | None:
    joined = "/".join(place)
    return next((kind for kind, fitting in _FITTING if fitting.fullmatch(joined)), None)


def _expression(pattern: str) -> str:
    """A line's pattern as a regular expression over a place's parts, joined by `/`, which no part holds."""
    parts = [".+" if part == "**" else re.escape(part).replace(r"\*", "[^/]*") for part in pattern.split("/")]
    return "/".join(parts)


#: The lines of the register, each with what a place of it looks like.
_FITTING = tuple((kind, re.compile("|".join(map(_expression, kind.patterns)), re.DOTALL)) for kind in KINDS)


def _unit(place: tuple[str, ...], kind: Kind) -> tuple[str, ...]:
    """What is destroyed at once: a delivery and a manifest are their folder, anything else is the file."""
    whole = kind.name == "delivery" or (kind.name == "manifest" and len(place) == 4)
    return place[:-1] if whole else place


# -- until when --------------------------------------------------------------------------------------------------------


class _Dates:
    """Last days, from what intake and the ledger know; else from when the file was last written."""

    def __init__(self, site: Site, warehouse: Warehouse, periods: Periods) -> None:
        self._site = site
        self._periods = periods
        self._deliveries = _delivery_days(site, warehouse, periods)
        self._manifests = _manifest_days(site, warehouse, periods)

    def of(self, unit: Path, kind: str) -> date | None:
        """The last day of a copy."""
        match kind:
            case "delivery":
                return self._deliveries.get(unit) or _last_day(
                    _arrived_on(self._site.path / unit), self._periods.quarantine
                )
            case "manifest":
                return self._manifests.get(unit)
            case "mark":
                return self._manifests.get(unit.with_suffix(""))
            case "backup":
                named = BACKUP_NAME.fullmatch(unit.name)
                return (
                    date.fromisoformat(named["until"])
                    if named
                    else _last_day(self._written(unit), self._periods.backups)
                )
            case "warehouse" | "analytics" | "received":
                return None
            case _:
                return _last_day(self._written(unit), self._by_writing(kind))

    def _by_writing(self, kind: str) -> str:
        return {
            "quarantine": self._periods.quarantine,
            "parcel": self._periods.manifests,
            "receipt": self._periods.manifests,
            "access_report": self._periods.access_reports,
            "report": self._periods.reports,
            "leftover": self._periods.leftovers,
        }[kind]

    def _written(self, unit: Path) -> date | None:
        return _written_on(self._site.path / unit)


def _last_day(since: date | None, period: str) -> date | None:
    """Of what is not there any more, none: another may have come by its name, which nobody has looked at."""
    return None if since is None else last_day(since, period)


def _written_on(path: Path) -> date | None:
    """The day on which a file, or what is below a folder, was last written; None where it is gone."""
    return _newest(each.st_mtime for each in _looked_at(_files_below(path) if path.is_dir() else [path]))


def _arrived_on(folder: Path) -> date | None:
    """The day on which a delivery, or the last of it, came to be on this disk: what a sender may not state.

    Copied files often keep the time at which they were written elsewhere. None where it is gone.
    """
    return _newest(each.st_ctime for each in _looked_at((folder, *_files_below(folder))))


def _looked_at(paths: Iterable[Path]) -> Iterator[os.stat_result]:
    """What the disk says of those that are there still."""
    for path in paths:
        with suppress(FileNotFoundError):
            yield path.lstat()


def _newest(instants: Iterable[float]) -> date | None:
    newest = max(instants, default=None)
    return None if newest is None else _local_day(datetime.fromtimestamp(newest, UTC))


def _local_day(at: datetime) -> date:
    try:
        return at.astimezone(ZoneInfo(LOCAL_ZONE)).date()
    except OverflowError:  # a clock gone wrong may state the calendar's last evening
        return at.date()


def _delivery_days(site: Site, warehouse: Warehouse, periods: Periods) -> Mapping[Path, date]:
    """Deliveries that were looked at: shorter once they are taken in, longer while they are kept out.

    From the day of the extract; of one that states a day that had not come, from the day on which it was refused.
    However old its extract, nothing goes that nobody has read.
    """
    loaded: set[tuple[str, str]] = set()
    refused: set[tuple[str, str]] = set()
    ahead: set[tuple[str, str]] = set()
    if warehouse.exists("intake", "deliveries"):
        found = warehouse.rows("select source, digest, status, reason from intake.deliveries")
        loaded = {(source, digest) for source, digest, status, _ in found if status == "loaded"}
        refused = {(source, digest) for source, digest, _, _ in found} - loaded
        ahead = {(source, digest) for source, digest, _, reason in found if reason == AHEAD} - loaded
    days = {}
    for delivery in find_deliveries(site):
        known = (delivery.source, delivery.digest)
        if delivery.extracted_at is None or known not in loaded | refused:
            continue
        extracted_on = _local_day(delivery.extracted_at)
        if known in ahead:
            refusal = site.quarantine / delivery.source / delivery.delivery_id / "reason.json"
            refused_on = _written_on(refusal if refusal.is_file() else delivery.folder)
            extracted_on = min(extracted_on, refused_on or extracted_on)
        period = periods.deliveries if known in loaded else periods.quarantine
        days[delivery.folder.relative_to(site.path)] = last_day(extracted_on, period)
    return days


#: Manifests of which no item is open, and the day on which the last was settled. The document of one that was cancelled
#: and never left goes with the next one, which names it: it counts from the day on which that one was delivered (or was
#: sealed, if that one is destroyed itself), and is kept until then.
_SETTLED = """
    with gone_out as (
        select manifests.manifest_id, manifests.system, manifests.sequence,
            coalesce(min(events.on_day), manifests.as_of) as on_day
        from manifest.manifests as manifests
        left join manifest.events as events on events.manifest_id = manifests.manifest_id and events.state = 'delivered'
        where manifests.document is null or events.manifest_id is not null
        group by manifests.manifest_id, manifests.system, manifests.sequence, manifests.as_of
    ),
    settled as (
        select states.manifest_id, states.system, manifests.sequence, max(states.since) as on_day,
            bool_and(states.state = 'cancelled') and states.manifest_id not in (select manifest_id from gone_out)
                as never_left
        from manifest.manifest_states as states
        inner join manifest.manifests as manifests on manifests.manifest_id = states.manifest_id
        where manifests.document is not null
        group by states.manifest_id, states.system, manifests.sequence
        having not bool_or(states.is_open)
    )
    select settled.manifest_id, settled.system, settled.on_day from settled where not settled.never_left
    union all
    select settled.manifest_id, settled.system, greatest(settled.on_day, min(gone_out.on_day))
    from settled
    inner join gone_out on gone_out.system = settled.system and gone_out.sequence > settled.sequence
    where settled.never_left
    group by settled.manifest_id, settled.system, settled.on_day
"""


def _manifest_days(site: Site, warehouse: Warehouse, periods: Periods) -> Mapping[Path, date]:
    """Sealed manifests of which every item is settled."""
    if not warehouse.exists("manifest", "manifest_states"):
        return {}
    outbox = site.outbox.relative_to(site.path)
    return {
        outbox / folder_name(system) / manifest_id: last_day(settled_on, periods.manifests)
        for manifest_id, system, settled_on in warehouse.rows(_SETTLED)
        if settled_on is not None
    }
