-- What will fall due: month × system × record type × purpose. The month is that of the first day without any claim,
-- the purpose the one whose claim is the last to end; when several end that day, the first in the register.
-- - month date: the first day of the month
-- - system varchar: the system that will be told
-- - record_type varchar: what the records are
-- - purpose varchar: the purpose whose claim is the last to end
-- - records bigint: how many records have a category that falls due then
-- - categories bigint: how many of their data categories
-- - as_of date: the day of evaluation that this was seen from
with due as (
    select
        dispositions.record_type,
        dispositions.row_id,
        dispositions.data_category,
        dispositions.keep_until,
        min(purposes.position) as position
    from retention.dispositions
    inner join retention.claims
        on
            dispositions.record_type = claims.record_type
            and dispositions.row_id = claims.row_id
            and dispositions.data_category = claims.data_category
            and dispositions.keep_until = claims.keep_until
    inner join policy.purposes as purposes on claims.purpose = purposes.purpose
    where claims.is_active and dispositions.disposition in ('retain', 'restrict')
    group by dispositions.record_type, dispositions.row_id, dispositions.data_category, dispositions.keep_until
)

select
    cast(date_trunc('month', due.keep_until + 1) as date) as month,
    records.source as system,
    records.record_type,
    purposes.purpose,
    count(distinct due.row_id) as records,
    count(*) as categories,
    evaluation.as_of
from due
inner join retention.records
    on
        due.record_type = records.record_type
        and due.row_id = records.row_id
inner join policy.purposes as purposes on due.position = purposes.position
cross join retention.evaluation
group by
    cast(date_trunc('month', due.keep_until + 1) as date), records.source, records.record_type, purposes.purpose,
    evaluation.as_of
