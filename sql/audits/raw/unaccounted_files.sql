-- Files whose rows do not add up: in = loaded + quarantined + out of scope, of a lookup all are loaded; a rejected
-- file loads none.
select
    files.source,
    files.delivery_id,
    files.file_name
from intake.files as files
where
    (
        files.status in ('loaded', 'lookup')
        and files.rows_in is distinct from files.rows_loaded + files.rows_quarantined + files.rows_out_of_scope
    )
    or (files.status not in ('loaded', 'lookup') and coalesce(files.rows_loaded, 0) <> 0)
