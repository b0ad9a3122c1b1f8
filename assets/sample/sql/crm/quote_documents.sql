-- What was sent in with a quote: a document with every other quote. Grain: a document.
select
    'D' || quote_id as document_id,
    quote_id,
    'underlag-' || cast(q as varchar) || '.pdf' as file_name,
    'dms:underlag/' || cast(q as varchar) as uri,
    moment(requested_on, q, 'added at') as added_at
from sample_quotes
where draw(q, 'document', 2) = 0
