"""Erased means erased: what sealed manifests ordered erased leaves the bytes of the warehouse's file."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from assets.contracts.contract import Contract
from assets.delivery import settling
from assets.erasure import erasing
from assets.erasure.erasing import Erasure
from assets.ingest import tables
from assets.ingest.recognising import mark_when_ordered, ordered_of
from assets.ledger import told
from assets.manifests import gate
from assets.warehouse import RewriteFailed, Warehouse, WarehouseError, WarehouseKeyError, identifier
from tests.erasure.house import CANARY, KEY, POLICY, House, company, files_with, opened

DAY = date(2026, 11, 25)
Sealed = Callable[..., House]


@pytest.fixture
def plain(tmp_path: Path) -> House:
    """A house whose file is not encrypted, so that its bytes can be searched."""
    return House(opened(tmp_path / "plain", key=None))


def seal(house: House) -> House:
    """K1 is ordered erased, and nothing has gone yet."""
    house.seal(DAY, {"crm/customers": [{**each, "city": CANARY * 40} for each in company()["crm/customers"][:1]]})
    house.warehouse.checkpoint()
    return house


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """Opens such a house in a new folder. It is made once for each key, and copied."""

    @cache
    def made(key: str | None) -> Path:
        folder = tmp_path_factory.mktemp("sealed") / "house"
        seal(House(opened(folder, key=key))).warehouse.close()
        return folder

    def make(folder: Path, key: str | None = KEY) -> House:
        shutil.copytree(made(key), folder)
        house = House(opened(folder, key=key))
        house.warehouse.checkpoint()
        return house

    return make


def test_a_string_that_was_in_the_file_is_in_none_afterwards(sealed: Sealed, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    plain = sealed(folder, None)
    assert files_with(folder, CANARY) == ["warehouse.duckdb"], "the control: the search can find it"
    erasure = plain.erase(DAY)
    plain.warehouse.close()
    assert files_with(folder, CANARY) == []
    assert (erasure.reasons, erasure.records) == (("ordered",), 1)
    assert erasure.fields_erased == 5


def test_update_and_checkpoint_would_not_have_done(sealed: Sealed, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    plain = sealed(folder, None)
    for name in ("name", "email", "street", "city"):
        plain.warehouse.run(f"update raw.crm_customers set {name} = null")
    plain.warehouse.checkpoint()
    plain.warehouse.close()
    assert files_with(folder, CANARY), "DuckDB keeps what it takes away: if this fails, rewriting is not needed"


def test_an_encrypted_file_shows_nothing_before_either(sealed: Sealed, tmp_path: Path) -> None:
    house = sealed(tmp_path / "house")
    assert house.warehouse.value("select count(*) from raw.crm_customers where name like ?", [f"%{CANARY}%"]) == 1
    assert files_with(tmp_path, CANARY) == []
    house.erase(DAY)
    house.warehouse.close()
    assert files_with(tmp_path, CANARY) == []
    with opened(tmp_path / "house") as again:
        assert again.rows("select name, email, city, customer_id from raw.crm_customers") == [(None, None, None, "K1")]
        assert again.value("select withheld from raw.crm_customers") == ["name", "email", "phone", "street", "city"]
        assert again.value("select name_key from raw.crm_customers") is not None


def test_what_stays_is_the_same_row_by_row(tmp_path: Path) -> None:
    house = House(opened(tmp_path / "house"))
    house.seal(DAY, company())
    tables = ["retention.dispositions", "retention.claims", "manifest.items", "manifest.sealed_fields", "core.people"]
    before = {table: sorted(map(str, house.warehouse.rows(f"from {table}"))) for table in tables}
    kept = house.warehouse.rows("select * from raw.orders_order_lines where order_line_id = 'L2'")
    erasure = house.erase(DAY)
    assert {table: sorted(map(str, house.warehouse.rows(f"from {table}"))) for table in tables} == before
    untouched = "select * from raw.orders_order_lines where order_line_id = 'L2'"
    assert house.warehouse.rows(untouched) == kept
    assert erasure.rows_kept > 0
    assert erasure.bytes_after > 0
    assert house.erase(DAY) == Erasure(DAY), "nothing is left to go, so nothing is written"


@pytest.mark.parametrize("in_memory", [False, True])
def test_what_is_made_anew_before_anyone_reads_it_is_not_copied(
    sealed: Sealed, tmp_path: Path, in_memory: bool
) -> None:
    house = seal(House(Warehouse.in_memory())) if in_memory else sealed(tmp_path / "house")
    for table in (*settling.WORKING_TABLES, *gate.WORKING_TABLES):
        house.warehouse.run(f"create or replace table {table} as select 'R1' as record_key")
    assert house.erase(DAY).reasons == ("ordered",)
    for table in (*settling.WORKING_TABLES, *gate.WORKING_TABLES):
        assert house.warehouse.rows(f"from {table}") == []


def test_erasing_decides_nothing_anew(tmp_path: Path) -> None:
    house = House(opened(tmp_path / "house"))
    house.night(DAY, company())
    decided = house.dispositions()
    report = house.seal(DAY, company())
    assert house.dispositions() == decided
    assert report.sealed == (), "what is kept out counts as told, and as held"


@pytest.mark.parametrize("by_parts", [False, True])
def test_a_look_by_bits_gives_what_a_look_at_every_field_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_parts: bool
) -> None:
    """Row for row, whatever is held, withheld and ordered: by one order about a record or by several."""
    if by_parts:
        few_rows_at_once(monkeypatch)
    house = House(opened(tmp_path / "house"))
    house.seal(DAY, company())
    warehouse, ordered, changed = house.warehouse, 0, 0
    filled = [
        contract
        for contract in POLICY.contracts.values()
        if contract.record_type and warehouse.value(f"select count(*) from raw.{contract.raw_table}")
    ]
    split_orders(warehouse)
    for contract in filled:
        shuffle(warehouse, contract)
    for in_the_upper_half in (False, True):
        if in_the_upper_half:
            move_up(warehouse, 57)
        for contract in filled:
            of_type = compare(warehouse, contract)
            ordered, changed = ordered + of_type[0], changed + of_type[1]
    assert 0 < changed < ordered, "some rows must change, and some need not"


def few_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raw tables are looked through a few rows at a time, as if there were no memory for more."""
    monkeypatch.setattr("expectations.parts.ALWAYS_THERE", 0)
    monkeypatch.setattr("expectations.parts.FEWEST_AT_ONCE", 3)
    monkeypatch.setattr(erasing, "ALWAYS_THERE", 0)
    monkeypatch.setattr(erasing, "_BYTES_EACH", 2**50)


def compare(warehouse: Warehouse, contract: Contract) -> tuple[int, int]:
    """How many rows are ordered something, and how many of them are found to have to change: exactly those that do."""
    bits = told.halves(warehouse)[contract.record_type or ""]
    found = erasing._count_ordered(warehouse, contract, bits, 1)
    selects = erasing._by_rows(warehouse, contract, erasing._without_ordered(warehouse, contract, bits), 1)
    by_bits, every = " union all ".join(selects), field_by_field(warehouse, contract)
    assert warehouse.rows(f"({by_bits}) except all ({every})") == []
    assert warehouse.rows(f"({every}) except all ({by_bits})") == []
    changed = warehouse.value(f"select count(*) from (from raw.{contract.raw_table} except all ({every}))")
    assert warehouse.value(f"select count(*) from temp.{erasing._losing(contract)}") == changed
    held = " + ".join(
        f"cast({identifier(name)} is not null and {held_out(name)} as integer)" for name in personal_of(contract)
    )
    of_every = every[every.index(" from raw.") :]
    counted = warehouse.rows(
        f"select cast(sum(held) as bigint), count(*) filter (where held > 0), count(*) filter (where is_ordered) from "
        f"(select {held} as held, ordered.fields is not null as is_ordered {of_every})"
    )[0]
    assert found == counted[:2]
    return counted[2], changed


def move_up(warehouse: Warehouse, places: int) -> None:
    """Give every field a bit so many places higher."""
    warehouse.run("update manifest.field_numbers set bit = bit << $places", {"places": places})
    warehouse.run(
        "create or replace table manifest.told_bits as "
        f"select * exclude (named) replace ({told.LOW} as low, {told.HIGH} as high) from "
        "(select *, ((cast(high as hugeint) << 60) + low) << $places as named from manifest.told_bits)",
        {"places": places},
    )


def split_orders(warehouse: Warehouse) -> None:
    """Of every other record each second ordered field is ordered by an item of its own, and of some not at all."""
    warehouse.run(
        "insert into manifest.told_bits by name select told.* replace (low & 6148914691236517205 as low, "
        "'another' as item_id, case when hash(record_key) % 4 = 0 then 'retain' else 'erase' end as state) "
        "from manifest.told_bits as told where hash(record_key) % 2 = 0 and low & 6148914691236517205 <> 0"
    )
    warehouse.run(
        "update manifest.told_bits set low = low & ~6148914691236517205 "
        "where hash(record_key) % 2 = 0 and item_id <> 'another'"
    )
    warehouse.run("delete from manifest.told_bits where low = 0 and high = 0")


def personal_of(contract: Contract) -> list[str]:
    return [column.name for column in contract.columns if column.category is not None]


def held_out(name: str) -> str:
    return f"coalesce(list_contains(ordered.fields, '{name}'), false)"


def field_by_field(warehouse: Warehouse, contract: Contract) -> str:
    """A raw table without what is ordered erased, by a look at every field of every row."""
    kept = ", ".join(
        f"case when {held_out(name)} and source_row.{identifier(name)} is not null "
        f"or coalesce(list_contains(source_row.withheld, '{name}'), false) then '{name}' end"
        for name in personal_of(contract)
    )
    withheld = (
        f"case when ordered.fields is null then source_row.withheld when source_row.in_source and "
        f"len(list_filter([{kept}], lambda name: name is not null)) > 0 "
        f"then list_filter([{kept}], lambda name: name is not null) end"
    )
    marked = mark_when_ordered(
        "source_row.row_digest", "ordered.signature", f"{withheld} is not distinct from source_row.withheld"
    )
    special = {
        "withheld": withheld,
        "row_digest": f"case when ordered.fields is null then source_row.row_digest else {marked} end",
        **{name: f"case when not {held_out(name)} then source_row.{identifier(name)} end"
           for name in personal_of(contract)},
    }  # fmt: skip
    parts = (
        f"{special.get(name, f'source_row.{identifier(name)}')} as {identifier(name)}"
        for name in warehouse.columns("raw", contract.raw_table)
    )
    return (
        f"select {', '.join(parts)} from raw.{contract.raw_table} as source_row "
        f"left join ({ordered_of(contract)}) as ordered "
        f"on ordered.record_key = cast(source_row.{identifier(contract.key)} as varchar)"
    )


def shuffle(warehouse: Warehouse, contract: Contract) -> None:
    """Give a raw table forty rows for each, with values, `withheld` and `row_digest` in every combination."""
    raw, personal = f"raw.{contract.raw_table}", personal_of(contract)
    warehouse.run(f"insert into {raw} select rows.* from {raw} as rows, range(40)")
    warehouse.run(f"update {raw} set row_id = rowid, in_source = rowid % 7 > 0")
    for name in (*personal, "withheld", "row_digest"):
        warehouse.run(f"update {raw} set {identifier(name)} = null where hash(rowid, $name) % 4 < 3", {"name": name})
    some = ", ".join(f"case when hash(rowid, '{name}') % 2 = 0 then '{name}' end" for name in personal)
    lists = (
        f"[{some}]",
        str(personal),
        f"[{some}, 'a field of no contract']",
        f"[{some}, {some}]",
        "cast([] as text[])",
    )
    for number, withheld in enumerate(lists):
        warehouse.run(
            f"update {raw} set withheld = list_filter({withheld}, lambda name: name is not null) "
            f"where rowid % 13 = {number}"
        )
    warehouse.run(f"update {raw} set row_digest = hash(rowid) where rowid % 3 = 0")


@pytest.mark.parametrize(("worth_sharing", "threads"), [(0, 2), (1, 1)])
def test_what_is_due_is_looked_for_by_as_many_threads_as_pay(
    plain: House, monkeypatch: pytest.MonkeyPatch, worth_sharing: int, threads: int
) -> None:
    tables.prepare(plain.warehouse, POLICY)
    plain.warehouse.run("set threads = 2")
    monkeypatch.setattr(erasing, "_WORTH_SHARING", worth_sharing)
    seen = []

    def looked(warehouse: Warehouse, *rest: Any) -> Any:
        seen.append(warehouse.value("select current_setting('threads')"))
        return found(warehouse, *rest)

    found = erasing._find_due
    monkeypatch.setattr(erasing, "_find_due", looked)
    assert plain.erase(DAY).reasons == ()
    assert seen == [threads]
    assert plain.warehouse.value("select current_setting('threads')") == 2


def test_quarantined_rows_leave_after_their_last_day(plain: House) -> None:
    warehouse = plain.warehouse
    plain.evaluate(DAY, {"crm/customers": []})
    warehouse.run("update intake.deliveries set extracted_at = timestamp '2026-11-24 23:30:00'")  # the 25th, locally
    warehouse.run(
        "insert into intake.quarantined (source, delivery_id, table_name, file_name, line, rule, row_text) "
        "select source, delivery_id, 'customers', 'c.csv', 2, 'required', $text from intake.deliveries",
        {"text": CANARY},
    )
    assert plain.erase(date(2026, 12, 25), residue="P1Y").reasons == ()
    erasure = plain.erase(date(2026, 12, 26), residue="P1Y")
    assert (erasure.reasons, erasure.quarantined_erased) == (("quarantine",), 1)
    warehouse.close()
    assert files_with(warehouse.path.parent, CANARY) == []  # type: ignore[union-attr]


def test_a_quarantined_row_of_an_erased_record_loses_its_text_at_once(tmp_path: Path) -> None:
    house = House(opened(tmp_path / "house"))
    house.seal(DAY, {"crm/customers": [company()["crm/customers"][0]]})
    house.warehouse.run(
        "insert into intake.quarantined (source, delivery_id, table_name, rule, row_text, record_key) "
        "values ('crm', 'd', 'customers', 'required', 'text', 'K1'), ('crm', 'd', 'customers', 'required', 'x', 'K9')"
    )
    assert house.erase(DAY).quarantined_erased == 1
    assert house.warehouse.rows("select row_text, record_key from intake.quarantined order by record_key") == [
        (None, "K1"),
        ("x", "K9"),
    ]


def test_the_address_of_an_answered_request_is_not_stored(tmp_path: Path) -> None:
    house = House(opened(tmp_path / "house"))
    request = {"request_id": "R1", "email": "k1@hem.example", "kind": "access", "received_at": "2026-11-01"}
    house.evaluate(DAY, {"office/requests": [request]})
    assert house.warehouse.value("select email from raw.office_requests") == "k1@hem.example"
    house.evaluate(DAY, {"office/requests": [{**request, "answered_at": "2026-11-20"}]})
    assert house.warehouse.value("select email from raw.office_requests") is None
    assert house.warehouse.value("select email_key from raw.office_requests") is not None


def test_corrected_values_leave_the_file_in_the_end(plain: House) -> None:
    plain.evaluate(DAY, {"crm/customers": [{"customer_id": "K1", "customer_type": "private", "city": CANARY}]})
    plain.warehouse.run("update intake.deliveries set extracted_at = timestamp '2026-11-25 02:00:00'")
    plain.evaluate(DAY, {"crm/customers": [{"customer_id": "K1", "customer_type": "private", "city": "Lund"}]})
    assert plain.erase(date(2026, 12, 25)).reasons == ()
    assert plain.erase(date(2026, 12, 26)).reasons == ("residue",)
    assert plain.erase(date(2027, 6, 1)).reasons == (), "no delivery came since"
    plain.warehouse.close()
    assert files_with(plain.warehouse.path.parent, CANARY) == []  # type: ignore[union-attr]


# -- what may go wrong -------------------------------------------------------------------------------------------------


def test_a_copy_that_does_not_agree_is_thrown_away(
    sealed: Sealed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = sealed(tmp_path / "house")
    whole = Warehouse._checksums

    def falsified(self: Warehouse, relations: Mapping[str, str]) -> dict[str, tuple[int, int]]:
        found = whole(self, relations)
        name = '"raw"."crm_customers"'
        if relations[name].startswith("copied."):
            found[name] = (found[name][0], found[name][1] + 1)
        return found

    monkeypatch.setattr(Warehouse, "_checksums", falsified)
    with pytest.raises(RewriteFailed, match="crm_customers"):
        house.erase(DAY)
    assert house.warehouse.value("select name from raw.crm_customers") == f"{CANARY} K1"
    assert not house.warehouse.rewriting_path.exists()


@pytest.mark.parametrize("wrong", ["ff" * 32, None])
def test_a_wrong_or_missing_key_is_an_error_and_never_a_new_warehouse(
    sealed: Sealed, tmp_path: Path, wrong: str | None
) -> None:
    sealed(tmp_path / "house").warehouse.close()
    path = tmp_path / "house" / "warehouse.duckdb"
    before = path.read_bytes()
    with pytest.raises(WarehouseKeyError, match="does not open with this key"):
        opened(tmp_path / "house", key=wrong)
    assert path.read_bytes() == before


def test_words_in_the_path_are_not_taken_for_what_is_wrong(tmp_path: Path) -> None:
    """A folder that is missing is neither a lock nor a key, whatever it is called."""
    for name in ("block", "keys"):
        with pytest.raises(WarehouseError, match="check that the folder is there") as found:
            Warehouse.open(tmp_path / name / "warehouse.duckdb", key="00" * 32)
        assert type(found.value) is WarehouseError


def test_spill_files_left_over_do_not_look_like_a_wrong_key(sealed: Sealed, tmp_path: Path) -> None:
    sealed(tmp_path / "house").warehouse.close()
    spilled = tmp_path / "house" / "tmp" / "duckdb_temp_storage_DEFAULT-0.tmp"
    spilled.write_bytes(b"spill")
    with opened(tmp_path / "house") as warehouse:
        assert warehouse.value("select count(*) from raw.crm_customers") == 1
        assert warehouse.value("select current_setting('temp_file_encryption')") is True
        assert not spilled.exists()


POINTS = ("filled", "proved", "replaced", "before_replacing")
_CHILD = f"""
import os, signal, sys
from pathlib import Path
from datetime import date
from assets import warehouse as module
from assets.warehouse import Warehouse
from tests.erasure.house import House, opened

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

folder, point = Path(sys.argv[1]), sys.argv[2]
house = House(opened(folder, key=None if sys.argv[3] == "plain" else "{KEY}"))
if point == "filled":
    Warehouse._read_back = die
elif point == "proved":
    module.flush = die
elif point == "before_replacing":
    Path.replace = die
elif point == "replaced":
    Warehouse._reattach = die
house.erase(date(2026, 11, 25))
"""


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_any_point_leaves_a_whole_file(sealed: Sealed, tmp_path: Path, point: str) -> None:
    sealed(tmp_path / "house").warehouse.close()
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(tmp_path / "house"), point, "encrypted"], capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    with opened(tmp_path / "house") as warehouse:
        name = warehouse.value("select name from raw.crm_customers")
        assert name == (None if point == "replaced" else f"{CANARY} K1")
        assert warehouse.value("select count(*) from manifest.items") == 1
        house = House(warehouse)
        assert house.erase(DAY).reasons == (() if point == "replaced" else ("ordered",))
        assert warehouse.value("select name from raw.crm_customers") is None
        assert warehouse.value("select count(*) from erasure.rewrites") == 1
    assert {path.name for path in (tmp_path / "house").iterdir()} == {"warehouse.duckdb", "tmp"}
    assert list((tmp_path / "house" / "tmp").iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A file system that a second copy of the warehouse does not fit on."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system takes root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", str(folder)],
        capture_output=True, check=False,
    )  # fmt: skip
    if mounted.returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=False)


def test_a_full_disk_changes_nothing_and_says_so(sealed: Sealed, small_disk: Path) -> None:
    house = sealed(small_disk / "house")
    used = sum(path.stat().st_size for path in small_disk.rglob("*") if path.is_file())
    (small_disk / "filler").write_bytes(b"\0" * ((24 << 20) - used - (1 << 20)))
    with pytest.raises(RewriteFailed, match="Make room"):
        house.erase(DAY)
    assert house.warehouse.value("select name from raw.crm_customers") == f"{CANARY} K1"
    assert not house.warehouse.rewriting_path.exists()
    (small_disk / "filler").unlink()
    assert house.erase(DAY).reasons == ("ordered",)
    house.warehouse.close()
