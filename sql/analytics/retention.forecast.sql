-- What will fall due: month × system × record type × purpose. The month is that of the first day without any claim,
-- the purpose the one whose claim is the last to end; when several end that day, the first in the register.
-- A category without a value is not counted: nothing of it will have to go.
-- - month date: the first day of the month
-- - system varchar: the system that will be told
-- - record_type varchar: what the records are
-- - purpose varchar: the purpose whose claim is the last to end
-- - records bigint: how many records have a category that falls due then
-- - categories bigint: how many of their data categories
-- - in_doubt bigint: how many of these a person may have to look at first, because a claim on them is in doubt or the
--   record's parent is unknown
-- - as_of date: the day of evaluation that this was seen from
with due as (
    select
        dispositions.record,
        dispositions.category,
        dispositions.keep_until,
        min(clocks.position) as position
    from published.stored.dispositions
    inner join published.stored.claims
        on
            dispositions.record = claims.record
            and dispositions.keep_until = claims.ends_on
    inner join published.stored.coverage
        on
            claims.clock = coverage.clock
            and dispositions.category = coverage.category
    inner join published.stored.clocks on claims.clock = clocks.clock
    where dispositions.disposition in ('retain', 'restrict') and dispositions.has_value
    group by dispositions.record, dispositions.category, dispositions.keep_until
),

-- A claim in doubt has no day: whether it still is by then nobody knows yet.
doubts as (
    select distinct
        claims.record,
        coverage.category
    from published.stored.claims
    inner join published.stored.coverage on claims.clock = coverage.clock
    where claims.missing is not null
),

orphans as (
    select distinct findings.row_id * types.types + types.type as record
    from retention.findings
    inner join published.stored.record_types as types on findings.record_type = types.record_type
    where findings.finding = 'orphan'
),

-- A record counts once a month and purpose, with as many categories as fall due then.
due_records as (
    select
        due.record,
        due.position,
        cast(date_trunc('month', due.keep_until + 1) as date) as month,
        min(due.category) as category,
        count(*) as categories,
        count(*) filter (where doubts.record is not null or orphans.record is not null) as in_doubt
    from due
    left join doubts
        on due.record = doubts.record and due.category = doubts.category
    left join orphans
        on due.record = orphans.record
    group by due.record, due.position, cast(date_trunc('month', due.keep_until + 1) as date)
),

months as (
    select
        due_records.month,
        categories.type,
        due_records.position,
        count(*) as records,
        cast(sum(due_records.categories) as bigint) as categories,
        cast(sum(due_records.in_doubt) as bigint) as in_doubt
    from due_records
    inner join published.stored.categories on due_records.category = categories.category
    group by due_records.month, categories.type, due_records.position
)

select
    months.month,
    types.source as system,
    types.record_type,
    purposes.purpose,
    months.records,
    months.categories,
    months.in_doubt,
    evaluation.as_of
from months
inner join published.stored.record_types as types on months.type = types.type
inner join policy.purposes as purposes on months.position = purposes.position
cross join retention.evaluation
