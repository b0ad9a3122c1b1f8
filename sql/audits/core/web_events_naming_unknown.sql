-- Web events in their source that name a customer which no source knows.
select record.event_id
from core.web_events as record
inner join raw.web_events as told
    on record.event_id = told.row_id
where record.in_source and record.customer_id is null and told.customer_id is not null
