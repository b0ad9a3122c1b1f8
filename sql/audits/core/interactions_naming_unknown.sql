-- Interactions in their source that name a customer or a contact which no source knows.
select record.interaction_id
from core.interactions as record
inner join raw.crm_interactions as told
    on record.interaction_id = told.row_id
where
    record.in_source
    and (
        (record.customer_id is null and told.customer_id is not null)
        or (record.contact_id is null and told.contact_id is not null)
    )
