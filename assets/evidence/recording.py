"""What the warehouse knows and the log does not yet hold, as entries without personal data.

Reads decisions, checks, the ledger of manifests and the register of own erasures; changes none of them. A row of the
ledger is told once: an entry has a subject (a day, a manifest and a state), and is written when nothing, or something
else, was last written on that subject. So a crash between two entries leaves the rest to the next run.

No field's value is ever read here. A record that has to be named (an order that a system refused, or did not keep to)
is named by a keyed reference, which the holder of the site's key alone can compute from the record's key.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from assets.evidence.chain import Chain, EvidenceBroken, append, read_chain
from assets.evidence.entries import facts_fit
from assets.evidence.verify_bundle import canonical
from assets.ingest.inputs import deliveries_read
from assets.ingest.registers import journal
from assets.ledger import issued
from assets.manifests.signatures import Signer
from assets.retention.holding import HELD_BY_NONE
from assets.site import Site
from assets.warehouse import Warehouse

#: What a state of a manifest item is in the log; an item that was issued is told by `sealed`.
KINDS = {
    "approved": "approved", "cancelled": "cancelled", "delivered": "delivered", "overdue": "overdue",
    "verified": "verified", "discrepancy": "verified",
    **dict.fromkeys(("accepted", "queued", "done", "already_absent", "partly_retained", "refused", "withheld"),
                    "answered"),
}  # fmt: skip
#: States in which something of a person's is still where it should not be, so that the records are named.
NAMED_STATES = ("partly_retained", "refused", "withheld", "discrepancy")
MOST_NAMED = 1_000


@dataclass(frozen=True)
class Recording:
    """What one recording did: the log's length, what was written now by kind, whether a crash was mended first."""

    entries: int
    written: dict[str, int]
    repaired: bool


def record(warehouse: Warehouse, site: Site, signer: Signer, recorded_at: datetime) -> Recording:
    """Append to the site's log what is not in it yet.

    Raises:
        EvidenceBroken: the log is not what was signed; nothing is added to it.
    """
    chain = read_chain(site, signer.public)
    issued.prepare(warehouse)
    entries = list(_news(warehouse, chain))
    if any(not facts_fit(entry["kind"], entry["facts"]) for entry in entries):
        raise EvidenceBroken("An entry would hold what the evidence log has no place for: nothing was written.")
    longer = append(site, signer, chain, entries, recorded_at)
    written: dict[str, int] = {}
    for entry in entries:
        written[entry["kind"]] = written.get(entry["kind"], 0) + 1
    return Recording(len(longer.entries), written, bool(chain.surplus))


_REFERENCE = "cast(pseudonym('evidence:' || record_type || ':' || record_key) as varchar)"


def _news(warehouse: Warehouse, chain: Chain) -> Iterator[dict[str, Any]]:
    last = {(entry["kind"], entry["subject"]): canonical(entry["facts"]) for entry in chain.entries}
    logged = {subject for kind, subject in last if kind == "sealed"}
    sources = (_decided(warehouse), _checked(warehouse), _sealed(warehouse, logged), _happened(warehouse),
               _erased(warehouse), _office(warehouse))  # fmt: skip
    for source in sources:
        for kind, subject, facts in source:
            if last.get((kind, subject)) != canonical(facts):
                yield {"kind": kind, "subject": subject, "facts": facts}


Told = tuple[str, str, dict[str, Any]]


def _decided(warehouse: Warehouse) -> Iterator[Told]:
    """The last evaluation: the policy, the deliveries it read, and what it came to, in numbers."""
    if not (warehouse.exists("retention", "dispositions") and warehouse.exists("retention", "evaluation")):
        return
    as_of = warehouse.value("select as_of from retention.evaluation")
    if as_of is None:
        return
    facts = {
        "as_of": str(as_of),
        "policy": warehouse.records("select version, sha256 from policy.about")[0],
        "deliveries": [{**read, "status": "loaded"} for read in deliveries_read(warehouse)],
        "dispositions": warehouse.records(_DISPOSITIONS),
        "purposes": warehouse.records(_PURPOSES),
        "blocked": warehouse.records('select source, table_name as "table", reason from intake.blocks order by all'),
    }
    yield "decided", str(as_of), facts


_DISPOSITIONS = """
with counted as (
    select record_type, disposition, count(*) as categories from retention.dispositions group by all
)
select records.source as system, counted.disposition, cast(sum(counted.categories) as bigint) as categories
from counted inner join policy.records as records on records.record_type = counted.record_type
group by all order by all
"""
_PURPOSES = f"""
with counted as (
    select claims.record_type, claims.purpose, count(*) as categories
    from retention.claims as claims
    left join {HELD_BY_NONE} as unheld on claims.record_type = unheld.record_type and claims.row_id = unheld.row_id
    where claims.is_active and unheld.row_id is null
    group by all
)
select records.source as system, counted.purpose, cast(sum(counted.categories) as bigint) as categories
from counted inner join policy.records as records on records.record_type = counted.record_type
group by all order by all
"""


def _checked(warehouse: Warehouse) -> Iterator[Told]:
    """The last verdicts of each stop: how many checks held, and which did not."""
    if not warehouse.exists("quality", "verdicts"):
        return
    rows = warehouse.rows(
        "select stop, as_of, count(*) filter (where passed), "
        "coalesce(list_sort(list(distinct name) filter (where not passed)), []) "
        "from quality.verdicts group by all order by all"
    )
    for stop, as_of, held, failed in rows:
        facts = {"as_of": str(as_of), "stop": stop, "held": held, "failed": failed}
        yield "checked", f"{as_of}/{stop}", facts


def _sealed(warehouse: Warehouse, logged: Collection[str]) -> Iterator[Told]:
    """Every sealed manifest but those `logged`: its digest, chain, policy and counts. What is sealed never changes."""
    rows = warehouse.rows(
        "select manifest_id, digest, items_sha256, document, signature is not null from manifest.manifests "
        "where document is not null and manifest_id not in (select unnest(cast($logged as varchar[]))) "
        "order by as_of, system, sequence",
        {"logged": sorted(logged)},
    )
    for manifest_id, digest, items_sha256, text, signed in rows:
        document = json.loads(text)
        facts = {
            **{name: document[name] for name in ("system", "as_of", "issued_at", "respond_by", "policy", "previous")},
            "manifest_id": manifest_id, "digest": digest, "items_sha256": items_sha256, "signed": signed,
            "items": document["items"]["count"], "counts": document["counts"],
        }  # fmt: skip
        yield "sealed", manifest_id, facts


def _happened(warehouse: Warehouse) -> Iterator[Told]:
    """What became of manifests: a state on a day, by whom, for how many items; records only where one went wrong."""
    for row in warehouse.records(_EVENTS, {"named": list(NAMED_STATES), "most": MOST_NAMED}):
        facts = {**row, "on": str(row["on"])}
        by = [part for part in (row["reason"], row["by"]) if part]
        yield KINDS.get(row["state"], "moved"), "/".join([row["manifest_id"], row["state"], facts["on"], *by]), facts


#: Records are looked up, and their references worked out, of the few events alone that name any.
_EVENTS = f"""
with happened as (
    select manifest_id, item_id, state, on_day, reason, substr(by_whom, 1, 200) as by_whom
    from manifest.events
    where state <> 'issued'
),
counted as (
    select manifest_id, state, on_day, reason, by_whom, bool_or(item_id is null) as whole, count(*) as items
    from happened
    group by all
),
wrong as (
    select * from happened where list_contains($named, state) and item_id is not null
),
wrong_items as (
    select items.manifest_id, items.item_id, {_REFERENCE} as reference
    from manifest.items as items
    inner join (select distinct manifest_id, item_id from wrong) as wanted
        on wanted.manifest_id = items.manifest_id and wanted.item_id = items.item_id
),
named as (
    select wrong.manifest_id, wrong.state, wrong.on_day, wrong.reason, wrong.by_whom,
        list_slice(list_sort(list(distinct wrong_items.reference)), 1, $most) as records
    from wrong
    inner join wrong_items on wrong_items.manifest_id = wrong.manifest_id and wrong_items.item_id = wrong.item_id
    group by all
)
select counted.manifest_id, manifests.system, counted.state, counted.on_day as "on", counted.reason,
    counted.by_whom as "by",
    cast(case when counted.whole then manifests.items else counted.items end as bigint) as items,
    coalesce(named.records, []) as records
from counted
inner join manifest.manifests as manifests on manifests.manifest_id = counted.manifest_id
left join named
    on named.manifest_id = counted.manifest_id and named.state = counted.state and named.on_day = counted.on_day
    and named.reason is not distinct from counted.reason and named.by_whom is not distinct from counted.by_whom
order by counted.on_day, manifests.system, counted.manifest_id, counted.state, counted.reason, counted.by_whom
"""


def _erased(warehouse: Warehouse) -> Iterator[Told]:
    """Every erasure in the warehouse: why, how much went, and until when the file may hold the bytes, where it may."""
    if not warehouse.exists("erasure", "rewrites"):
        return
    until = ", bytes_until" if "bytes_until" in warehouse.columns("erasure", "rewrites") else ""
    rows = warehouse.records(
        "select sequence, as_of, string_split(reason, ' ') as reasons, fields_erased, records, quarantined_erased"
        f"{until} from erasure.rewrites order by sequence"
    )
    for row in rows:
        facts = {
            name: str(value) if isinstance(value, date) else value for name, value in row.items() if value is not None
        }
        yield "erased", f"{facts['as_of']}/{row['sequence']}", facts


def _office(warehouse: Warehouse) -> Iterator[Told]:
    """What the office did at the site: holds, requests, decisions on matches, and each reading of a person's data.

    An entry of the site's own is named by its number; a delivered one is not: the office may write anything there.
    """
    for row in journal(warehouse):
        yield "office", f"office/{row['sequence']}", row
