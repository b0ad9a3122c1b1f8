-- The company's own policies that have decided, in the order in which one took another's place. Two that follow one
-- another under one version: the policy was changed, and its version was not raised. Empty under the shipped policy.
-- - sequence bigint: their order
-- - version varchar: the register's version, as its owner writes it
-- - digest varchar: over the register, and the purposes and contracts of the policy's folder
-- - as_of date: the first day that was decided by it
select
    decided.sequence,
    decided.version,
    decided.digest,
    decided.as_of
from policy.decided
