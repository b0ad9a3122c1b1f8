"""People with unmistakable strings in every field of every table, and the deliveries that carry them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from assets.contracts.contract import Column, Contract
from assets.contracts.declarations import canonical

#: Days that would end what should be there; some are set where a life is to come to its end.
LATER = {"relation_ended_at", "deceased_on", "role_ended_at", "closed_at", "withdrawn_at", "unsubscribed_at",
         "released_at", "answered_at", "case_closed_at", "refers_to_invoice_id", "extended_at", "_deleted"}  # fmt: skip
ENDED = {"released_at", "answered_at", "closed_at", "case_closed_at", "relation_ended_at"}
#: Words that the office's registers need to be about somebody at all.
OFFICE = {"record_type": "customer", "record_key": "customer_id-1", "fields": "", "role": "controller", "system": "",
          "name": "Budbolaget AB", "scope": "", "kind": "access"}  # fmt: skip


class Birds:
    """Three people: one in use, one long gone, one whose rows do not fit. `mark` begins every string of theirs."""

    def __init__(self, seed: str) -> None:
        self.mark = f"zq{seed}"

    def of(self, contract: Contract, column: Column) -> str:
        """The string in a column; it tells where it comes from."""
        return f"{self.mark}.{contract.table}.{column.name}"

    def write(self, folder: Path, *, people: bool = True, ended: bool = False) -> dict[str, list[Path]]:
        """A CSV file a table, by source. Without `people` the files hold their headers alone."""
        folder.mkdir(parents=True)
        written: dict[str, list[Path]] = {}
        for contract in canonical().values():
            path = folder / f"{contract.source}_{contract.table}" / f"{contract.table}.csv"
            path.parent.mkdir()
            text = io.StringIO()
            rows = csv.writer(text, lineterminator="\n")
            rows.writerow([column.name for column in contract.columns])
            if people:
                rows.writerows(self._rows(contract, ended))
            path.write_text(text.getvalue(), encoding="utf-8")
            written.setdefault(contract.source, []).append(path)
        return written

    def _rows(self, contract: Contract, ended: bool) -> Iterator[list[str]]:
        if contract.table == "fiscal_years":
            yield ["2026-01-01", "2026-12-31"]
            return
        for person in (1, 2):
            yield [self._value(contract, column, person, ended) for column in contract.columns]
        row = [self._value(contract, column, 3, ended) for column in contract.columns]
        days = [place for place, column in enumerate(contract.columns) if column.type in ("date", "instant")]
        if days:
            row[days[0]] = f"{self.mark}.{contract.table}.misplaced"
            yield row
        yield [*row, f"{self.mark}.{contract.table}.toomuch"]

    def _value(self, contract: Contract, column: Column, person: int, ended: bool) -> str:
        day = "2026-11-01" if person == 1 else "2011-02-03"
        if column.name in LATER:
            return "2026-11-20" if ended and column.name in ENDED else ""
        if column.name == contract.key or (
            column.name.endswith("_id") and column.name not in ("national_id", "cookie_id")
        ):
            return f"{column.name}-{person}"
        if contract.record_type is None and column.name in OFFICE:
            return OFFICE[column.name]
        if column.enum:
            return column.enum[0]
        if column.type in ("date", "instant"):
            return day
        if column.type in ("decimal", "boolean"):
            is_odd = person == 2 and contract.table == "invoices"  # a check says no
            return ("-10" if is_odd else "10") if column.type == "decimal" else "true"
        free = column.category is not None or contract.record_type is None
        return (
            self.of(contract, column) + ("@fagel.example" if column.name.endswith("email") else "") if free else "list"
        )
