"""What a site's warehouse decided, as a Parquet file that `agreement` can compare. Not measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assets.site import Site
from orchestration.opening import open_warehouse
from orchestration.settings import Settings

DISPOSITIONS = """
    select
        cast(record.record_type as varchar) as record_type, record.record_key,
        cast(disposition.data_category as varchar) as data_category,
        cast(disposition.disposition as varchar) as disposition, disposition.keep_until
    from retention.dispositions as disposition
    inner join retention.records as record
        on disposition.record_type = record.record_type and disposition.row_id = record.row_id
"""


def run(site: str, out: str) -> dict[str, Any]:
    """Write every disposition, and count the rows and the items sealed."""
    where = Site(Path(site))
    with open_warehouse(where, Settings.load(where)) as warehouse:
        count = warehouse.value(f"copy ({DISPOSITIONS}) to $out (format parquet)", {"out": out})
        items = warehouse.value("select count(*) from manifest.items")
    return {"dispositions": count, "items": items, "warehouse_bytes": where.warehouse.stat().st_size}
