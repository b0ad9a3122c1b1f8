-- Records that would be erased today, were they not held: the hold is the only claim that stands on the category.
-- A company's own row is nobody's data, and what has lost its parent or is restricted stays after the release too.
-- Grain: a record. fell_due_on: the last day of the last other claim; null when there never was one.
with held as (
    select distinct
        claims.record_type,
        claims.row_id,
        claims.data_category
    from retention.claims as claims
    where claims.purpose = 'legal_hold' and claims.is_active
),

others as (
    select
        held.record_type,
        held.row_id,
        held.data_category,
        coalesce(bool_or(claims.is_active or claims.missing is not null), false) as is_kept_otherwise,
        max(claims.keep_until) as ended_on
    from held
    left join retention.claims as claims
        on
            held.record_type = claims.record_type
            and held.row_id = claims.row_id
            and held.data_category = claims.data_category
            and claims.purpose <> 'legal_hold'
    group by held.record_type, held.row_id, held.data_category
)

select
    records.source,
    others.record_type,
    records.record_key,
    list_sort(list(others.data_category)) as data_categories,
    max(others.ended_on) as fell_due_on
from others
inner join retention.records as records
    on
        others.record_type = records.record_type
        and others.row_id = records.row_id
where
    not others.is_kept_otherwise
    and not records.not_personal
    and not exists (
        select 1
        from triggers.orphans as orphan
        where orphan.record_type = others.record_type and orphan.row_id = others.row_id
    )
    and not exists (
        select 1
        from triggers.restricted_records as restricted
        where restricted.record_type = others.record_type and restricted.row_id = others.row_id
    )
group by records.source, others.record_type, records.record_key
