-- Proof of consent (Art 5(2), 7(1)): five years after the last day of what the consent allowed. Grain: a claim on a
-- consent.
-- A consent without a known purpose allowed nothing that has a last day: its proof is for a person to look at.
-- Closed words: record_type, clock.
select
    'consent' as record_type,
    consent.consent_id as row_id,
    'proof' as clock,
    consent.given_on as starts_on,
    add_months(consent_end.ends_on, proof.months) + proof.days as ends_on,
    cast(null as varchar) as ended_by,
    case
        when consent_end.consent_id is null then 'consent_without_purpose'
        else consent_end.missing
    end as missing
from core.consents as consent
inner join policy.periods as proof
    on proof.purpose = 'accountability' and proof.clock = 'proof'
left join triggers.consent_ends as consent_end
    on consent.consent_id = consent_end.consent_id and consent_end.purpose in ('newsletter', 'web_statistics')
