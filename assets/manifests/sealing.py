"""Sealing: the gate, then one manifest per system with news, in the outbox and in the ledger, or in neither.

The order that a crash at any point leaves in order: the files are written aside; the ledger notes that they will be
put in place; they are renamed into the outbox; one transaction records the manifest, its items and what its system
has now been told. `folders.restore`, first thing every time, undoes what was noted and never recorded. Delivery goes
by the ledger alone, so a manifest that is undone was never sent.

Decides nothing: what is told comes from `changes`, whether it may leave from `gate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from assets.core.changing import is_behind
from assets.ingest.inputs import deliveries_read
from assets.ledger import issued, told
from assets.ledger.states import record_selected
from assets.manifests import documents, folders, gate, left_out, lines
from assets.manifests.gate import Refusal
from assets.manifests.signatures import Signer
from assets.policy import Policy
from assets.site import Site
from assets.warehouse import Warehouse

#: How long a system has to answer, unless the site says otherwise.
RESPOND_WITHIN_DAYS = 30

#: Something was taken in, entered or changed that the day's evaluation has not looked at: a hold may be news.
EVALUATION_BEHIND = "evaluation_behind"

#: Items from which on a manifest is shared out among threads. A smaller one is made on one: what several do together
#: there costs a quarter more, for they wait for each other, and waiting is work (`Warehouse.one_thread`).
_WORTH_SHARING = 2_000_000


@dataclass(frozen=True)
class SealedManifest:
    """One manifest that was sealed now."""

    manifest_id: str
    system: str
    items: int
    counts: dict[str, int]
    digest: str
    folder: Path | None


@dataclass(frozen=True)
class SealReport:
    """What was sealed on a day, and what the gate held back."""

    as_of: date
    sealed: tuple[SealedManifest, ...]
    refusals: tuple[Refusal, ...]


def seal(
    warehouse: Warehouse,
    policy: Policy,
    site: Site | None,
    signer: Signer | None,
    *,
    as_of: date,
    issued_at: datetime | None,
    respond_within_days: int = RESPOND_WITHIN_DAYS,
    launched_by: str | None = None,
    leave_out: bool = False,
) -> SealReport:
    """Seal what `manifest.proposed` holds: one manifest per system, signed, in the outbox and the ledger.

    Runs the gate itself. A blocked delivery holds back the systems that depend on it; any other refusal holds back
    all. Sealing again after a crash, or twice, leaves the same manifests. Without a site and a signer only the ledger
    is written, for scenarios.

    Args:
        warehouse: with the day's evaluation and proposal.
        policy: the policy that both were made with.
        site: whose outbox takes the folders, or None.
        signer: signs each manifest; needed with a site.
        as_of: the day of evaluation.
        issued_at: when this happens, with its time zone; written down, and compared later with exports of the office
            alone: which copies at partners a notice knew of. None, where there is no site: the beginning of the day.
        respond_within_days: how many days after `as_of` the systems have to answer.
        launched_by: who launched the run, where a name is given: that person does not approve it.
        leave_out: whether what may be kept by a row that was set aside stays proposed (`left_out`). Without it, it is
            sealed like all else, and its manifest waits for a person.

    Raises:
        SealingFailed: the outbox cannot be written, or holds manifests that this warehouse never sealed.
    """
    if (site is None) != (signer is None):
        raise ValueError("A site and a signer come together: a manifest in an outbox is signed.")
    if issued_at is None and site is None:
        issued_at = datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC)
    if issued_at is None or issued_at.tzinfo is None:
        raise ValueError("issued_at needs an instant with its time zone.")
    refusals = _refusals(warehouse, policy, as_of)
    if site is not None and not any(refusal.rule == gate.UNREADABLE for refusal in refusals):
        issued.prepare(warehouse)  # the proposal may be an earlier version's, where a run goes on from here
        folders.restore(warehouse, site)
    withheld = {refusal.system for refusal in refusals if refusal.withholds_system_only}
    if any(not refusal.withholds_system_only for refusal in refusals):
        return SealReport(as_of, (), tuple(refusals))
    respond_by = as_of + timedelta(days=respond_within_days)
    parted = left_out.find(warehouse, leave_out=leave_out)
    run = _Run(warehouse, policy, site, signer, as_of, issued_at, respond_by, launched_by, parted)
    systems = {system: types for system, types in lines.proposed(warehouse, run.told).items() if system not in withheld}
    large = max((sum(types.values()) for types in systems.values()), default=0) >= _WORTH_SHARING
    with nullcontext() if large else warehouse.one_thread():
        sealed = tuple(run.seal_system(system, types) for system, types in systems.items())
    return SealReport(as_of, sealed, tuple(refusals))


def _refusals(warehouse: Warehouse, policy: Policy, as_of: date) -> list[Refusal]:
    """The gate's refusals, and those that only the sealing can see: another day, another policy, a word come since."""
    found = gate.refusals(warehouse)
    if any(refusal.rule in (gate.UNREADABLE, gate.OTHER_DAY) for refusal in found):
        return found
    proposal = warehouse.rows("select as_of, policy_sha256 from manifest.proposal")[0]
    if proposal[0] != as_of:
        found.append(Refusal(gate.OTHER_DAY, None, 1, None))
    if proposal[1] != policy.sha256:
        found.append(Refusal("proposal_of_another_policy", None, 1, None))
    if is_behind(warehouse, policy):
        found.append(Refusal(EVALUATION_BEHIND, None, 1, None))
    return found


@dataclass(frozen=True)
class _Run:
    """One sealing: what all its manifests share."""

    warehouse: Warehouse
    policy: Policy
    site: Site | None
    signer: Signer | None
    as_of: date
    issued_at: datetime
    respond_by: date
    launched_by: str | None = None
    parted: bool = False

    @property
    def told(self) -> str:
        """The condition that is true of the rows of the proposal that are sealed now."""
        return left_out.TOLD if self.parted else "true"

    def seal_system(self, system: str, types: Mapping[str | None, int]) -> SealedManifest:
        """Seal one system's manifest, files first and ledger last; `types`: its items of each record type."""
        sequence, previous = self._head(system)
        self._number_items(system, previous, types)
        counts = self._counts(system)
        folder = None if self.site is None else folders.new_work_folder(self.site, system)
        written = folders.write_items(self.warehouse, "being_sealed", None, folder)
        if written.count != (items := sum(counts.values())):
            raise folders.SealingFailed(f"{system}: {written.count} of {items} items of {self.as_of} were written: "
                                        "nothing was sealed. Run again.")  # fmt: skip
        document = self._document(system, previous, written, counts)
        manifest_id, text = document["manifest_id"], folders.document_text(document)
        signature = None if self.signer is None else self.signer.sign(documents.canonical(document))
        target = None
        if self.site is not None and folder is not None and signature is not None:
            folders.write_document(folder, text, signature)
            target = folders.manifest_folder(self.site, system, manifest_id)
            self._note_intent(manifest_id, system)
            folders.put_in_place(folder, target)
        self._record(document, text, signature, sequence, written.table_sha256)
        return SealedManifest(
            manifest_id, system, written.count, document["counts"], documents.digest(document), target
        )

    def _head(self, system: str) -> tuple[int, str | None]:
        """The next number in the system's chain, and the digest that it follows."""
        rows = self.warehouse.rows(
            "select sequence, digest from manifest.manifests where system = $system order by sequence desc limit 1",
            {"system": system},
        )
        return (rows[0][0] + 1, rows[0][1]) if rows else (1, None)

    def _number_items(self, system: str, previous: str | None, types: Mapping[str | None, int]) -> None:
        """`being_sealed`: the system's items with their ids, in the order of their lines."""
        values = {"system": system, "previous": previous, "as_of": self.as_of, "respond_by": self.respond_by}
        lines.put_in_order(self.warehouse, types, values, self.told)

    def _counts(self, system: str) -> dict[str, int]:
        """How many items of each action the manifest will hold; every one whole, and with an id of its own.

        Raises:
            SealingFailed: an item lacks a member, so that it would have no line; or items were lost or repeated.
        """
        counted = self.warehouse.rows("select action, count(*), count(item_id) from being_sealed group by action")
        items = sum(count for _, count, _ in counted)
        if lacking := items - sum(whole for _, _, whole in counted):
            raise folders.SealingFailed(
                f"{system}: {lacking} of {items} items to be sealed as of {self.as_of} lack {self._lacking()}: nothing "
                "was sealed. Run again, which proposes anew; what stays so is an error of this program's."
            )
        proposed = self.warehouse.value(
            f"select count(*) from manifest.proposed where system = $system and {self.told}", {"system": system}
        )
        ids = lines.different_ids(self.warehouse, items)
        if not proposed == ids == items:
            raise folders.SealingFailed(
                f"{system}: {proposed} items were proposed, {items} made ready, {ids} of them with ids of their own: "
                "nothing was sealed. Two contracts may describe the same record type: run `gallring policy check`."
            )
        return {action: count for action, count, _ in counted}

    def _lacking(self) -> str:
        """The members that items lack, by name."""
        columns = ", ".join(f"bool_or({member} is null)" for member in documents.MEMBERS)
        lacking = self.warehouse.rows(f"select {columns} from being_sealed")[0]
        names = [f"`{member}`" for member, lacks in zip(documents.MEMBERS, lacking, strict=True) if lacks]
        return ", ".join(names)

    def _document(
        self, system: str, previous: str | None, written: folders.WrittenItems, counts: dict[str, int]
    ) -> dict[str, Any]:
        document: dict[str, Any] = {
            "schema": documents.SCHEMA,
            "system": system,
            "controller": self.policy.register.controller,
            "as_of": self.as_of.isoformat(),
            "issued_at": self.issued_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "respond_by": self.respond_by.isoformat(),
            "policy": {"version": self.policy.version, "sha256": self.policy.sha256},
            "items": {"file": documents.ITEMS, "count": written.count, "sha256": written.sha256},
            "counts": {action: counts.get(action, 0) for action in issued.ACTIONS},
            "previous": previous,
            "state_of_inputs": deliveries_read(self.warehouse),
        }
        return {"manifest_id": documents.manifest_id(document), **document}

    def _note_intent(self, manifest_id: str, system: str) -> None:
        self.warehouse.run(
            "insert into manifest.intended values ($id, $system, $as_of)",
            {"id": manifest_id, "system": system, "as_of": self.as_of},
        )

    def _record(
        self, document: dict[str, Any], text: str, signature: str | None, sequence: int, table_sha256: str | None
    ) -> None:
        """The one transaction that makes the manifest real."""
        manifest_id, system = document["manifest_id"], document["system"]
        with self.warehouse.transaction():
            self._record_manifest(document, text, signature, sequence, table_sha256)
            told.tell(self.warehouse, _WORDS)
            self._close_told_anew(system)
            for statement in _RECORD:
                names = {"id": manifest_id, "system": system, "as_of": self.as_of, "by": self.launched_by}
                self.warehouse.run(statement, {name: names[name] for name in names if f"${name}" in statement} or None)
            for table, whose in _NEWS.items():
                told_of = left_out.OF_OTHERS if self.parted and table == _NOTICES else self.told
                take_out_of(self.warehouse, table, whose, system, told_of)

    def _close_told_anew(self, system: str) -> None:
        """Close the items that this manifest tells anew; where none fell due, its own are not looked through."""
        any_due = "select count(*) from manifest.fallen_due where as_of = $as_of and is_open"
        if self.warehouse.value(any_due, {"as_of": self.as_of}):
            select = _TOLD_ANEW.format(told=left_out.OF_OTHERS if self.parted else "true")
            record_selected(self.warehouse, select, {"system": system, "as_of": self.as_of, "reason": issued.TOLD_ANEW})

    def _record_manifest(
        self, document: dict[str, Any], text: str, signature: str | None, sequence: int, table_sha256: str | None
    ) -> None:
        columns = ("manifest_id", "system", "sequence", "as_of", "issued_at", "respond_by", "items", "items_sha256",
                   "digest", "previous", "document", "signature", "table_sha256")  # fmt: skip
        issued_at = self.issued_at.astimezone(UTC).replace(tzinfo=None, microsecond=0)
        row = (document["manifest_id"], document["system"], sequence, self.as_of, issued_at, self.respond_by,
               document["items"]["count"], document["items"]["sha256"], documents.digest(document),
               document["previous"], text, signature, table_sha256)  # fmt: skip
        self.warehouse.insert("manifest.manifests", columns, [row])


def take_out_of(warehouse: Warehouse, table: str, whose: str, system: str, told_of: str = "true") -> None:
    """Leave what is not the system's, or not `told_of`, in a table that the next proposal makes anew.

    A row that is deleted takes memory until the transaction ends. Where most of them go, the others are written once
    more instead: it costs the same, and the memory is flat in the number of rows.
    """
    is_theirs = f"(coalesce({whose} = $system, false) and {told_of})"
    rows, theirs = warehouse.rows(
        f"select count(*), count(*) filter (where {is_theirs}) from {table}", {"system": system}
    )[0]
    if 2 * theirs < rows:
        warehouse.run(f"delete from {table} where {is_theirs}", {"system": system})
    elif theirs:
        warehouse.run(
            f"create or replace table {table} as select * from {table} where not {is_theirs}", {"system": system}
        )


#: What the records' own source has now been told: the last word replaces the one before.
_WORDS = """
select record_type, record_key, case action when 'restrict' then 'restrict' when 'lift' then 'retain' else 'erase' end
    as state, named, item_id, as_of, action
from being_sealed where named is not null
"""

#: Items that fell due and are told anew by this manifest: they are closed. Of what is left out, not all is told.
_TOLD_ANEW = """
select due.manifest_id, due.item_id, 'cancelled' as state, due.as_of as on_day, 'clock' as origin,
    cast($reason as varchar) as reason
from manifest.fallen_due as due
inner join manifest.items as items on items.item_id = due.item_id
inner join (select distinct record_type, record_key from being_sealed where {told}) as sealed
    on sealed.record_type = items.record_type and sealed.record_key = items.record_key
where items.system = $system and due.as_of = $as_of and due.is_open
"""

_RECORD = (
    """
    insert into manifest.items by name
    select $id as manifest_id, item_id, system, record_type, record_key, action, fields, because, kept, as_of,
        respond_by, key_field
    from being_sealed
    """,
    # One event speaks for all items of the manifest (assets.ledger.states).
    "insert into manifest.events (manifest_id, state, on_day, origin, by_whom, sequence) "
    "select $id, 'issued', $as_of, 'seal', cast($by as varchar), coalesce(max(sequence), 0) + 1 from manifest.events",
    """
    insert into manifest.notified_fields by name
    select distinct notices.partner_id, notices.record_type, notices.record_key, notices.field, sealed.item_id,
        sealed.as_of
    from manifest.notice_fields as notices
    inner join being_sealed as sealed
        on sealed.record_type = notices.record_type and sealed.record_key = notices.record_key
        and sealed.system = 'partner:' || notices.partner_id
    """,
    "delete from manifest.intended where manifest_id = $id",
    "drop table being_sealed",
)

#: What is told, and whose: once told it is no longer news, and sealing again finds nothing to do.
_NEWS = {
    "manifest.proposed": "system",
    "manifest.changed_items": "source",
    (_NOTICES := "manifest.notice_fields"): "'partner:' || partner_id",
}
