-- Requests that count as of the day. Grain: a request.
-- Objections, withdrawals, terminations and restrictions count at once; the rest only once identity is verified,
-- then from the day they were received.
select
    request.request_id,
    request.customer_id,
    request.names_a_person,
    request.contact_id,
    request.email_key,
    request.kind,
    request.scope,
    request.received_on,
    case when request.answered_on <= $as_of then request.answered_on end as answered_on
from core.requests as request
where
    request.received_on <= $as_of
    and (
        request.kind in ('objection', 'withdrawal', 'termination', 'restriction')
        or request.verified_on <= $as_of
    )
