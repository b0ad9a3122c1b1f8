"""What a peer is told: the files, the day, and what the benchmark's policy covers. Nothing that decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from assets.policy import Policy

POLICY = Path(__file__).resolve().parents[1] / "policy"


@dataclass(frozen=True)
class Task:
    """What a peer works from.

    Attributes:
        inbox: the exports, `SOURCE/DELIVERY/TABLE.csv`.
        as_of: the day of evaluation.
        categories: record type -> its data categories.
        covers: record type -> data category -> the purposes that cover it.
        uses: the purposes of class use; the others are duties.
        keys: record type -> (source, table, key column).
    """

    inbox: Path
    as_of: date
    categories: dict[str, list[str]]
    covers: dict[str, dict[str, list[str]]]
    uses: frozenset[str]
    keys: dict[str, tuple[str, str, str]]

    @classmethod
    def of(cls, inbox: str | Path, as_of: str | date) -> Task:
        """The benchmark's policy on the files of an inbox."""
        policy = Policy.load(POLICY)
        covers: dict[str, dict[str, list[str]]] = {}
        for entry in policy.coverage():
            covers.setdefault(entry.record_type, {}).setdefault(entry.data_category, []).append(entry.purpose)
        return cls(
            inbox=Path(inbox),
            as_of=as_of if isinstance(as_of, date) else date.fromisoformat(as_of),
            categories={record: list(categories) for record, categories in policy.fields.items()},
            covers=covers,
            uses=frozenset(
                name for name, purpose in policy.register.purposes.items() if purpose.purpose_class == "use"
            ),
            keys={
                contract.record_type: (contract.source, contract.table, contract.key)
                for contract in policy.contracts.values()
                if contract.record_type is not None
            },
        )

    def path(self, source: str, table: str) -> Path:
        """The one file of a table.

        Raises:
            ValueError: there is none, or more than one.
        """
        (found,) = self.inbox.glob(f"{source}/*/{table}.csv")
        return found

    def claiming(self, record_type: str, category: str) -> dict[str, list[str]]:
        """The purposes that may claim a category, by class."""
        purposes = self.covers.get(record_type, {}).get(category, [])
        return {
            "use": [purpose for purpose in purposes if purpose in self.uses],
            "duty": [purpose for purpose in purposes if purpose not in self.uses],
        }


def told(rows: Any) -> dict[str, Any]:
    """What a peer tells of its work."""
    return {"dispositions": int(rows)}
