"""Whether two ways decided alike: the same records, categories, dispositions and last days, row for row."""

from __future__ import annotations

from pathlib import Path

from assets.warehouse import Warehouse


class Disagreement(Exception):
    """Two ways did not decide alike, so what they cost cannot be compared."""


def require_agreement(product: Path, peer: Path, name: str, *, sampled: bool = False) -> int:
    """Compare two files of dispositions as multisets; how many rows they agree on.

    Args:
        product: what Gallring decided, a Parquet file.
        peer: what the other way decided, Parquet or CSV.
        name: of the other way, for the message.
        sampled: whether the other decided some records alone: all else that the product decided is left out.

    Raises:
        Disagreement: they differ; the message counts the rows and shows a few keys (the sample's, invented).
    """
    with Warehouse.in_memory() as warehouse:
        warehouse.run("set enable_progress_bar = false")
        for side, path in (("product", product), ("peer", peer)):
            read = "read_parquet" if path.suffix == ".parquet" else "read_csv"
            warehouse.run(
                f"create view {side} as select record_type, record_key, data_category, disposition, "
                f"cast(keep_until as date) as keep_until from {read}('{path}')"
            )
        if sampled:
            _cut_down(warehouse)
        totals = [
            warehouse.rows(f"select count(*), sum(cast(hash(each_row) as hugeint)) from {side} as each_row")
            for side in ("product", "peer")
        ]
        if totals[0] == totals[1]:
            return int(totals[0][0][0])
        lacking = "(select *, 'product' as said_by from (select * from product except all select * from peer))"
        surplus = "(select *, 'peer' as said_by from (select * from peer except all select * from product))"
        differing = f"(select * from {lacking} union all select * from {surplus})"
        count = int(warehouse.value(f"select count(*) from {differing}"))
        if count:
            shown = warehouse.rows(
                f"select record_type, data_category, said_by, disposition, count(*), min(record_key), min(keep_until) "
                f"from {differing} group by all order by count(*) desc limit 12"
            )
            raise Disagreement(f"{name}: {count} rows differ, such as\n" + "\n".join(map(str, shown)))
        return int(warehouse.value("select count(*) from product"))


def _cut_down(warehouse: Warehouse) -> None:
    """Leave of the product's dispositions those of the peer's records alone."""
    warehouse.run("alter view product rename to whole")
    warehouse.run(
        "create view product as select whole.* from whole semi join peer "
        "on whole.record_type = peer.record_type and whole.record_key = peer.record_key"
    )
