-- A view: what each record's source was last told, as numbers with a bit per field that the policy classifies.
-- Grain: a record that a manifest named. No table: stored numbers of this width are dear to read.
-- erased_whole: the fields that were ordered erased by an item about the whole record.
with known as (
    select
        fields.record_type,
        bit_or(fields.bit) as bits
    from manifest.field_bits as fields
    group by fields.record_type
)

select
    told.record_type,
    told.record_key,
    bit_or(case when told.state = 'restrict' then told.named & known.bits else 0 end) as restricted,
    bit_or(case when told.state = 'erase' then told.named & known.bits else 0 end) as erased,
    bit_or(case when told.state = 'erase' and told.action = 'erase' then told.named & known.bits else 0 end)
        as erased_whole
from manifest.told
inner join known on told.record_type = known.record_type
group by
    told.record_type,
    told.record_key
