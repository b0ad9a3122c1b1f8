-- A purpose of the register (Art 30): why data is held, on what ground, and until when.
-- - purpose varchar: the purpose's name
-- - position integer: its place in the register
-- - class varchar: use (kept in ordinary use) or duty (kept for a legal duty or claim alone)
-- - legal_basis varchar: articles of the GDPR, as DPV writes them
-- - title_sv varchar: what it is called in Swedish
-- - title_en varchar: what it is called in English
-- - dpv_purpose varchar: the term of the Data Privacy Vocabulary
-- - law varchar: the law or decision that the period rests on
-- - decided_by varchar: who decided the period
-- - periods varchar[]: clock=ISO 8601 period in months and days, sorted
-- - covers varchar[]: record type.data category, sorted
with periods as (
    select
        periods.purpose,
        list_sort(list(periods.clock || '=P' || periods.months || 'M' || periods.days || 'D')) as periods
    from policy.periods
    group by periods.purpose
),

coverage as (
    select
        coverage.purpose,
        list_sort(list(distinct coverage.record_type || '.' || coverage.data_category)) as covers
    from policy.coverage
    group by coverage.purpose
)

select
    purposes.purpose,
    purposes.position,
    purposes.class,
    purposes.legal_basis,
    purposes.title_sv,
    purposes.title_en,
    purposes.dpv_purpose,
    purposes.law,
    purposes.decided_by,
    coalesce(periods.periods, []) as periods,
    coalesce(coverage.covers, []) as covers
from policy.purposes
left join periods on purposes.purpose = periods.purpose
left join coverage on purposes.purpose = coverage.purpose
