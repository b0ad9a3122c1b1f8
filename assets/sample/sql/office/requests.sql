-- What people asked for: one customer in a hundred, in the last three years. Grain: a request.
with asked as (
    select
        *,
        sample_day() - cast(draw(n, 'asked', 1095) as integer) as asked_on
    from sample_customers
    where kind <> 'company' and draw(n, 'asks', 100) = 0
)

select
    'A' || cast(n as varchar) as request_id,
    customer_id,
    null as contact_id,
    null as email,
    one_of('request_kinds', hash(n), 'word') as kind,  -- hashed once more: who has been chosen by a draw draws alike
    null as scope,
    moment(asked_on, n, 'asked at') as received_at,
    case when draw(n, 'proves identity', 5) > 0 then moment(asked_on + 2, n, 'identity at') end as identity_verified_at,
    null as extended_at,
    moment(asked_on + 20, n, 'answered at') as answered_at
from asked
