-- Beneath the views: a purpose's hold on a record by one of its clocks, of records of people that are in the sources
-- now.
-- - record bigint: the record's number
-- - clock integer: the clock
-- - starts_on date: the day that the claim counts from
-- - ends_on date: its last day; 9999-12-31: no end yet; null: its trigger is missing
-- - ended_by varchar: the word or event that ended it before its clock, else null
-- - missing varchar: the code of the trigger that is missing, else null
with left_out as (
    select records.row_id * types.types + types.type as record
    from core.records
    inner join published.stored.record_types as types on records.record_type = types.record_type
    where not coalesce(records.in_source, false) or coalesce(records.not_personal, false)
),

numbered as (
    select
        claims.row_id * types.types + types.type as record,
        clocks.clock,
        claims.starts_on,
        claims.ends_on,
        claims.ended_by,
        claims.missing
    from retention.purpose_claims as claims
    inner join published.stored.clocks
        on
            claims.record_type = clocks.record_type
            and claims.purpose = clocks.purpose
            and claims.clock = clocks.name
    inner join published.stored.record_types as types on clocks.type = types.type
)

select
    numbered.record,
    numbered.clock,
    numbered.starts_on,
    numbered.ends_on,
    numbered.ended_by,
    numbered.missing
from numbered
left join left_out on numbered.record = left_out.record
where left_out.record is null
