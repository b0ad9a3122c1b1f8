-- Web security (Art 6(1)(f)): ninety days of device data. Grain: a claim on a web event.
-- Closed words: record_type, clock.
select
    'web_event' as record_type,
    web_event.event_id as row_id,
    'security' as clock,
    web_event.occurred_on as starts_on,
    add_months(web_event.occurred_on, security.months) + security.days as ends_on,
    cast(null as varchar) as ended_by,
    case when web_event.occurred_on is null then 'event_without_day' end as missing
from core.web_events as web_event
inner join policy.periods as security
    on security.purpose = 'web_security' and security.clock = 'security'
