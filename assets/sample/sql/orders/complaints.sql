-- A complaint on one order in fifty; one in five is still open. Grain: a complaint.
select
    'X' || number as complaint_id,
    'O' || number as order_id,
    moment(delivered_on + 10, o, 'complained at') as opened_at,
    case when draw(o, 'complaint closed', 5) > 0 then moment(delivered_on + 40, o, 'complaint closed at') end
        as closed_at,
    'email' as channel,
    one_of('faults', o, 'fault') as description
from sample_orders
where not is_cancelled and delivered_on + 10 <= sample_day() and draw(o, 'complaint', 50) = 0
