"""Which deliveries the rows in `raw.*` come from: what a decision was made from, for manifests and the evidence."""

from __future__ import annotations

from typing import Any

from assets.warehouse import Warehouse

#: Of each table of each source the latest full delivery that brought it, and all that were loaded after that.
_READ = """
    with brought as (
        select files.table_name, deliveries.source, deliveries.delivery_id, deliveries.digest, deliveries.sequence,
            max(deliveries.sequence) filter (where deliveries.mode = 'full')
                over (partition by deliveries.source, files.table_name) as whole
        from intake.files as files
        inner join intake.deliveries as deliveries
            on deliveries.source = files.source and deliveries.delivery_id = files.delivery_id
        where files.status = 'loaded' and deliveries.status = 'loaded'
    )

    select distinct on (sequence) source, delivery_id, digest
    from brought
    where whole is null or sequence >= whole
    order by source, sequence
"""


def deliveries_read(warehouse: Warehouse) -> list[dict[str, Any]]:
    """The deliveries that what is known comes from, each with its digest, by source and in the order of loading.

    A source may bring its tables in several deliveries, and changes after a full export: a table's rows come from the
    latest full delivery that brought it and from all that followed, so that a decision names every one of them.
    """
    return warehouse.records(_READ)
