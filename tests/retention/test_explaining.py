"""Why a field is kept or not, in plain sentences: what holds it, what ended, what is unclear; and no value of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from string import Formatter
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from assets.core.building import build
from assets.errors import BadInput, CheckFailed
from assets.ingest.loading import load_rows
from assets.models import SQL
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.retention.explaining import ExplainedField, Explanation, explain, render, sentences
from assets.warehouse import Warehouse
from orchestration.cli.printing import as_json
from tests.publication.house import AS_OF, CANARY, ENDS, StubPolicy, hand_made

POLICY: Any = StubPolicy()


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    with hand_made() as warehouse:
        yield warehouse


def field_of(explanation: Explanation, name: str) -> ExplainedField:
    return next(field for field in explanation.fields if field.field == name)


def block(text: str, fields: str) -> str:
    """The block of a text that begins with `fields`."""
    return next(block for block in text.split("\n\n") if block.startswith(fields))


def test_an_active_claim_tells_its_purpose_ground_law_and_end(warehouse: Warehouse) -> None:
    explanation = explain(warehouse, POLICY, "order_line", "L1", "en")
    field = field_of(explanation, "product")
    assert (field.disposition, field.keep_until) == ("retain", ENDS)
    assert [claim.purpose for claim in field.standing("active")] == ["accounting", "product_development"]
    assert block(render(explanation), "product, description") == (
        "product, description (transaction)\n"
        "  Kept in ordinary use through 2033-12-31.\n"
        "  Holds: Bookkeeping through 2033-12-31 (from 2026-11-01). Ground: GDPR Article 6(1)(c); "
        "BFL (1999:1078) 7 kap. 2 §.\n"
        "  Holds: Development through 2026-12-31 (from 2026-11-01). Ground: GDPR Article 6(1)(f)."
    )


def test_an_ended_claim_tells_when_and_by_what(warehouse: Warehouse) -> None:
    text = render(explain(warehouse, POLICY, "order_line", "L2", "sv"))
    assert "Slut: Utveckling, 2020-06-01, genom att relationen avslutades." in text
    text = render(explain(warehouse, POLICY, "customer", "C2", "sv"))
    assert "Slut: Leverera beställning, 2020-02-01, då skälet eller tiden upphörde." in text


def test_a_missing_trigger_is_said_and_an_unknown_code_shown(warehouse: Warehouse) -> None:
    explanation = explain(warehouse, POLICY, "order_line", "L2", "en")
    assert field_of(explanation, "product").reasons == ("no_voucher",)
    assert "Unclear: Bookkeeping; no_voucher." in render(explanation)
    warehouse.run("update retention.claims set missing = 'purchase_capacity_missing' where missing is not null")
    text = render(explain(warehouse, POLICY, "order_line", "L2", "en"))
    assert "Unclear: Bookkeeping; it is not known whether the purchase was private or in business." in text


def test_a_claim_that_has_not_begun_is_told_apart(warehouse: Warehouse) -> None:
    warehouse.run(
        "insert into retention.claims values "
        "('order', 2, 'identity', 'accounting', date '2026-11-26', null, true, null, null, false)"
    )
    text = render(explain(warehouse, POLICY, "order", "O2", "en"))
    assert "Starts later: Bookkeeping, 2026-11-26." in text
    assert "Ended" not in text


def test_an_open_end_and_both_grounds_are_said(warehouse: Warehouse) -> None:
    text = block(render(explain(warehouse, POLICY, "customer", "C1")), "name, birth_date")
    assert "Behålls i ordinarie bruk, utan bestämt slut." in text
    assert "Grund: GDPR artikel 6.1 b eller GDPR artikel 6.1 f; GDPR Art 6(1)(b)." in text


def test_a_field_that_no_purpose_has_reached_says_so(warehouse: Warehouse) -> None:
    text = block(render(explain(warehouse, POLICY, "customer", "C1", "en")), "email")
    assert text.splitlines()[1:] == [
        "  To be erased: no purpose needs it any more.",
        "  No purpose of the register has applied to it.",
    ]


def test_a_restriction_at_the_persons_request_comes_before_every_clock(warehouse: Warehouse) -> None:
    warehouse.run(
        "update retention.dispositions set disposition = 'restrict', reasons = ['restriction (Art 18)'] "
        "where record_type = 'customer' and row_id = 1"
    )
    text = block(render(explain(warehouse, POLICY, "customer", "C1", "en")), "name, birth_date")
    assert text.splitlines()[1].startswith("  Restricted under GDPR Article 18")
    assert "Holds: Deliver the order" in text


@pytest.mark.parametrize(
    ("consent", "why"),
    [
        ({"given_at": "2026-01-01"}, "what the consent was given for is not known"),
        ({"purpose": "newsletter"}, "the day on which the consent was given is missing"),
        ({}, "what the consent was given for is not known"),
    ],
)
def test_a_proof_of_consent_is_in_doubt_for_what_it_lacks(consent: dict[str, str], why: str) -> None:
    policy, exports = Policy.load(), {"crm/consents": [{"consent_id": "S1", "evidence": "form", **consent}]}
    with Warehouse.in_memory(threads=1) as warehouse:
        load_rows(warehouse, policy, exports)
        policy.publish(warehouse)
        build(warehouse)
        evaluate(warehouse, policy, AS_OF)
        assert f"Unclear: Proof of consent; {why}." in render(explain(warehouse, policy, "consent", "S1", "en"))


def test_an_orphan_says_why_a_person_must_look(warehouse: Warehouse) -> None:
    warehouse.run("update retention.dispositions set disposition = 'review', reasons = ['orphan']")
    assert "belongs to one that is not in the source system" in render(explain(warehouse, POLICY, "order", "O2", "en"))


def test_a_companys_own_record_is_not_personal_and_that_is_all(warehouse: Warehouse) -> None:
    warehouse.run("update retention.dispositions set disposition = 'not_personal' where record_type = 'customer'")
    text = block(render(explain(warehouse, POLICY, "customer", "C1", "en")), "name, birth_date")
    assert text.splitlines()[1:] == ["  Is not personal data: the record is a company's own."]


def test_the_holds_that_stand_on_the_day_are_named(warehouse: Warehouse) -> None:
    explanation = explain(warehouse, POLICY, "customer", "C1", "en")
    assert explanation.holds == ("H1",)
    assert "Legal hold: H1." in render(explanation)
    assert explain(warehouse, POLICY, "customer", "C2").holds == ()
    warehouse.run("update raw.office_holds set placed_at = date '2020-02-01', released_at = date '2019-02-01' "
                  "where hold_id = 'H1'")  # fmt: skip
    assert explain(warehouse, POLICY, "customer", "C1", "en").holds == ("H1",), "released before it was placed: not"


def test_no_value_of_a_field_is_told(warehouse: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    for record_type, key in (("customer", "C1"), ("order", "O1"), ("order_line", "L1")):
        explanation = explain(warehouse, POLICY, record_type, key)
        as_json(explanation)
        assert CANARY not in render(explanation) + capsys.readouterr().out


def test_the_explanation_can_be_told_as_json(warehouse: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    as_json(explain(warehouse, POLICY, "order_line", "L1", "sv"))
    plain = json.loads(capsys.readouterr().out)
    assert plain["as_of"] == AS_OF.isoformat()
    assert plain["fields"][0]["claims"][0] == {
        "purpose": "accounting",
        "title": "Bokföring",
        "purpose_class": "duty",
        "legal_basis": ["eu-gdpr:A6-1-c"],
        "law": "BFL (1999:1078) 7 kap. 2 §",
        "standing": "active",
        "starts_on": "2026-11-01",
        "keep_until": "2033-12-31",
        "open_ended": False,
        "ended_by": None,
        "missing": None,
    }


def test_an_unknown_record_type_names_those_there_are(warehouse: Warehouse) -> None:
    with pytest.raises(BadInput, match="'person' is no record type: choose one of customer, order, order_line"):
        explain(warehouse, POLICY, "person", "C1")


def test_an_unknown_key_says_on_which_day_it_was_not_there(warehouse: Warehouse) -> None:
    with pytest.raises(BadInput, match="No customer with the key 'C9' is in the sources on 2026-11-25"):
        explain(warehouse, POLICY, "customer", "C9")


def test_what_another_policy_decided_is_not_explained(warehouse: Warehouse) -> None:
    other: Any = StubPolicy(sha256="1" * 64)
    with pytest.raises(CheckFailed, match="another policy"):
        explain(warehouse, other, "customer", "C1")


def _shape(words: Any, path: str = "") -> dict[str, set[str]]:
    """Every sentence's path and the names that it has places for."""
    if isinstance(words, str):
        return {path: {name for _, name, _, _ in Formatter().parse(words) if name}}
    return {key: names for name, entry in words.items() for key, names in _shape(entry, f"{path}/{name}").items()}


def test_both_languages_have_the_same_sentences() -> None:
    assert _shape(sentences("sv")) == _shape(sentences("en"))


def codes_of(column: str) -> set[str]:
    """The texts that the evaluation's SQL gives a column of that name."""
    found: set[str] = set()
    for folder in ("triggers", "purposes"):
        for path in sorted((SQL / folder).glob("*.sql")):
            for alias in sqlglot.parse_one(path.read_text(encoding="utf-8"), dialect="duckdb").find_all(exp.Alias):
                if alias.alias == column:
                    values = [alias.this, *(branch.args["true"] for branch in alias.this.find_all(exp.If))]
                    found |= {value.this for value in values if isinstance(value, exp.Literal) and value.is_string}
    return found


@pytest.mark.parametrize(("column", "group"), [("missing", "missing_codes"), ("ended_by", "words"), ("word", "words")])
def test_every_code_of_the_evaluation_has_its_words(column: str, group: str) -> None:
    codes = codes_of(column)
    assert codes, "the SQL gives no codes"
    assert codes - sentences("sv")[group].keys() == set()


def test_another_language_is_refused() -> None:
    other: Any = "de"
    with pytest.raises(BadInput, match="choose one of en, sv"):
        sentences(other)


def test_the_day_is_the_evaluations(warehouse: Warehouse) -> None:
    assert explain(warehouse, POLICY, "customer", "C1").as_of == date(2026, 11, 25)
