"""`manifest.claim_bits` says what `retention.claims` says, with a bit per field instead of a row per category."""

from __future__ import annotations

import pytest

from assets.core.building import build
from assets.ingest.loading import load_rows
from assets.ingest.tables import prepare
from assets.ledger import issued
from assets.manifests import fields, gate
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.warehouse import Warehouse
from tests.oracle.companies import random_company

#: Field by field, with everything that the proposal and the gate ask of a claim.
BITS = """
select claims.record_type, claims.row_id, claims.purpose, numbers.field, claims.keep_until, claims.is_active,
    claims.missing
from manifest.claim_bits as claims
inner join manifest.field_bits as numbers
    on numbers.record_type = claims.record_type and (numbers.bit & claims.bits) <> 0
"""
CLAIMS = """
select claims.record_type, claims.row_id, claims.purpose, fields.field, claims.keep_until, claims.is_active,
    claims.missing
from retention.claims as claims
inner join policy.fields as fields
    on fields.record_type = claims.record_type and fields.data_category = claims.data_category
"""


@pytest.mark.parametrize("seed", [3, 8])
def test_they_say_what_the_claims_say(seed: int) -> None:
    exports, days = random_company(seed)
    with Warehouse.in_memory(pseudonym_key=b"bits", threads=1) as warehouse:
        policy = Policy.load()
        policy.publish(warehouse)
        prepare(warehouse, policy)
        load_rows(warehouse, policy, exports)
        build(warehouse)
        issued.prepare(warehouse)
        for day in days[:: max(1, len(days) // 2)]:
            evaluate(warehouse, policy, day)
            fields.number_fields(warehouse)
            gate.CLAIMS.build(warehouse, {})
            for one, other in ((BITS, CLAIMS), (CLAIMS, BITS)):
                assert warehouse.rows(f"({one}) except all ({other})") == []
            shared = "select count(*) from retention.purpose_claims where has_shared_clocks"
            assert warehouse.value(f"select count(*) from ({CLAIMS})") > warehouse.value(shared) > 0
