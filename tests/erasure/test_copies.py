"""The copy register: every file has a purpose and a last day, and a file that is on no line is found."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from assets.delivery.approving import cancel
from assets.delivery.receiving import receive
from assets.erasure import copies
from assets.erasure.copies import (
    KINDS,
    CopyRegister,
    copy_register,
    destroy_expired,
    outlived,
    record_register,
)
from assets.erasure.periods import Periods, last_day
from assets.erasure.taking_out import Lingering
from assets.ingest.loading import ingest
from assets.ledger.states import Event, record
from assets.manifests.signatures import PublicKey
from assets.site import FOLDERS, Site
from assets.warehouse import Warehouse
from tests.delivery.nights import Nights, System, instant, name_of
from tests.erasure.house import House, customer
from tests.ingest.company import Company

DAY = date(2026, 11, 25)
PERIODS = Periods()
CUSTOMERS = "customer_id,customer_type,name,national_id,org_number,email,phone,street,postal_code,city,country," \
    "birth_date,customer_since,relation_ended_at,deceased_on,updated_at\n"  # fmt: skip


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    made = Company(tmp_path)
    yield made
    made.warehouse.close()


def written(path: Path, day: date, content: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
    os.utime(path, (at, at))
    return path


def register(company: Company) -> CopyRegister:
    return copy_register(company.site, company.warehouse, PERIODS)


def days(company: Company) -> dict[str, date | None]:
    return {str(copy.path): copy.last_day for copy in register(company).copies}


@pytest.mark.parametrize(
    ("since", "period", "until"),
    [
        (date(2024, 1, 31), "P1M", date(2024, 2, 29)),
        (date(2024, 2, 29), "P5Y", date(2029, 2, 28)),
        (date(2026, 11, 25), "P7D", date(2026, 12, 2)),
        (date(2026, 12, 31), "P35D", date(2027, 2, 4)),
        (date(2026, 12, 5), "P0D", date(2026, 12, 5)),
        (date(9999, 12, 31), "P7D", date.max),
        (date(9995, 1, 31), "P5Y", date.max),
    ],
)
def test_a_last_day_is_calendar_arithmetic(since: date, period: str, until: date) -> None:
    assert last_day(since, period) == until


def test_a_delivery_goes_a_week_after_its_extract_once_it_is_taken_in(company: Company) -> None:
    company.send("crm", {"customers": CUSTOMERS})
    company.send("crm", {"nothing": "x\n"}, delivery_id="unknown")
    kept_out = date(2026, 12, 25)
    company.ingest()
    on_register = days(company)
    assert on_register["inbox/crm/2026-11-25-full"] == date(2026, 12, 2)
    assert on_register["inbox/crm/unknown"] == kept_out
    assert destroy_expired(company.warehouse, company.site, PERIODS, date(2026, 12, 2))[0] == 0
    assert destroy_expired(company.warehouse, company.site, PERIODS, date(2026, 12, 3))[0] == 1
    assert [path.name for path in (company.site.inbox / "crm").iterdir()] == ["unknown"]
    assert destroy_expired(company.warehouse, company.site, PERIODS, date(2027, 1, 3))[0] > 0
    assert [path.name for path in company.site.inbox.iterdir()] == ["crm"], "its source may not make it again"
    company.send("crm", {"customers": CUSTOMERS})
    company.ingest()
    assert company.value("select count(*) from intake.deliveries where status = 'loaded'") == 1, "it came again"


def arrived_on(folder: Path) -> date:
    newest = max(path.stat().st_ctime for path in (folder, *folder.iterdir()))
    return datetime.fromtimestamp(newest, ZoneInfo("Europe/Stockholm")).date()


@pytest.mark.parametrize("complete", [True, False])
def test_a_delivery_that_nobody_has_read_goes_by_the_day_on_which_it_arrived(company: Company, complete: bool) -> None:
    """However old its extract is, or its files say that they are: there may be people's words in it."""
    folder = company.send("crm", {"customers": CUSTOMERS}, day="2019-05-01")
    if not complete:
        (folder / "delivery.json").unlink()
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    until = last_day(arrived_on(folder), "P30D")
    assert days(company) == {"inbox/crm/2019-05-01-full": until}
    assert destroy_expired(company.warehouse, company.site, PERIODS, until)[0] == 0
    if complete:
        company.ingest()
        assert days(company) == {"inbox/crm/2019-05-01-full": date(2019, 5, 8)}


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    ("looked", "first"), [("_listed", True), ("_listed", False), ("_arrived_on", True), ("_files_below", False)]
)
def test_what_goes_while_it_is_looked_at_ends_nothing(
    company: Company, monkeypatch: pytest.MonkeyPatch, looked: str, first: bool, whole: bool
) -> None:
    """A source renames what is arriving, a file or the whole folder, before or after it is listed, or dated."""
    folder = company.send("crm", {"customers": CUSTOMERS})
    (folder / "delivery.json").unlink()
    part = folder / "contacts.csv.part"
    part.write_text("x")
    real = getattr(copies, looked)

    def go(place: object) -> None:
        if str(place) == str(folder) and folder.is_dir():
            folder.rename(company.site.path.parent / "renamed") if whole else part.unlink(missing_ok=True)

    def looking(place: Path | str) -> object:
        if first:
            go(place)
        found = real(place)
        found = found if isinstance(found, date | list) or found is None else list(found)
        go(place)
        return found

    monkeypatch.setattr(copies, looked, looking)
    count, left = destroy_expired(company.warehouse, company.site, PERIODS, DAY)
    assert (count, left.strangers) == (0, ())
    assert [copy.kind for copy in left.copies] in (["delivery"], [])


@pytest.mark.parametrize("day", ["2031-01-01", "9999-12-31"])
@pytest.mark.parametrize("table", ["customers", "nothing"])
def test_a_delivery_that_is_dated_ahead_goes_by_the_day_on_which_it_was_refused(
    company: Company, table: str, day: str
) -> None:
    """Whatever else is wrong with it."""
    instant = f"{day}T23:30:00Z"
    company.send("crm", {table: CUSTOMERS}, delivery_id="ahead", described={"extracted_at": instant})
    now = datetime(2026, 11, 25, 2, tzinfo=UTC)
    ingest(company.warehouse, company.policy, company.site, as_of=date(2026, 11, 25), now=now)
    assert company.value("select status from intake.deliveries") == "rejected"
    written(company.site.quarantine / "crm" / "ahead" / "reason.json", date(2026, 11, 25))
    assert days(company)["inbox/crm/ahead"] == date(2026, 12, 25)


@pytest.mark.parametrize(
    ("place", "until"),
    [
        ("quarantine/crm/d1/reason.json", date(2026, 12, 25)),
        ("reports/retention.html", date(2027, 11, 25)),
        ("reports/access/K1.html", date(2026, 12, 25)),
        ("receipts/crm/a.jsonl", date(2031, 11, 25)),
        ("tmp/half", date(2026, 11, 26)),
        ("backups/warehouse-2026-11-25T03-00-00-until-2026-12-30.duckdb", date(2026, 12, 30)),
        ("backups/by-hand.duckdb", date(2026, 12, 30)),
        ("warehouse.duckdb", None),
        ("analytics.duckdb", None),
    ],
)
def test_each_kind_has_its_last_day(company: Company, place: str, until: date | None) -> None:
    path = written(company.site.path / place, DAY)
    assert days(company) == {place: until}
    if until is not None:
        destroy_expired(company.warehouse, company.site, PERIODS, until)
        assert path.exists()
        destroy_expired(company.warehouse, company.site, PERIODS, date.fromordinal(until.toordinal() + 1))
        assert not path.exists()
        assert (company.site.path / place.split("/")[0]).is_dir(), "the site's own folders stay"
        if place.startswith("receipts/"):
            assert (company.site.receipts / "crm").is_dir(), "and those that others write into"


def test_folders_that_are_delivered_into_stay_and_what_a_receiver_remembers(company: Company) -> None:
    """Without them nothing would be delivered any more, and the next manifest not be known as the next one."""
    gone = ["exchange/crm/manifests/m1/items.jsonl", "exchange/crm/cancelled/m2/manifest.json",
            "exchange/web/manifests/m3/items.jsonl", "exchange/crm/receipts/a.jsonl"]  # fmt: skip
    remembered = ["exchange/crm/receipts/received.json", "receipts/web/received.json"]
    for place in (*gone, *remembered):
        written(company.site.path / place, DAY)
    assert {place: days(company)[place] for place in remembered} == dict.fromkeys(remembered)
    assert destroy_expired(company.warehouse, company.site, PERIODS, date(2099, 1, 1))[0] == len(gone)
    left = sorted(str(path.relative_to(company.site.path)) for path in company.site.path.glob("exchange/**/*"))
    assert left == ["exchange/crm", "exchange/crm/cancelled", "exchange/crm/manifests", "exchange/crm/receipts",
                    "exchange/crm/receipts/received.json", "exchange/web", "exchange/web/manifests"]  # fmt: skip
    assert (company.site.path / "receipts/web/received.json").exists()


@pytest.mark.parametrize(
    "place", ["warehouse (copy).duckdb", "inbox/customers.csv", "outbox/notes.txt", "export/people.csv",
              "inbox/crm/customers.csv"],
)  # fmt: skip
def test_a_file_that_is_on_no_line_is_found(company: Company, place: str) -> None:
    written(company.site.path / place, DAY)
    assert register(company).strangers == (Path(place),)
    destroy_expired(company.warehouse, company.site, PERIODS, date(2099, 1, 1))
    assert (company.site.path / place).exists(), "what nobody knows is for a person to judge"


def test_a_link_is_a_stranger_and_is_never_followed(company: Company, tmp_path: Path) -> None:
    outside = written(tmp_path / "outside" / "file", date(2000, 1, 1))
    (company.site.reports / "link").symlink_to(outside.parent)
    (company.site.temporary / "link").symlink_to(outside)
    assert register(company).strangers == (Path("reports/link"), Path("tmp/link"))
    destroy_expired(company.warehouse, company.site, PERIODS, date(2099, 1, 1))
    assert outside.exists()


def test_every_folder_of_a_site_has_its_line_or_holds_no_people(company: Company) -> None:
    lines = {pattern.split("/")[0] for kind in KINDS for pattern in kind.patterns}
    assert set(FOLDERS) - lines == {"evidence", "dagster", "keys", "policy"}
    assert register(company) == CopyRegister((), ())


def test_what_is_left_is_the_register_without_another_look_at_the_files(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in (1, 20):
        written(company.site.receipts / "crm" / f"{day}.jsonl", date(2020, 11, day))
    written(company.site.path / "unknown.txt", DAY)
    listed: list[str] = []
    look = copies._listed

    def noted(folder: Path | str) -> list[os.DirEntry[str]]:
        listed.append(str(folder))
        return look(folder)

    monkeypatch.setattr(copies, "_listed", noted)
    gone, left = destroy_expired(company.warehouse, company.site, PERIODS, date(2025, 11, 10))
    assert (gone, len(listed)) == (1, len(set(listed)))
    assert left == register(company)
    assert left.strangers == (Path("unknown.txt"),)


def test_what_is_written_down_is_counts(company: Company) -> None:
    written(company.site.reports / "Anna Exempel.html", DAY)
    record_register(company.warehouse, register(company))
    assert company.rows("select kind, copies, bytes, first_last_day from erasure.copies where copies > 0") == [
        ("report", 1, 1, date(2027, 11, 25))
    ]
    assert company.value("select count(*) from erasure.copies as each where cast(each as varchar) like '%Anna%'") == 0


def test_until_when_the_warehouse_may_hold_bytes_is_told_and_is_no_day_to_destroy_it(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.make()
    periods = replace(PERIODS, erased_bytes="P7D")
    with Warehouse.open(tmp_path / "site" / "warehouse.duckdb", key=None, pseudonym_key=b"p") as warehouse:
        house = House(warehouse, site)
        house.seal(DAY, {"crm/customers": [customer("K1")]})
        house.erase(DAY, erased_bytes="P7D")
        gone, left = destroy_expired(warehouse, site, periods, date(2026, 12, 20))
        assert (gone, site.warehouse.exists()) == (0, True)
        assert left.lingering == Lingering(DAY, date(2026, 12, 2))
        record_register(warehouse, left)
        of_warehouse = "select first_last_day from erasure.copies where kind = 'warehouse'"
        assert warehouse.value(of_warehouse) == date(2026, 12, 2)
        house.erase(date(2026, 12, 2), erased_bytes="P7D")
        left = copy_register(site, warehouse, periods)
        assert left.lingering is None
        record_register(warehouse, left)
        assert warehouse.value(of_warehouse) is None


def moved(warehouse: Warehouse, manifest_id: str, *states: str, on_day: date = date(2026, 12, 1)) -> None:
    origins = {"approved": "approve", "delivered": "deliver", "cancelled": "cancel"}
    for state in states:
        assert record(warehouse, [Event(manifest_id, state, on_day, origins[state])]) == []


def test_a_settled_manifest_goes_after_five_years_and_its_keys_with_it(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    with Warehouse.in_memory(pseudonym_key=b"p") as warehouse:
        house = House(warehouse, site)
        (sealed,) = house.seal(DAY, {"crm/customers": [customer("K1")]}).sealed
        place = Path("outbox/crm") / sealed.manifest_id
        day_of = {copy.path: copy.last_day for copy in copy_register(site, warehouse, PERIODS).copies}
        assert day_of == {place: None}, "while an item is open it has no last day"
        moved(warehouse, sealed.manifest_id, "approved", "delivered", "cancelled")
        assert destroy_expired(warehouse, site, PERIODS, date(2031, 12, 1))[0] == 0
        assert destroy_expired(warehouse, site, PERIODS, date(2031, 12, 2))[0] == 1
        assert not (site.path / place).exists()
        assert warehouse.value("select count(*) from manifest.items") == 0
        assert warehouse.value("select count(*) from manifest.manifests") == 1
        assert house.seal(date(2031, 12, 3), {"crm/customers": []}).sealed == ()
        assert not (site.path / place).exists(), "it is not written again"


def test_a_manifest_that_never_left_is_kept_until_after_the_next_one_named_it(tmp_path: Path) -> None:
    """Its document goes with the next one: without it a receiver would miss a link for good."""
    site = Site(tmp_path / "site")
    with Warehouse.in_memory(pseudonym_key=b"p") as warehouse:
        house = House(warehouse, site)

        def last_days() -> list[date | None]:
            days = {copy.path.name: copy.last_day for copy in copy_register(site, warehouse, PERIODS).copies}
            return [days[manifest_id] for manifest_id in sealed]

        sealed = [house.seal(DAY, {"crm/customers": [customer("K1")]}).sealed[0].manifest_id]
        moved(warehouse, sealed[0], "cancelled")
        assert last_days() == [None]
        customers = {"crm/customers": [customer("K1"), customer("K2")]}
        sealed.append(house.seal(date(2027, 1, 5), customers).sealed[0].manifest_id)
        moved(warehouse, sealed[1], "approved")
        assert last_days() == [None, None]
        moved(warehouse, sealed[1], "delivered", on_day=date(2027, 1, 6))
        assert last_days() == [date(2032, 1, 6), None]
        moved(warehouse, sealed[1], "cancelled", on_day=date(2027, 2, 1))
        assert last_days() == [date(2032, 1, 6), date(2032, 2, 1)]
        of_second = [each for each in copy_register(site, warehouse, PERIODS).copies if each.path.name == sealed[1]]
        copies.forget_manifests(warehouse, of_second)
        assert last_days() == [date(2032, 1, 5), None], "of the next one nothing says any more when it left"


def test_what_follows_a_manifest_that_never_left_is_received_however_late_it_is_sent(tmp_path: Path) -> None:
    crm = System("crm")
    crm.add("customers", "T1", customer_type="private", name=name_of("T1"), customer_since="2020-01-01")
    nights = Nights(tmp_path, crm)
    nights.rules.mode = "required"
    nights.night(DAY, "crm", "orders", "mailing", "web", "office")
    cancelled = nights.warehouse.value("select manifest_id from manifest.manifests")
    cancel(nights.warehouse, cancelled, by="Eva", reason="wrong", on_day=DAY, at=instant(DAY, 10))
    later = date(2027, 2, 1)
    destroy_expired(nights.warehouse, nights.site, Periods(manifests="P30D"), later)
    nights.rules.mode = "automatic"
    nights.night(later, "crm", "orders", "mailing", "web", "office")
    (next_one,) = (nights.exchange("crm") / "manifests").iterdir()
    receive(next_one, PublicKey.load(nights.site.keys / "signing.pub.pem"), tmp_path / "receipts")


def test_a_copy_has_outlived_its_last_day_when_a_run_after_it_left_it(company: Company) -> None:
    written(company.site.path / "tmp" / "spill.tmp", DAY)
    assert outlived(company.warehouse, register(company), date.max) == [], "no run has come to an evaluation yet"
    company.warehouse.run("create schema if not exists retention")
    came, far = date(2026, 11, 27), date(2036, 11, 28)
    late = ["tmp/spill.tmp"]
    for on, today, left in ((date(2026, 11, 26), came, []), (came, came, late), (far, DAY, []), (far, came, late)):
        company.warehouse.run(
            "create or replace table retention.evaluation as select cast($on as date) as as_of", {"on": on}
        )
        assert [str(each.path) for each in outlived(company.warehouse, register(company), today)] == left
