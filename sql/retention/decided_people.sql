-- A view: of which people somebody has said whether they are one. Grain: a person and another; a pair stands both ways.
-- What was said of two rows holds for the two people they are now, whichever rows stand for them; the last word counts.
-- It merges nobody: only the rules make one person.
with rows_of_people as (
    select
        record.record_type,
        record.row_id,
        record.record_key
    from core.records as record
    where record.record_type in ('customer', 'contact', 'subscriber')
),

said as (
    select
        first_person.person_id,
        second_person.person_id as other_id,
        decision.same,
        decision.decided_at
    from office.matches as decision
    inner join rows_of_people as first_row
        on decision.first_type = first_row.record_type and decision.first_key = first_row.record_key
    inner join core.people as first_person
        on first_row.record_type = first_person.node_type and first_row.row_id = first_person.row_id
    inner join rows_of_people as second_row
        on decision.second_type = second_row.record_type and decision.second_key = second_row.record_key
    inner join core.people as second_person
        on second_row.record_type = second_person.node_type and second_row.row_id = second_person.row_id
    where first_person.person_id <> second_person.person_id
),

both_ways as (
    select
        said.person_id,
        said.other_id,
        said.same,
        said.decided_at
    from said
    union all
    select
        said.other_id as person_id,
        said.person_id as other_id,
        said.same,
        said.decided_at
    from said
),

numbered as (
    select
        both_ways.person_id,
        both_ways.other_id,
        both_ways.same,
        cast(row_number() over (
            partition by both_ways.person_id, both_ways.other_id
            order by both_ways.decided_at desc, both_ways.same asc
        ) as bigint) as place
    from both_ways
)

select
    numbered.person_id,
    numbered.other_id,
    numbered.same
from numbered
where numbered.place = 1
