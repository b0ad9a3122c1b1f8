-- Categories of a person's records that are not restricted although the person's open request says so (Art 18).
select
    dispositions.record_type,
    dispositions.row_id,
    dispositions.data_category
from retention.dispositions as dispositions
inner join triggers.restricted_records as restricted
    on
        dispositions.record_type = restricted.record_type
        and dispositions.row_id = restricted.row_id
where dispositions.disposition not in ('restrict', 'not_personal')
