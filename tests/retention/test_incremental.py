"""A night is row for row what an evaluation of everything gives, whatever happened since the night before."""

from __future__ import annotations

import copy
import os
import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml
from dagster import materialize
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from assets.core.assets import core_assets
from assets.core.changing import Rebuilt, is_read, rebuild
from assets.core.units import LINKS
from assets.ingest.loading import load_rows
from assets.models import Model, Models
from assets.policy import SHIPPED_REGISTER, Policy
from assets.retention import incremental
from assets.retention.assets import retention_assets
from assets.retention.evaluation import evaluate
from assets.retention.incremental import Evaluated
from assets.warehouse import Warehouse
from expectations import parts
from tests.retention.nights import Company, differences, first_night, night, seal_and_erase, something_happens

COMPANIES = int(os.environ.get("GALLRING_TEST_SEEDS", "1"))
NIGHTS = 3
#: A purpose that one of the policies does without.
LEFT = "product_development"


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> list[Policy]:
    """The shipped policy, one that keeps newsletters and quotes for other periods, and one with a purpose fewer."""
    folder = tmp_path_factory.mktemp("policy")
    text = SHIPPED_REGISTER.read_text(encoding="utf-8")
    (folder / "register.yaml").write_text(text.replace("P2Y", "P18M").replace("P90D", "P60D"), encoding="utf-8")
    fewer = tmp_path_factory.mktemp("fewer")
    register = yaml.safe_load(text)
    del register["purposes"][LEFT]
    for recipient in register["record"]["recipients"].values():
        recipient["purposes"] = [name for name in recipient.get("purposes", ()) if name != LEFT]
    (fewer / "register.yaml").write_text(yaml.safe_dump(register, allow_unicode=True), encoding="utf-8")
    return [Policy.load(), Policy.load(folder), Policy.load(fewer)]


def play(path: Path, policies: list[Policy], seed: int, nights: int) -> list[tuple[int, int]]:
    """Some nights of a random company, each compared with the second opinion; the records evaluated and all there."""
    evaluated = []
    with Warehouse.open(path, key=None, pseudonym_key=b"nights", threads=1) as warehouse:
        company = Company(seed, policies)
        first_night(warehouse, company)
        sealed_on = company.day
        for number in range(nights):
            what = something_happens(warehouse, company)
            rebuilt, found = night(warehouse, company)
            unlike = differences(warehouse, company.policy, company.day)
            assert not unlike, f"seed {seed}, night {number}: {what}; {rebuilt}; {found}:\n" + "\n".join(unlike)
            evaluated.append((found.records, warehouse.value("select count(*) from core.records")))
            if company.day >= sealed_on and company.random.random() < 0.4:
                seal_and_erase(warehouse, company)
                sealed_on = company.day
    return evaluated


@settings(
    max_examples=COMPANIES, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(seed=st.integers(1, 100_000))
def test_a_night_is_what_an_evaluation_of_everything_gives(
    policies: list[Policy], tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Deltas, full exports, corrections, deletions, merges, holds, requests, policies, days skipped and gone back."""
    play(tmp_path_factory.mktemp("nights") / "warehouse.duckdb", policies, seed, NIGHTS)


@pytest.fixture(scope="module")
def first(policies: list[Policy], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Company]:
    """A small company whose first night is over, and its warehouse, to be copied."""
    path = tmp_path_factory.mktemp("first") / "warehouse.duckdb"
    made = Company(7, policies, houses=2)
    with Warehouse.open(path, key=None, pseudonym_key=b"nights", threads=1) as warehouse:
        first_night(warehouse, made)
    return path, made


@pytest.fixture
def company(first: tuple[Path, Company]) -> Company:
    """The company, as it was after its first night."""
    return copy.deepcopy(first[1])


@pytest.fixture
def warehouse(first: tuple[Path, Company], tmp_path: Path) -> Iterator[Warehouse]:
    """Its warehouse, as it was then."""
    path = shutil.copy(first[0], tmp_path)
    with Warehouse.open(Path(path), key=None, pseudonym_key=b"nights", threads=1) as opened:
        yield opened


def test_what_is_decided_by_parts_is_what_is_decided_at_once(
    warehouse: Warehouse, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluated() -> dict[str, list[tuple[Any, ...]]]:
        evaluate(warehouse, company.policy, company.day)
        tables = warehouse.rows(
            "select schema_name || '.' || table_name from duckdb_tables() where database_name = ? "
            "and schema_name in ('triggers', 'purposes', 'retention')",
            [warehouse.catalog],
        )
        return {table: warehouse.rows(f"from {table} order by all") for (table,) in tables}

    whole = evaluated()
    assert len({row[3] for row in whole["retention.dispositions"]}) > 2
    monkeypatch.setattr(parts, "FEW", 0)
    monkeypatch.setattr(parts, "AT_ONCE", 2)
    monkeypatch.setattr(parts, "BYTES_EACH", 2**62)
    assert evaluated() == whole
    in_parts = [model for model in Models.of("triggers", "retention").ordered if model.parts]
    made = {model.table: len(list(model.parts.selects("", warehouse.value))) for model in in_parts if model.parts}
    assert min(made.values()) > 1, "one part held all of a table: the test proves nothing"


def test_a_night_without_news_evaluates_nothing(warehouse: Warehouse, company: Company) -> None:
    """Nothing came and no date was reached: nothing is built, evaluated or looked at."""
    company.day += timedelta(days=4_000)  # by then all has ended
    night(warehouse, company)
    company.day += timedelta(days=1)
    assert night(warehouse, company) == (Rebuilt(whole=False, records=0), Evaluated(whole=False, records=0, ended=0))
    assert warehouse.rows("select as_of from retention.evaluation") == [(company.day,)]
    assert not differences(warehouse, company.policy, company.day)


def test_a_row_that_came_again_is_no_news_and_one_that_changed_is_its_units(
    warehouse: Warehouse, company: Company
) -> None:
    """The same full export moves nothing; a changed row moves what is linked to it, and not all there is."""
    load_rows(warehouse, company.policy, company.there)
    assert [each.records for each in night(warehouse, company)] == [0, 0]
    row = {**company.there["crm/quotes"][0], "requested_at": company.day.isoformat()}
    load_rows(warehouse, company.policy, {"crm/quotes": [row]}, mode="delta")
    rebuilt, found = night(warehouse, company)
    everything = warehouse.value("select count(*) from core.records")
    assert 0 < rebuilt.records <= found.records < everything
    assert not differences(warehouse, company.policy, company.day)


def test_a_purpose_that_left_the_policy_takes_its_table_along(warehouse: Warehouse, company: Company) -> None:
    """And so does a table that another version of the program made: a part of either has nothing to put in."""
    for name in ("core.former", "triggers.former"):
        warehouse.run(f"create table {name} as select 1 as customer_id")
    warehouse.run("create view retention.former as select 1 as customer_id")
    company.policy = company.policies[2]
    assert all(each.whole for each in night(warehouse, company))
    row = {**company.there["crm/customers"][0], "relation_ended_at": company.day.isoformat()}
    load_rows(warehouse, company.policy, {"crm/customers": [row]}, mode="delta")
    company.day += timedelta(days=1)
    assert not any(each.whole for each in night(warehouse, company))
    assert not differences(warehouse, company.policy, company.day)
    left = "select count(*) from information_schema.tables where table_name in ('former', ?)"
    assert warehouse.value(left, [LEFT]) == 0
    company.policy = company.policies[0]
    night(warehouse, company)
    assert not differences(warehouse, company.policy, company.day)


def test_full_evaluates_everything(warehouse: Warehouse, company: Company) -> None:
    """What `gallring run --full` asks for."""
    everything = warehouse.value("select count(*) from core.records")
    assert night(warehouse, company, full=True) == (Rebuilt(True, everything), Evaluated(True, everything))


def test_the_assets_tell_how_many_records_were_evaluated(warehouse: Warehouse, company: Company) -> None:
    """In the web UI, where the number is a trend: nothing without news."""
    result = materialize(
        [*core_assets(), *retention_assets(company.policy)],
        resources={"warehouse": warehouse, "policy": company.policy, "as_of": company.day, "from_scratch": False},
    )
    told = {
        name: entry.value
        for event in result.get_asset_materialization_events()
        for name, entry in event.materialization.metadata.items()
        if name in ("rebuilt_records", "evaluated_records", "evaluated_everything")
    }
    assert told == {"rebuilt_records": 0, "evaluated_records": 0, "evaluated_everything": False}


@pytest.mark.parametrize("what", ["a day before", "another program", "a state that is lost", "evaluated by hand"])
def test_what_cannot_be_accounted_for_has_everything_evaluated(
    warehouse: Warehouse, company: Company, what: str
) -> None:
    """Whatever the state does not vouch for."""
    if what == "a day before":
        company.day -= timedelta(days=1)
    elif what == "another program":
        warehouse.run("update nights.evaluated set fingerprint = 'another'")
    elif what == "a state that is lost":
        warehouse.run("drop schema nights cascade")
    else:
        evaluate(warehouse, company.policy, company.day + timedelta(days=9))
    assert night(warehouse, company)[1].whole
    assert not differences(warehouse, company.policy, company.day)


def test_a_policy_with_sql_of_its_own_is_evaluated_whole(
    warehouse: Warehouse, company: Company, tmp_path: Path
) -> None:
    """Nobody has proved which rows another's SQL reads together."""
    (tmp_path / "purposes").mkdir()
    (tmp_path / "register.yaml").write_text(SHIPPED_REGISTER.read_text(encoding="utf-8"), encoding="utf-8")
    shipped = SHIPPED_REGISTER.with_name("newsletter.sql").read_text(encoding="utf-8")
    own = tmp_path / "purposes" / "newsletter.sql"
    own.write_text(shipped.replace("subscription.subscribed_on as", "subscription.ends_on as"), encoding="utf-8")
    company.policy = Policy.load(tmp_path)
    rebuilt, found = night(warehouse, company)
    assert (rebuilt.whole, found.whole) == (True, True)
    assert not is_read(warehouse, company.policy), "the next night would count on this one"
    own.write_text(f"-- As shipped.\n{shipped}", encoding="utf-8")
    company.policy = Policy.load(tmp_path)
    night(warehouse, company)
    assert is_read(warehouse, company.policy), "every site has a copy of the shipped purposes"


def test_a_night_cut_short_is_made_up_for(
    warehouse: Warehouse, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off after `core.*`, or in the middle of putting rows back: the next night does what this one did not."""
    row = {**company.there["crm/customers"][0], "relation_ended_at": company.day.isoformat()}
    load_rows(warehouse, company.policy, {"crm/customers": [row]}, mode="delta")
    rebuild(warehouse, company.policy, largest_part=1)

    def fails(*_: object) -> None:
        raise KeyboardInterrupt

    company.day += timedelta(days=30)
    with monkeypatch.context() as patched:
        patched.setattr(incremental, "remember_evaluation", fails)
        with pytest.raises(KeyboardInterrupt):
            night(warehouse, company)
    company.day += timedelta(days=1)
    assert not any(each.whole for each in night(warehouse, company))
    assert not differences(warehouse, company.policy, company.day)


def test_a_hold_on_a_customer_nobody_knows_is_linked_to_all_that_names_it(
    warehouse: Warehouse, company: Company
) -> None:
    """Not to the first kind of record alone."""
    exports = {
        "office/holds": [{"hold_id": "J-X", "record_type": "customer", "record_key": "X-nobody"}],
        "crm/consents": [{"consent_id": "S-X", "customer_id": "X-nobody"}],
        "orders/orders": [{"order_id": "O-X", "customer_id": "X-nobody"}],
    }
    load_rows(warehouse, company.policy, exports, mode="delta")
    rebuild(warehouse, company.policy, largest_part=1)
    held = warehouse.rows(
        "select kind from nights.held inner join core.holds on held.hold_id = holds.hold_id "
        "where holds.record_key = 'X-nobody' order by all"
    )
    assert held == [("consent",), ("order",)]


def test_a_request_without_its_day_that_left_the_export_is_told_by_night_as_whole(
    warehouse: Warehouse, company: Company
) -> None:
    """It is in the register still: that the export no longer lists it is no news of it."""
    listed = company.there["office/requests"]
    undated = [{"request_id": "R-X", "kind": "erasure"}, {"request_id": "R-Y"}]
    for rows in ([*listed, *undated], listed):
        load_rows(warehouse, company.policy, {"office/requests": rows})
        assert not any(each.whole for each in night(warehouse, company))
        assert not differences(warehouse, company.policy, company.day)
        assert warehouse.rows(
            "select requests.request_id, findings.finding from retention.findings inner join raw.office_requests as "
            "requests on findings.row_id = requests.row_id where findings.record_type = 'request' "
            "and requests.request_id in ('R-X', 'R-Y') order by all"
        ) == [("R-X", "request_without_day"), ("R-Y", "request_without_day"), ("R-Y", "request_without_kind")]


@pytest.mark.parametrize("named", [{"customer_id": "C-X"}, {"email": "X@hem.example"}], ids=["by key", "by address"])
@pytest.mark.parametrize("opt_in", ["subscription", "consent"])
def test_an_objection_speaks_again_the_night_after_a_later_opt_in_lapsed(
    warehouse: Warehouse, company: Company, named: dict[str, str], opt_in: str
) -> None:
    """Nothing comes: that an opt-in is over turns the address, which no claim tells of."""
    objected = company.day - timedelta(days=400)
    on_day = (company.day - timedelta(days=300)).isoformat()
    own = {"customer_id": "C-X", "email": "x@hem.example"}
    exports: dict[str, list[dict[str, Any]]] = {
        "crm/customers": [{**own, "customer_type": "private"}],
        "office/requests": [
            {"request_id": "R-X", "kind": "objection", "received_at": objected.isoformat(), **named},
        ],
    }
    if opt_in == "subscription":
        exports["mailing/subscribers"] = [{"subscriber_id": "S-X", "subscribed_at": on_day, **own}]
    else:
        exports["crm/consents"] = [{"consent_id": "S-X", "purpose": "newsletter", "given_at": on_day, **own}]
    load_rows(warehouse, company.policy, exports, mode="delta")
    (lasts,) = warehouse.rows(
        "select add_months(cast(? as date), months) + days from policy.periods "
        "where purpose = 'newsletter' and clock = 'subscription'",
        [on_day],
    )[0]
    told = []
    for day in (lasts, lasts + timedelta(days=1)):
        company.day = day
        assert not night(warehouse, company)[1].whole
        told.append(warehouse.rows("select since from retention.suppressions where since = ?", [objected]))
        assert not differences(warehouse, company.policy, company.day)
    assert told == [[], [(objected,)]]


def test_manifests_are_the_same_by_night_and_whole(tmp_path: Path, policies: list[Policy]) -> None:
    """The order in which rows lie in the warehouse tells nobody anything."""
    told = []
    for full in (False, True):
        path = tmp_path / f"{full}.duckdb"
        with Warehouse.open(path, key=None, pseudonym_key=b"nights", threads=1) as warehouse:
            company = Company(11, policies, houses=1)
            first_night(warehouse, company)
            seal_and_erase(warehouse, company)
            exports, mode = company.change()
            company.day += timedelta(days=45)
            load_rows(warehouse, company.policy, exports, mode=mode)
            assert night(warehouse, company, full=full)[1].whole is full
            seal_and_erase(warehouse, company)
            told.append(warehouse.rows("select * exclude (issued_at) from manifest.manifests order by all"))
    assert told[0] == told[1]
    assert len({row[2] for row in told[0]}) > 1, "nothing was sealed by night: the test proves nothing"


# -- what the proof counts on ------------------------------------------------------------------------------------------

_COMPARISON = re.compile(r"([a-z_.]+)\)? *(?:<=|>=|<|>) *(?:\$as_of|cast\(\$as_of as date\) \+ 1|evaluation\.as_of)")
#: What SQL works out and compares with the day: where the date stands that a night looks for. None: the end of a claim.
_STANDS_IN = {
    ("debt_interruptions", "on_day"): ("triggers", "invoice_balances", "on_day"),
    ("debts", "extinguished_on"): ("triggers", "debts", "extinguished_on"),
    ("order_states", "ends_on"): ("triggers", "invoicing_ends", "ends_on"),
    ("order_states", "still_open_on"): ("triggers", "order_states", "still_open_on"),
    ("complaint_evidence", "ends_on"): ("triggers", "capacity_doubts", "doubtful_through"),
    ("debt_collection", "lapses_on"): ("triggers", "debts", "lapses_on"),
    ("direct_marketing", "cap_on"): ("triggers", "contact_caps", "cap_on"),
    ("order_fulfilment", "cap_on"): ("triggers", "contact_caps", "cap_on"),
    ("quote_followup", "cap_on"): ("triggers", "contact_caps", "cap_on"),
    ("quote_open", "cap_on"): ("triggers", "contact_caps", "cap_on"),
    ("legal_hold", "ends_on"): ("purposes", "legal_hold", "ends_on"),
    ("claims", "ends_on"): None,
    ("dispositions", "ends_on"): None,
    ("suppressions", "on_day"): ("core", "subscribers", "subscribed_on"),
    ("suppressions", "subscription.ends_on"): ("triggers", "newsletter_subscriptions", "ends_on"),
    ("suppressions", "consent_end.ends_on"): ("triggers", "consent_ends", "ends_on"),
}
#: By what rows may be joined: what `assets.core.units` follows, and what is the same for everybody.
_LINKED = {
    *LINKS, "found_by_key", "consent_id", "interaction_id", "event_id", "request_id", "hold_id", "record_type",
    "record_key", "row_id", "node_id", "person_id",
    # what a person said of two rows is read of people who have one address
    "first_type", "first_key", "second_type", "second_key", "node_type", "other_id",
}  # fmt: skip
_EVERYBODY = {
    "purpose", "clock", "category_id", "data_category", "bundle_id", "claimable_id", "is_singled", "last_voucher_on",
    "reasons", "reasons_id",
}  # fmt: skip


def decided_by(policy: Policy) -> list[Model]:
    """Every model of the evaluation."""
    return [*Models.of("triggers", "retention").ordered, *policy.purpose_models]


def test_every_date_that_is_compared_with_the_day_is_looked_for(policies: list[Policy]) -> None:
    """A new comparison must be with a date of `core.*`, or with one that `incremental.TURNING` tells of."""
    dates = {name for model in Models.of("core").ordered for name in re.findall(r"\w+", model.statement)}
    dates -= {name for _, name in incremental.NEVER_TURNING}
    derived = set()
    for model in decided_by(policies[0]):
        for found in _COMPARISON.findall(re.sub(r"greatest\(([^()]*)\)", r"\1", model.statement)):
            name = found.split(".")[-1]
            stands_in = {(model.name, name), (model.name, found)} & set(_STANDS_IN)
            if stands_in:
                derived |= {_STANDS_IN[each] for each in stands_in}
            else:
                assert name in dates, f"{model.table} compares {name} with the day: store it, and tell TURNING of it"
    assert set(incremental.TURNING) <= derived


def test_rows_are_joined_by_links_that_units_follow(policies: list[Policy]) -> None:
    """A join by anything else would let one unit bear on another."""
    for model in decided_by(policies[0]):
        tree = sqlglot.parse_one(model.statement.replace("$as_of", "null"), dialect="duckdb")
        for equal in (each for join in tree.find_all(exp.Join) for each in join.find_all(exp.EQ)):
            # Whether a row was found (`… is not null`) says nothing of another unit's.
            names = {column.name for column in equal.find_all(exp.Column) if not column.find_ancestor(exp.Is)}
            if isinstance(equal.this, exp.Literal) or isinstance(equal.expression, exp.Literal):
                continue
            assert names <= _LINKED or names <= _EVERYBODY, f"{model.table} joins by {sorted(names)}"
