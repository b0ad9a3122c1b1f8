-- Use claims on a contact's own record that reach beyond the end of the role and the time to hand over.
select
    claims.row_id,
    claims.purpose
from retention.claims as claims
inner join policy.purposes as purposes on claims.purpose = purposes.purpose
inner join triggers.contact_caps as caps on claims.row_id = caps.contact_id
where
    claims.record_type = 'contact'
    and purposes.class = 'use'
    and (claims.open_ended or claims.keep_until > caps.cap_on)
