"""What no contract declares any more leaves the tables the same night, and the file as whatever left its tables."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.contracts.declarations import CONTRACTS
from assets.erasure import erasing
from assets.erasure.erasing import Erasure
from assets.policy import SHIPPED_REGISTER, Policy
from assets.publication.standings import standing
from assets.warehouse import RewriteFailed, Warehouse
from tests.beginning import begin, keep
from tests.erasure.house import CANARY, POLICY, House, customer, files_with, opened

DAY = date(2026, 11, 25)
WEEK = "P7D"
NAMED = f"{CANARY} Nisse"
Declared = Callable[..., Policy]


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> Declared:
    """The shipped policy with columns of a company's own in its customers' contract."""

    def declare(**columns: str) -> Policy:
        folder = tmp_path_factory.mktemp("policy")
        shutil.copytree(CONTRACTS, folder / "contracts")
        shutil.copy(SHIPPED_REGISTER, folder / "register.yaml")
        contract = folder / "contracts" / "crm_customers.yaml"
        own = "".join(
            f"      - {{name: {name}, logicalType: string, customProperties: "
            f"[{{property: dataCategory, value: identity}}{further}]}}\n"
            for name, further in columns.items()
        )
        text = contract.read_text(encoding="utf-8")
        contract.write_text(text.replace("slaProperties:", f"{own}slaProperties:"), encoding="utf-8")
        return Policy.load(folder)

    return declare


@pytest.fixture(scope="module")
def own(declared: Declared) -> Policy:
    return declared(nickname="", badge=", {property: remembered, value: true}")


@pytest.fixture(scope="module")
def in_file(tmp_path_factory: pytest.TempPathFactory, own: Policy) -> Path:
    """The folder of a plain warehouse. K1 is ordered erased, K2 is a customer of today: both have a nickname."""
    folder = tmp_path_factory.mktemp("nicknames") / "plain"
    with opened(folder, key=None) as warehouse:
        House(warehouse, policy=own).night(DAY, {"crm/customers": people()})
    return folder


@pytest.fixture(scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory, own: Policy) -> Path:
    """The same, as a warehouse in memory held it."""
    path = tmp_path_factory.mktemp("nicknames") / "kept.duckdb"
    with Warehouse.in_memory() as warehouse:
        House(warehouse, policy=own).night(DAY, {"crm/customers": people()})
        keep(warehouse, path)
    return path


@pytest.fixture(params=["file", "memory"])
def house(request: pytest.FixtureRequest, tmp_path: Path, own: Policy) -> Iterator[House]:
    """A house of the test's own that begins there, in a plain file or in memory."""
    if request.param == "memory":
        warehouse = begin(request.getfixturevalue("in_memory"), pseudonym_key=b"")
    else:
        shutil.copytree(request.getfixturevalue("in_file"), tmp_path / "plain")
        warehouse = opened(tmp_path / "plain", key=None)
    house = House(warehouse, policy=own)
    yield house
    house.warehouse.close()


def people(**values: Any) -> list[dict[str, Any]]:
    more = {"nickname": NAMED, "badge": "ABC", **values}
    return [customer("K1"), customer("K2", customer_since="2026-01-01", **more), customer("K3", **more)]


def columns(house: House) -> set[str]:
    return set(house.warehouse.columns("raw", "crm_customers"))


def nicknames(house: House) -> list[Any]:
    return [name for (name,) in house.warehouse.rows("select nickname from raw.crm_customers order by customer_id")]


def searched(house: House) -> list[str]:
    if house.warehouse.path is None:
        return []
    house.warehouse.checkpoint()
    return files_with(house.warehouse.path.parent, NAMED)


def under(house: House, policy: Policy) -> House:
    policy.publish(house.warehouse)
    house.policy = policy
    return house


def test_a_column_that_left_its_contract_leaves_table_and_file_the_same_night(house: House) -> None:
    is_file = house.warehouse.path is not None
    assert nicknames(house) == [None, NAMED, None], "the control: of K3 all that is declared was ordered erased"
    assert columns(house) >= {"nickname", "badge", "known_badge"}
    assert bool(searched(house)) is is_file
    before = house.warehouse.rows("select * exclude (nickname, badge, known_badge, row_digest) from raw.crm_customers")
    under(house, POLICY)
    erasure = house.erase(DAY)
    assert erasure.reasons == ("undeclared", "erased_bytes")
    assert (erasure.fields_erased, erasure.records, erasure.bytes_until) == (4, 2, None)
    assert not columns(house) & {"nickname", "badge", "known_badge"}
    assert house.warehouse.rows("select * exclude (row_digest) from raw.crm_customers") == before
    assert searched(house) == []
    assert house.erase(DAY) == Erasure(DAY), "nothing is left to go, so nothing is written"
    told = "select reason, fields_erased, records, bytes_until from erasure.rewrites order by sequence desc limit 2"
    assert house.warehouse.rows(told) == [("erased_bytes", 0, 0, None), ("undeclared", 4, 2, DAY)]


def test_the_file_may_wait_for_what_left_its_contract_too(house: House) -> None:
    under(house, POLICY)
    erasure = house.erase(DAY, erased_bytes=WEEK)
    last = DAY + timedelta(days=7)
    assert (erasure.reasons, erasure.rows_kept, erasure.bytes_until) == (("undeclared",), 0, last)
    assert not columns(house) & {"nickname", "badge", "known_badge"}
    assert house.erase(last, erased_bytes=WEEK).reasons == ("erased_bytes",)
    assert searched(house) == []


def test_a_contract_that_is_put_back_gets_its_values_by_the_next_full_delivery(house: House, own: Policy) -> None:
    """Also where nothing was delivered meanwhile, and the rows come as they were under the first contract."""
    house.evaluate(DAY, {"crm/customers": people()})
    assert nicknames(house) == [None, NAMED, None]
    under(house, POLICY).erase(DAY)
    under(house, own).evaluate(DAY, {"crm/customers": people()})
    assert nicknames(house) == [None, NAMED, None]


READING = """
select
    'customer' as record_type, own.row_id, 'care' as clock, cast(null as date) as starts_on,
    cast('9999-12-31' as date) as ends_on, cast(null as varchar) as ended_by, cast(null as varchar) as missing
from raw.crm_customers as own
where own.%s = 'ABC'
"""


@pytest.mark.parametrize(
    ("read", "stays"), [("known_badge", {"badge", "known_badge"}), ("badge", {"badge", "known_badge"}),
                        ("nickname", {"nickname"}), ("name", set())],
)  # fmt: skip
def test_what_a_purpose_still_reads_stays(house: House, declared: Declared, read: str, stays: set[str]) -> None:
    """Of an erased record nothing is delivered again: what a purpose keeps by it would fall for good."""
    policy = declared()
    purposes = policy.register_path.parent / "purposes"
    purposes.mkdir()
    (purposes / "customer_care.sql").write_text(READING % read, encoding="utf-8")
    policy = Policy.load(policy.register_path.parent)
    before = {name: house.warehouse.rows(f"select {name} from raw.crm_customers order by row_id") for name in stays}
    house.policy = policy
    house.erase(DAY)
    assert columns(house) & {"nickname", "badge", "known_badge"} == stays
    for name, values in before.items():
        assert house.warehouse.rows(f"select {name} from raw.crm_customers order by row_id") == values
    house.policy = POLICY
    house.erase(DAY)
    assert not columns(house) & {"nickname", "badge", "known_badge"}, "once nothing reads it, it goes"


def test_a_column_that_is_renamed_is_another(house: House, declared: Declared) -> None:
    """What was ordered about the first name stands, and stays out of the table; the second is decided about anew."""
    renamed = declared(alias="")
    rows = [{name: value for name, value in row.items() if name not in ("nickname", "badge")} for row in people()]
    rows = [{**row, "alias": f"{NAMED} {row['customer_id']}"} for row in rows]
    day = DAY + timedelta(days=1)
    under(house, renamed).seal(day, {"crm/customers": rows})
    told = house.warehouse.rows("select record_key, action from manifest.items where as_of = ? order by all", [day])
    assert told == [("K1", "erase"), ("K3", "erase")]
    house.erase(day)
    alias = "select alias from raw.crm_customers order by customer_id"
    assert house.warehouse.rows(alias) == [(None,), (f"{NAMED} K2",), (None,)]
    assert not columns(house) & {"nickname", "badge", "known_badge"}


def test_a_column_without_values_goes_without_a_word(house: House, own: Policy, declared: Declared) -> None:
    more = {"badge": ", {property: remembered, value: true}"}
    under(house, declared(nickname="", **more, spare="")).evaluate(DAY, {"crm/customers": people()})
    assert "spare" in columns(house)
    assert under(house, own).erase(DAY) == Erasure(DAY)
    assert ("spare" in columns(house), nicknames(house)) == (False, [None, NAMED, None])


def test_the_key_of_the_record_that_is_left_stays(house: House) -> None:
    """By it what was ordered is looked for; without it, a record that was merged away would count as gone."""
    house.warehouse.run("alter table raw.crm_customers add column merged_into varchar")
    under(house, POLICY).erase(DAY)
    assert "merged_into" in columns(house)


def test_what_would_not_stay_is_taken_back(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Warehouse.run

    def losing_a_row(self: Warehouse, sql: str, *params: Any) -> None:
        run(self, sql, *params)
        if "add column row_digest" in sql:
            run(self, "delete from raw.crm_customers where customer_id = 'K2'")

    before = house.warehouse.rows("from raw.crm_customers order by all")
    under(house, POLICY)
    with monkeypatch.context() as patched:
        patched.setattr(Warehouse, "run", losing_a_row)
        with pytest.raises(RewriteFailed, match="nothing was changed"):
            house.erase(DAY)
    assert house.warehouse.rows("from raw.crm_customers order by all") == before
    assert house.warehouse.value("select count(*) from erasure.rewrites where reason = 'undeclared'") == 0
    assert house.erase(DAY).reasons == ("undeclared", "erased_bytes")


def test_cut_off_before_the_file_is_written_the_next_time_has_it_written(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: Any) -> None:
        raise RewriteFailed("The disk is full.")

    under(house, POLICY)
    with monkeypatch.context() as patched:
        patched.setattr(erasing, "_rewrite", cut_off)
        with pytest.raises(RewriteFailed):
            house.erase(DAY)
    assert "nickname" not in columns(house)
    assert house.erase(DAY + timedelta(days=1)).reasons == ("erased_bytes",)
    assert searched(house) == []


def test_a_table_that_no_contract_declares_any_more_is_decided_about_and_emptied_as_ever(house: House) -> None:
    """Only what the company added to it goes at once: its rows are as they were, until the rules say otherwise."""
    none = replace(POLICY.contracts["crm", "customers"], declared=False, optional=True, freshness_days=None)
    contracts = {name: none if name == ("crm", "customers") else each for name, each in POLICY.contracts.items()}
    under(house, replace(POLICY, contracts=type(POLICY.contracts)(list(contracts.values()))))
    assert house.erase(DAY).reasons == ("undeclared", "erased_bytes")
    name = "select name from raw.crm_customers where customer_id = 'K2'"
    assert house.warehouse.rows(name) == [(f"{CANARY} K2",)]
    later = date(2031, 1, 1)
    house.seal(later, {})
    assert house.erase(later).reasons == ("ordered",)
    assert house.warehouse.rows(name) == [(None,)]


def test_a_column_of_a_companys_own_may_be_called_as_it_likes(declared: Declared) -> None:
    """Whether a category holds a value is worked out a part of the rows at a time: not by a column of that name."""
    with Warehouse.in_memory() as warehouse:
        house = House(warehouse, policy=declared(part="", bit=""))
        house.evaluate(DAY, {"crm/customers": [customer("K1", part="säljare", bit="liten")]})
        assert [each.with_value for each in standing(warehouse) if each.disposition == "erase"] != []
