-- Newsletters sent. Grain: a send; subscriber_id is null for an orphan.
select
    send.row_id as send_id,
    subscriber.row_id as subscriber_id,
    send.in_source
from raw.mailing_sends as send
left join raw.mailing_subscribers as subscriber
    on send.subscriber_id = subscriber.subscriber_id
