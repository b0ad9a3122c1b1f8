-- Events on the web site. Grain: an event.
select
    web_event.row_id as event_id,
    customer.row_id as customer_id,
    coalesce(web_event.statistics_consent, false) as statistics_consent,
    web_event.occurred_at as occurred_on,
    web_event.in_source
from raw.web_events as web_event
left join raw.crm_customers as customer
    on web_event.customer_id = customer.customer_id
