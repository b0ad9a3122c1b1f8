-- A legal hold, as the office's register has it. Its reason is free text and stays there.
-- - hold_id varchar: the register's own number
-- - record_type varchar: the record that is held; null: the register names a type that no contract knows
-- - record_key varchar: the held record's key; null: no such record is in the sources now
-- - fields varchar[]: the fields that it lists, sorted; empty: the whole record, as when it lists an unknown one
-- - placed_at date: the local day on which it was placed
-- - released_at date: the local day on which it was released; null: it stands, also where that is before it was placed
-- - review_on date: when it is to be looked at again: what the register says, else six months after it was placed
-- - is_active boolean: whether it holds on the day of evaluation
with holds as (
    select
        office_holds.row_id,
        office_holds.hold_id,
        lower(office_holds.record_type) as record_type,
        office_holds.record_key,
        ';' || replace(office_holds.fields, ' ', '') || ';' as listed,
        office_holds.placed_at,
        case
            when coalesce(office_holds.released_at >= office_holds.placed_at, true) then office_holds.released_at
        end as released_at
    from raw.office_holds
),

known_fields as (
    select
        holds.row_id,
        list_sort(list(distinct fields.field)) as fields
    from holds
    inner join policy.fields
        on
            holds.record_type = fields.record_type
            and contains(holds.listed, ';' || fields.field || ';')
    group by holds.row_id
),

known_types as (
    select
        records.record_type,
        any_value(records.fields_pattern) as fields_pattern
    from policy.records
    group by records.record_type
)

select
    holds.hold_id,
    known_types.record_type,
    records.record_key,
    case
        when regexp_matches(holds.listed, known_types.fields_pattern) then coalesce(known_fields.fields, [])
        else []
    end as fields,
    holds.placed_at,
    holds.released_at,
    coalesce(kept.review_on, add_months(holds.placed_at, 6)) as review_on,
    coalesce(holds.placed_at <= evaluation.as_of, true)
    and coalesce(holds.released_at >= evaluation.as_of, true) as is_active
from holds
cross join retention.evaluation
left join office.holds as kept on holds.hold_id = kept.hold_id
left join known_fields on holds.row_id = known_fields.row_id
left join known_types on holds.record_type = known_types.record_type
left join retention.records
    on
        holds.record_type = records.record_type
        and holds.record_key = records.record_key
