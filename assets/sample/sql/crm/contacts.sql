-- Contact persons of companies. Grain: a contact.
select
    contact_id,
    customer_id,
    name,
    email,
    sample_phone(c) as phone,
    one_of('job_titles', c, 'title') as job_title,
    moment(role_ended_on, c, 'role ended') as role_ended_at,
    moment(active_until, c, 'updated') as updated_at
from sample_contacts
