-- Sealed manifests that do not point at the manifest that their system got before, or that were numbered out of turn.
with chained as (
    select
        manifests.manifest_id,
        manifests.sequence,
        manifests.previous,
        lag(manifests.digest) over turns as digest_before,
        row_number() over turns as turn
    from manifest.manifests as manifests
    window turns as (partition by manifests.system order by manifests.sequence, manifests.manifest_id)
)

select chained.manifest_id
from chained
where
    chained.previous is distinct from chained.digest_before
    or chained.sequence <> chained.turn
