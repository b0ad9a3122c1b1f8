"""Which policies have decided, one after the other, and whether one was changed under a version that stayed.

Manifests, evidence and reports say by which version something was decided. Two policies under one version make that
word false, and nobody notices: the digests differ, which people do not read. Decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from assets.policy import Policy
from assets.warehouse import Warehouse

_COLUMNS = {"sequence": "bigint", "version": "varchar", "digest": "varchar", "as_of": "date"}


@dataclass(frozen=True)
class UnraisedVersion:
    """A policy that was changed while its version stayed; `since`: the first day that was decided by it."""

    version: str
    since: date

    @property
    def message(self) -> str:
        """What happened, and what to do."""
        return (
            f"the policy was changed, and its version stayed {self.version}: what is decided from {self.since} on says "
            "that it went by the same one as before. Look at what was changed, and raise `version` in register.yaml."
        )


def note_policy(warehouse: Warehouse, policy: Policy, as_of: date) -> None:
    """Note that a company's own policy has decided a day, where it is another than the last. The same changes nothing.

    Writes `policy.decided(sequence, version, digest, as_of)`; grain: a policy that took another's place. The shipped
    policy is the program's: it changes with the program, and its version is nobody's here to raise.
    """
    if policy.own_sha256 is None:
        return
    columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
    warehouse.run("create schema if not exists policy")
    warehouse.run(f"create table if not exists policy.decided ({columns})")
    last = warehouse.rows("select sequence, version, digest from policy.decided order by sequence desc limit 1")
    if not last or last[0][1:] != (policy.version, policy.own_sha256):
        sequence = last[0][0] + 1 if last else 1
        warehouse.insert("policy.decided", list(_COLUMNS), [(sequence, policy.version, policy.own_sha256, as_of)])


def unraised_version(warehouse: Warehouse) -> UnraisedVersion | None:
    """Whether the last evaluation is the first day of a policy that was changed while its version stayed.

    So it is told of once: by every run as of that day, and by none after it.
    """
    if not (warehouse.exists("policy", "decided") and warehouse.exists("retention", "evaluation")):
        return None
    found = warehouse.rows(UNRAISED.format(decided="policy.decided", evaluation="retention.evaluation"))
    return UnraisedVersion(*found[0]) if found else None


#: The last policy, where it decided the last day first and only its digest is another than its predecessor's.
UNRAISED = """
    select latest.version, latest.as_of
    from {decided} as latest
    inner join {decided} as before on before.sequence = latest.sequence - 1
    inner join {evaluation} as evaluation on evaluation.as_of = latest.as_of
    where latest.sequence = (select max(sequence) from {decided})
        and latest.version = before.version and latest.digest <> before.digest
"""
