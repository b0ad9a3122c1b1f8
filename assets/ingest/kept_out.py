"""Rows that were kept out, for whoever mends their source: where each stands, by which rule, and on demand its text.

Reads the quarantine, which lies in the encrypted warehouse. Judges nothing and writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from assets.warehouse import Warehouse, identifier

#: What a rule's name means; the last six are the CSV reader's own.
RULES = {
    "required": "the value is missing",
    "not_a_date": "it is no date as the contract declares it",
    "not_an_instant": "it is no instant or day as the contract declares it",
    "too_early": "the day is so early that it must stand for none: name it under nullTokens in the contract (or its "
    "year has two digits where the contract's format has four)",
    "not_a_number": "it is no number as the contract declares it",
    "not_true_or_false": "it is neither true nor false",
    "not_in_enum": "it is none of the values that the contract allows",
    "duplicate_key": "another row of the delivery has the same key, and was taken; or, in a delta, they differ, and "
    "none was taken: name under lastBy in the contract what tells which came last",
    "malformed_line": "the line is no JSON object",
    "missing_columns": "the line has fewer columns than the header",
    "too_many_columns": "the line has more columns than the header",
    "unquoted_value": "a quote is not closed, or stands within a value",
    "line_size_over_maximum": "the line is longer than line_size under [limits] in gallring.toml allows",
    "invalid_encoding": "the line holds bytes that are no UTF-8",
    "cast": "a value cannot be read",
}

_LATEST = "select source, max(sequence) as sequence from intake.deliveries where status = 'loaded' group by source"

_KEPT_OUT = f"""
    select row.source, row.delivery_id, row.table_name, row.file_name, row.line, row.rule, row.column_name,
        case when $texts then row.row_text end
    from intake.quarantined as row
    inner join intake.deliveries as delivery
        on row.source = delivery.source and row.delivery_id = delivery.delivery_id
    left join ({_LATEST}) as latest on delivery.source = latest.source and delivery.sequence = latest.sequence
    where (latest.source is not null or $every) and row.source = coalesce($source, row.source)
    order by row.source, delivery.sequence, row.table_name, row.file_name, row.line, row.rule
    limit $most
"""

_RECORDS = f"""
    select distinct known.record_type, known.row_id
    from intake.quarantined as row
    inner join intake.deliveries as delivery
        on row.source = delivery.source and row.delivery_id = delivery.delivery_id
    left join ({_LATEST}) as latest on delivery.source = latest.source and delivery.sequence = latest.sequence
    inner join policy.records as described
        on row.source = described.source and row.table_name = described.table_name
    inner join core.records as known
        on described.record_type = known.record_type and row.record_key = known.record_key
    where (latest.source is not null or $every) and row.source = coalesce($source, row.source)
    order by all
"""


#: The last row of a record that was set aside, unless its table has come whole since: then its source has it no more.
_SET_ASIDE = """
    select row.source, row.delivery_id, row.file_name, row.line,
        delivery.sequence = (
            select max(latest.sequence) from intake.deliveries as latest
            where latest.status = 'loaded' and latest.source = row.source
        ),
        row.table_name, described.key_field, delivery.sequence
    from intake.quarantined as row
    inner join policy.records as described
        on row.source = described.source and row.table_name = described.table_name
    inner join intake.deliveries as delivery
        on row.source = delivery.source and row.delivery_id = delivery.delivery_id and delivery.status = 'loaded'
    where described.record_type = $record_type and row.record_key = $record_key
        and not exists (
            select 1 from intake.deliveries as later
            inner join intake.files as file on file.source = later.source and file.delivery_id = later.delivery_id
            where later.source = row.source and later.status = 'loaded' and later.mode = 'full'
                and later.sequence > delivery.sequence and file.table_name = row.table_name and file.status = 'loaded'
        )
    order by delivery.sequence desc, row.file_name, row.line
    limit 1
"""
#: Whether a later delivery said something about the record itself: it came whole, and has left.
_SAID_SINCE = """
    select count(*) from raw.{raw} as known
    inner join intake.deliveries as later on later.source = $source and later.delivery_id = known.in_delivery
    where cast(known.{key} as varchar) = $record_key and later.status = 'loaded' and later.sequence > $sequence
"""


@dataclass(frozen=True)
class KeptOut:
    """One row that was kept out.

    Attributes:
        line: the row's number in the file, the heading counted; a text over several lines counts as one.
        text: personal data: null unless asked for, or where an order erased it.
    """

    source: str
    delivery: str
    table: str
    file: str
    line: int | None
    rule: str
    column: str | None
    text: str | None

    @property
    def means(self) -> str:
        """The rule in words."""
        return RULES.get(self.rule, self.rule)


def kept_out(
    warehouse: Warehouse, source: str | None = None, *, every: bool = False, texts: bool = False, most: int = 1_000_000
) -> list[KeptOut]:
    """The rows of each source's latest delivery (or of every one that is still kept) that a rule kept out.

    Args:
        warehouse: where they are.
        source: one source's alone.
        every: earlier deliveries too.
        texts: with the rows as they were written: personal data.
        most: how many at most.
    """
    if not warehouse.exists("intake", "quarantined"):
        return []
    params = {"source": source, "every": every, "texts": texts, "most": most}
    return [KeptOut(*row) for row in warehouse.rows(_KEPT_OUT, params)]


def records_kept_out(warehouse: Warehouse, source: str | None = None, *, every: bool = False) -> list[tuple[str, int]]:
    """The known records (type, surrogate) that such rows are about."""
    if not warehouse.exists("intake", "quarantined") or not warehouse.exists("core", "records"):
        return []
    found = warehouse.rows(_RECORDS, {"source": source, "every": every})
    return [(record_type, row_id) for record_type, row_id in found]


def set_aside(warehouse: Warehouse, record_type: str, record_key: str) -> str | None:
    """What to tell of a record that is not known because its row was set aside: where, and where to see why."""
    if not warehouse.exists("intake", "quarantined") or not warehouse.exists("policy", "records"):
        return None
    found = warehouse.rows(_SET_ASIDE, {"record_type": record_type, "record_key": record_key})
    for source, delivery, file, line, is_latest, table, key, sequence in found:
        said_since = _SAID_SINCE.format(raw=identifier(f"{source}_{table}"), key=identifier(key))
        if warehouse.value(said_since, {"source": source, "record_key": record_key, "sequence": sequence}):
            return None
        place = f"row {line} of {file}" if line is not None else file
        option = "" if is_latest else " --all"
        return (
            f"its row was set aside, {place} in {source}/{delivery}: `gallring quarantine {source}{option}` tells why"
        )
    return None
