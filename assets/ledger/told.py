"""What each source was last told about a record's fields: the one table of the ledger that intake reads too.

Declared and changed here alone. `assets.manifests.sealing` and a replay `tell`, and a cancelled item is taken back
through `put_back`.

- `manifest.told(record_type, record_key, state, named, item_id, as_of, action)`: view, the last word on a record's
  fields. A row per record, item and state that still stands; `named` has a bit per field, and of all rows of a record
  each field stands in one at most. `action` is that of the item, so that an order about a whole record is known from
  one about some of its fields.
- `manifest.told_bits`: the table below it, with `named` in two halves: a BIGINT is read two hundred times as fast as a
  stored HUGEINT.
- `manifest.field_numbers(record_type, field, bit)`: which field a bit stands for. A field keeps its bit, whatever a
  later policy classifies, for as long as anything was told about it.
- `manifest.replaced_fields`: what an item's field had been told before, a row per field.
- `manifest.sealed_fields`: view, `manifest.told` with a row per field. For whoever asks about few records.
- `manifest.ordered_fields`: view, the fields whose last word is `erase`; `manifest.ordered_records`: the same as bits.
"""

from __future__ import annotations

from assets.errors import BadInput
from assets.vocabulary import ACTIONS, RECORD_TYPES, TOLD_STATES, enum_of
from assets.warehouse import UNPACKED_TEXTS, Warehouse

#: A number has so many bits to spare.
MOST_FIELDS = 120

#: The columns of `manifest.told_bits` that a number's halves stand in.
HALVES = ("low", "high")
#: The bit of each field, in those halves.
Halves = dict[str, tuple[int, int]]
#: A number `named` in those halves.
LOW, HIGH = "cast(named & 1152921504606846975 as bigint)", "cast(named >> 60 as bigint)"
_NAMED = "cast(told.high as hugeint) * 1152921504606846976 + told.low"

_COLUMNS = "record_type, record_key, state, named, item_id, as_of, action"
_TABLES = {
    "told_bits": f"record_type {enum_of(RECORD_TYPES)}, record_key {UNPACKED_TEXTS}, state {enum_of(TOLD_STATES)}, "
    f"low bigint, high bigint, item_id {UNPACKED_TEXTS}, as_of date, action {enum_of(ACTIONS)}",
    "field_numbers": "record_type varchar, field varchar, bit hugeint",
    "replaced_fields": "item_id varchar, record_type varchar, record_key varchar, field varchar, state varchar, "
    "told_by varchar, as_of date, action varchar",
}
_VIEWS = {
    "told": f"""
        select told.record_type, told.record_key, told.state, {_NAMED} as named, told.item_id, told.as_of, told.action
        from manifest.told_bits as told
    """,
    "sealed_fields": """
        select told.record_type, told.record_key, numbers.field, told.state, told.item_id, told.as_of, told.action
        from manifest.told as told
        inner join manifest.field_numbers as numbers
            on numbers.record_type = told.record_type and (told.named & numbers.bit) <> 0
    """,
    "ordered_fields": """
        select sealed.record_type, sealed.record_key, sealed.field, sealed.item_id, sealed.as_of
        from manifest.sealed_fields as sealed where sealed.state = 'erase'
    """,
    "ordered_records": """
        select told.record_type, told.record_key, told.named, told.item_id, told.as_of
        from manifest.told as told where told.state = 'erase'
    """,
}


def prepare(warehouse: Warehouse) -> None:
    """Make the tables and views of this module where they are not there yet, from an earlier version's where it is."""
    warehouse.once(_make)


def _make(warehouse: Warehouse) -> None:
    if _is_there(warehouse, "duckdb_views()", "view_name", list(_VIEWS)[-1]):  # made last
        return
    warehouse.run("create schema if not exists manifest")
    for name, columns in _TABLES.items():
        warehouse.run(f"create table if not exists manifest.{name} ({columns})")
    if _is_there(warehouse, "duckdb_tables()", "table_name", "sealed_fields"):  # an earlier version's rows of fields
        _fold(warehouse)
    for name, select in _VIEWS.items():
        warehouse.run(f"create view if not exists manifest.{name} as {select}")


def _add(warehouse: Warehouse, words: str) -> None:
    """Write the rows of the query `words`, which has the columns of `manifest.told`, into the table below it."""
    warehouse.run(
        "insert into manifest.told_bits by name "
        f"select record_type, record_key, state, {LOW} as low, {HIGH} as high, item_id, as_of, action from ({words}) "
        "where named <> 0"
    )


def _is_there(warehouse: Warehouse, relations: str, column: str, name: str) -> bool:
    return bool(
        warehouse.value(
            f"select count(*) from {relations} where database_name = $catalog and schema_name = 'manifest' "
            f"and {column} = $name",
            {"catalog": warehouse.catalog, "name": name},
        )
    )


def _fold(warehouse: Warehouse) -> None:
    """Bring an earlier version's rows of fields into `manifest.told`, all or nothing.

    Raises:
        BadInput: not every row could be brought over.
    """
    with warehouse.transaction():
        number(
            warehouse,
            "select record_type, field, 0 as position from manifest.sealed_fields where field is not null "
            "union all select record_type, field, 0 from manifest.replaced_fields where field is not null",
        )
        _add(warehouse, _folded("manifest.sealed_fields"))
        before, after = warehouse.rows(
            "select (select count(*) from (select distinct * from manifest.sealed_fields)), "
            "(select coalesce(sum(bit_count(low) + bit_count(high)), 0) from manifest.told_bits)"
        )[0]
        if before != after:
            raise BadInput(
                f"manifest.sealed_fields: {after} of {before} rows could be brought into this version's form, and "
                "nothing was changed. Restore warehouse.duckdb from its last good copy."
            )
        warehouse.run("drop table manifest.sealed_fields")


def _folded(rows: str) -> str:
    """A row per record, item and state out of rows of fields."""
    return f"""
        select told.record_type, told.record_key, told.state, bit_or(numbers.bit) as named, told.item_id, told.as_of,
            told.action
        from {rows} as told
        inner join manifest.field_numbers as numbers
            on numbers.record_type = told.record_type and numbers.field = told.field
        group by told.record_type, told.record_key, told.state, told.item_id, told.as_of, told.action
    """


# -- numbers ----------------------------------------------------------------------------------------------------------


def number(warehouse: Warehouse, fields: str) -> None:
    """Give every field of the query `fields` (record_type, field, position) a bit, where it has none yet.

    New fields get the lowest bits that are free, in the order of their positions. Where a record type runs out of bits,
    those come free that nothing was told about and that `fields` does not name: so it is to name all of a policy's.

    Raises:
        BadInput: a record type has more fields, classified now or told about, than a number has bits.
    """
    if not _without_number(warehouse, fields):
        return
    warehouse.run(_NUMBER.replace("$fields", fields), {"most": MOST_FIELDS})
    if crowded := _without_number(warehouse, fields):
        warehouse.run(_RELEASE.replace("$fields", fields), {"record_type": crowded})
        warehouse.run(_NUMBER.replace("$fields", fields), {"most": MOST_FIELDS})
        if crowded := _without_number(warehouse, fields):
            raise BadInput(
                f"Record type {crowded} has more than {MOST_FIELDS} fields, counting those of earlier policies that "
                "manifests told of: leave columns out of its contract that hold no personal data."
            )


def _without_number(warehouse: Warehouse, fields: str) -> str | None:
    """A record type with a field that has no bit."""
    found = warehouse.value(
        f"select min(wanted.record_type) from ({fields}) as wanted where not exists ("
        "select 1 from manifest.field_numbers as known "
        "where known.record_type = wanted.record_type and known.field = wanted.field)"
    )
    return None if found is None else str(found)


_NUMBER = """
insert into manifest.field_numbers
with unknown as (
    select wanted.record_type, wanted.field,
        row_number() over (partition by wanted.record_type order by min(wanted.position), wanted.field) as nth
    from ($fields) as wanted
    where not exists (
        select 1 from manifest.field_numbers as known
        where known.record_type = wanted.record_type and known.field = wanted.field
    )
    group by wanted.record_type, wanted.field
),
bits as (select cast(1 as hugeint) << cast(places.place as integer) as bit from range($most) as places(place)),
free as (
    select types.record_type, bits.bit, row_number() over (partition by types.record_type order by bits.bit) as nth
    from (select distinct record_type from unknown) as types
    cross join bits
    where not exists (
        select 1 from manifest.field_numbers as taken
        where taken.record_type = types.record_type and taken.bit = bits.bit
    )
)
select unknown.record_type, unknown.field, free.bit
from unknown
inner join free on free.record_type = unknown.record_type and free.nth = unknown.nth
"""

_RELEASE = """
delete from manifest.field_numbers as numbers
where numbers.record_type = $record_type
    and numbers.field not in (select field from ($fields) as wanted where wanted.record_type = $record_type)
    and numbers.field not in (select field from manifest.replaced_fields where record_type = $record_type)
    and (numbers.bit & (
        select coalesce(bit_or(told.named), 0) from manifest.told where told.record_type = $record_type
    )) = 0
"""


def halves(warehouse: Warehouse) -> dict[str, Halves]:
    """The bits of each record type's fields that anything was or can be told about."""
    of_types: dict[str, Halves] = {}
    for record_type, field, bit in warehouse.rows(
        "select record_type, field, bit from manifest.field_numbers order by record_type, bit"
    ):
        of_types.setdefault(record_type, {})[field] = (bit & ((1 << 60) - 1), bit >> 60)
    return of_types


# -- telling ----------------------------------------------------------------------------------------------------------


def tell(warehouse: Warehouse, words: str) -> None:
    """Let the query `words` (the columns of `manifest.told`) be the last word on the fields that it names.

    What it replaces is remembered, so that a cancelled item takes back its word. Runs inside the caller's transaction.
    """
    warehouse.run(
        f"""
        create or replace temp table told_otherwise as
        select earlier.place, earlier.record_type, earlier.record_key, earlier.state, earlier.item_id as told_by,
            earlier.as_of, earlier.action, words.item_id, earlier.named & words.named as named
        from (select told.rowid as place, told.*, {_NAMED} as named from manifest.told_bits as told) as earlier
        inner join ({words}) as words
            on words.record_type = earlier.record_type and words.record_key = earlier.record_key
            and (earlier.named & words.named) <> 0
        """
    )
    if warehouse.value("select count(*) from told_otherwise"):
        for statement in _REPLACE:
            warehouse.run(statement)
    _add(warehouse, words)
    warehouse.run("drop table told_otherwise")


_REPLACE = (
    """
    insert into manifest.replaced_fields by name
    select words.item_id, words.record_type, words.record_key, numbers.field, words.state, words.told_by, words.as_of,
        words.action
    from told_otherwise as words
    inner join manifest.field_numbers as numbers
        on numbers.record_type = words.record_type and (words.named & numbers.bit) <> 0
    """,
    f"""
    update manifest.told_bits as earlier set low = earlier.low - words.low, high = earlier.high - words.high
    from (
        select place, {LOW} as low, {HIGH} as high
        from (select place, bit_or(named) as named from told_otherwise group by place)
    ) as words
    where words.place = earlier.rowid
    """,
    "delete from manifest.told_bits where low = 0 and high = 0",
)


def put_back(warehouse: Warehouse, items: str, fields: str) -> None:
    """Take the words of the query `items` (item_id) away, and put back those of the table `fields`, a row per field.

    `fields` has the columns of `manifest.sealed_fields`. Runs inside the caller's transaction.
    """
    warehouse.run(f"delete from manifest.told_bits where item_id in ({items})")
    _put(warehouse, _folded(fields))


def forget(warehouse: Warehouse, records: str) -> None:
    """Forget what was told of the records of the query `records` (record_type, record_key).

    They are nobody's any more: one that comes again is news. Runs inside the caller's transaction.
    """
    for table in ("told_bits", "replaced_fields"):
        warehouse.run(f"delete from manifest.{table} where (cast(record_type as varchar), record_key) in ({records})")


def _put(warehouse: Warehouse, words: str) -> None:
    """Add the query `words` to what stands of the same items, a row per record, item and state."""
    warehouse.run(f"create or replace temp table put_words as {words}")
    if warehouse.value("select count(*) from put_words"):
        warehouse.run(
            f"""
            create or replace temp table put_together as
            select record_type, record_key, state, bit_or(named) as named, item_id, as_of, action
            from (
                select {_COLUMNS} from manifest.told where item_id in (select item_id from put_words)
                union all
                select {_COLUMNS} from put_words
            )
            group by record_type, record_key, state, item_id, as_of, action
            """
        )
        warehouse.run("delete from manifest.told_bits where item_id in (select item_id from put_words)")
        _add(warehouse, "from put_together")
        warehouse.run("drop table put_together")
    warehouse.run("drop table put_words")
