"""The fields of a record as one number: a bit for each classified field.

A million records with five fields each are a million numbers instead of five million rows of text. Here are the bits,
and which fields of a record hold a value. What is to happen to a field is decided elsewhere.

`manifest.field_bits(record_type, field, data_category, position, bit)` and
`manifest.category_bits(record_type, data_category, bits)` are made anew from the policy by whoever counts on them. A
field keeps its bit, whatever a later policy classifies (`told.number`): the contract's order is that of `position`.
Numbers are BIGINT where every bit fits into one, HUGEINT else: a stored HUGEINT takes 0.4 microseconds to read.
"""

from __future__ import annotations

from assets.errors import BadInput
from assets.ledger import told
from assets.ledger.told import MOST_FIELDS
from assets.manifests.ranges import EVERY, Range
from assets.warehouse import Warehouse, identifier, literal


def number_fields(warehouse: Warehouse) -> None:
    """Make `manifest.field_bits` and `manifest.category_bits` from the policy's classified fields.

    Raises:
        BadInput: a record type has more classified fields than a number has bits.
    """
    crowded = warehouse.rows(
        "select record_type, count(*) from policy.fields group by record_type having count(*) > $most order by all",
        {"most": MOST_FIELDS},
    )
    if crowded:
        record_type, count = crowded[0]
        raise BadInput(f"Record type {record_type} has {count} classified fields, and {MOST_FIELDS} can be told of: "
                       "leave columns out of its contract that hold no personal data.")  # fmt: skip
    told.number(warehouse, "select record_type, field, position from policy.fields")
    numbered = """
        policy.fields as fields
        inner join manifest.field_numbers as numbers
            on numbers.record_type = fields.record_type and numbers.field = fields.field
    """
    fits = warehouse.value(f"select coalesce(max(numbers.bit), 0) <= $highest from {numbered}", {"highest": 1 << 62})
    warehouse.run(
        f"""
        create or replace table manifest.field_bits as
        select fields.record_type, fields.field, fields.data_category, fields.position,
            cast(numbers.bit as {"bigint" if fits else "hugeint"}) as bit
        from {numbered}
        """
    )
    warehouse.run(
        "create or replace table manifest.category_bits as "
        "select record_type, data_category, bit_or(bit) as bits from manifest.field_bits group by all"
    )


def width(warehouse: Warehouse) -> str:
    """The type of a number that has a bit for each field: `bigint` where all of them fit, for it is read far faster."""
    return str(warehouse.value("select typeof(bit_or(bit)) from manifest.field_bits")).lower()


def find_held(warehouse: Warehouse, records: str, into: str, those: Range = EVERY) -> None:
    """Write to table `into` (record_type, row_id, held) which classified fields the records in `records` hold.

    A field holds a value when its column is not null in a row that its source delivers now, or when intake keeps out
    what the source still delivers there (`withheld`). Records that hold nothing have no row. Needs `number_fields`.

    Args:
        warehouse: where the tables are.
        records: a table with columns record_type and row_id.
        into: the table to write; made anew for the first range.
        those: of which records.
    """
    if those.is_first:
        warehouse.run(
            f"create or replace table {into} as "
            f"select record_type, row_id, cast(0 as {width(warehouse)}) as held from {records} where false"
        )
    found = warehouse.rows(f"select distinct record_type from {records} where {those.holds()}")
    present = {record_type for (record_type,) in found}
    tables = warehouse.rows("select record_type, source, table_name from policy.records order by record_type")
    for record_type, source, table_name in tables:
        if record_type in present:
            _add_held(warehouse, records, into, record_type, f"{source}_{table_name}", those)


def _add_held(warehouse: Warehouse, records: str, into: str, record_type: str, raw_table: str, those: Range) -> None:
    """One pass over a raw table: a number per record that holds anything."""
    held = held_bits(warehouse, record_type)
    if held is None:
        return
    warehouse.run(
        f"""
        insert into {into}
        select {literal(record_type)}, found.row_id, found.held
        from (
            select source_row.row_id, {held} as held
            from raw.{identifier(raw_table)} as source_row
            where source_row.in_source and {those.holds("source_row.row_id")}
                and source_row.row_id in (
                    select row_id from {records} where record_type = {literal(record_type)} and {those.holds()}
                )
        ) as found
        where found.held > 0
        """
    )


def held_bits(warehouse: Warehouse, record_type: str) -> str | None:
    """What a row of a record type's raw table holds, as an expression over `source_row`; None: no field is classified.

    A number with the bit of each classified field that has a value or is kept out; the row is one that its source
    delivers now. Needs `number_fields`.
    """
    fields = warehouse.rows(
        "select field, bit from manifest.field_bits where record_type = $record_type order by bit",
        {"record_type": record_type},
    )
    return " + ".join(f"case when {_holds(field)} then {bit} else 0 end" for field, bit in fields) or None


def _holds(field: str) -> str:
    """Whether a row has a value in a field, or its source has one that is kept out here."""
    kept_out = f"coalesce(list_contains(source_row.withheld, {literal(field)}), false)"
    return f"source_row.{identifier(field)} is not null or {kept_out}"


def find_held_parts(warehouse: Warehouse, into: str) -> None:
    """Write to table `into` (category_id, part, records) in which data categories which records hold a value.

    Of all records that a source delivers now: `records` has a bit for each of thirty-two surrogates, those of `part`.
    Each raw table is read once, and no join is made, so that it costs less than to look up some of the records.
    """
    classified = warehouse.rows(
        "select records.source || '_' || records.table_name, fields.field, categories.category_id "
        "from policy.records as records "
        "inner join policy.fields as fields "
        "on records.source = fields.source and records.record_type = fields.record_type "
        "inner join policy.categories as categories "
        "on fields.record_type = categories.record_type and fields.data_category = categories.data_category "
        "order by all"
    )
    tables: dict[str, dict[int, list[str]]] = {}
    for table, field, category in classified:
        tables.setdefault(table, {}).setdefault(category, []).append(field)
    with warehouse.transaction():
        warehouse.run(f"create or replace table {into} (category_id integer, part bigint, records bigint)")
        for table, categories in tables.items():
            sets = ", ".join(
                f"bit_or(case when {' or '.join(map(_holds, named))} then source_row._bit else 0 end) "
                f"as held_{category}"
                for category, named in categories.items()
            )
            rows = ", ".join(f"({category}, parts.held_{category})" for category in categories)
            warehouse.run(
                f"insert into {into} select held.category_id, parts._part, held.records from ("
                f"select source_row._part, {sets} from ("
                "select *, row_id >> 5 as _part, cast(1 as bigint) << (row_id & 31) as _bit "
                f"from raw.{identifier(table)} where in_source) as source_row group by source_row._part) as parts "
                f"cross join lateral (values {rows}) as held (category_id, records) where held.records <> 0"
            )


def find_held_fields(warehouse: Warehouse, records: str, into: str) -> None:
    """`find_held` with a row per field, for few records: record_type, row_id, field, position, data_category."""
    number_fields(warehouse)
    find_held(warehouse, records, f"{into}_held")
    warehouse.run(
        f"create or replace table {into} as "
        "select records.record_type, records.row_id, fields.field, fields.position, fields.data_category "
        f"from {into}_held as records inner join manifest.field_bits as fields "
        "on fields.record_type = records.record_type and (fields.bit & records.held) <> 0"
    )
    warehouse.run(f"drop table {into}_held")


def show_fields(warehouse: Warehouse) -> None:
    """Make `manifest.held_fields` and `manifest.changed_fields`: the proposal's numbers with a row per field.

    Views, for whoever asks about few records. What a warehouse of an earlier version has under these names, and what it
    had beside them, makes way.
    """
    there = warehouse.rows(
        "select table_name, case table_type when 'VIEW' then 'view' else 'table' end from information_schema.tables "
        "where table_catalog = $catalog and table_schema = 'manifest' and list_contains($names, table_name) order by 1",
        {"catalog": warehouse.catalog, "names": [*_VIEWS, _FORMER]},
    )
    for name, kind in there:
        if kind == "table" or name == _FORMER:
            warehouse.run(f"drop {kind} manifest.{name}")
    for name, select in _VIEWS.items():
        warehouse.run(f"create or replace view manifest.{name} as {select}")


#: What each source was told about each record: in `changed_records.sql` by now.
_FORMER = "told_records"

_VIEWS = {
    "held_fields": """
    select held.record_type, held.row_id, fields.field, fields.position, fields.data_category
    from manifest.held_records as held
    inner join manifest.field_bits as fields
        on fields.record_type = held.record_type and (fields.bit & held.held) <> 0
    """,
    "changed_fields": """
    select items.record_type, items.source, items.row_id, items.record_key, fields.field, fields.position,
        fields.data_category, items.action
    from manifest.changed_items as items
    inner join manifest.field_bits as fields
        on fields.record_type = items.record_type and (fields.bit & items.named) <> 0
    """,
}
