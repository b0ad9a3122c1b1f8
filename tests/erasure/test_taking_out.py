"""A site may let its file wait: what is ordered erased leaves every table the same night, and the file by a day."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.erasure import erasing, registers
from assets.erasure.erasing import Erasure, prepare
from assets.erasure.restoring import back_up
from assets.erasure.taking_out import Change, Lingering, lingering, take_out
from assets.ledger import told
from assets.site import Site
from assets.warehouse import MachineLacks, RewriteFailed, Warehouse, identifier
from tests.erasure import test_erasing
from tests.erasure.house import CANARY, POLICY, House, company, customer, files_with, opened

DAY = date(2026, 11, 25)
LAST = date(2026, 12, 2)
WEEK = "P7D"


def on(days: int) -> date:
    return DAY + timedelta(days=days)


def gone(*keys: str) -> dict[str, Any]:
    """A company of customers about whom nothing is left to keep."""
    return {"crm/customers": [{**customer(key), "city": CANARY * 40} for key in keys]}


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a plain warehouse in which K1 and others are ordered erased, and nothing has gone yet."""
    folder = tmp_path_factory.mktemp("sealed")
    house = House(opened(folder, key=None))
    house.seal(DAY, company())
    house.warehouse.close()
    return folder


@pytest.fixture
def house(sealed: Path, tmp_path: Path) -> Iterator[House]:
    shutil.copytree(sealed, tmp_path / "plain")
    house = House(opened(tmp_path / "plain", key=None))
    yield house
    house.warehouse.close()


def tables(warehouse: Warehouse) -> list[str]:
    return [
        f"{schema}.{identifier(name)}"
        for schema, name in warehouse.rows(
            "select schema_name, table_name from duckdb_tables() where database_name = ? order by all",
            [warehouse.catalog],
        )
    ]


def holding(warehouse: Warehouse, text: str) -> list[str]:
    """The tables of which a row holds the text in any column."""
    return [
        table
        for table in tables(warehouse)
        if warehouse.value(
            f"select count(*) from {table} as each_row where contains(cast(each_row as varchar), $text)", {"text": text}
        )
    ]


def content(warehouse: Warehouse) -> dict[str, list[str]]:
    """What every table holds, but for those that tell of erasures and those that are made anew before they are read."""
    made_anew = {f"{schema}.{identifier(name)}" for schema, name in (each.split(".") for each in erasing._REMADE)}
    return {
        table: sorted(map(str, warehouse.rows(f"from {table}")))
        for table in tables(warehouse)
        if not table.startswith("erasure.") and table not in made_anew
    }


def file_of(house: House) -> Path:
    assert house.warehouse.path is not None
    return house.warehouse.path


# -- tables at once, the file by its day -------------------------------------------------------------------------------


def test_values_leave_every_table_the_same_night_and_the_file_on_the_last_day(house: House) -> None:
    mine = f"{CANARY} K1"
    assert holding(house.warehouse, mine) == ['raw."crm_customers"', 'raw."orders_orders"'], "the control"
    erasure = house.erase(DAY, erased_bytes=WEEK)
    assert (erasure.reasons, erasure.bytes_until, erasure.rows_kept) == (("ordered",), LAST, 0)
    assert erasure.rows_changed == erasure.records > 4
    assert holding(house.warehouse, mine) == []
    log = file_of(house).with_name("warehouse.duckdb.wal")
    assert not log.exists() or log.stat().st_size == 0
    assert files_with(file_of(house).parent, mine) == ["warehouse.duckdb"], "its bytes are there, and nobody reads them"
    assert house.erase(on(6), erased_bytes=WEEK) == Erasure(on(6), bytes_until=LAST), "nothing is due, nothing written"
    rewritten = house.erase(LAST, erased_bytes=WEEK)
    assert (rewritten.reasons, rewritten.bytes_until) == (("erased_bytes",), None), "though nothing is due"
    assert rewritten.rows_kept > 0
    assert house.erase(on(8), erased_bytes=WEEK) == Erasure(on(8))
    house.warehouse.close()
    assert files_with(file_of(house).parent, mine) == []


def test_a_site_that_says_nothing_has_its_file_written_anew_the_same_night(house: House) -> None:
    erasure = house.erase(DAY)
    assert (erasure.rows_changed, erasure.bytes_until) == (0, None)
    house.warehouse.close()
    assert files_with(file_of(house).parent, f"{CANARY} K1") == []


def test_the_file_is_written_anew_by_the_day_of_the_oldest_erasure(house: House) -> None:
    house.erase(DAY, erased_bytes=WEEK)
    house.seal(on(3), {**company(), "crm/customers": [*company()["crm/customers"], customer("K7")]})
    assert house.erase(on(3), erased_bytes=WEEK).bytes_until == LAST
    assert lingering(house.warehouse, WEEK) == Lingering(DAY, LAST)
    house.seal(LAST, {**company(), "crm/customers": [*company()["crm/customers"], customer("K8")]})
    erasure = house.erase(LAST, erased_bytes=WEEK)
    assert (erasure.reasons, erasure.rows_changed, erasure.bytes_until) == (("ordered", "erased_bytes"), 0, None)
    assert lingering(house.warehouse, WEEK) is None


def test_a_night_that_comes_late_writes_it_anew_first_thing(house: House) -> None:
    house.erase(DAY, erased_bytes=WEEK)
    assert house.erase(on(30), erased_bytes=WEEK).reasons == ("erased_bytes",)


def test_on_a_day_before_all_of_theirs_bytes_do_not_wait(house: House) -> None:
    """A run as of a day to come would else let them wait until that day's period is over."""
    assert house.erase(on(400), residue="P9Y", erased_bytes=WEEK).bytes_until == on(407)
    assert house.erase(on(1), erased_bytes=WEEK).reasons == ("erased_bytes",)


def test_a_shorter_period_counts_at_once_and_a_longer_one_breaks_no_promise(house: House) -> None:
    house.erase(DAY, erased_bytes=WEEK)
    assert lingering(house.warehouse, "P3D") == Lingering(DAY, on(3))
    assert lingering(house.warehouse, "P1M") == Lingering(DAY, LAST)
    assert house.erase(on(2), erased_bytes="P3D").reasons == ()
    assert house.erase(on(3), erased_bytes="P3D").reasons == ("erased_bytes",)


def test_a_period_taken_back_is_made_good_the_next_night(house: House) -> None:
    house.erase(DAY, erased_bytes=WEEK)
    assert house.erase(on(1)).reasons == ("erased_bytes",)


def test_corrected_values_are_counted_from_the_last_time_the_file_was_written_anew(house: House) -> None:
    """Rows that changed in place have not taken them out of the file."""
    house.warehouse.run("update intake.deliveries set extracted_at = timestamp '2026-11-25 02:00:00'")
    house.erase(DAY, erased_bytes="P1Y")
    assert house.erase(on(30), erased_bytes="P1Y").reasons == ()
    erasure = house.erase(on(31), erased_bytes="P1Y")
    assert (erasure.reasons, erasure.bytes_until) == (("residue",), None), "then all of it goes"


def test_where_many_rows_lose_values_the_file_is_written_anew(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "_FEW_ROWS", 3)
    monkeypatch.setattr(erasing, "_LARGEST_SHARE", 0.000_1)
    erasure = house.erase(DAY, erased_bytes=WEEK)
    assert (erasure.rows_changed, erasure.bytes_until) == (0, None)
    assert erasure.rows_kept > 0


def test_a_warehouse_of_an_earlier_version_goes_on(house: House) -> None:
    house.warehouse.run("create schema if not exists erasure")
    house.warehouse.run(
        "create table erasure.rewrites as select 1::bigint as sequence, date '2026-11-01' as as_of, "
        "'ordered' as reason, 1::bigint as fields_erased, 1::bigint as records, 0::bigint as quarantined_erased, "
        "0::bigint as deliveries_loaded"
    )
    assert lingering(house.warehouse, WEEK) is None
    assert house.erase(DAY, erased_bytes=WEEK).bytes_until == LAST
    remembered = "select sequence, as_of, bytes_until from erasure.rewrites order by sequence"
    assert house.warehouse.rows(remembered) == [(1, date(2026, 11, 1), None), (2, DAY, LAST)]


# -- the same as a file that is written anew ---------------------------------------------------------------------------


def test_after_some_nights_both_ways_have_come_to_the_same(sealed: Path, tmp_path: Path) -> None:
    """Table for table: what comes again, what is new and ordered, an order that a hold takes back, rows that leave."""
    there = company()
    hold = {
        "hold_id": "H1",
        "record_type": "customer",
        "record_key": "K7",
        "placed_at": "2026-11-26",
        "fields": "phone",
    }
    with_k7 = {**there, "crm/customers": [*there["crm/customers"], customer("K7")]}
    arriving = [
        there,
        with_k7,
        {**with_k7, "office/holds": [hold]},
        {**with_k7, "crm/customers": gone("K1", "K9")["crm/customers"]},
    ]
    found = []
    for way in ("P0D", WEEK):
        shutil.copytree(sealed, tmp_path / way)
        house, erased = House(opened(tmp_path / way, key=None)), []
        for number, exports in enumerate(arriving):
            house.seal(on(number), exports)
            erased.append(house.erase(on(number), erased_bytes=way))
        assert any(each.rows_changed for each in erased) == (way == WEEK)
        house.evaluate(on(9), arriving[-1])
        found.append((content(house.warehouse), [(each.reasons, each.fields_erased, each.records) for each in erased]))
        house.warehouse.close()
    assert found[0] == found[1]
    assert sum(map(len, found[0][0].values())) > 500, "the control: there is something to compare"


def test_what_comes_again_is_kept_out(house: House) -> None:
    house.erase(DAY, erased_bytes=WEEK)
    decided = house.dispositions()
    assert house.seal(on(1), company()).sealed == ()
    assert house.dispositions() == decided
    assert holding(house.warehouse, f"{CANARY} K1") == []
    assert house.warehouse.value("select withheld from raw.crm_customers where customer_id = 'K1'") == [
        "name", "email", "phone", "street", "city",
    ]  # fmt: skip


@pytest.mark.parametrize("by_parts", [False, True])
def test_hostile_rows_come_out_as_a_look_at_every_field_has_them(
    house: House, monkeypatch: pytest.MonkeyPatch, by_parts: bool
) -> None:
    """Whatever is held, withheld and ordered; and when it is looked for again, nothing is due."""
    if by_parts:
        test_erasing.few_rows_at_once(monkeypatch)
    warehouse, changed = house.warehouse, 0
    test_erasing.split_orders(warehouse)
    for contract in POLICY.contracts.values():
        raw = f"raw.{identifier(contract.raw_table)}"
        if contract.record_type is None or not warehouse.value(f"select count(*) from {raw}"):
            continue
        test_erasing.shuffle(warehouse, contract)
        bits = told.halves(warehouse)[contract.record_type]
        warehouse.run(f"create or replace temp table wanted as {test_erasing.field_by_field(warehouse, contract)}")
        erasing._count_ordered(warehouse, contract, bits, 1)
        change = erasing._change_of_ordered(warehouse, contract, bits, 1)
        with warehouse.transaction():
            assert take_out(warehouse, {f"raw.{contract.raw_table}": change}) == change.count
        assert (
            warehouse.rows(f"(from {raw} except all from wanted) union all (from wanted except all from {raw})") == []
        )
        erasing._find_losing(warehouse, contract, bits, 1)
        assert warehouse.value(f"select count(*) from temp.{erasing._losing(contract)}") == 0
        changed += change.count
    assert changed > 100


# -- quarantine, registers ---------------------------------------------------------------------------------------------


def test_the_quarantine_lets_go_in_place(house: House) -> None:
    warehouse = house.warehouse
    house.erase(DAY)
    warehouse.run("update intake.deliveries set extracted_at = timestamp '2026-11-25 02:00:00'")
    quarantine = (
        "insert into intake.quarantined (source, delivery_id, table_name, line, rule, row_text, record_key) "
        "select 'crm', {}, 'customers', unnest(range(1, 4)), 'required', 'text', {}"
    )
    known = "(select max(delivery_id) from intake.deliveries where source = 'crm')"
    warehouse.run(quarantine.format(known, "null"))
    warehouse.run(quarantine.format("'another'", "unnest(['K1', 'K2', null])"))
    everyone_else = "select source, delivery_id, table_name, line, rule, record_key from intake.quarantined"
    before = warehouse.rows(f"{everyone_else} where delivery_id = 'another' order by all")
    options = {"residue": "P1Y", "erased_bytes": "P1Y"}
    erasure = house.erase(on(30), **options)
    assert (erasure.reasons, erasure.quarantined_erased) == (("quarantine",), 1), "K1 is ordered erased"
    erasure = house.erase(on(31), **options)
    assert (erasure.reasons, erasure.quarantined_erased) == (("quarantine",), 3), "the last day of the others is over"
    assert erasure.rows_changed == 6
    assert warehouse.rows(f"{everyone_else} order by all") == before
    assert warehouse.rows("select record_key, row_text from intake.quarantined order by all") == [
        ("K1", None), ("K2", "text"), (None, "text"),
    ]  # fmt: skip


def test_the_registers_let_go_in_place(house: House) -> None:
    found = []
    holds = [
        {"hold_id": f"H{number}", "record_type": "customer", "record_key": "K2", "reason": f"Dispute {number}",
         "placed_at": "2021-01-01", "released_at": released}
        for number, released in enumerate(("2021-02-01", "2026-11-01", None))
    ]  # fmt: skip
    request = {"request_id": "R1", "customer_id": "K2", "email": "k2@hem.example", "kind": "access",
               "received_at": "2021-01-01", "answered_at": "2021-01-20"}  # fmt: skip
    entries = {"office/holds": holds, "office/requests": [request]}
    house.erase(DAY)
    house.evaluate(DAY, {**company(), **entries})
    kept = (
        "insert into office.holds (hold_id, record_type, record_key, placed_at, released_at, own) "
        "values ('H0', 'customer', 'K2', date '2021-01-01', date '2021-02-01', false)"
    )
    house.warehouse.run(kept)
    copied = file_of(house).parent.parent / "anew"
    house.warehouse.checkpoint()
    house.warehouse.close()
    shutil.copytree(file_of(house).parent, copied)
    for folder, way in ((copied, "P0D"), (file_of(house).parent, WEEK)):
        with opened(folder, key=None) as warehouse:
            house.warehouse = warehouse
            erasure = house.erase(on(1), residue="P1Y", erased_bytes=way)
            assert set(erasure.reasons) >= {"registers"}
            assert bool(erasure.rows_changed) == (way == WEEK)
            assert registers.find_due(warehouse, POLICY.contracts, on(1), "P5Y").entries == 0
            found.append(content(warehouse))
    assert found[0] == found[1]
    assert len(found[0]['office."holds"']) == 1
    assert "K2" not in str(found[0]['office."holds"'])


# -- what may go wrong -------------------------------------------------------------------------------------------------


def without_a_row(change: Change) -> Change:
    return replace(change, instead=f"{change.instead} limit {change.count - 1}")


def with_a_row_twice(change: Change) -> Change:
    return replace(change, instead=f"({change.instead}) union all ({change.instead} limit 1)")


def with_another_status(change: Change) -> Change:
    others = "select * replace (not in_source as in_source)"
    return replace(change, instead=f"{others} from ({change.instead})")


def with_all_values(change: Change) -> Change:
    return replace(change, instead=f"from raw.crm_customers where {change.rows}")


def with_rows_too_many(change: Change) -> Change:
    """Rows make way that lose nothing, and others than those are put in their place."""
    return replace(change, rows="true")


@pytest.mark.parametrize(
    ("falsify", "told_as"),
    [
        (without_a_row, "Table raw.crm_customers would not hold"),
        (with_a_row_twice, "Table raw.crm_customers would not hold"),
        (with_another_status, "Table raw.crm_customers would not hold"),
        (with_rows_too_many, "Table raw.crm_customers would not hold"),
        (with_all_values, "rows would still hold what was to go"),
    ],
)
def test_what_is_not_proved_is_taken_back(
    house: House, monkeypatch: pytest.MonkeyPatch, falsify: Callable[[Change], Change], told_as: str
) -> None:
    before = content(house.warehouse)
    whole = erasing.take_out

    def falsified(warehouse: Warehouse, changes: dict[str, Change]) -> int:
        return whole(warehouse, {**changes, "raw.crm_customers": falsify(changes["raw.crm_customers"])})

    with monkeypatch.context() as patched:
        patched.setattr(erasing, "take_out", falsified)
        with pytest.raises(RewriteFailed, match=told_as):
            house.erase(DAY, erased_bytes=WEEK)
    assert content(house.warehouse) == before
    assert lingering(house.warehouse, WEEK) is None
    assert house.erase(DAY, erased_bytes=WEEK).reasons == ("ordered",)


def test_a_digit_that_the_disk_changed_is_seen(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a column that loses something: what stands there is what was to stand there."""
    run = Warehouse.run

    def changing(self: Warehouse, sql: str, *args: Any) -> None:
        run(self, sql, *args)
        if sql.startswith('insert into raw."crm_customers"'):
            run(self, "update raw.crm_customers set withheld = ['name'] where customer_id = 'K1'")

    monkeypatch.setattr(Warehouse, "run", changing)
    with pytest.raises(RewriteFailed, match="crm_customers"):
        house.erase(DAY, erased_bytes=WEEK)
    assert house.warehouse.value("select name from raw.crm_customers where customer_id = 'K1'") == f"{CANARY} K1"


_CHILD = f"""
import os, signal, sys
from datetime import date
from pathlib import Path
from assets.erasure import erasing
from assets.warehouse import Warehouse
from tests.erasure.house import House, opened

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

house = House(opened(Path(sys.argv[1]), key=None))
if sys.argv[2] == "changed":
    erasing._require_gone = die
elif sys.argv[2] == "proved":
    Warehouse._commit = die
elif sys.argv[2] == "committed":
    Warehouse.checkpoint = die
house.erase(date(2026, 11, 25), erased_bytes="{WEEK}")
"""


@pytest.mark.parametrize("point", ["changed", "proved", "committed"])
def test_a_kill_at_any_point_leaves_the_old_state_or_the_new_one(sealed: Path, tmp_path: Path, point: str) -> None:
    folder = tmp_path / "plain"
    shutil.copytree(sealed, folder)
    done = subprocess.run([sys.executable, "-c", _CHILD, str(folder), point], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    with opened(folder, key=None) as warehouse:
        house, is_new = House(warehouse), point == "committed"
        prepare(warehouse)
        assert (holding(warehouse, f"{CANARY} K1") == []) == is_new
        assert warehouse.value("select count(*) from erasure.rewrites") == int(is_new)
        assert warehouse.value("select count(*) from raw.crm_customers") == 2
        erasure = house.erase(DAY, erased_bytes=WEEK)
        assert (erasure.reasons, erasure.bytes_until) == (() if is_new else ("ordered",), LAST)
        assert holding(warehouse, f"{CANARY} K1") == []
        assert house.erase(LAST, erased_bytes=WEEK).reasons == ("erased_bytes",)
    assert files_with(folder, f"{CANARY} K1") == []


small_disk = test_erasing.small_disk


def test_a_full_disk_changes_nothing_and_says_so(small_disk: Path, sealed: Path) -> None:
    shutil.copytree(sealed, small_disk / "plain")
    with opened(small_disk / "plain", key=None) as warehouse:
        house = House(warehouse)
        prepare(warehouse)
        warehouse.checkpoint()
        with (small_disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(b"\0" * 4096)
        with pytest.raises(MachineLacks, match="disk is full"):
            house.erase(DAY, erased_bytes=WEEK)
    (small_disk / "filler").unlink()
    with opened(small_disk / "plain", key=None) as warehouse:
        house = House(warehouse)
        assert warehouse.value("select count(*) from raw.crm_customers") == 2
        assert holding(warehouse, f"{CANARY} K1") != []
        assert house.erase(DAY, erased_bytes=WEEK).bytes_until == LAST
        assert holding(warehouse, f"{CANARY} K1") == []


# -- backups -----------------------------------------------------------------------------------------------------------


def test_a_backup_is_written_from_the_tables_and_holds_no_old_bytes(house: House, tmp_path: Path) -> None:
    house.erase(DAY, erased_bytes=WEEK)
    site = Site(tmp_path / "site")
    site.make()
    written, _ = back_up(house.warehouse, site, made_at=datetime(2026, 11, 26, 3), period="P35D")
    assert files_with(file_of(house).parent, f"{CANARY} K1") == ["warehouse.duckdb"], "the control"
    assert files_with(site.path, f"{CANARY} K1") == []
    with Warehouse.open(written.path, key=None) as restored:
        assert restored.value("select count(*) from raw.crm_customers") == 2
