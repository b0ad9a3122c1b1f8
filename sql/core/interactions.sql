-- Notes, mails, meetings and calls. Grain: an interaction.
select
    interaction.row_id as interaction_id,
    customer.row_id as customer_id,
    contact.row_id as contact_id,
    interaction.occurred_at as occurred_on,
    interaction.case_closed_at as case_closed_on,
    interaction.in_source
from raw.crm_interactions as interaction
left join raw.crm_customers as customer
    on interaction.customer_id = customer.customer_id
left join raw.crm_contacts as contact
    on interaction.contact_id = contact.contact_id
