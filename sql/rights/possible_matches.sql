-- Rows that may be the same person and are not certain to be. Grain: two people, with the rows that resemble each other
-- most. weight: the model's match weight, the base-2 logarithm of the odds that they are one. The rest: which level of
-- each comparison the two rows come to, by number (assets/rights/matching_model.json). Nothing is decided here.
-- One address under two names is always told (rules.md, Same person), whatever the weight.
-- Reads what splink has scored, in memory; $pair: null, or the one pair that is asked for; $least: the least weight.
with scored as (
    select
        scores.match_weight as weight,
        scores.gamma_given_name,
        scores.gamma_family_name,
        scores.gamma_born,
        scores.gamma_home,
        scores.gamma_email,
        scores.gamma_national_id,
        scores.gamma_organisation,
        one.record_type || '/' || one.record_key <= other.record_type || '/' || other.record_key as is_in_order,
        one.record_type as one_type,
        one.record_key as one_key,
        one_person.person_id as one_person,
        other.record_type as other_type,
        other.record_key as other_key,
        other_person.person_id as other_person
    from memory.matching.scores as scores
    inner join memory.matching.everybody as one on scores.node_id_l = one.node_id
    inner join memory.matching.everybody as other on scores.node_id_r = other.node_id
    inner join core.people as one_person on one.node_id = one_person.node_id
    inner join core.people as other_person on other.node_id = other_person.node_id
    where one_person.person_id <> other_person.person_id
),

pairs as (
    select
        scored.*,
        case when scored.is_in_order then scored.one_type else scored.other_type end as first_type,
        case when scored.is_in_order then scored.one_key else scored.other_key end as first_key,
        case when scored.is_in_order then scored.other_type else scored.one_type end as second_type,
        case when scored.is_in_order then scored.other_key else scored.one_key end as second_key,
        least(scored.one_person, scored.other_person) as low_person,
        greatest(scored.one_person, scored.other_person) as high_person
    from scored
    where scored.weight >= $least or scored.gamma_email = 1
),

named as (
    select
        pairs.*,
        pairs.first_type || '/' || pairs.first_key || '+' || pairs.second_type || '/' || pairs.second_key as pair
    from pairs
),

best as (
    select named.*
    from named
    where cast($pair as varchar) is null or named.pair = $pair
    qualify row_number() over (
        partition by named.low_person, named.high_person
        order by
            named.weight desc, named.first_type asc, named.first_key asc, named.second_type asc, named.second_key asc
    ) = 1
)

select
    best.first_type,
    best.first_key,
    best.second_type,
    best.second_key,
    round(best.weight, 1) as weight,
    best.gamma_given_name,
    best.gamma_family_name,
    best.gamma_born,
    best.gamma_home,
    best.gamma_email,
    best.gamma_national_id,
    best.gamma_organisation,
    case when decided.same then 'yes' when not decided.same then 'no' end as decided
from best
left join retention.decided_people as decided
    on best.low_person = decided.person_id and best.high_person = decided.other_id
order by
    round(best.weight, 1) desc, best.first_type asc, best.first_key asc, best.second_type asc, best.second_key asc
