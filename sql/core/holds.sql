-- Legal holds as placed. Grain: a hold. listed: its fields, each between semicolons (`;name;phone;`), null when none.
select
    hold.row_id as hold_id,
    lower(hold.record_type) as record_type,
    hold.record_key,
    case
        when replace(replace(hold.fields, ' ', ''), ';', '') <> ''
            then ';' || replace(hold.fields, ' ', '') || ';'
    end as listed,
    hold.placed_at as placed_on,
    hold.released_at as released_on
from raw.office_holds as hold
