-- What was decided on the days that were published: counts by system and disposition, so that a month can be compared
-- with another. A day that is published again takes the place of its earlier counts.
-- - as_of date: the day of evaluation
-- - source varchar: the system that delivers the records
-- - disposition varchar: retain, restrict, review, erase or not_personal
-- - categories bigint: how many data categories of records
-- - with_value bigint: in how many of them a field holds a value; null on days that an earlier version published
select
    standings.as_of,
    standings.source,
    standings.disposition,
    standings.categories,
    standings.with_value
from publication.standings
