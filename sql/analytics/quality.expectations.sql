-- The last verdict on each expectation. Counts, no values.
-- - stop varchar: raw, core, claims, dispositions or manifests
-- - expectation varchar: the check's name
-- - asset varchar: the table that it is about
-- - description varchar: what is true when it holds
-- - severity varchar: critical blocks, warning does not
-- - passed boolean: whether it held
-- - evaluated bigint: how many rows were looked at
-- - unexpected bigint: how many rows broke it
-- - as_of date: the day of evaluation that it was run for
select
    verdicts.stop,
    verdicts.name as expectation,
    verdicts.asset,
    verdicts.description,
    verdicts.severity,
    verdicts.passed,
    verdicts.evaluated,
    verdicts.unexpected,
    verdicts.as_of
from quality.verdicts
