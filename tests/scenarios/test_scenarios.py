"""Every scenario file, shipped and shared, against the shipped policy; and how the scenario reader refuses.

The shipped files were worked out by hand from the retention rules. What a single model does is tested elsewhere.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from assets.errors import BadInput
from assets.models import Models
from assets.policy import Policy
from assets.rehearsal import scenarios

HERE = Path(__file__).parent
SHIPPED = sorted(HERE.glob("*.yaml"))
SHARED_FOLDER = HERE.parents[2] / "shared" / "scenarios"
SHARED = sorted(SHARED_FOLDER.glob("*.yaml"))

CLOSED_ORDER = """
exports:
  orders/orders:
    - {order_id: O1, placed_at: 2024-05-20, status: closed, closed_at: 2024-06-10, buyer_name: Test Testman}
"""


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy.load()


def written(folder: Path, text: str) -> Path:
    path = folder / "case.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_scenario_comes_out_as_worked_out_by_hand(path: Path, policy: Policy) -> None:
    outcome = scenarios.run(path, policy)
    assert outcome.expectations > 0
    assert outcome.differences == []


@pytest.mark.skipif(not SHARED, reason=f"no shared scenarios beside the repository ({SHARED_FOLDER.name} is absent)")
@pytest.mark.parametrize("path", SHARED, ids=lambda path: path.stem)
def test_shared_scenario_comes_out_as_expected(path: Path, policy: Policy) -> None:
    outcome = scenarios.run(path, policy)
    assert outcome.expectations > 0
    assert outcome.differences == []


def test_every_purpose_has_a_scenario_of_its_name(policy: Policy) -> None:
    assert set(policy.register.purposes) <= {path.stem for path in SHIPPED}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_scenario_is_named_as_its_file_and_walks_forward(path: Path) -> None:
    scenario = scenarios.read(path)
    days = [step.as_of for step in scenario.steps]
    assert scenario.name == path.stem
    assert len(set(days)) == len(days)


def test_a_wrong_expectation_is_a_difference_that_names_day_record_and_field(tmp_path: Path, policy: Policy) -> None:
    path = written(
        tmp_path,
        f"{CLOSED_ORDER}expect: [{{as_of: 2024-06-10, dispositions: [[order, O1, buyer_name, erase],"
        " [order, O1, buyer_phone, retain, 2024-06-11], [order, O2, buyer_name, erase],"
        " [order, O1, shoe_size, erase]]}]",
    )
    differences = scenarios.run(path, policy).differences
    assert differences == [
        "2024-06-10 order O1 buyer_name: expected erase, is retain (2024-06-10)",
        "2024-06-10 order O1 buyer_phone: expected to keep until 2024-06-11, is 2024-06-10",
        "2024-06-10 order O2 buyer_name: expected erase, found no such record or field",
        "2024-06-10 order O1 shoe_size: expected erase, found no such record or field",
    ]


def test_a_record_whose_row_was_set_aside_is_missing_for_that_reason(tmp_path: Path, policy: Policy) -> None:
    path = written(
        tmp_path,
        "exports: {orders/orders: [{order_id: O1, status: lost, buyer_name: Test Person}]}\n"
        "expect: [{as_of: 2024-06-10, dispositions: [[order, O1, buyer_name, erase], [order, O2, buyer_name, erase]]}]",
    )
    assert scenarios.run(path, policy).differences == [
        "2024-06-10 order O1 buyer_name: expected erase, found no such record or field; "
        "a row of orders/orders was set aside: not_in_enum (status)",
        "2024-06-10 order O2 buyer_name: expected erase, found no such record or field",
    ]


@pytest.mark.parametrize(
    ("as_of", "items", "said"),
    [
        ("2024-06-11", "[]", "2024-06-11 orders: expected no items, found 1"),
        ("2024-06-11", "[[order, O1, redact]]", "2024-06-11 orders: order O1 redact: not issued (but erase)"),
        ("2024-06-10", "[[order, O1, erase]]", "2024-06-10 orders: order O1 erase: not issued"),
    ],
)
def test_an_item_that_is_not_as_expected_is_a_difference(
    as_of: str, items: str, said: str, tmp_path: Path, policy: Policy
) -> None:
    path = written(tmp_path, f"{CLOSED_ORDER}expect: [{{as_of: {as_of}, manifests: {{orders: {items}}}}}]")
    assert scenarios.run(path, policy).differences == [said]


def test_fields_of_an_item_are_compared_as_a_set_and_only_when_given(tmp_path: Path, policy: Policy) -> None:
    path = written(
        tmp_path,
        "exports: {web/events: [{event_id: E1, ip: 192.0.2.1, user_agent: a, cookie_id: k, url: u,"
        " occurred_at: 2024-06-10}]}\nexpect: [{as_of: 2024-06-11, manifests: {web: [[web_event, E1, redact],"
        " [web_event, E1, redact, [url, cookie_id]], [web_event, E1, redact, [url]]]}}]",
    )
    assert scenarios.run(path, policy).differences == [
        "2024-06-11 web: web_event E1 redact: expected fields ['url'], issued ['cookie_id', 'url']"
    ]


def test_steps_run_in_the_order_of_their_days_whatever_their_order_in_the_file(tmp_path: Path, policy: Policy) -> None:
    path = written(
        tmp_path,
        f"{CLOSED_ORDER}expect: [{{as_of: 2024-06-12, manifests: {{orders: []}}}},"
        " {as_of: 2024-06-11, manifests: {orders: [[order, O1, erase]]}}]",
    )
    assert [step.as_of for step in scenarios.read(path).steps] == [date(2024, 6, 11), date(2024, 6, 12)]
    assert scenarios.run(path, policy).differences == []


def test_an_expected_erasure_names_no_fields(tmp_path: Path, policy: Policy) -> None:
    step = "{as_of: 2024-06-11, manifests: {orders: [[order, O1, erase, [buyer_name]]]}}"
    assert scenarios.run(written(tmp_path, f"{CLOSED_ORDER}expect: [{step}]"), policy).differences == [
        "2024-06-11 orders: order O1 erase: expected fields ['buyer_name'], but an erasure is of the whole record and "
        "names none"
    ]


def test_what_says_nothing_in_a_file_is_told(tmp_path: Path, policy: Policy) -> None:
    steps = (
        "[{as_of: 2024-06-10, dispositions: [[order, ' O1 ', buyer_name, retain]], manifest: {}}, {as_of: 2024-06-11}]"
    )
    outcome = scenarios.run(written(tmp_path, f"{CLOSED_ORDER}expect: {steps}"), policy)
    assert (outcome.expectations, outcome.differences) == (1, [])
    assert outcome.left_aside == (
        "expect, step 1: manifest is left aside: a step has as_of, dispositions and manifests",
    )
    path = written(tmp_path, "exports: {}\nexpect: [{as_of: 2024-06-10}]")
    assert scenarios.run(path, policy).left_aside == ("it expects nothing",)
    path = written(tmp_path, "exports: {}\nexpect: [{as_of: 2024-06-10, dispositions: [], ~: 1, b: 2}]")
    assert [note.partition(" is left aside")[0] for note in scenarios.read(path).left_aside] == [
        "expect, step 1: None", "expect, step 1: b", "it expects nothing",
    ]  # fmt: skip


def test_a_list_in_a_cell_is_what_an_export_writes_of_it(tmp_path: Path, policy: Policy) -> None:
    path = written(
        tmp_path,
        "exports: {crm/customers: [{customer_id: C1, customer_type: private, name: Test Person, phone: 070-1740605,"
        " relation_ended_at: 2020-01-01}], office/holds: [{hold_id: H1, record_type: customer, record_key: C1,"
        " fields: [name, ~], placed_at: 2020-01-01}]}\n"
        "expect: [{as_of: 2025-01-01, dispositions: [[customer, C1, name, restrict], [customer, C1, phone, erase]]}]",
    )
    assert scenarios.read(path).exports["office/holds"][0]["fields"] == "name"
    assert scenarios.run(path, policy).differences == []


def test_values_stay_the_text_that_was_written(tmp_path: Path) -> None:
    path = written(tmp_path, "exports: {web/events: [{event_id: 007, statistics_consent: true, ip: ~}]}\nexpect: []")
    assert scenarios.read(path).exports == {
        "web/events": [{"event_id": "007", "statistics_consent": "true", "ip": None}]
    }


def test_a_null_keep_until_is_not_the_same_as_none_given(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "expect: [{as_of: 2024-06-12, dispositions: [[order, O1, buyer_name, retain, null],"
        " [order, O1, buyer_name, retain]]}]",
    )
    endless, unasked = scenarios.read(path).steps[0].dispositions
    assert endless.keep_until is None
    assert unasked.keep_until == scenarios.ANY_END


def expecting(what: str) -> str:
    """A scenario of one day."""
    return f"expect: [{{as_of: 2024-06-12, {what}}}]"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("expect: [", "not a YAML file in UTF-8: line "),
        ("name: x\nexpect:\n  - {as_of: 2024-06-12\n", "not a YAML file in UTF-8: line 4: "),
        ("name: &x y\nexpect: []", "line 1: anchors and aliases are not taken"),
        (
            "exports:\n  crm/customers: []\n  crm/customers: []\nexpect: []",
            "line 3: this name stands in the same place",
        ),
        ("- 1\n- 2", "a scenario has a name, exports and a list under expect"),
        ("name: x", "a scenario has a name, exports and a list under expect"),
        ("expect: {as_of: 2024-06-12}", "a scenario has a name, exports and a list under expect"),
        ("exports: [1]\nexpect: []", "exports maps source/table to rows"),
        ("exports: {crm/customers: {customer_id: C1}}\nexpect: []", "exports: crm/customers must be a list of rows"),
        ("exports: {crm/customers: [C1]}\nexpect: []", "exports: crm/customers must be a list of rows"),
        ("expect: [{as_of: 2024-06-12}, {as_of: yesterday}]", "expect, step 2: give as_of: YYYY-MM-DD"),
        ("expect: [{as_of: 2024-02-30}]", "expect, step 1: give as_of: YYYY-MM-DD, a day that there is"),
        ("expect: [{dispositions: []}]", "expect, step 1: give as_of: YYYY-MM-DD"),
        ("expect: [now]", "expect, step 1: give as_of: YYYY-MM-DD"),
        (expecting("dispositions: [[order, O1]]"), "expect, step 1: dispositions: entry 1: give [record, key, field, "),
        (expecting("dispositions: now"), "expect, step 1: dispositions: give a list of [record, key, field, "),
        (expecting("dispositions: [[order, O1, buyer_name, retain, soon]]"), "entry 1: give [record, key, field, "),
        (
            expecting("dispositions: [[order, O1, buyer_name, retain], [order, O1, buyer_name, kept]]"),
            "dispositions: entry 2: give [record, key, field, erase | not_personal | restrict | retain | review ",
        ),
        (expecting("manifests: [orders]"), "expect, step 1: manifests maps a system to its items"),
        (expecting("manifests: {orders: [[order]]}"), "manifests: orders: entry 1: give [record, key, "),
        (expecting("manifests: {orders: [[order, O1, remove]]}"), "erase | lift | notify | redact | restrict "),
        (expecting("manifests: {orders: [[order, O1, redact, buyer_name]]}"), "entry 1: give [record, key, "),
        (expecting("manifests: {orders: [[order, {}, redact]]}"), "entry 1: give [record, key, "),
        (expecting("manifests: {orders: [[order, O1, redact, [~]]]}"), "entry 1: give [record, key, "),
        (expecting("dispositions: [[order, ~, buyer_name, retain]]"), "entry 1: give [record, key, field, "),
        (expecting("dispositions: [[order, O1, [buyer_name], retain]]"), "entry 1: give [record, key, field, "),
        (expecting("disposition: [[order, O1, buyer_name, retain]]"), "step 1: give as_of: YYYY-MM-DD with dispos"),
        (
            "exports: {crm/customers: [{customer_id: C1}, {customer_id: {a: b}}]}\nexpect: []",
            "exports: crm/customers, row 2: customer_id: give one value, or a list of some",
        ),
    ],
)
def test_a_file_that_is_no_scenario_is_refused_with_the_place(text: str, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadInput) as refused:
        scenarios.read(path)
    assert str(path) in refused.value.message
    assert said in refused.value.message


def test_a_table_with_nothing_under_it_has_no_rows(tmp_path: Path) -> None:
    assert scenarios.read(written(tmp_path, "exports:\n  crm/customers:\nexpect: []")).exports == {"crm/customers": []}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exports: {crm/customer: []}\nexpect: []", "exports: there is no table crm/customer"),
        (expecting("manifests: {order: []}"), "2024-06-12: manifests: no system is called order: one of crm, "),
    ],
)
def test_what_the_policy_does_not_know_is_told_with_the_file(
    text: str, said: str, tmp_path: Path, policy: Policy
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadInput) as refused:
        scenarios.run(path, policy)
    assert str(path) in refused.value.message
    assert said in refused.value.message


@pytest.mark.parametrize("system", ["warehouse", "partner:P1", "mailing"])
def test_nothing_may_be_expected_of_every_system(system: str, tmp_path: Path, policy: Policy) -> None:
    assert scenarios.run(written(tmp_path, expecting(f"manifests: {{'{system}': []}}")), policy).passed


def test_no_evaluation_reads_what_was_sealed(policy: Policy) -> None:
    """What days without items to come count on: nothing is sealed on them, and what is decided is the same."""
    models = (*Models.of("core", "triggers", "retention").ordered, *policy.purpose_models)
    read = {schema for model in models for schema in re.findall(r"\b([a-z]+)\.[a-z_]+", model.statement)}
    assert {"raw", "core", "triggers", "retention"} <= read
    assert "manifest" not in read


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.yaml: there is no such scenario file"):
        scenarios.read(tmp_path / "nowhere.yaml")


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: Åsa\nexpect: []".encode("cp1252"))
    with pytest.raises(BadInput, match="not a YAML file in UTF-8"):
        scenarios.read(path)


@pytest.mark.parametrize(
    "exports",
    ["{crm/nonsense: [{a: b}]}", "{crm/customers: [{customer_id: C1, customer_type: private, shoe_size: x}]}"],
    ids=["unknown table", "unknown column"],
)
def test_exports_that_no_contract_knows_are_refused(exports: str, tmp_path: Path, policy: Policy) -> None:
    path = written(tmp_path, f"exports: {exports}\nexpect: [{{as_of: 2024-06-12}}]")
    with pytest.raises(BadInput):
        scenarios.run(path, policy)
