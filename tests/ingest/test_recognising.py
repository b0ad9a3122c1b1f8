"""A row that is recognised ends up as it would if it were judged and stored anew: random nights, both ways."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.ingest.contracts import Contract, Contracts, canonical
from assets.ingest.tables import raw_columns
from tests.ingest.company import Company

COLUMNS = ("invoice_id", "kind", "amount", "currency", "issued_on", "buyer_name", "_deleted")
FIELDS = ("buyer_name", "amount", "currency", "buyer_city")

_ROW = st.tuples(
    st.sampled_from(["F1", "F2", "F3", "F4", "F5", ""]),
    st.sampled_from(["invoice", "invoice", "credit_note", "x"]),
    st.sampled_from(["1", "2.50", "", "1,5"]),
    st.sampled_from(["SEK", "EUR", ""]),
    st.sampled_from(["2026-01-01", " 2026-01-02", "2026-02-30"]),
    st.sampled_from(["Ada Exempel", " Bo\u00a0", ""]),
    st.sampled_from(["", "", "true"]),
)
_NIGHT = st.tuples(
    st.sampled_from(["full", "full", "full", "delta"]),
    st.lists(_ROW, max_size=6),
    st.lists(st.tuples(st.sampled_from(["F1", "F2"]), st.sampled_from(FIELDS)), max_size=2),
)


def _file(rows: list[tuple[str, ...]]) -> tuple[str, int]:
    names = [each.name for each in _contract().columns] + ["_deleted"]
    lines = [",".join(dict(zip(COLUMNS, row, strict=True)).get(name, "") for name in names) for row in rows]
    return "\n".join([",".join(names), *lines]) + "\n", len(lines)


def _contract() -> Contract:
    return canonical()["orders", "invoices"]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(nights=st.lists(_NIGHT, min_size=2, max_size=4), repeated=st.booleans())
def test_recognising_changes_nothing(tmp_path_factory: pytest.TempPathFactory, nights: Any, repeated: bool) -> None:
    columns = ", ".join(f'"{name}"' for name in raw_columns(_contract()) if name != "row_digest")
    told = []
    for recognising in (True, False):
        company = Company(tmp_path_factory.mktemp("company"), Contracts([_contract()]))
        with company.warehouse:
            seen: list[tuple[str, ...]] = []
            for number, (mode, rows, ordered) in enumerate(nights, start=1):
                seen = [*seen, *rows] if repeated else rows
                text, count = _file(seen)
                company.send("orders", {"invoices": text}, day=f"2026-11-{number:02}", mode=mode, rows=count)
                company.ingest()
                for key, field in ordered:
                    company.order_erased("invoice", key, field)
                if not recognising:
                    company.warehouse.run("update raw.orders_invoices set row_digest = null")
            told.append(
                [company.rows(f"select {columns} from raw.orders_invoices order by row_id"),
                 company.rows("select * from intake.quarantined order by all"),
                 company.rows("select * from intake.files order by all")]
            )  # fmt: skip
    assert told[0] == told[1]
