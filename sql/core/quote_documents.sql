-- Documents of quotes. Grain: a document; quote_id is null for an orphan.
select
    document.row_id as document_id,
    quote.row_id as quote_id,
    document.in_source
from raw.crm_quote_documents as document
left join raw.crm_quotes as quote
    on document.quote_id = quote.quote_id
