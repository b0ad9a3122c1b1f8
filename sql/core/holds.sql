-- Legal holds as placed. Grain: a hold. listed: its fields, each between semicolons (`;name;phone;`), null when none.
-- A release before the placement counts as none.
select
    hold.row_id as hold_id,
    lower(hold.record_type) as record_type,
    hold.record_key,
    case
        when replace(replace(hold.fields, ' ', ''), ';', '') <> ''
            then ';' || replace(hold.fields, ' ', '') || ';'
    end as listed,
    hold.placed_at as placed_on,
    case
        when hold.placed_at is null or hold.released_at >= hold.placed_at then hold.released_at
    end as released_on
from raw.office_holds as hold
