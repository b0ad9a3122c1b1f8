-- Purposes that make claims and are not in the register, or not as use or duty: nobody could say why they keep.
select distinct claims.purpose
from retention.purpose_claims as claims
left join policy.purposes as purposes on claims.purpose = purposes.purpose
where purposes.class is null or purposes.class not in ('use', 'duty')
