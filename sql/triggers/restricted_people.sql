-- People whose data is restricted today (Art 18): a restriction request, or a contested accuracy, received and
-- unanswered.
-- Grain: a person.
select distinct request.person_id
from triggers.request_people as request
where
    request.kind in ('restriction', 'rectification')
    and (request.answered_on is null or request.answered_on > $as_of)
