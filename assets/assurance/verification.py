"""Whether everything that was sealed, logged and copied still is what it was, and the evaluation what it would be anew.

Files are read and changed nowhere. What a manifest and a log must look like is `assets.manifests.verifying`'s and
`assets.evidence.chain`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from assets.core.changing import rebuild
from assets.core.units import shape_of
from assets.erasure.copies import copy_register
from assets.erasure.periods import Periods
from assets.evidence.chain import EvidenceBroken, read_chain
from assets.ledger import issued
from assets.manifests.folders import manifest_folder
from assets.manifests.signatures import PublicKey
from assets.manifests.verifying import verify
from assets.policy import Policy
from assets.retention.incremental import evaluate_night
from assets.site import Site
from assets.warehouse import Warehouse, identifier


@dataclass(frozen=True)
class Looked:
    """How many things were looked at, and those that are not as they should be: ids and paths of ours, no values."""

    evaluated: int
    unexpected: tuple[str, ...]


def manifests(warehouse: Warehouse, site: Site, key: PublicKey) -> Looked:
    """Every sealed manifest that is still to be kept stands in the outbox, signed, whole, and after the one before.

    Where the one before was destroyed, there is no folder to hold the next one against.
    """
    issued.prepare(warehouse)
    sealed = warehouse.rows(
        "select system, manifest_id, sequence from manifest.manifests where signature is not null "
        "order by system, sequence"
    )
    return Looked(len(sealed), tuple(_broken(sealed, site, key)))


def _broken(sealed: list[tuple[str, str, int]], site: Site, key: PublicKey) -> Iterator[str]:
    folders = {(system, sequence): manifest_folder(site, system, manifest_id)
               for system, manifest_id, sequence in sealed}  # fmt: skip
    for system, manifest_id, sequence in sealed:
        if not verify(folders[system, sequence], key, folders.get((system, sequence - 1))).ok:
            yield f"{system}/{manifest_id[:16]}"


def evidence(site: Site, key: PublicKey) -> Looked:
    """The evidence log is what its signed head says."""
    try:
        return Looked(len(read_chain(site, key).entries), ())
    except EvidenceBroken as broken:
        return Looked(0, (broken.message,))


def copies(warehouse: Warehouse, site: Site, periods: Periods, as_of: date) -> Looked:
    """No file that can hold personal data has outlived its last day."""
    register = copy_register(site, warehouse, periods)
    late = [copy for copy in register.copies if copy.last_day is not None and copy.last_day < as_of]
    return Looked(len(register.copies), tuple(f"{copy.kind}, last day {copy.last_day}" for copy in late))


_EVALUATED = ("core", "triggers", "purposes", "retention")
_DIFFERING = """
    select record_type, row_id from (
        (select * from standing_dispositions except all select * from retention.dispositions)
        union all
        (select * from retention.dispositions except all select * from standing_dispositions)
    ) as differing
    group by record_type, row_id
    order by record_type, row_id
"""


def evaluation(warehouse: Warehouse, policy: Policy) -> Looked:
    """Nights evaluate what changed: everything evaluated from scratch, as of the same day, has to come to the same.

    Dispositions are compared record by record, and every other stored table as a whole: by its number of rows and a sum
    of their hashes. What came in since is taken up first. The evaluation from scratch is what stands afterwards, so
    that a night that went wrong does not outlive the week. Under another policy than the last run's there is nothing to
    compare.
    """
    if not warehouse.exists("retention", "evaluation"):
        return Looked(0, ())
    as_of = warehouse.value("select as_of from retention.evaluation")
    if as_of is None or warehouse.value("select sha256 from policy.about") != policy.sha256:
        return Looked(0, ())
    rebuild(warehouse, policy)
    evaluate_night(warehouse, policy, as_of)
    warehouse.run("create or replace temp table standing_dispositions as select * from retention.dispositions")
    standing = _sums(warehouse)
    rebuild(warehouse, policy, full=True)
    anew = evaluate_night(warehouse, policy, as_of, full=True)
    records = [f"{record_type} {row_id}" for record_type, row_id in warehouse.rows(_DIFFERING)]
    warehouse.run("drop table standing_dispositions")
    tables = sorted(table for table, _ in standing.items() ^ _sums(warehouse).items())
    return Looked(anew.records, (*records, *dict.fromkeys(tables)))


def _sums(warehouse: Warehouse) -> dict[str, tuple[int, int | None]]:
    """What no order of its rows changes of each table that is built and evaluated, but for the dispositions."""
    named = [
        (f"{schema}.{table}", f"{schema}.{identifier(table)}")
        for schema, table in shape_of(warehouse).tables(_EVALUATED)
        if f"{schema}.{table}" != "retention.dispositions"
    ]
    return {
        table: warehouse.rows(f"select count(*), sum(cast(hash(each_row) as hugeint)) from {name} as each_row")[0]
        for table, name in named
    }  # fmt: skip
