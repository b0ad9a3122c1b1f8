-- What a person should look at: dates ahead, numbers that are not valid, orphans, doubtful matches. Grain: a finding
-- on a record.
-- No values: the record and the field say where to look.
with shared_addresses as (
    select other.email_key
    from core.person_nodes as other
    inner join core.people as person
        on other.node_id = person.node_id
    where other.email_key is not null
    group by other.email_key
    having min(person.person_id) < max(person.person_id)
),

residents as (
    select
        node.email_key,
        node.node_type,
        node.row_id,
        person.person_id
    from core.person_nodes as node
    inner join core.people as person
        on node.node_id = person.node_id
    inner join shared_addresses as shared
        on node.email_key = shared.email_key
),

crowds as (
    select
        resident.email_key,
        cast(count(distinct resident.person_id) as bigint) as people
    from residents as resident
    group by resident.email_key
),

-- Of how many others at an address a person has said whether they are one with who has it too.
settled as (
    select
        resident.email_key,
        resident.person_id,
        cast(count(distinct decided.other_id) as bigint) as others
    from residents as resident
    inner join retention.decided_people as decided
        on resident.person_id = decided.person_id
    inner join residents as other
        on decided.other_id = other.person_id and resident.email_key = other.email_key
    group by resident.email_key, resident.person_id
),

-- What a word ended stays ended; an open restriction is about what its person has now.
present as (
    select distinct person.person_id
    from core.people as person
    inner join core.records as record
        on person.node_type = record.record_type and person.row_id = record.row_id
    where record.in_source
),

reaching as (
    select reached.request_id
    from triggers.request_people as reached
    left join present
        on reached.person_id = present.person_id
    where reached.kind not in ('restriction', 'rectification') or present.person_id is not null
    union
    select request.request_id
    from triggers.requests_in_force as request
    where request.kind = 'termination' and (request.customer_id is not null or request.contact_id is not null)
    union
    select request.request_id
    from triggers.requests_in_force as request
    inner join core.customers as customer
        on request.email_key = customer.email_key
    where request.kind = 'termination'
)

select
    'personnummer_not_valid' as finding,
    'customer' as record_type,
    customer.row_id,
    'national_id' as detail
from raw.crm_customers as customer
where
    customer.in_source
    and customer.customer_type <> 'company'
    and customer.national_id is not null
    and customer.national_id_key is null
union all
select
    'org_number_not_valid' as finding,
    'customer' as record_type,
    customer.row_id,
    'org_number' as detail
from raw.crm_customers as customer
where
    customer.in_source
    and customer.customer_type in ('company', 'sole_trader')
    and customer.org_number is not null
    and customer.org_number_key is null
union all
select
    'orphan' as finding,
    orphan.record_type,
    orphan.row_id,
    'its parent is unknown' as detail
from triggers.orphans as orphan
inner join retention.records as record
    on orphan.record_type = record.record_type and orphan.row_id = record.row_id
union all
select
    'delivered_before_ordered' as finding,
    'delivery' as record_type,
    delivery.delivery_id as row_id,
    'delivered_at' as detail
from core.deliveries as delivery
inner join raw.orders_deliveries as source_row
    on delivery.delivery_id = source_row.row_id
where delivery.in_source and delivery.delivered_on is null and source_row.delivered_at is not null
union all
select
    'contradicting_days' as finding,
    'hold' as record_type,
    hold.hold_id as row_id,
    'released_at' as detail
from core.holds as hold
inner join raw.office_holds as source_row
    on hold.hold_id = source_row.row_id
where hold.released_on is null and source_row.released_at is not null
union all
select
    'contradicting_days' as finding,
    'request' as record_type,
    request.request_id as row_id,
    substr(
        case
            when request.extended_on is null and source_row.extended_at is not null then ', extended_at' else ''
        end
        || case
            when request.answered_on is null and source_row.answered_at is not null then ', answered_at' else ''
        end,
        3
    ) as detail
from core.requests as request
inner join raw.office_requests as source_row
    on request.request_id = source_row.row_id
where
    (request.answered_on is null and source_row.answered_at is not null)
    -- of one that was answered it is all the same
    or (
        request.extended_on is null
        and source_row.extended_at is not null
        and (request.answered_on is null or request.answered_on > $as_of)
    )
union all
select
    'termination_by_contact' as finding,
    'request' as record_type,
    request.request_id as row_id,
    'a contact asked to end a relation: decide whose' as detail
from triggers.requests_in_force as request
where request.kind = 'termination' and request.customer_id is null and request.contact_id is not null
union all
select
    'request_without_person' as finding,
    'request' as record_type,
    request.request_id as row_id,
    'nobody whom it names is in a source: it reaches no record' as detail
from triggers.requests_in_force as request
inner join raw.office_requests as source_row
    on request.request_id = source_row.row_id
left join reaching
    on request.request_id = reaching.request_id
where
    reaching.request_id is null
    and request.answered_on is null
    -- An objection by a stranger's address joins the suppression list.
    and (
        source_row.customer_id is not null
        or source_row.contact_id is not null
        or request.email_key is null
        or request.kind <> 'objection'
    )
union all
select
    'request_without_day' as finding,
    'request' as record_type,
    request.request_id as row_id,
    'received_at' as detail
from core.requests as request
where
    request.received_on is null
    and (
        request.answered_on is null
        or request.answered_on > $as_of
        or request.kind in ('objection', 'withdrawal', 'termination', 'erasure')
    )
union all
select
    'request_without_kind' as finding,
    'request' as record_type,
    request.request_id as row_id,
    'kind' as detail
from core.requests as request
where
    request.kind is null
    and (request.answered_on is null or request.answered_on > $as_of)
union all
-- A request by address alone reaches rows of people; a consent that names the address alone, where several people have
-- it, or none, is nobody's. It goes on, though whoever asked may have given it: a person decides whose it is.
select distinct
    'consent_word_by_address' as finding,
    'consent' as record_type,
    consent.consent_id as row_id,
    'a word that came from its address does not end it, as it is of nobody for certain' as detail
from triggers.requests_in_force as request
inner join core.consents as consent
    on request.email_key = consent.email_key
inner join triggers.consent_owners as owner
    on consent.consent_id = owner.consent_id
inner join triggers.consent_ends as consent_end
    on consent.consent_id = consent_end.consent_id
where
    not request.names_a_person
    and request.contact_id is null
    and consent.names_nobody
    and owner.person_id is null
    and consent.in_source
    and (
        request.kind = 'erasure'
        or (request.kind = 'objection' and consent.purpose = 'newsletter')
        or (request.kind = 'withdrawal' and coalesce(request.scope, consent.purpose) = consent.purpose)
    )
    and (consent.given_on is null or request.received_on >= consent.given_on)
    and (consent_end.ends_on is null or consent_end.ends_on >= $as_of)
union all
select
    'hold_without_record' as finding,
    'hold' as record_type,
    hold.hold_id as row_id,
    'the record it names is in no source' as detail
from core.holds as hold
left join core.records as record
    on hold.record_type = record.record_type and hold.record_key = record.record_key
where
    record.row_id is null
    and (hold.record_key is not null or hold.released_on is null or hold.released_on > $as_of)
union all
select
    'possible_match' as finding,
    resident.node_type as record_type,
    resident.row_id,
    'the same e-mail address as another person' as detail
from residents as resident
inner join crowds as crowd
    on resident.email_key = crowd.email_key
left join settled
    on resident.email_key = settled.email_key and resident.person_id = settled.person_id
where crowd.people - 1 > coalesce(settled.others, 0)
union all
select
    'date_ahead' as finding,
    'customer' as record_type,
    record.customer_id as row_id,
    substr(
        case when record.customer_since > cast($as_of as date) + 1 then ', customer_since' else '' end
        || case when record.relation_ended_on > cast($as_of as date) + 1 then ', relation_ended_on' else '' end
        || case when record.deceased_on > cast($as_of as date) + 1 then ', deceased_on' else '' end,
        3
    ) as detail
from core.customers as record
where
    record.in_source
    and greatest(record.customer_since, record.relation_ended_on, record.deceased_on) > cast($as_of as date) + 1
union all
select
    'date_ahead' as finding,
    'contact' as record_type,
    record.contact_id as row_id,
    'role_ended_on' as detail
from core.contacts as record
where record.in_source and record.role_ended_on > cast($as_of as date) + 1
union all
select
    'date_ahead' as finding,
    'interaction' as record_type,
    record.interaction_id as row_id,
    substr(
        case when record.occurred_on > cast($as_of as date) + 1 then ', occurred_on' else '' end
        || case when record.case_closed_on > cast($as_of as date) + 1 then ', case_closed_on' else '' end,
        3
    ) as detail
from core.interactions as record
where record.in_source and greatest(record.occurred_on, record.case_closed_on) > cast($as_of as date) + 1
union all
select
    'date_ahead' as finding,
    'quote' as record_type,
    record.quote_id as row_id,
    substr(
        case when record.requested_on > cast($as_of as date) + 1 then ', requested_on' else '' end
        || case when record.sent_on > cast($as_of as date) + 1 then ', sent_on' else '' end,
        3
    ) as detail
from core.quotes as record
where record.in_source and greatest(record.requested_on, record.sent_on) > cast($as_of as date) + 1
union all
select
    'date_ahead' as finding,
    'consent' as record_type,
    record.consent_id as row_id,
    substr(
        case when record.given_on > cast($as_of as date) + 1 then ', given_on' else '' end
        || case when record.withdrawn_on > cast($as_of as date) + 1 then ', withdrawn_on' else '' end,
        3
    ) as detail
from core.consents as record
where record.in_source and greatest(record.given_on, record.withdrawn_on) > cast($as_of as date) + 1
union all
select
    'date_ahead' as finding,
    'order' as record_type,
    record.order_id as row_id,
    substr(
        case when record.placed_on > cast($as_of as date) + 1 then ', placed_on' else '' end
        || case when record.closed_on > cast($as_of as date) + 1 then ', closed_on' else '' end,
        3
    ) as detail
from core.orders as record
where record.in_source and greatest(record.placed_on, record.closed_on) > cast($as_of as date) + 1
union all
select
    'date_ahead' as finding,
    'delivery' as record_type,
    record.delivery_id as row_id,
    'delivered_on' as detail
from core.deliveries as record
where record.in_source and record.delivered_on > cast($as_of as date) + 1
union all
select
    'date_ahead' as finding,
    'invoice' as record_type,
    record.invoice_id as row_id,
    substr(
        case when record.issued_on > cast($as_of as date) + 1 then ', issued_on' else '' end
        || case when record.voucher_on > cast($as_of as date) + 1 then ', voucher_on' else '' end,
        3
    ) as detail
from core.invoices as record
where record.in_source and greatest(record.issued_on, record.voucher_on) > cast($as_of as date) + 1
union all
select
    'date_ahead' as finding,
    'payment' as record_type,
    record.payment_id as row_id,
    'paid_on' as detail
from core.payments as record
where record.in_source and record.paid_on > cast($as_of as date) + 1
union all
select
    'date_ahead' as finding,
    'claim_event' as record_type,
    record.claim_event_id as row_id,
    'occurred_on' as detail
from core.claim_events as record
where record.in_source and record.occurred_on > cast($as_of as date) + 1
union all
select
    'date_ahead' as finding,
    'complaint' as record_type,
    record.complaint_id as row_id,
    substr(
        case when record.opened_on > cast($as_of as date) + 1 then ', opened_on' else '' end
        || case when record.closed_on > cast($as_of as date) + 1 then ', closed_on' else '' end,
        3
    ) as detail
from core.complaints as record
where record.in_source and greatest(record.opened_on, record.closed_on) > cast($as_of as date) + 1
union all
select
    'date_ahead' as finding,
    'subscriber' as record_type,
    record.subscriber_id as row_id,
    substr(
        case when record.subscribed_on > cast($as_of as date) + 1 then ', subscribed_on' else '' end
        || case when record.unsubscribed_on > cast($as_of as date) + 1 then ', unsubscribed_on' else '' end
        || case when record.last_opened_on > cast($as_of as date) + 1 then ', last_opened_on' else '' end,
        3
    ) as detail
from core.subscribers as record
where
    record.in_source
    and greatest(record.subscribed_on, record.unsubscribed_on, record.last_opened_on) > cast($as_of as date) + 1
union all
select
    'date_ahead' as finding,
    'web_event' as record_type,
    record.event_id as row_id,
    'occurred_on' as detail
from core.web_events as record
where record.in_source and record.occurred_on > cast($as_of as date) + 1
union all
select
    'date_ahead' as finding,
    'request' as record_type,
    record.request_id as row_id,
    substr(
        case when record.received_on > cast($as_of as date) + 1 then ', received_on' else '' end
        || case when record.verified_on > cast($as_of as date) + 1 then ', verified_on' else '' end
        || case when record.extended_on > cast($as_of as date) + 1 then ', extended_on' else '' end
        || case when record.answered_on > cast($as_of as date) + 1 then ', answered_on' else '' end,
        3
    ) as detail
from core.requests as record
where
    greatest(record.received_on, record.verified_on, record.extended_on, record.answered_on)
    > cast($as_of as date) + 1
union all
select
    'date_ahead' as finding,
    'hold' as record_type,
    record.hold_id as row_id,
    substr(
        case when record.placed_on > cast($as_of as date) + 1 then ', placed_on' else '' end
        || case when record.released_on > cast($as_of as date) + 1 then ', released_on' else '' end,
        3
    ) as detail
from core.holds as record
where greatest(record.placed_on, record.released_on) > cast($as_of as date) + 1
