"""What left every source long ago is forgotten: its keys and hashes go, sums stay, and nobody is decided otherwise."""

from __future__ import annotations

import copy
import os
from collections.abc import Collection, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.core.changing import rebuild
from assets.erasure import departures
from assets.erasure.copies import Copy, forget_manifests
from assets.ingest.blocking import refresh_blocks
from assets.ingest.loading import load_rows
from assets.policy import SHIPPED_REGISTER, Policy
from assets.retention.incremental import evaluate_night
from assets.rights import matches
from assets.warehouse import RewriteFailed, Warehouse, identifier
from tests.beginning import begin, keep
from tests.erasure.house import CANARY, PSEUDONYM_KEY, Exports, House, company, customer, invoice, order
from tests.erasure.test_guard import sums
from tests.retention.nights import Company, differences, first_night, night, something_happens

COMPANIES = int(os.environ.get("GALLRING_TEST_SEEDS", "1"))
DAY, LEFT, LATER = date(2026, 11, 25), date(2026, 11, 26), date(2031, 12, 1)
KEYS = {f"{each.source}/{each.table}": each.key for each in Policy.load().contracts.values()}


def forget(warehouse: Warehouse, company: Company) -> set[str]:
    """Forget what has left, whatever the month and however short the time; the keys."""
    warehouse.run("create schema if not exists erasure")
    assert departures.is_due(warehouse, company.policy, company.day)
    found = departures.find(warehouse, company.day, "P0D")
    keys = {key for (key,) in warehouse.rows("select record_key from temp.departed")}
    with warehouse.transaction():
        departures.take_out(warehouse, company.day, found)
    warehouse.run("delete from erasure.departures")
    assert len(keys) <= found
    return keys


def decided(warehouse: Warehouse) -> dict[str, list[tuple[Any, ...]]]:
    """What is decided and found, by the sources' keys."""
    named = (
        "inner join core.records as record on record.record_type = each.record_type and record.row_id = each.row_id "
    )
    named += "where record.in_source"
    return {
        "dispositions": warehouse.rows(
            "select record.record_type, record.record_key, each.data_category, each.disposition, each.keep_until, "
            f"each.reasons from retention.dispositions as each {named} order by all"
        ),
        "findings": warehouse.rows(
            f"select each.finding, record.record_type, record.record_key from retention.findings as each {named} "
            "order by all"
        ),
        "suppressions": warehouse.rows("from retention.suppressions order by all"),
    }


def unlike(one: Warehouse, other: Warehouse) -> list[str]:
    """What is decided in one warehouse and not in the other."""
    ours, theirs = decided(one), decided(other)
    return [
        f"{name}: has {[row for row in rows if row not in theirs[name]]}, "
        f"lacks {[row for row in theirs[name] if row not in rows]}"
        for name, rows in ours.items()
        if rows != theirs[name]
    ]


def _moving(company: Company, houses: Collection[int]) -> dict[str, list[dict[str, Any]]]:
    """The full exports of the sources from which all of one house leaves, and to which another comes back."""
    leaving, coming = houses
    for table, key in company.keys.items():
        if table.startswith("office/") or table not in company.there:
            continue
        rows, others = company.there[table], company.to_come.setdefault(table, [])
        company.there[table] = [
            *(row for row in rows if not row[key].endswith(f"-{leaving}")),
            *(row for row in others if row[key].endswith(f"-{coming}")),
        ]
        company.to_come[table] = [
            *(row for row in rows if row[key].endswith(f"-{leaving}")),
            *(row for row in others if not row[key].endswith(f"-{coming}")),
        ]
    return {table: rows for table, rows in company.there.items() if not table.startswith("office/")}


class Years(House):
    """A house whose nights go on from each other, and whose sources say when they made their extracts."""

    def evaluate(self, day: date, exports: Exports, mode: str = "full") -> None:
        """Take in the exports of the day, and decide."""
        load_rows(self.warehouse, self.policy, exports, mode=mode)
        self.warehouse.run(
            "update intake.deliveries set extracted_at = ? where extracted_at is null",
            [datetime.combine(day, time(12))],
        )
        rebuild(self.warehouse, self.policy, largest_part=1)
        evaluate_night(self.warehouse, self.policy, day, largest_part=1)

    def destroy_manifests(self) -> None:
        """All manifests have come to their last day."""
        ids = [each for (each,) in self.warehouse.rows("select manifest_id from manifest.manifests order by all")]
        forget_manifests(self.warehouse, [Copy(Path(each), "manifest", "", None, 0) for each in ids])

    def texts(self, wanted: str) -> list[str]:
        """The stored tables in a row of which a text stands."""
        tables = self.warehouse.rows(
            "select schema_name, table_name from duckdb_tables() where database_name = ? order by all",
            [self.warehouse.catalog],
        )
        return [
            f"{schema}.{table}"
            for schema, table in tables
            if self.warehouse.value(
                f"select count(*) from {schema}.{identifier(table)} as each where contains(cast(each as varchar), ?)",
                [wanted],
            )
        ]


def left() -> dict[str, list[dict[str, Any]]]:
    """The exports from which K1 has gone, with all that was hers."""
    return {table: [row for row in rows if "1" not in row[KEYS[table]]] for table, rows in company().items()}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse in memory of whose sources K1 has left for good, erased and proved, on the day `LEFT`."""
    path = tmp_path_factory.mktemp("departed") / "kept.duckdb"
    with Warehouse.in_memory(pseudonym_key=PSEUDONYM_KEY) as warehouse:
        house = Years(warehouse)
        house.night(DAY, company())
        house.night(LEFT, left())
        keep(warehouse, path)
    return path


@pytest.fixture
def house(kept: Path) -> Iterator[Years]:
    """A house that begins there, its manifests destroyed by now."""
    with begin(kept, pseudonym_key=PSEUDONYM_KEY) as warehouse:
        made = Years(warehouse)
        made.destroy_manifests()
        yield made


def test_five_years_on_its_keys_and_hashes_are_gone_and_the_sums_are_not(house: Years) -> None:
    house.evaluate(LATER, left())
    counted, before = sums(house), house.dispositions()
    hashes = house.warehouse.rows("select email_key, name_key from raw.crm_customers where customer_id = 'K1'")[0]
    gone = (": K1,", ": O1,", ": L1,", ": I1,", ": P1,", ": S1,", *map(str, hashes))
    assert all(house.texts(each) for each in gone), "the control"
    assert house.erase(LATER).reasons[:1] == ("departed",)
    assert sums(house) == counted
    assert house.warehouse.rows("select order_id, customer_id, placed_at from raw.orders_orders order by row_id") == [
        ("forgotten 1", "forgotten customer of order 1", None), ("O2", "K2", date(2026, 5, 1)),
    ]  # fmt: skip
    assert house.warehouse.rows(
        "select invoice_id, invoice_number, order_id, amount, known_amount, buyer_name from raw.orders_invoices "
        "where not in_source"
    ) == [("forgotten 1", None, "forgotten 1", None, Decimal(200), None)]
    night_after = LATER + timedelta(days=1)
    house.evaluate(night_after, left())
    assert house.dispositions() == before
    assert sums(house) == counted
    assert not differences(house.warehouse, house.policy, night_after)
    assert not any(house.texts(each) for each in gone)
    assert "K1" not in [key for (key,) in house.warehouse.rows("select record_key from manifest.told_bits")]


def test_it_is_looked_once_a_month_and_found_once(house: Years) -> None:
    told = []
    for days in (0, 1, 40):
        day = LATER + timedelta(days=days)
        house.evaluate(day, left())
        told.append("departed" in house.erase(day).reasons)
    assert told == [True, False, False]
    looked = house.warehouse.rows("select as_of, records from erasure.departures order by as_of")
    assert looked == [(DAY, 0), (LATER, 6), (LATER + timedelta(days=40), 0)]


def test_who_comes_back_after_that_is_new(house: Years) -> None:
    """Decided anew, ordered anew: no word of the first order keeps it out."""
    house.evaluate(LATER, left())
    house.erase(LATER)
    day = LATER + timedelta(days=1)
    house.evaluate(day, company())
    assert house.warehouse.value("select city from raw.crm_customers where customer_id = 'K1'") == CANARY
    assert ("customer", "erase") in house.warehouse.rows(
        "select dispositions.record_type, disposition from retention.dispositions inner join core.records on "
        "records.record_type = dispositions.record_type and records.row_id = dispositions.row_id "
        "where record_key = 'K1' and data_category = 'identity'"
    )
    house.seal(day, company())
    assert house.warehouse.value("select count(*) from manifest.items where record_key = 'K1'") == 1
    house.erase(day)
    assert house.warehouse.value("select city from raw.crm_customers where customer_id = 'K1'") is None


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("orders/orders", order("O9", "K1", "2031-01-01")),
        ("office/holds", {"hold_id": "H1", "record_type": "payment", "record_key": "P1", "placed_at": "2026-12-01"}),
        ("office/requests", {"request_id": "R1", "kind": "objection", "customer_id": "K1",
                             "received_at": "2026-11-20", "answered_at": "2026-11-20"}),
        ("office/requests", {"request_id": "R1", "kind": "erasure", "customer_id": "K1",
                             "received_at": "2026-12-01"}),
        ("office/disclosures", {"disclosure_id": "D1", "partner_id": "X", "record_type": "customer",
                                "record_key": "K1", "disclosed_at": "2026-12-01"}),
        ("crm/consents", {"consent_id": "C9", "customer_id": "K1", "purpose": "newsletter",
                          "given_at": "2031-01-01"}),
    ],
    ids=["a row that is there", "a hold", "an objection", "an open request", "a disclosure", "a consent"],
)  # fmt: skip
def test_what_anything_names_is_remembered_with_all_that_hangs_together(
    house: Years, table: str, row: dict[str, str]
) -> None:
    exports = left()
    house.evaluate(LATER, {**exports, table: [*exports.get(table, []), row]})
    assert "departed" not in house.erase(LATER).reasons
    assert house.warehouse.value("select count(*) from raw.orders_payments where payment_id = 'P1'") == 1
    assert house.warehouse.value("select count(*) from manifest.told_bits where record_key = 'K1'") == 1


def test_an_erasure_request_answered_as_long_ago_keeps_nobody(house: Years) -> None:
    row = {"request_id": "R1", "kind": "erasure", "customer_id": "K1", "received_at": "2026-11-01",
           "identity_verified_at": "2026-11-01", "answered_at": "2026-11-20"}  # fmt: skip
    house.evaluate(LATER, {**left(), "office/requests": [row]})
    assert "departed" in house.erase(LATER).reasons


@pytest.mark.parametrize(
    "what",
    [
        "an item",
        "a match",
        "a notice",
        "a row set aside",
        "half a year less",
        "an unsubscription",
        "a withdrawal",
        "a row set aside that names one",
        "a row set aside with its address",
    ],
)
def test_what_the_ledger_or_the_office_still_says_of_one_keeps_all(kept: Path, what: str) -> None:
    day = LATER
    with begin(kept, pseudonym_key=PSEUDONYM_KEY) as warehouse:
        house = Years(warehouse)
        if what != "an item":
            house.destroy_manifests()
        if what == "a match":
            warehouse.run("create schema if not exists office")
            matches.remember(warehouse, ("customer", "K1"), ("subscriber", "S1"), same=False, on=LATER)
        elif what == "half a year less":
            day -= timedelta(days=180)
        elif what == "a withdrawal":
            consent = {"consent_id": "C1", "customer_id": "K1", "purpose": "newsletter", "given_at": "2015-01-01",
                       "withdrawn_at": "2016-01-01"}  # fmt: skip
            house.evaluate(LEFT, {**left(), "crm/consents": [consent]})
            house.evaluate(LEFT, {**left(), "crm/consents": []})
        house.evaluate(day, left())
        if what == "a notice":
            warehouse.run("create or replace table manifest.notice_fields as select 'X' as partner_id, 'order' as "
                          "record_type, 'O1' as record_key, 'buyer_name' as field")  # fmt: skip
        elif what == "an unsubscription":
            subscriber = {**company()["mailing/subscribers"][0], "unsubscribed_at": "2020-01-01"}
            house.evaluate(LEFT, {**left(), "mailing/subscribers": [subscriber]})
            house.evaluate(LEFT, {**left(), "mailing/subscribers": []})
        elif what == "a row set aside":
            warehouse.run("insert into intake.quarantined by name select 'crm' as source, 'rows-1' as delivery_id, "
                          "'customers' as table_name, 'K1' as record_key")  # fmt: skip
        elif what == "a row set aside that names one":
            warehouse.run(
                "insert into intake.quarantined by name select 'orders' as source, 'rows-1' as delivery_id, "
                "'orders' as table_name, 'O9' as record_key, map {'customer_id': 'K1'} as refers_to"
            )
        elif what == "a row set aside with its address":
            warehouse.run("insert into intake.quarantined by name select 'mailing' as source, 'rows-1' as delivery_id, "
                          "'subscribers' as table_name, 'S9' as record_key, map {'email_key': cast(email_key as "
                          "varchar)} as refers_to from raw.crm_customers where customer_id = 'K1'")  # fmt: skip
        assert "departed" not in house.erase(day).reasons
        assert warehouse.value("select count(*) from raw.crm_customers where customer_id = 'K1'") == 1


def test_under_sql_of_a_companys_own_nothing_is_forgotten(house: Years, tmp_path: Path) -> None:
    """Nobody has proved which rows it reads together."""
    (tmp_path / "purposes").mkdir()
    (tmp_path / "register.yaml").write_text(SHIPPED_REGISTER.read_text(encoding="utf-8"), encoding="utf-8")
    shipped = SHIPPED_REGISTER.with_name("newsletter.sql").read_text(encoding="utf-8")
    (tmp_path / "purposes" / "newsletter.sql").write_text(
        shipped.replace("subscription.subscribed_on as", "subscription.ends_on as"), encoding="utf-8"
    )
    house.policy = Policy.load(tmp_path)
    house.policy.publish(house.warehouse)
    house.evaluate(LATER, left())
    assert "departed" not in house.erase(LATER).reasons


def test_a_table_that_would_lose_more_takes_everything_back(house: Years, monkeypatch: pytest.MonkeyPatch) -> None:
    house.evaluate(LATER, left())
    monkeypatch.setattr(departures, "_without_names", lambda *_: "from raw.orders_orders limit 0")
    with pytest.raises(RewriteFailed, match="raw"):
        house.erase(LATER)
    monkeypatch.undo()
    assert house.warehouse.value("select count(*) from raw.crm_customers") == 2
    assert "departed" in house.erase(LATER).reasons


@settings(
    max_examples=COMPANIES, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(seed=st.integers(1, 100_000))
def test_who_forgets_decides_as_who_does_not(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Two warehouses of one company live through the same nights; one of them forgets all that may be forgotten."""
    folder = tmp_path_factory.mktemp("forgets")
    monkeypatch.setattr(departures, "AT_ONCE", 20)
    company = Company(seed, [Policy.load()], size=4, houses=3)
    twin = copy.deepcopy(company)
    forgotten = 0
    with (
        Warehouse.open(folder / "forgets.duckdb", key=None, pseudonym_key=b"nights", threads=1) as forgets,
        Warehouse.open(folder / "keeps.duckdb", key=None, pseudonym_key=b"nights", threads=1) as keeps,
    ):
        first_night(forgets, company)
        first_night(keeps, twin)
        for number in range(3):
            moving = (number % 3, -1)
            what = something_happens(forgets, company)
            something_happens(keeps, twin)
            for warehouse, each in ((forgets, company), (keeps, twin)):
                load_rows(warehouse, each.policy, _moving(each, moving))
            forgets.run("update intake.deliveries set extracted_at = ? where extracted_at is null",
                        [datetime.combine(company.day - timedelta(days=1), time(12))])  # fmt: skip
            night(forgets, company)
            night(keeps, twin)
            found = unlike(forgets, keeps)
            assert not found, f"seed {seed}, night {number}: {what}:\n" + "\n".join(found)
            keys = forget(forgets, company)
            forgotten += len(keys)
            for each in (company, twin):  # what comes back is another matter
                for table, rows in each.to_come.items():
                    each.to_come[table] = [row for row in rows if keys.isdisjoint(map(str, row.values()))]
            assert not differences(keeps, twin.policy, twin.day)
            night(forgets, company)
            assert not differences(forgets, company.policy, company.day)
            found = unlike(forgets, keeps)
            assert not found, f"seed {seed}, night {number}: {what}, and forgotten:\n" + "\n".join(found)
    assert forgotten, f"seed {seed}: nothing was forgotten, the test proves nothing"


def test_what_was_entered_since_the_evaluation_is_waited_for(house: Years) -> None:
    """A hold of this morning on a record that has gone: nothing has looked at it yet."""
    house.evaluate(LATER, left())
    load_rows(house.warehouse, house.policy, {"office/holds": [
        {"hold_id": "H1", "record_type": "payment", "record_key": "P1", "placed_at": "2031-12-01"},
    ]}, mode="delta")  # fmt: skip
    assert "departed" not in house.erase(LATER).reasons


def test_an_order_of_nobody_keeps_its_number_alone_and_the_next_night_reads_it_so(kept: Path) -> None:
    """No row leaves a table by it, so that no count tells the next night."""
    with begin(kept, pseudonym_key=PSEUDONYM_KEY) as warehouse:
        house = Years(warehouse)
        lone = {**order("O7", "K7", "2026-11-26"), "customer_id": None, "status": "open", "closed_at": None}
        house.evaluate(LEFT, {**left(), "orders/orders": [*left()["orders/orders"], lone]})
        house.evaluate(LEFT + timedelta(days=1), left())
        house.evaluate(LATER, left())  # what K1 left behind stands in manifests that are kept
        assert house.erase(LATER).reasons[:1] == ("departed",)
        assert warehouse.value("select records from erasure.departures where as_of = ?", [LATER]) == 1
        house.evaluate(LATER + timedelta(days=1), left())
        assert not differences(warehouse, house.policy, LATER + timedelta(days=1))


def test_who_no_source_ever_delivered_counts_as_one_for_good(kept: Path) -> None:
    """Sums of too few are told by nobody: orders of one unknown customer are no customers each."""
    lone = [{**order(f"O{number}", "K7", "2026-11-26"), "status": "open", "closed_at": None} for number in (5, 6, 7)]
    bills = [invoice(f"I{number}", f"O{number}", "2015-01-10") for number in (5, 6, 7)]
    with begin(kept, pseudonym_key=PSEUDONYM_KEY) as warehouse:
        house = Years(warehouse)
        there = {**left(), "orders/orders": [*left()["orders/orders"], *lone],
                 "orders/invoices": [*left()["orders/invoices"], *bills]}  # fmt: skip
        house.evaluate(LEFT, there)
        house.evaluate(LEFT + timedelta(days=1), {**there, "orders/orders": [*left()["orders/orders"], lone[0]],
                                                  "orders/invoices": left()["orders/invoices"]})  # fmt: skip
        house.evaluate(LATER, {**there, "orders/orders": left()["orders/orders"],
                               "orders/invoices": left()["orders/invoices"]})  # fmt: skip
        assert "departed" not in house.erase(LATER).reasons, "one of them left today: they stay together"
        counted = sums(house, "2")
        much_later = date(2037, 1, 1)
        house.evaluate(much_later, left())
        assert "departed" in house.erase(much_later).reasons
        assert sums(house, "2") == counted
        named = warehouse.rows("select customer_id from raw.orders_orders where order_id like 'forgotten%'")
        assert sorted(named.count(name) for name in set(named)) == [3]


def test_two_strangers_never_get_one_name(house: Years) -> None:
    """A customer's number is given again once the row has gone; an order's is not."""
    house.evaluate(LATER, left())
    house.erase(LATER)
    day = LATER + timedelta(days=1)
    house.evaluate(day, {**left(), "crm/customers": [*left()["crm/customers"], customer("K5")],
                         "orders/orders": [*left()["orders/orders"], order("O5", "K5", "2031-01-01")]})  # fmt: skip
    house.evaluate(day + timedelta(days=1), left())
    much_later = date(2038, 1, 1)
    house.evaluate(much_later, left())
    assert "departed" in house.erase(much_later).reasons
    named = house.warehouse.rows("select customer_id from raw.orders_orders where order_id like 'forgotten%'")
    assert len(set(named)) == len(named) == 2


def test_a_table_that_shrank_as_ordered_does_not_block_once_nobody_is_remembered() -> None:
    """Full deliveries of all years are compared, each with the one before, and the rows that left are not there."""
    crowd = [customer(f"K{number}") for number in range(10, 50)]
    with Warehouse.in_memory(pseudonym_key=PSEUDONYM_KEY) as warehouse:
        house = Years(warehouse)
        many = {**company(), "crm/customers": [*company()["crm/customers"], *crowd]}
        house.night(DAY, many)
        house.night(LEFT, left())
        refresh_blocks(warehouse, house.policy, LEFT)
        assert not warehouse.value("select count(*) from intake.blocks where reason = 'shrunk'"), "the control"
        house.destroy_manifests()
        house.evaluate(LATER, left())
        assert "departed" in house.erase(LATER).reasons
        refresh_blocks(warehouse, house.policy, LATER)
        assert not warehouse.value("select count(*) from intake.blocks where reason = 'shrunk'")
