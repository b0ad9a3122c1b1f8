-- The buyer's approval of a proof, on every other order. Grain: a proof.
select
    'P' || number as proof_id,
    'O' || number as order_id,
    buyer as approved_by,
    moment(placed_on + 3, o, 'approved at') as approved_at,
    'v' || cast(1 + draw(o, 'version', 3) as varchar) as version,
    'dms:korrektur/' || number as file_uri
from sample_orders
where not is_cancelled and placed_on + 3 <= sample_day() and draw(o, 'proof', 2) = 0
