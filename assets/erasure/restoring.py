"""Backups of the warehouse, and bringing one back without bringing back what was ordered erased since.

The truth about what was sealed is the outbox: signed manifests, each pointing at the one before. A restored warehouse
is older than its outbox, so before anything may read it, every manifest that it does not know is recorded again
(`replay`), what the evidence log says became of it too (an order that its system has is no order that can be taken
back), and what they order erased leaves it (`assets.erasure.erasing`). All of that happens beside the site's
warehouse, which is replaced last and whole. Knows nothing of settings, keys' files or Dagster.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from assets.delivery.approving import withdraw
from assets.erasure.copies import BACKUP_NAME
from assets.erasure.periods import last_day
from assets.errors import BadInput, GallringError
from assets.evidence.chain import read_chain
from assets.ingest.lost import Lost, Reading, note_lost
from assets.ingest.registers import NOTHING_ENTERED, Entered, Forgotten, go_on_from, take_over
from assets.ledger import issued, told
from assets.ledger.states import Event, record
from assets.manifests import documents, fields
from assets.manifests.signatures import PublicKey
from assets.manifests.verifying import verify
from assets.policy import Policy
from assets.site import Site
from assets.warehouse import REWRITING, Warehouse, WarehouseLocked, WrittenCopy, discard_database, literal
from assets.writing import discard_half_written, flush
from assets.writing import put_in_place as give_name

RESTORING = ".restoring"
_SHOWN = 12


class NotReplayed(GallringError):
    """The warehouse is older than the outbox: what was sealed since is to be replayed before anything reads it."""


@dataclass(frozen=True)
class Replayed:
    """What a replay recorded again: manifests that the outbox held and the ledger did not, and their items.

    Attributes:
        manifests: how many.
        items: theirs.
        forgotten: what people entered at the site since the backup, as far as the evidence log tells that they did;
            what it was nobody knows here any more.
        taken_over: how many such steps came along from the warehouse that made way.
        lost: deliveries that decisions were made from since the backup, and that are not in the inbox: noted now, so
            that their sources block.
    """

    manifests: int = 0
    items: int = 0
    forgotten: tuple[Forgotten, ...] = ()
    taken_over: int = 0
    lost: tuple[Lost, ...] = ()


# -- backups -----------------------------------------------------------------------------------------------------------


def back_up(warehouse: Warehouse, site: Site, *, made_at: datetime, period: str) -> tuple[WrittenCopy, date]:
    """Write an encrypted, proved copy of the open warehouse into `backups/`; its name says until when it may be kept.

    The caller has the warehouse open, so no run is at work on it.

    Args:
        warehouse: the site's.
        site: where the copy goes.
        made_at: when, in local time.
        period: how long it may be kept.

    Raises:
        RewriteFailed: the copy could not be written or proved; nothing is left of it.
        OSError: `backups/` does not take it; nothing is left of it either.
    """
    until = last_day(made_at.date(), period)
    site.backups.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"warehouse-{made_at:%Y-%m-%dT%H-%M-%S}-until-{until}.duckdb"
    half = site.temporary / name
    site.temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = warehouse.copy_to(half)
    try:
        discard_half_written(site.backups / "warehouse")  # of a backup that died on its way to another disk
        give_name(half, site.backups / name)
    except BaseException:
        discard_database(half)
        raise
    return WrittenCopy(site.backups / name, written.tables, written.rows, written.size_bytes), until


def require_restorable(file: Path, today: date) -> None:
    """Refuse a file that is no backup, or whose last day has passed.

    Raises:
        BadInput: it is either.
    """
    if not file.is_file():
        raise BadInput(f"{file} is not there: backups/ holds what `gallring backup` has written.")
    named = BACKUP_NAME.fullmatch(file.name)
    if named is None:
        raise BadInput(f"{file.name} is no backup: `gallring backup` writes warehouse-…-until-….duckdb.")
    if date.fromisoformat(named["until"]) < today:
        raise BadInput(f"{file.name} was to be destroyed after {named['until']}: take a newer backup, and destroy it.")


def restoring_path(site: Site) -> Path:
    """Where a backup stands while it is made fit to be read."""
    return site.warehouse.with_name(site.warehouse.name + RESTORING)


@contextmanager
def restoring_alone(site: Site) -> Iterator[None]:
    """Until the block ends, no other process lays out a backup, or removes what was laid out. One that dies lets go.

    The warehouse that is held open does not do it: there may be none, or one that does not open.

    Raises:
        WarehouseLocked: another process restores.
    """
    handle = os.open(site.path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WarehouseLocked(
                "Another `gallring restore` is at work on this site: wait for it to end, then try again."
            ) from None
        except OSError:  # a disk that knows no locks
            pass
        yield
    finally:
        os.close(handle)


def discard_laid_out(site: Site) -> None:
    """Remove a backup that was laid out beside the warehouse and never took its place, with what was made of it."""
    target = restoring_path(site)
    for path in (target, target.with_name(target.name + REWRITING)):
        discard_database(path)


def lay_out(file: Path, site: Site) -> Path:
    """Copy a backup beside the warehouse, to be opened and replayed there."""
    target = restoring_path(site)
    discard_laid_out(site)
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with file.open("rb") as source, os.fdopen(handle, "wb") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())
    return target


def put_in_place(site: Site, *, in_place_of_one: bool = True) -> None:
    """Give the replayed file the warehouse's name. The old file's log goes first: it must not meet the new file.

    Raises:
        BadInput: there is a warehouse, where it was not to take the place of one.
    """
    if not in_place_of_one and site.warehouse.exists():
        raise BadInput(
            f"{site.warehouse.name} was made by another process meanwhile, and stays as it is: restore again to put "
            "the backup in its place."
        )
    site.warehouse.with_name(site.warehouse.name + ".wal").unlink(missing_ok=True)
    restoring_path(site).replace(site.warehouse)
    flush(site.path)


# -- what the outbox knows and the ledger does not ---------------------------------------------------------------------


def unknown_manifests(warehouse: Warehouse, site: Site) -> list[Path]:
    """The sealed manifests of the outbox that the warehouse's ledger does not know, in the order of their paths.

    One that a crash in the middle of sealing left behind is known: sealing takes it back.
    """
    known: set[str] = set()
    for table in ("manifests", "intended"):
        if warehouse.exists("manifest", table):
            known.update(name for (name,) in warehouse.rows(f"select manifest_id from manifest.{table}"))
    return [folder for folder in sealed_folders(site) if folder.name not in known]


def sealed_folders(site: Site) -> list[Path]:
    """Every manifest folder of the outbox."""
    if not site.outbox.is_dir():
        return []
    systems = [path for path in sorted(site.outbox.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    return [folder for system in systems for folder in sorted(system.iterdir()) if folder.is_dir()]


def require_replayed(warehouse: Warehouse, site: Site) -> None:
    """Refuse to read a warehouse that is older than its outbox.

    Raises:
        NotReplayed: it is.
    """
    unknown = unknown_manifests(warehouse, site)
    if unknown:
        raise NotReplayed(
            f"The warehouse does not know {len(unknown)} sealed manifests of the outbox, such as "
            f"{unknown[0].parent.name}/{unknown[0].name[:_SHOWN]}…: it is older than they are, and may hold what they "
            "ordered erased. `gallring restore --replay` records them again; a folder that does not belong there is to "
            "be moved away."
        )


def replay(
    warehouse: Warehouse, policy: Policy, site: Site, key: PublicKey, entered: Entered = NOTHING_ENTERED
) -> Replayed:
    """Record every manifest of the outbox that the ledger does not know, oldest first, as if sealed here.

    All or nothing. What an order about a whole record named field by field is not in the manifest: all its fields
    count as ordered. What the evidence log tells of whole manifests (approved, delivered, cancelled) is recorded again
    too; what it does not tell is as it was in the backup, or issued, and may have left all the same. Holds, requests
    and decisions on matches that were `entered` since come along; of others the log tells that there were some, and
    they are for a person to enter again. Deliveries that decisions were made from since then, and that are lost, hold
    their sources back.

    Raises:
        BadInput: a manifest does not verify, or its chain does not join on to the ledger's.
        EvidenceBroken: the evidence log is not what was signed.
        NeedsPerson: something was `entered` of which this warehouse does not know the column.
    """
    with warehouse.transaction():
        issued.prepare(warehouse)
        policy.publish(warehouse)
        fields.number_fields(warehouse)
        chained = _in_order(warehouse, unknown_manifests(warehouse, site), key)
        items = sum(_record(warehouse, folder, document) for folder, document in chained)
        entries = read_chain(site, key).entries
        _follow_log(warehouse, entries)
        taken_over = take_over(warehouse, entered)
        logged = [entry["facts"] for entry in entries if entry["kind"] == "office"]
        lines = {line["sequence"]: line for line in (*logged, *entered.journal)}
        forgotten = go_on_from(warehouse, list(lines.values()))
        lost = note_lost(warehouse, site, _readings([document for _, document in chained], entries))
    return Replayed(len(chained), items, tuple(forgotten), taken_over, lost)


def _readings(documents_sealed: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]]) -> list[Reading]:
    """From which deliveries decisions were made: by what was sealed since the backup, and by the evidence log."""
    told = [(each["issued_at"], each["as_of"], each["state_of_inputs"]) for each in documents_sealed]
    told += [
        (entry["recorded_at"], entry["facts"]["as_of"], entry["facts"]["deliveries"])
        for entry in entries if entry["kind"] == "decided"
    ]  # fmt: skip
    return [Reading(datetime.fromisoformat(at), date.fromisoformat(as_of), read) for at, as_of, read in told]


def _in_order(warehouse: Warehouse, folders: list[Path], key: PublicKey) -> list[tuple[Path, dict[str, Any]]]:
    """The manifests, each after the one of its system that it points at."""
    waiting: dict[tuple[str, str | None], tuple[Path, dict[str, Any]]] = {}
    for folder in folders:
        found = verify(folder, key)
        if not found.ok:
            raise BadInput(f"outbox/{folder.parent.name}/{folder.name} does not verify: {found.problems[0]}. Nothing "
                           "was replayed; bring the folder back from a backup of the outbox.")  # fmt: skip
        document = json.loads((folder / documents.DOCUMENT).read_text(encoding="utf-8"))
        waiting[document["system"], document["previous"]] = (folder, document)
    ordered = []
    for system in sorted({system for system, _ in waiting}):
        head = _head(warehouse, system)
        while (system, head) in waiting:
            folder, document = waiting.pop((system, head))
            ordered.append((folder, document))
            head = documents.digest(document)
    if waiting:
        folder = next(iter(waiting.values()))[0]
        raise BadInput(f"outbox/{folder.parent.name}/{folder.name} follows a manifest that neither the outbox nor the "
                       "warehouse holds. Nothing was replayed; restore the outbox too, or a newer backup.")  # fmt: skip
    return ordered


def _head(warehouse: Warehouse, system: str) -> str | None:
    found = warehouse.value(
        "select digest from manifest.manifests where system = ? order by sequence desc limit 1", [system]
    )
    return str(found) if found is not None else None


def _record(warehouse: Warehouse, folder: Path, document: dict[str, Any]) -> int:
    """One manifest: its row, its items, and what its system has been told by it."""
    text = (folder / documents.DOCUMENT).read_text(encoding="utf-8")
    signature = (folder / documents.SIGNATURE).read_text(encoding="utf-8").strip()
    names = {"id": document["manifest_id"], "system": document["system"], "as_of": document["as_of"]}
    warehouse.run(
        "insert into manifest.manifests (manifest_id, system, sequence, as_of, issued_at, respond_by, items, "
        "items_sha256, digest, previous, document, signature) select $id, $system, "
        "(select coalesce(max(sequence), 0) + 1 from manifest.manifests where system = $system), "
        "cast($as_of as date), cast(replace($issued_at, 'Z', '') as timestamp), cast($respond_by as date), $items, "
        "$sha256, $digest, $previous, $document, $signature",
        {**names, "issued_at": document["issued_at"], "respond_by": document["respond_by"],
         "items": document["items"]["count"], "sha256": document["items"]["sha256"],
         "digest": documents.digest(document), "previous": document["previous"], "document": text,
         "signature": signature},
    )  # fmt: skip
    warehouse.run(_READ_ITEMS.replace("$path", literal(str(folder / documents.ITEMS))), names)
    for statement in _TELL:
        warehouse.run(statement, {name: names[name] for name in names if f"${name}" in statement} or None)
    told.tell(warehouse, _TOLD)
    count = int(warehouse.value("select count(*) from replayed_items"))
    if count != document["items"]["count"]:
        raise BadInput(f"{folder.name}: {count} items were read where the manifest states another number.")
    warehouse.run("drop table replayed_items")
    return count


def _follow_log(warehouse: Warehouse, entries: Sequence[Mapping[str, Any]]) -> None:
    """Record what the evidence log says became of whole manifests, where the ledger does not know it.

    One that was delivered can be recalled by a lift alone; one that was cancelled takes back its word, unless it may
    have left before (`_note_what_may_have_left`).
    """
    sizes = dict(warehouse.rows("select manifest_id, items from manifest.manifests"))
    events = [
        Event(facts["manifest_id"], facts["state"], date.fromisoformat(facts["on"]), _ORIGINS[facts["state"]],
              reason=facts["reason"], by_whom=facts["by"])
        for facts in (entry["facts"] for entry in entries if entry["kind"] in _ORIGINS)
        if facts["items"] == sizes.get(facts["manifest_id"])
    ]  # fmt: skip
    delivered = {event.manifest_id for event in events if event.state == "delivered"}
    _note_what_may_have_left(warehouse, events)
    undelivered = dict(
        warehouse.rows(
            "select manifest_id, sum(items) from manifest.manifest_states where state in ('issued', 'approved') "
            "group by manifest_id"
        )
    )
    for event in events:
        whole = undelivered.get(event.manifest_id) == sizes[event.manifest_id]
        if event.state == "cancelled" and whole and event.manifest_id not in delivered:
            withdraw(warehouse, event)
    record(warehouse, [event for event in events if event.state != "cancelled"])


def _note_what_may_have_left(warehouse: Warehouse, events: Sequence[Event]) -> None:
    """Note in `manifest.sending` what may have left since the backup, though nothing says that it arrived.

    That is every manifest that is not known as delivered, but for one that was cancelled and never approved. A delivery
    that was cut off, or whose record did not come into the log, has left no other trace.
    """
    of = {state: sorted({event.manifest_id for event in events if event.state == state}) for state in _ORIGINS}
    warehouse.run(
        """
        insert into manifest.sending
        select distinct states.manifest_id
        from manifest.manifest_states as states
        where states.state in ('issued', 'approved')
            and states.manifest_id not in (select manifest_id from manifest.sending)
            and (
                states.state = 'approved'
                or list_contains(cast($approved as varchar[]), states.manifest_id)
                or not list_contains(cast($cancelled as varchar[]), states.manifest_id)
            )
        """,
        {"approved": of["approved"], "cancelled": of["cancelled"]},
    )
    warehouse.run(
        "delete from manifest.sending where list_contains(cast($delivered as varchar[]), manifest_id)",
        {"delivered": of["delivered"]},
    )


#: What a whole manifest can have become, as the evidence log names it, and where that step comes from.
_ORIGINS = {"approved": "approve", "delivered": "deliver", "cancelled": "cancel"}


_READ_ITEMS = """
create or replace temp table replayed_items as
select $id as manifest_id, item_id, $system as system, record_type, map_values("key")[1] as record_key, action,
    fields, because, kept, cast($as_of as date) as as_of, cast(respond_by as date) as respond_by,
    map_keys("key")[1] as key_field
from read_json($path, format = 'newline_delimited', maximum_object_size = 16777216, columns = {
    item_id: 'varchar', record_type: 'varchar', "key": 'map(varchar, varchar)', action: 'varchar',
    fields: 'varchar[]', because: 'json', kept: 'json', respond_by: 'varchar'
})
"""

_TOLD = """
    select items.record_type, items.record_key,
        case items.action when 'restrict' then 'restrict' when 'lift' then 'retain' else 'erase' end as state,
        bit_or(fields.bit) as named, items.item_id, items.as_of, items.action
    from replayed_items as items
    inner join manifest.field_bits as fields on fields.record_type = items.record_type
    where items.action <> 'notify' and (items.action = 'erase' or list_contains(items.fields, fields.field))
    group by items.record_type, items.record_key, items.item_id, items.as_of, items.action
"""

_TELL = (
    "insert into manifest.items by name select * from replayed_items",
    "insert into manifest.events (manifest_id, state, on_day, origin, sequence) "
    "select $id, 'issued', cast($as_of as date), 'seal', coalesce(max(sequence), 0) + 1 from manifest.events",
    """
    insert into manifest.notified_fields by name
    select substr(items.system, length('partner:') + 1) as partner_id, items.record_type, items.record_key,
        unnest(items.fields) as field, items.item_id, items.as_of
    from replayed_items as items
    where items.action = 'notify'
    """,
)
