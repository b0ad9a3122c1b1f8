-- Quotes in their source that name a customer or a contact which no source knows.
select record.quote_id
from core.quotes as record
inner join raw.crm_quotes as told
    on record.quote_id = told.row_id
where
    record.in_source
    and (
        (record.customer_id is null and told.customer_id is not null)
        or (record.contact_id is null and told.contact_id is not null)
    )
