-- Rows that can be a person and belong to none, and people made of rows that cannot be one.
select
    nodes.node_id,
    'no person' as trouble
from core.person_nodes as nodes
where
    not exists (
        select 1 from core.people as people
        where people.node_id = nodes.node_id
    )
union all
select
    people.node_id,
    'no row' as trouble
from core.people as people
where not exists (
    select 1 from core.person_nodes as nodes
    where nodes.node_id = people.node_id
)
