-- An order that is in ordinary use, for analysis: all its lines are `retain`, or, where it has none, its own identity
-- is. Orders of restricted and erased people appear in sales.totals only.
-- - order_pseudonym uuid: keyed pseudonym of the order
-- - customer_pseudonym uuid: keyed pseudonym of the customer; null: the customer is not in ordinary use
-- - purchase_capacity varchar: private or business
-- - status varchar: open, delivered, closed or cancelled
-- - placed_on date: the local day on which it was placed
-- - closed_on date: the local day on which the source closed it
-- - lines bigint: how many lines; 0: none is in the source
-- - amount decimal(18,4): their quantity × unit price, added up; null: no line, or none has both
with lines as (
    select
        order_lines.order_id,
        count(*) as lines,
        cast(sum(order_lines.quantity * order_lines.unit_price) as decimal(18, 4)) as amount,
        bool_and(coalesce(dispositions.disposition = 'retain', false)) as is_in_use
    from raw.orders_order_lines as order_lines
    left join retention.dispositions
        on
            dispositions.record_type = 'order_line'
            and dispositions.data_category = 'transaction'
            and order_lines.row_id = dispositions.row_id
    where order_lines.in_source
    group by order_lines.order_id
),

customers as (
    select
        customers.customer_id,
        pseudonym('customer:' || customers.customer_id) as customer_pseudonym
    from raw.crm_customers as customers
    inner join retention.dispositions
        on
            dispositions.record_type = 'customer'
            and dispositions.data_category = 'identity'
            and customers.row_id = dispositions.row_id
    where customers.in_source and dispositions.disposition in ('retain', 'not_personal')
)

select
    pseudonym('order:' || orders.order_id) as order_pseudonym,
    customers.customer_pseudonym,
    case when orders.purchase_capacity in ('private', 'business') then orders.purchase_capacity end
        as purchase_capacity,
    case when orders.status in ('open', 'delivered', 'closed', 'cancelled') then orders.status end as status,
    orders.placed_at as placed_on,
    orders.closed_at as closed_on,
    coalesce(lines.lines, 0) as lines,
    lines.amount
from raw.orders_orders as orders
left join lines on orders.order_id = lines.order_id
left join customers on orders.customer_id = customers.customer_id
left join retention.dispositions
    on
        dispositions.record_type = 'order'
        and dispositions.data_category = 'identity'
        and orders.row_id = dispositions.row_id
where orders.in_source and coalesce(lines.is_in_use, dispositions.disposition = 'retain')
