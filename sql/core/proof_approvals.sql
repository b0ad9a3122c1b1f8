-- Approved proofs. Grain: an approval; order_id is null for an orphan.
select
    proof.row_id as proof_id,
    purchase.row_id as order_id,
    proof.in_source
from raw.orders_proof_approvals as proof
left join raw.orders_orders as purchase
    on proof.order_id = purchase.order_id
