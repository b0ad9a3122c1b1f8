-- The day of evaluation. Grain: one row.
select cast($as_of as date) as as_of
