-- Order lines in their source that name a delivery which no source knows.
select record.order_line_id
from core.order_lines as record
inner join raw.orders_order_lines as told
    on record.order_line_id = told.row_id
where record.in_source and record.delivery_id is null and told.delivery_id is not null
