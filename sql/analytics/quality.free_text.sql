-- Where people have written personal numbers, addresses, telephone numbers or words about health into free text:
-- a record's field, and how often. Never the text.
-- - source varchar: the system that delivers the record
-- - record_type varchar: what the record is
-- - record_key varchar: the source system's own key of the record
-- - field varchar: the free text
-- - kind varchar: personal_numbers, email_addresses, phone_numbers or health_words
-- - hits bigint: how often
select
    free_text.source,
    free_text.record_type,
    free_text.record_key,
    free_text.field,
    free_text.kind,
    free_text.hits
from rights.free_text
