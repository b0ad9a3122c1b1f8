-- What each record's source was last told, per data category. Grain: a record and category that a manifest named.
-- erased_whole counts the fields that were ordered erased by an item about the whole record.
select
    sealed.record_type,
    sealed.record_key,
    fields.data_category,
    cast(sum(case when sealed.state = 'restrict' then 1 else 0 end) as integer) as restricted,
    cast(sum(case when sealed.state = 'erase' then 1 else 0 end) as integer) as erased,
    cast(sum(case when sealed.state = 'erase' and sealed.action = 'erase' then 1 else 0 end) as integer)
        as erased_whole
from manifest.sealed_fields as sealed
inner join policy.fields
    on
        sealed.record_type = fields.record_type
        and sealed.field = fields.field
group by
    sealed.record_type,
    sealed.record_key,
    fields.data_category
