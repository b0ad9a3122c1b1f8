"""What is told to a system: once per change, with exactly the fields that hold a value."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.manifests.changes import propose
from tests.manifests.company import DAY, ISSUED_AT, POLICY, RECORDS, Company, full

C1 = ("customer", "C1")
ALL = ("name", "email", "phone", "street", "city")


@pytest.fixture
def company() -> Company:
    made = Company()
    made.add("customer", "C1")
    return made


def days(number: int) -> date:
    return DAY + timedelta(days=number)


def test_retained_records_are_not_news(company: Company) -> None:
    assert company.propose(DAY, {}) == set()


def test_every_category_erase_is_one_erase_of_the_whole_record(company: Company) -> None:
    assert company.propose(DAY, {C1: full("customer", "erase")}) == {("crm", "customer", "C1", "erase", ())}


def test_some_categories_erase_is_a_redaction_of_their_fields_in_the_contracts_order(company: Company) -> None:
    company.set_field("customer", "C1", "city", None)
    items = company.propose(DAY, {C1: {"address": "erase", "identity": "never"}})
    assert items == {("crm", "customer", "C1", "redact", ("name", "street"))}


def test_restricted_and_redacted_the_same_night(company: Company) -> None:
    items = company.propose(DAY, {C1: {"phone": "erase", "email": "restrict"}})
    assert items == {("crm", "customer", "C1", "redact", ("phone",)), ("crm", "customer", "C1", "restrict", ("email",))}


def test_a_record_without_values_gets_no_item(company: Company) -> None:
    for field in ALL:
        company.set_field("customer", "C1", field, None)
    assert company.propose(DAY, {C1: full("customer", "erase")}) == set()
    assert company.propose(DAY, {C1: full("customer", "restrict")}) == set()


@pytest.mark.parametrize("outcome", ["review", "not_personal"])
def test_doubt_and_companies_are_told_nothing(company: Company, outcome: str) -> None:
    assert company.propose(DAY, {C1: full("customer", outcome)}) == set()


def test_one_category_under_review_keeps_the_record(company: Company) -> None:
    items = company.propose(DAY, {C1: {**full("customer", "erase"), "email": "review"}})
    assert items == {("crm", "customer", "C1", "redact", ("name", "phone", "street", "city"))}


@pytest.mark.parametrize("outcome", ["erase", "restrict"])
def test_an_item_is_issued_once(company: Company, outcome: str) -> None:
    outcomes = {C1: full("customer", outcome)}
    assert len(company.night(DAY, outcomes)) == 1
    assert company.night(days(1), outcomes) == set()
    assert company.night(days(2), outcomes) == set()


def test_a_redacted_record_that_is_all_over_is_ordered_erased_once(company: Company) -> None:
    company.night(DAY, {C1: {**full("customer", "erase"), "phone": "restrict"}})
    company.set_field("customer", "C1", "phone", None)  # nothing new holds a value, but what was redacted still does
    outcomes = {C1: full("customer", "erase")}
    assert company.night(days(1), outcomes) == {("crm", "customer", "C1", "erase", ())}
    assert company.night(days(2), outcomes) == set()


def test_a_record_that_obeyed_before_it_was_all_over_gets_nothing_more(company: Company) -> None:
    company.night(DAY, {C1: {**full("customer", "erase"), "phone": "review"}})
    for field in ALL:
        company.set_field("customer", "C1", field, None)
    assert company.night(days(1), {C1: full("customer", "erase")}) == set()


def test_restriction_lifted_and_put_back(company: Company) -> None:
    restricted = {C1: {"email": "restrict"}}
    company.night(DAY, restricted)
    assert company.night(days(1), {}) == {("crm", "customer", "C1", "lift", ("email",))}
    assert company.night(days(2), {}) == set()
    assert company.night(days(3), restricted) == {("crm", "customer", "C1", "restrict", ("email",))}


@pytest.mark.parametrize("told", ["erase", "restrict"])
def test_what_was_told_of_a_record_that_turns_out_a_companys_own_is_taken_back(company: Company, told: str) -> None:
    """Its source said "company" too late: the order may still be carried out, and the restriction would stay."""
    company.night(DAY, {C1: full("customer", told)})
    own = {C1: full("customer", "not_personal")}
    assert company.night(days(1), own) == {("crm", "customer", "C1", "lift", ALL)}
    assert company.night(days(2), own) == set()


def test_review_leaves_what_was_told_as_it_was(company: Company) -> None:
    company.night(DAY, {C1: {"email": "restrict"}})
    assert company.night(days(1), {C1: {"email": "review"}}) == set()
    assert company.night(days(2), {C1: {"email": "restrict"}}) == set()
    assert company.night(days(3), {}) == {("crm", "customer", "C1", "lift", ("email",))}


def test_an_erasure_is_recalled_and_ordered_again(company: Company) -> None:
    erase = {C1: full("customer", "erase")}
    company.night(DAY, erase)
    assert company.night(days(1), {}) == {("crm", "customer", "C1", "lift", ALL)}
    assert company.night(days(2), erase) == {("crm", "customer", "C1", "erase", ())}
    assert company.night(days(3), {C1: full("customer", "restrict")}) == {("crm", "customer", "C1", "restrict", ALL)}
    assert company.night(days(4), erase) == {("crm", "customer", "C1", "erase", ())}
    items = company.warehouse.rows("select item_id, count(*) from manifest.items group by item_id having count(*) > 1")
    assert items == []


def test_a_recalled_category_leaves_the_rest_ordered(company: Company) -> None:
    company.night(DAY, {C1: full("customer", "erase")})
    some = {C1: {**full("customer", "erase"), "email": "retain"}}
    assert company.night(days(1), some) == {("crm", "customer", "C1", "lift", ("email",))}
    assert company.night(days(2), some) == set()


def test_a_new_value_in_an_erased_category_is_ordered_too(company: Company) -> None:
    company.set_field("customer", "C1", "phone", None)
    some = {C1: {"phone": "erase"}}
    assert company.night(DAY, some) == set()
    company.set_field("customer", "C1", "phone", "070-1740606")
    assert company.night(days(1), some) == {("crm", "customer", "C1", "redact", ("phone",))}


def test_because_names_the_purposes_that_ended_and_kept_those_that_go_on(company: Company) -> None:
    company.propose(DAY, {C1: {"phone": "erase", "email": "restrict", "identity": "review"}})
    assert company.because("redact") == [
        {"purpose": "selling", "ended_on": "2025-01-31", "reason": "eu-gdpr:JustificationA17NonNecessity"}
    ]
    assert company.kept("redact") == [
        {"fields": ["email"], "purpose": "bookkeeping", "until": "2025-05-12"},
        {"fields": ["street", "city"], "purpose": "selling", "until": "2025-05-12"},
    ]


def test_because_of_what_no_purpose_ever_covered(company: Company) -> None:
    company.propose(DAY, {C1: full("customer", "never")})
    assert company.because("erase") == [{"purpose": None, "ended_on": None, "reason": "eu-gdpr:A5-1-e"}]
    assert company.kept("erase") == []


def test_because_of_a_restriction_that_a_person_asked_for(company: Company) -> None:
    company.evaluate(DAY, {})
    company.warehouse.run("update retention.dispositions set disposition = 'restrict' where data_category = 'email'")
    propose(company.warehouse, POLICY, DAY)
    assert company.because("restrict") == [{"purpose": None, "ended_on": None, "reason": "eu-gdpr:A18"}]


# -- partners -----------------------------------------------------------------------------------------------------


def disclose(
    company: Company, partner: str, key: str, fields: str | None, on: date | None = DAY, row_id: int = 1,
    record_type: str = "customer", changed_in: str | None = None,
) -> None:  # fmt: skip
    company.warehouse.insert(
        "raw.office_disclosures",
        ["row_id", "partner_id", "record_type", "record_key", "fields", "disclosed_at", "changed_in"],
        [(row_id, partner, record_type, key, fields, on, changed_in)],
    )


def office_export(company: Company, delivery_id: str, extracted_at: datetime) -> str:
    """What the office's register held at an instant."""
    company.warehouse.insert(
        "intake.deliveries", ["sequence", "source", "delivery_id", "status", "extracted_at"],
        [(9, "office", delivery_id, "loaded", extracted_at.replace(tzinfo=None))],
    )  # fmt: skip
    return delivery_id


def partner(company: Company, partner_id: str, role: str) -> None:
    company.warehouse.insert("raw.office_partners", ["row_id", "partner_id", "role"], [(1, partner_id, role)])


def notices(items: set[tuple[object, ...]]) -> set[tuple[object, ...]]:
    return {item for item in items if item[3] == "notify"}


def test_a_partner_is_told_once_of_each_field_that_it_was_given(company: Company) -> None:
    """Art 19 is about any erasure: what is kept of the record is no reason for the partner to keep the rest."""
    partner(company, "P1", "processor")
    disclose(company, "P1", "C1", "name; phone")
    phone = {C1: {"phone": "erase", "identity": "restrict"}}
    told = notices(company.night(DAY, phone))
    assert told == {("partner:P1", "customer", "C1", "notify", ("phone",))}
    assert notices(company.night(days(1), phone)) == set()
    both = {C1: {"phone": "erase", "identity": "erase"}}
    told = notices(company.night(days(2), both))
    assert told == {("partner:P1", "customer", "C1", "notify", ("name",))}
    assert notices(company.night(days(3), both)) == set()


def test_authorities_are_told_nothing(company: Company) -> None:
    partner(company, "SKV", "authority")
    disclose(company, "SKV", "C1", "name")
    assert notices(company.night(DAY, {C1: full("customer", "erase")})) == set()


def test_a_record_that_has_gone_is_told_to_its_partners(company: Company) -> None:
    partner(company, "P1", "controller")
    disclose(company, "P1", "C1", "name")
    company.gone("customer", "C1")
    assert company.night(DAY, {}) == {("partner:P1", "customer", "C1", "notify", ("name",))}
    assert company.warehouse.value("select because ->> '$[*].reason' from manifest.items") == ["eu-gdpr:A19"]


@pytest.mark.parametrize("fields", ["name", " name; ", ";;name;", "name;;name"])
def test_what_stands_between_semicolons_is_listed_and_nothing_else(company: Company, fields: str) -> None:
    disclose(company, "P1", "C1", fields)
    told = notices(company.night(DAY, {C1: full("customer", "erase")}))
    assert told == {("partner:P1", "customer", "C1", "notify", ("name",))}


@pytest.mark.parametrize("fields", [None, "", " ; ", "name;shoe_size", "name;Phone"])
def test_a_disclosure_that_lists_nothing_known_is_one_of_the_whole_record(company: Company, fields: str | None) -> None:
    disclose(company, "P1", "C1", fields)
    told = notices(company.night(DAY, {C1: {"identity": "erase"}}))
    assert told == {("partner:P1", "customer", "C1", "notify", ("name",))}
    told = notices(company.night(days(1), {C1: full("customer", "erase")}))
    assert told == {("partner:P1", "customer", "C1", "notify", ALL[1:])}


def test_of_a_whole_record_the_fields_count_that_hold_a_value_or_were_ordered_erased(company: Company) -> None:
    """Items name only fields that hold a value: an empty one was given to nobody."""
    company.add("customer", "C9", phone=None, city=None)
    record = ("customer", "C9")
    disclose(company, "P1", "C9", None, days(2))
    company.night(DAY, {record: {"identity": "erase"}})
    company.set_field("customer", "C9", "name", None)
    told = notices(company.night(days(2), {record: {"identity": "erase"}}))
    assert told == {("partner:P1", "customer", "C9", "notify", ("name",))}
    erased = {record: full("customer", "erase")}
    told = notices(company.night(days(3), erased))
    assert told == {("partner:P1", "customer", "C9", "notify", ("email", "street"))}
    company.gone("customer", "C9")
    assert notices(company.night(days(4), {})) == set()


def test_of_a_whole_record_that_went_unnamed_every_field_counts(company: Company) -> None:
    disclose(company, "P1", "C1", None)
    company.gone("customer", "C1")
    told = notices(company.night(DAY, {}))
    assert told == {("partner:P1", "customer", "C1", "notify", ALL)}


def test_a_listed_field_that_holds_nothing_is_told_of_once_its_record_has_gone(company: Company) -> None:
    """Items name only fields that hold a value; but the register says that the partner has this one."""
    company.set_field("customer", "C1", "phone", None)
    disclose(company, "P1", "C1", "name;phone")
    erased = {C1: full("customer", "erase")}
    told = notices(company.night(DAY, erased))
    assert told == {("partner:P1", "customer", "C1", "notify", ("name",))}
    assert notices(company.night(days(1), erased)) == set()
    company.gone("customer", "C1")
    told = notices(company.night(days(2), {}))
    assert told == {("partner:P1", "customer", "C1", "notify", ("phone",))}
    assert notices(company.night(days(3), {})) == set()


def test_a_record_type_in_capitals_is_the_same_record_type(company: Company) -> None:
    """As in the register of holds."""
    disclose(company, "P1", "C1", "name", record_type="Customer")
    told = notices(company.night(DAY, {C1: full("customer", "erase")}))
    assert told == {("partner:P1", "customer", "C1", "notify", ("name",))}


def test_a_disclosure_of_which_nobody_is_told_is_a_finding(company: Company) -> None:
    """A mistyped record type, key, year or partner silenced it; an authority is told nothing anyway."""
    partner(company, "SKV", "authority")
    disclose(company, "P1", "C1", "name", record_type="Customer")
    disclose(company, "P1", "C1", "name", row_id=2, record_type="costumer")
    disclose(company, "P1", "C404", "name", row_id=3)
    disclose(company, "P1", "C1", "name", on=days(1), row_id=4)
    disclose(company, "P1", "C1", "name", on=days(2), row_id=5)
    disclose(company, "SKV", "C404", "name", row_id=6)
    company.warehouse.insert(
        "raw.office_disclosures", ["row_id", "partner_id", "record_type", "record_key", "in_source", "withheld"],
        [(7, None, "customer", "C1", True, None), (8, "P1", None, "C1", True, None),
         (9, "P1", "customer", None, True, None), (10, "P1", "customer", None, True, ["record_key"]),
         (11, "P1", "customer", "C404", False, None)],
    )  # fmt: skip
    company.propose(DAY, {})
    assert set(company.warehouse.rows("select finding, record_type, row_id from manifest.unheard_disclosures")) == {
        ("disclosure_without_record", "disclosure", 2), ("disclosure_without_record", "disclosure", 3),
        ("disclosure_without_record", "disclosure", 8), ("disclosure_without_record", "disclosure", 9),
        ("disclosure_without_partner", "disclosure", 7), ("date_ahead", "disclosure", 5),
    }  # fmt: skip


def test_unknown_records_and_later_disclosures_are_told_nothing(company: Company) -> None:
    disclose(company, "P1", "C404", "name")
    disclose(company, "P1", "C1", "name", on=days(1), row_id=2)
    assert notices(company.night(DAY, {C1: full("customer", "erase")})) == set()


def test_a_copy_given_after_the_notice_is_a_new_copy(company: Company) -> None:
    disclose(company, "P1", "C1", "name")
    erased = {C1: full("customer", "erase")}
    assert len(notices(company.night(DAY, erased))) == 1
    disclose(company, "P1", "C1", "name", on=days(2), row_id=2)
    assert notices(company.night(days(1), erased)) == set()
    assert len(notices(company.night(days(2), erased))) == 1
    assert notices(company.night(days(3), erased)) == set()


@pytest.mark.parametrize("on", [DAY, None])
def test_a_copy_given_later_on_the_day_of_the_notice_is_a_new_copy(company: Company, on: date | None) -> None:
    """And one that the office named in an export from before the notice is none, whenever that was taken in."""
    erased = {C1: full("customer", "erase")}
    before = office_export(company, "before", ISSUED_AT - timedelta(minutes=1))
    disclose(company, "P1", "C1", "name", on, changed_in=before)
    assert len(notices(company.night(DAY, erased))) == 1
    disclose(company, "P1", "C1", "name", on, row_id=2, changed_in=before)
    assert notices(company.night(DAY, erased)) == set()
    assert notices(company.night(days(1), erased)) == set()
    after = office_export(company, "after", ISSUED_AT + timedelta(minutes=1))
    disclose(company, "P1", "C1", "name", on, row_id=3, changed_in=after)
    for day in (DAY, days(2), days(3)):
        found = notices(company.propose(day, erased))
        company.seal(day, issued_at=ISSUED_AT + timedelta(hours=1))
        assert found == ({("partner:P1", "customer", "C1", "notify", ("name",))} if day == DAY else set())


def test_a_direct_delivery_is_told_after_a_notice_of_its_own_day() -> None:
    """The day ninety days on is for the copy that was given, whatever was told of another before."""
    company = Company()
    company.add("delivery", "D1", partner_id="P1", delivered_at=DAY)
    disclose(company, "P1", "D1", None, record_type="delivery")
    company.gone("delivery", "D1")
    assert len(notices(company.night(DAY, {}))) == 1
    assert notices(company.night(days(90), {})) == set()
    assert len(notices(company.night(days(91), {}))) == 1
    assert notices(company.night(days(92), {})) == set()


def test_a_direct_delivery_is_over_after_ninety_days() -> None:
    company = Company()
    company.add("delivery", "D1", partner_id="P1", delivered_at=DAY, city=None)
    company.add("delivery", "D2", delivered_at=DAY)
    company.add("delivery", "D3", partner_id="P1")
    assert company.night(days(90), {}) == set()
    expected = {("partner:P1", "delivery", "D1", "notify", ("contact_name", "phone", "street", "postal_code"))}
    assert company.propose(days(91), {}) == expected
    assert company.because("notify") == [{"purpose": None, "ended_on": "2025-05-02", "reason": "eu-gdpr:A5-1-e"}]
    company.seal(days(91))
    assert company.night(days(92), {}) == set()


def test_a_direct_delivery_that_was_erased_at_home_names_what_it_held() -> None:
    company = Company()
    company.add("delivery", "D1", partner_id="P1", delivered_at=DAY, city=None)
    company.add("delivery", "D2", partner_id="P1", delivered_at=DAY)
    company.night(days(1), {("delivery", "D1"): full("delivery", "erase")})
    company.gone("delivery", "D1")
    company.gone("delivery", "D2")
    assert company.night(days(91), {}) == {
        ("partner:P1", "delivery", "D1", "notify", ("contact_name", "phone", "street", "postal_code")),
        ("partner:P1", "delivery", "D2", "notify", ("contact_name", "phone", "street", "postal_code", "city")),
    }


def test_a_direct_delivery_that_is_kept_out_here_names_what_its_source_holds() -> None:
    """Its order was taken back, so that nothing is ordered, and its values have not come again."""
    company = Company()
    emptied = dict.fromkeys(("contact_name", "phone", "street", "postal_code", "city"))
    company.add("delivery", "D1", partner_id="P1", delivered_at=DAY, **emptied, withheld=["phone", "city"])
    company.add("delivery", "D2", partner_id="P1", delivered_at=DAY, **emptied)
    assert company.night(days(91), {}) == {("partner:P1", "delivery", "D1", "notify", ("phone", "city"))}


# -- properties ---------------------------------------------------------------------------------------------------

OUTCOMES = st.sampled_from(["retain", "restrict", "review", "erase", "never"])
CATEGORIES = st.fixed_dictionaries(dict.fromkeys(RECORDS["customer"][3], OUTCOMES))


def erased_fields(items: set[tuple[object, ...]]) -> set[tuple[object, object]]:
    named: set[tuple[object, object]] = set()
    for _, _, key, action, fields in items:
        if action in ("erase", "redact"):
            assert isinstance(fields, tuple)
            named |= {(key, field) for field in (ALL if action == "erase" else fields)}
    return named


@settings(max_examples=6, deadline=None)
@given(st.lists(CATEGORIES, min_size=8, max_size=12), st.sets(st.integers(0, 11)))
def test_adding_a_hold_never_grows_what_is_erased(outcomes: list[dict[str, str]], held: set[int]) -> None:
    company = Company(threads=1)
    before: dict[tuple[str, str], dict[str, str]] = {}
    after: dict[tuple[str, str], dict[str, str]] = {}
    for number, categories in enumerate(outcomes):
        company.add("customer", f"C{number}")
        before["customer", f"C{number}"] = categories
        after["customer", f"C{number}"] = {
            category: "restrict" if number in held and outcome != "retain" else outcome
            for category, outcome in categories.items()
        }
    without_hold = erased_fields(company.propose(DAY, before))
    with_hold = erased_fields(company.propose(DAY, after))
    assert with_hold <= without_hold
    assert not {key for key, _ in with_hold} & {f"C{number}" for number in held}


@settings(max_examples=4, deadline=None)
@given(st.lists(st.lists(CATEGORIES, min_size=10, max_size=10), min_size=2, max_size=4))
def test_what_was_told_always_adds_up_to_the_last_decision(nights: list[list[dict[str, str]]]) -> None:
    company = Company(threads=1)
    believed = {}
    for number in range(10):
        company.add("customer", f"C{number}")
        believed[f"C{number}"] = dict.fromkeys(ALL, "retain")
    for night, customers in enumerate(nights):
        outcomes = {("customer", f"C{number}"): categories for number, categories in enumerate(customers)}
        for _, _, key, action, fields in company.night(days(night), outcomes):
            state = {"erase": "erase", "redact": "erase", "restrict": "restrict", "lift": "retain"}[action]
            believed[key].update(dict.fromkeys(fields or ALL, state))
        for (_, key), categories in outcomes.items():
            for category, outcome in categories.items():
                if outcome != "review":
                    decided = "erase" if outcome == "never" else outcome
                    assert {believed[key][field] for field in RECORDS["customer"][3][category]} == {decided}
        assert company.propose(days(night), outcomes) == set()
