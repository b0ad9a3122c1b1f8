-- The last day on which a use may hold a contact's own record, once the role has ended. Grain: a contact whose role
-- ended.
select
    contact.contact_id,
    add_months(contact.role_ended_on, role_ended.months) + role_ended.days as cap_on
from core.contacts as contact
inner join policy.periods as role_ended
    on role_ended.purpose = '*' and role_ended.clock = 'role_ended'
where contact.role_ended_on <= $as_of
