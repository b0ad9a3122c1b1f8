-- Links whose rows were not all given to the same person: a person's word would reach a part of what is theirs.
select min(people.node_id) as node_id
from core.person_links as links
inner join core.people as people on links.node_id = people.node_id
group by links.link
having min(people.person_id) <> max(people.person_id)
