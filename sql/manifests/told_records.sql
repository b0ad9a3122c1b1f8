-- What each record's source was last told, as numbers with a bit per field. Grain: a record that a manifest named.
-- erased_whole: the fields that were ordered erased by an item about the whole record.
select
    sealed.record_type,
    sealed.record_key,
    bit_or(case when sealed.state = 'restrict' then fields.bit else 0 end) as restricted,
    bit_or(case when sealed.state = 'erase' then fields.bit else 0 end) as erased,
    bit_or(case when sealed.state = 'erase' and sealed.action = 'erase' then fields.bit else 0 end) as erased_whole
from manifest.sealed_fields as sealed
inner join manifest.field_bits as fields
    on
        sealed.record_type = fields.record_type
        and sealed.field = fields.field
group by
    sealed.record_type,
    sealed.record_key
