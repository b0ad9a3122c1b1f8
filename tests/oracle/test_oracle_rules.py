"""What must hold of the oracle's decisions whatever the company."""

import copy
from collections import Counter
from datetime import date

import pytest

from tests.oracle.companies import random_company
from tests.oracle.evaluator import FIELDS, TABLES, Exports, evaluate, personnummer, plus

SEEDS = range(20)
FREE = {"retain", "erase", "review"}


def with_row(exports: Exports, table: str, row: dict[str, str | None]) -> Exports:
    changed = copy.deepcopy(exports)
    changed.setdefault(table, []).append(row)
    return changed


def customers_of(exports: Exports) -> list[str]:
    return [str(row["customer_id"]) for row in exports["crm/customers"] if row["customer_type"] != "company"]


def test_no_crash_and_every_field_has_a_decision() -> None:
    for seed in range(100):
        exports, days = random_company(seed)
        rows = {kind: len(exports.get(table, [])) for kind, (table, _) in TABLES.items()}
        fields = sum(len(names) * rows[kind] for kind, parts in FIELDS.items() for names in parts.values())
        assert len(evaluate(exports, days[seed % 3])) == fields


def test_the_generator_is_deterministic_and_its_keys_are_unique() -> None:
    for seed in SEEDS:
        exports, days = random_company(seed)
        assert (exports, days) == random_company(seed)
        for table, key in TABLES.values():
            keys = [row[key] for row in exports.get(table, [])]
            assert len(keys) == len(set(keys)), table


def test_the_generator_reaches_every_purpose_and_disposition() -> None:
    seen: Counter[str] = Counter()
    for seed in range(40):
        exports, days = random_company(seed)
        for decision in evaluate(exports, days[0]).values():
            seen.update([decision.disposition, *decision.purposes])
    purposes = "order_fulfilment invoicing accounting debt_collection complaint_evidence open_complaint legal_hold"
    purposes += " quote_open quote_followup customer_care newsletter email_marketing direct_marketing"
    purposes += " product_development web_security web_statistics accountability"
    expected = {*purposes.split(), "retain", "restrict", "review", "erase", "not_personal"}
    assert set(seen) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hold_never_adds_an_erase_and_forbids_it_on_its_record(seed: int) -> None:
    exports, days = random_company(seed)
    customer = customers_of(exports)[0]
    hold = {"hold_id": "J-new", "record_type": "customer", "record_key": customer, "placed_at": days[0].isoformat()}
    before, after = evaluate(exports, days[0]), evaluate(with_row(exports, "office/holds", hold), days[0])
    for at, decision in after.items():
        assert decision.disposition != "erase" or before[at].disposition == "erase"
        if at[:2] == ("customer", customer):
            assert decision.disposition in ("retain", "restrict")


@pytest.mark.parametrize("seed", SEEDS)
def test_an_open_restriction_erases_nothing_and_changes_only_to_restrict(seed: int) -> None:
    exports, days = random_company(seed)
    customer = customers_of(exports)[0]
    word = {"request_id": "T-new", "customer_id": customer, "kind": "restriction", "received_at": days[0].isoformat()}
    before, after = evaluate(exports, days[1]), evaluate(with_row(exports, "office/requests", word), days[1])
    for at, decision in after.items():
        assert decision == before[at] or (decision.disposition, decision.keep_until) == ("restrict", None)
        if at[:2] == ("customer", customer):
            assert decision.disposition == "restrict"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["erasure", "objection", "withdrawal", "termination"])
def test_a_word_never_lengthens_but_a_proof(seed: int, kind: str) -> None:
    """An exit may move the end of a relation, and a word dates an undated proof; nothing else is kept for longer."""
    exports, days = random_company(seed)
    word = {"request_id": "T-new", "customer_id": customers_of(exports)[0], "kind": kind}
    word |= dict.fromkeys(("received_at", "identity_verified_at"), days[0].isoformat())
    before, after = evaluate(exports, days[1]), evaluate(with_row(exports, "office/requests", word), days[1])
    for at, decision in after.items():
        if at[0] != "consent":
            assert set(decision.purposes) <= set(before[at].purposes), at
            assert decision.disposition == before[at].disposition or before[at].disposition in FREE


@pytest.mark.parametrize("seed", SEEDS)
def test_an_unverified_erasure_and_one_to_come_have_no_effect(seed: int) -> None:
    exports, days = random_company(seed)
    word = {"request_id": "T-new", "customer_id": customers_of(exports)[0], "kind": "erasure"}
    unverified = {**word, "received_at": days[0].isoformat()}
    to_come = {**word, "received_at": days[2].isoformat(), "identity_verified_at": days[0].isoformat()}
    before = evaluate(exports, days[1])
    assert evaluate(with_row(exports, "office/requests", unverified), days[1]) == before
    assert evaluate(with_row(exports, "office/requests", to_come), days[1]) == before


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_the_rows_does_not_matter(seed: int) -> None:
    exports, days = random_company(seed)
    backwards = {table: rows[::-1] for table, rows in exports.items()}
    assert evaluate(backwards, days[0]) == evaluate(exports, days[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_last_day_is_today_or_later_and_only_where_something_is_kept(seed: int) -> None:
    exports, days = random_company(seed)
    for decision in evaluate(exports, days[0]).values():
        assert decision.keep_until is None or decision.keep_until >= days[0]
        assert decision.keep_until is None or decision.disposition in ("retain", "restrict")


def test_years_and_months_are_clamped_in_one_step() -> None:
    assert plus(date(2024, 2, 29), years=3) == date(2027, 2, 28)
    assert plus(date(2024, 2, 29), years=4) == date(2028, 2, 29)
    assert plus(date(2025, 1, 31), months=13) == date(2026, 2, 28)


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("199006022397", "9006022397"),
        ("900602-2397", "9006022397"),
        ("19900602-2397", "9006022397"),
        ("900101+9802", "9001019802"),
        ("202601612381", "2601612381"),
        ("199006022398", None),
        ("202100-5489", None),
        ("199002302397", None),
        ("", None),
    ],
)
def test_personnummer(written: str, compared: str | None) -> None:
    assert personnummer(written) == compared
