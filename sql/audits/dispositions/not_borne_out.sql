-- Dispositions that the claims do not bear out, read from the claims once more and in one pass:
-- - kept without a claim that holds, or restricted where a use holds, outside an open restriction (Art 18)
-- - up for erasure or review although a claim holds, up for erasure although a trigger is missing
-- - kept until another day than that of the latest claim that holds, or with an end although one has none
-- By parts: row_id of retention.dispositions, retention.claims.
with holding as (
    select
        claims.record_type,
        claims.row_id,
        claims.data_category,
        bool_or(claims.is_active) as is_held,
        bool_or(claims.is_active and purposes.class = 'use') as is_used,
        bool_or(claims.missing is not null) as is_in_doubt,
        bool_or(claims.is_active and claims.open_ended) as has_no_end,
        max(claims.keep_until) filter (where claims.is_active) as last_day
    from retention.claims as claims
    left join policy.purposes as purposes on claims.purpose = purposes.purpose
    where claims.is_active or claims.missing is not null
    group by claims.record_type, claims.row_id, claims.data_category
)

select
    dispositions.record_type,
    dispositions.row_id,
    dispositions.data_category
from retention.dispositions as dispositions
left join holding
    on
        dispositions.record_type = holding.record_type
        and dispositions.row_id = holding.row_id
        and dispositions.data_category = holding.data_category
where
    case dispositions.disposition
        when 'erase' then coalesce(holding.is_held or holding.is_in_doubt, false)
        when 'review' then coalesce(holding.is_held, false)
        when 'not_personal' then false
        else
            not coalesce(list_contains(dispositions.reasons, 'restriction (Art 18)'), false)
            and (
                not coalesce(holding.is_held, false)
                or holding.is_used is distinct from (dispositions.disposition = 'retain')
                or dispositions.keep_until is distinct from case when not holding.has_no_end then holding.last_day end
            )
    end
