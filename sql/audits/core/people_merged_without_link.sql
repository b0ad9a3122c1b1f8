-- Rows that were given to another row's person although they share a link with nobody.
with shared as (
    select links.link
    from core.person_links as links
    group by links.link
    having count(distinct links.node_id) > 1
),

linked as (
    select distinct links.node_id
    from core.person_links as links
    inner join shared on links.link = shared.link
)

select people.node_id
from core.people as people
where
    people.person_id <> people.node_id
    and not exists (
        select 1 from linked
        where linked.node_id = people.node_id
    )
