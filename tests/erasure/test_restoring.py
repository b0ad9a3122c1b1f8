"""A backup brings nothing back that was ordered erased since, and a key can be changed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from assets import warehouse
from assets.core.building import build
from assets.erasure.restoring import (
    NotReplayed,
    back_up,
    lay_out,
    require_restorable,
    restoring_alone,
    restoring_path,
    unknown_manifests,
)
from assets.errors import BadInput, BadUsage, told_by_the_system
from assets.evidence.recording import record
from assets.ingest import registers
from assets.ingest.loading import ingest
from assets.ingest.lost import Reading, note_lost
from assets.ingest.tables import prepare
from assets.manifests import folders
from assets.manifests.signatures import Signer
from assets.retention.evaluation import evaluate
from assets.site import Site
from assets.warehouse import (
    MachineLacks,
    RewriteFailed,
    Warehouse,
    WarehouseDamaged,
    WarehouseKeyError,
    WarehouseLocked,
)
from orchestration import opening, running
from orchestration.cli import main
from orchestration.initialising import DAGSTER, make_site
from orchestration.opening import open_warehouse, require_private_inbox
from orchestration.restoring import replay_here, restore_file
from orchestration.rotating import rotate_key
from orchestration.settings import Settings
from tests.erasure.house import CANARY, POLICY, House, company, customer
from tests.ingest.company import Company

DAY = date(2026, 11, 25)
LATER = date(2026, 11, 27)
AT = datetime(2026, 11, 25, 3, 0, 0)
NIGHT = {"crm/customers": [customer("K3", customer_since="2026-01-01")]}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("GALLRING_"):
            monkeypatch.delenv(name)


def new_site(path: Path) -> Site:
    made = make_site(path)
    made.settings.write_text("[warehouse]\nwait_seconds = 0\n", encoding="utf-8")  # and the shipped policy
    return made


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return new_site(tmp_path / "site")


def settings(site: Site) -> Settings:
    return Settings.load(site)


def opened(site: Site) -> Warehouse:
    return open_warehouse(site, settings(site))


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site whose backup knows K1, and whose outbox has ordered K1 erased since. Made once, copied by each test."""
    site = new_site(tmp_path_factory.mktemp("lived_in") / "site")
    years = [{"starts_on": "2025-05-01", "ends_on": "2026-04-30"}]
    with opened(site) as warehouse:
        house = House(warehouse, site)
        house.evaluate(DAY, {"office/fiscal_years": years})  # nothing that is read after the backup is news to it
        house.evaluate(DAY, {**company(), "office/fiscal_years": []})
        assert back_up(warehouse, site, made_at=AT, period="P50Y")[1] == date(2076, 11, 25)  # restored on any day
        house.night(DAY, company())
        house.night(LATER, {**company(), "office/fiscal_years": years})
    return site


@pytest.fixture
def file(site: Site, lived_in: Site) -> Path:
    """The backup of `site`, which has become a copy of the site that has been lived in."""
    shutil.rmtree(site.path)
    shutil.copytree(lived_in.path, site.path)
    return next(site.backups.iterdir())


def test_a_backup_is_an_encrypted_copy_with_its_last_day_in_its_name(site: Site, file: Path) -> None:
    assert file.name == "warehouse-2026-11-25T03-00-00-until-2076-11-25.duckdb"
    assert file.stat().st_mode & 0o777 == 0o600
    assert CANARY.encode() not in file.read_bytes()
    with pytest.raises(WarehouseKeyError):
        Warehouse.open(file, key="ff" * 32)


def test_after_a_restore_nothing_that_was_ordered_erased_is_there(site: Site, file: Path) -> None:
    with opened(site) as warehouse:
        ordered = warehouse.rows("select record_type, record_key, field from manifest.ordered_fields order by all")
        before = warehouse.rows("select manifest_id, digest, sequence from manifest.manifests order by all")
    replayed, erased = restore_file(site, settings(site), file, DAY, today=DAY)
    assert replayed.manifests == len(before) >= 2
    assert replayed.items > 3
    assert erased.reasons == ("ordered",)
    with opened(site) as warehouse:
        assert warehouse.value(f"select count(*) from raw.crm_customers where name like '{CANARY} K1'") == 0
        assert warehouse.value(f"select count(*) from raw.crm_customers where name like '{CANARY} K2'") == 1
        again = warehouse.rows("select record_type, record_key, field from manifest.ordered_fields order by all")
        assert set(ordered) <= set(again)
        assert warehouse.rows("select manifest_id, digest, sequence from manifest.manifests order by all") == before
        house = House(warehouse, site)
        assert house.seal(LATER, company()).sealed == (), "nobody is told twice"
    assert not list(site.path.glob("*.restoring*"))


def test_a_restore_makes_the_run_historys_home_where_it_is_missing(site: Site, file: Path) -> None:
    shutil.rmtree(site.dagster)
    restore_file(site, settings(site), file, DAY, today=DAY)
    assert (site.dagster / "dagster.yaml").read_text() == DAGSTER


def test_a_restore_writes_the_file_anew_whatever_the_sites_own_may_wait_for(site: Site, file: Path) -> None:
    with site.settings.open("a", encoding="utf-8") as text:
        text.write('\n[keeping]\nerased_bytes = "P7D"\n')
    assert settings(site).keeping.erased_bytes == "P7D"
    _, erased = restore_file(site, settings(site), file, DAY, today=DAY)
    assert (erased.reasons, erased.rows_changed, erased.bytes_until) == (("ordered",), 0, None)
    assert erased.rows_kept > 0


def test_a_file_copied_by_hand_whose_bytes_linger_is_written_anew_by_a_replay(site: Site, lived_in: Site) -> None:
    shutil.rmtree(site.path)
    shutil.copytree(lived_in.path, site.path)
    with opened(site) as warehouse:
        house = House(warehouse, site)
        house.seal(LATER, {"crm/customers": [customer("K8")]})
        assert house.erase(LATER, erased_bytes="P7D").bytes_until == date(2026, 12, 4)
    assert replay_here(site, settings(site), LATER)[1].reasons == ("erased_bytes",)


def test_the_register_tells_until_when_the_file_may_hold_erased_bytes(
    site: Site, lived_in: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(site.path)
    shutil.copytree(lived_in.path, site.path)
    with site.settings.open("a", encoding="utf-8") as text:
        text.write('\n[keeping]\nerased_bytes = "P7D"\n')
    told = "Since 2026-11-27 erased values have left every table of warehouse.duckdb"
    main(["copies", "--site", str(site.path)])
    assert told not in capsys.readouterr().out
    with opened(site) as warehouse:
        house = House(warehouse, site)
        house.seal(LATER, {"crm/customers": [customer("K8")]})
        house.erase(LATER, erased_bytes="P7D")
    main(["copies", "--site", str(site.path)])
    out = " ".join(capsys.readouterr().out.split())
    assert told in out
    assert "by 2026-12-04." in out
    main(["copies", "--json", "--site", str(site.path)])
    assert '"until": "2026-12-04"' in capsys.readouterr().out


def test_the_ledger_is_replayed_byte_for_byte(site: Site, file: Path) -> None:
    bytes_before = {path: path.read_bytes() for path in site.outbox.rglob("*") if path.is_file()}
    restore_file(site, settings(site), file, DAY, today=DAY)
    shutil.rmtree(site.outbox / "crm")
    with opened(site) as warehouse:
        folders.restore(warehouse, site)
    assert {path: path.read_bytes() for path in site.outbox.rglob("*") if path.is_file()} == bytes_before


def test_a_warehouse_older_than_its_outbox_is_not_read(
    site: Site, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copyfile(file, site.warehouse)  # as somebody does by hand
    with pytest.raises(NotReplayed, match="does not know"):
        opened(site)
    assert main(["run", "--site", str(site.path), "--as-of", str(LATER)]) == 3
    assert "gallring restore --replay" in capsys.readouterr().err
    replay_here(site, settings(site), LATER)
    with opened(site) as warehouse:
        assert unknown_manifests(warehouse, site) == []
        assert warehouse.value(f"select count(*) from raw.crm_customers where name like '{CANARY} K1'") == 0


def test_a_missing_warehouse_is_no_reason_to_begin_a_new_one(site: Site, file: Path) -> None:
    site.warehouse.unlink()
    with pytest.raises(BadInput, match="gallring restore FILE"):
        opened(site)
    assert not site.warehouse.exists()
    restore_file(site, settings(site), file, DAY, today=DAY)
    opened(site).close()


def test_a_restore_that_fails_leaves_the_warehouse_as_it_was(site: Site, file: Path) -> None:
    before = site.warehouse.read_bytes()
    tampered = next(site.outbox.glob("crm/*/items.jsonl"))
    tampered.write_bytes(tampered.read_bytes().replace(b"K1", b"K7"))
    with pytest.raises(BadInput, match="does not verify"):
        restore_file(site, settings(site), file, DAY, today=DAY)
    assert site.warehouse.read_bytes() == before
    assert not list(site.path.glob("*.restoring*"))


@pytest.mark.parametrize("damage", ["byte", "header", "cut"])
def test_a_damaged_warehouse_is_told_and_makes_way_for_a_backup(site: Site, file: Path, damage: str) -> None:
    content = bytearray(site.warehouse.read_bytes())
    content[{"byte": 8200, "header": 5, "cut": 0}[damage]] ^= damage != "cut"
    site.warehouse.write_bytes(content[: 20_000 if damage == "cut" else None])
    with pytest.raises(WarehouseDamaged, match="gallring restore FILE"):
        opened(site)
    restore_file(site, settings(site), file, DAY, today=DAY)
    opened(site).close()


def test_a_damaged_page_is_no_fault_of_a_value() -> None:
    told = duckdb.InvalidInputException("Invalid Input Error: Computed AES tag differs from read AES tag, are you …?")
    assert isinstance(warehouse._failure("select x from raw.crm_customers", told), WarehouseDamaged)


def test_a_disk_that_does_not_answer_is_not_told_to_be_full() -> None:
    told = duckdb.IOException('IO Error: Could not write file "a.wal": Input/output error')
    assert "The disk does not answer as it should" in warehouse._failure("select 1", told).message


def test_a_database_that_the_engine_gave_up_on_tells_of_the_disk_at_every_statement() -> None:
    class GivenUp:
        said = 'FATAL Error: Failed: database has been invalidated […] Original error: "fsync failed!"'

        def begin(self) -> None:
            raise duckdb.FatalException(self.said)

        execute = commit = rollback = lambda self, *_: self.begin()

    given_up = Warehouse(GivenUp(), "memory")  # type: ignore[arg-type]
    with pytest.raises(MachineLacks, match="The disk does not answer as it should"), given_up.transaction():
        pass
    assert running._blocks(given_up) == ()


def test_a_commit_without_room_tells_of_the_disk() -> None:
    class Full:
        def begin(self) -> None: ...

        def commit(self) -> None:
            raise duckdb.TransactionException('Failed to commit: Could not write file "a.wal": No space left on device')

    full = Warehouse(Full(), "memory")  # type: ignore[arg-type]
    with pytest.raises(MachineLacks, match=r"The disk is full: make room, then run again\."), full.transaction():
        pass


def test_the_log_of_a_killed_run_is_in_the_file_before_a_restore_takes_it_away(
    site: Site, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import os, sys; from pathlib import Path; from assets.site import Site; from orchestration.opening import *\n"
        "from orchestration.settings import Settings\n"
        "site = Site(Path(sys.argv[1])); w = open_warehouse(site, Settings.load(site))\n"
        "w.run('create table raw.word as select 1 as given'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(site.path)], check=False)
    log = site.path / "warehouse.duckdb.wal"
    assert log.stat().st_size > 0

    def killed(site: Site, *, in_place_of_one: bool) -> None:
        log.unlink(missing_ok=True)
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestration.restoring.put_in_place", killed)
    with pytest.raises(KeyboardInterrupt):
        restore_file(site, settings(site), file, DAY, today=DAY)
    with opened(site) as still:
        assert still.value("select given from raw.word") == 1


def test_a_manifest_missing_in_the_chain_is_found(site: Site) -> None:
    with opened(site) as warehouse:
        house = House(warehouse, site)
        house.evaluate(DAY, company())
        file = back_up(warehouse, site, made_at=AT, period="P50Y")[0].path
        first = house.seal(DAY, company()).sealed
        house.seal(LATER, {"crm/customers": [*company()["crm/customers"], customer("K3", customer_since="2015-01-01")]})
    crm = next(manifest for manifest in first if manifest.system == "crm")
    shutil.rmtree(site.outbox / "crm" / crm.manifest_id)
    with pytest.raises(BadInput, match=r"follows a manifest|does not verify"):
        restore_file(site, settings(site), file, DAY, today=DAY)


def test_an_expired_or_foreign_file_is_refused(site: Site, tmp_path: Path) -> None:
    expired = tmp_path / "warehouse-2026-01-01T00-00-00-until-2026-02-05.duckdb"
    expired.touch()
    with pytest.raises(BadInput, match="was to be destroyed after 2026-02-05"):
        require_restorable(expired, date(2026, 2, 6))
    require_restorable(expired, date(2026, 2, 5))
    with pytest.raises(BadInput, match="no backup"):
        require_restorable(site.settings, DAY)


def test_a_day_that_is_given_makes_no_expired_backup_restorable(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expired = tmp_path / "warehouse-2026-01-01T00-00-00-until-2026-02-05.duckdb"
    expired.touch()
    assert main(["restore", str(expired), "--as-of", "2026-02-01", "--site", str(site.path)]) == 3
    assert "was to be destroyed after 2026-02-05" in capsys.readouterr().err


def test_a_run_at_work_is_not_pulled_away_under(site: Site, file: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c",
         "import sys; from pathlib import Path; from assets.site import Site; from orchestration.opening import *\n"
         "from orchestration.settings import Settings\n"
         "site = Site(Path(sys.argv[1])); w = open_warehouse(site, Settings.load(site)); print('open', flush=True)\n"
         "sys.stdin.read()", str(site.path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(WarehouseLocked):
            restore_file(site, settings(site), file, DAY, today=DAY)
    finally:
        holder.communicate(b"")


# -- keys --------------------------------------------------------------------------------------------------------------


def test_a_rotated_key_opens_everything_and_the_old_one_nothing(site: Site, file: Path) -> None:
    old = (site.keys / "warehouse.key").read_text().strip()
    found = rotate_key(site, settings(site))
    assert (found.backups, found.in_environment) == (1, False)
    assert (site.keys / "warehouse.key").read_text().strip() != old
    assert [path.name for path in site.keys.iterdir() if "next" in path.name] == []
    for path in (site.warehouse, file):
        with pytest.raises(WarehouseKeyError):
            Warehouse.open(path, key=old)
    with opened(site) as warehouse:
        assert warehouse.value("select count(*) from raw.crm_customers") == 2
    restore_file(site, settings(site), file, DAY, today=DAY)


def test_a_rotation_cut_off_after_the_swap_is_finished_at_the_next_opening(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(site) as warehouse:
        House(warehouse, site).evaluate(DAY, company())

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestration.rotating.promote_next_key", cut_off)
    with pytest.raises(KeyboardInterrupt):
        rotate_key(site, settings(site))
    assert (site.keys / "warehouse.key.next").exists()
    with opened(site) as warehouse:
        assert warehouse.value("select count(*) from raw.crm_customers") == 2
    assert not (site.keys / "warehouse.key.next").exists()


def test_who_waits_for_a_rotation_opens_the_warehouse_with_the_key_that_it_leaves(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(site).close()
    open_with = opening.open_with

    def waiting(*given: Any) -> Warehouse:
        monkeypatch.setattr(opening, "open_with", open_with)
        rotate_key(site, settings(site))
        return open_with(*given)

    monkeypatch.setattr(opening, "open_with", waiting)
    opened(site).close()


def test_a_rotation_cut_off_before_the_swap_goes_on_with_the_same_next_key(
    site: Site, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def cut_off(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Warehouse, "swap_in", cut_off)
    (site.keys / ".warehouse.key.next-killed").touch()
    with pytest.raises(KeyboardInterrupt):
        rotate_key(site, settings(site))
    assert not (site.keys / ".warehouse.key.next-killed").exists()
    monkeypatch.undo()
    opened(site).close()
    assert rotate_key(site, settings(site)).backups == 0, "the backup had been written anew already"
    restore_file(site, settings(site), file, DAY, today=DAY)


def test_a_backup_restored_in_the_middle_of_a_rotation_leaves_no_other_unreadable(
    site: Site, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = file.with_name("warehouse-2026-11-25T04-00-00-until-2076-11-25.duckdb")
    shutil.copyfile(file, other)
    rewritten: list[str] = []
    copy_to = Warehouse.copy_to

    def cut_off(warehouse: Warehouse, path: Path, **more: Any) -> Any:
        if rewritten:
            raise KeyboardInterrupt
        rewritten.append(path.name)
        return copy_to(warehouse, path, **more)

    monkeypatch.setattr(Warehouse, "copy_to", cut_off)
    with pytest.raises(KeyboardInterrupt):
        rotate_key(site, settings(site))
    monkeypatch.undo()
    assert rewritten == [file.name]
    restore_file(site, settings(site), file, DAY, today=DAY)
    opened(site).close()
    assert not (site.keys / "warehouse.key.next").exists()
    restore_file(site, settings(site), other, DAY, today=DAY)
    opened(site).close()


def test_what_a_restore_that_was_killed_laid_out_goes_with_the_next_opening(site: Site, file: Path) -> None:
    for ending in (".restoring", ".restoring.wal", ".restoring.rewriting"):
        shutil.copyfile(file, site.path / f"warehouse.duckdb{ending}")
    opened(site).close()
    assert not list(site.path.glob("*.restoring*"))


def test_a_key_from_the_environment_is_rotated_there(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLRING_WAREHOUSE_KEY", "1a" * 32)
    opened(site).close()
    with pytest.raises(BadUsage, match="GALLRING_NEXT_WAREHOUSE_KEY"):
        rotate_key(site, settings(site))
    monkeypatch.setenv("GALLRING_NEXT_WAREHOUSE_KEY", "2b" * 32)
    assert rotate_key(site, settings(site)).in_environment
    opened(site).close()
    monkeypatch.setenv("GALLRING_WAREHOUSE_KEY", "2b" * 32)
    monkeypatch.delenv("GALLRING_NEXT_WAREHOUSE_KEY")
    opened(site).close()


@pytest.mark.parametrize("name", ["warehouse.key", "pseudonym.key"])
def test_a_key_that_others_can_read_is_refused(site: Site, name: str) -> None:
    (site.keys / name).chmod(0o644)
    with pytest.raises(BadInput, match="chmod 600"):
        opened(site)


def test_an_inbox_that_everybody_can_read_is_refused(site: Site) -> None:
    site.inbox.chmod(0o755)
    require_private_inbox(site)  # nobody else gets into the site's folder
    site.path.chmod(0o711)
    with pytest.raises(BadInput, match="chmod o-rwx"):
        opened(site)
    site.inbox.chmod(0o770)
    opened(site).close()


def test_the_verbs_say_what_they_did(site: Site, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run: Callable[..., int] = lambda *words: main([*words, "--site", str(site.path)])  # noqa: E731
    assert run("backup") == 0
    assert "proved equal" in capsys.readouterr().out
    assert run("copies") == 0
    assert "warehouse.duckdb" in capsys.readouterr().out
    left = site.backups / "warehouse-2026-01-01T00-00-00-until-2026-02-05.duckdb"
    shutil.copyfile(file, left)
    (site.path / "people.csv").touch()
    assert run("copies") == 1
    told = capsys.readouterr().err
    assert "people.csv is not on the register" in told
    assert f"backups/{left.name} should have been destroyed after 2026-02-05, and the last run left it." in told
    assert "1 copies have outlived their last day" in told
    assert run("copies", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["outlived"], told["strangers"]) == ([f"backups/{left.name}"], ["people.csv"])
    left.unlink()
    (site.path / "people.csv").unlink()
    assert run("copies") == 0
    capsys.readouterr()
    assert run("rotate-key") == 0
    told = capsys.readouterr().out
    assert "Backups that are kept elsewhere open with the old key alone: replace them by those of" in told
    assert "and destroy copies of the old key once they are replaced, or destroyed." in told
    assert "2 backups" in told
    assert run("restore") == 2
    newest = sorted(site.backups.iterdir())[-1]
    assert run("restore", str(newest)) == 0
    assert "Replayed 0 manifests" in capsys.readouterr().out


def test_a_second_restore_at_once_leaves_what_the_first_laid_out(site: Site, file: Path) -> None:
    site.warehouse.unlink()
    laid_out = lay_out(file, site)
    with restoring_alone(site), pytest.raises(WarehouseLocked, match="Another `gallring restore` is at work"):
        restore_file(site, settings(site), file, DAY, today=DAY)
    assert laid_out.is_file()
    assert not site.warehouse.exists()


def test_a_warehouse_that_was_made_meanwhile_is_not_overwritten(
    site: Site, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.warehouse.unlink()

    def replayed(*_: object) -> Any:
        site.warehouse.write_bytes(b"another run's")

    monkeypatch.setattr("orchestration.restoring._replayed", replayed)
    with pytest.raises(BadInput, match="was made by another process meanwhile"):
        restore_file(site, settings(site), file, DAY, today=DAY)
    assert site.warehouse.read_bytes() == b"another run's"
    assert not restoring_path(site).exists()


@pytest.mark.parametrize("denied", [PermissionError(13, "Permission denied"), duckdb.IOException("Permission denied")])
def test_a_copy_that_this_account_may_not_write_is_not_told_to_be_of_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, denied: Exception
) -> None:
    def fails(*_: object) -> None:
        raise denied

    monkeypatch.setattr(Warehouse, "_fill", fails)
    with Warehouse.in_memory(pseudonym_key=b"test") as warehouse:
        with pytest.raises(RewriteFailed, match=r"nothing was changed\. This account may not write there") as found:
            warehouse.copy_to(tmp_path / "copy.duckdb")
        assert "room" not in found.value.message


HELD = {"record_type": "customer", "record_key": "K1", "placed_at": "2026-11-26", "reason": "dispute"}
JOURNAL = "select sequence, happened_at, register, event, code from office.events order by all"
KEPT_HERE = "select hold_id, record_key, reason, released_at from office.holds order by all"


def restored(site: Site, file: Path) -> int:
    return main(["restore", str(file), "--as-of", str(DAY), "--site", str(site.path)])


def test_what_was_entered_since_the_backup_comes_along(
    site: Site, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(site) as warehouse:
        registers.prepare(warehouse)
        registers.enter(warehouse, "holds", [{"hold_id": "site-h1", **HELD}], AT, "placed")
        registers.amend(warehouse, registers.Entry("holds", "site-h1"), {"released_at": "2026-11-30"}, AT, "released")
        kept, journal = warehouse.rows(KEPT_HERE), warehouse.rows(JOURNAL)
    assert restored(site, file) == 0
    told = capsys.readouterr()
    assert "Holds, requests and decisions on matches entered since came along; steps: 2." in told.out
    assert "K1" not in told.out + told.err
    with opened(site) as warehouse:
        assert (warehouse.rows(KEPT_HERE), warehouse.rows(JOURNAL)) == (kept, journal)
        assert warehouse.rows("select hold_id, record_key, cast(released_at as varchar) from raw.office_holds") == [
            ("site-h1", "K1", "2026-11-30")
        ]
        later = back_up(warehouse, site, made_at=datetime(2026, 11, 26, 3), period="P50Y")[0].path
        registers.enter(warehouse, "holds", [{"hold_id": "site-h2", **HELD}], AT, "placed")
    assert restored(site, later) == 0
    assert "came along; steps: 1." in capsys.readouterr().out
    assert restored(site, later) == 0
    with opened(site) as warehouse:
        assert len(warehouse.rows(KEPT_HERE)) == 2


def backup_with_an_entry(site: Site) -> Path:
    """A backup that holds a hold of the site's own, and another hold entered since."""
    with opened(site) as warehouse:
        registers.prepare(warehouse)
        registers.enter(warehouse, "holds", [{"hold_id": "site-h1", **HELD}], AT, "placed")
        made = back_up(warehouse, site, made_at=datetime(2026, 11, 26, 3), period="P50Y")[0].path
        registers.enter(warehouse, "holds", [{"hold_id": "site-h2", **HELD}], AT, "placed")
    return made


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("change", ["add column seen_by varchar", "drop column review_on"])
def test_what_was_entered_comes_along_by_the_columns_that_both_warehouses_know(change: str, site: Site) -> None:
    made = backup_with_an_entry(site)
    with opened(site) as warehouse:
        warehouse.run(f"alter table office.holds {change}")
        kept = warehouse.rows(KEPT_HERE)
    assert restored(site, made) == 0
    with opened(site) as warehouse:
        assert warehouse.rows(KEPT_HERE) == kept
        assert [hold for hold, *_ in kept] == ["site-h1", "site-h2"]
        assert "review_on" in warehouse.columns("office", "holds")


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            ["alter table office.holds add column seen_by varchar", "update office.holds set seen_by = 'Anna'"],
            "The warehouse that makes way holds values in office.holds.seen_by,",
        ),
        (
            [
                "create table office.notes (note_id varchar, about varchar)",
                "insert into office.notes values ('1', 'Anna')",
            ],
            "The warehouse that makes way holds values in office.notes.note_id, office.notes.about,",
        ),
    ],
)
def test_what_was_entered_where_the_backup_knows_no_place_for_it_stops_the_restore(
    changes: list[str], said: str, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    made = backup_with_an_entry(site)
    with opened(site) as warehouse:
        for change in changes:
            warehouse.run(change)
    before = site.warehouse.read_bytes()
    assert restored(site, made) == 4
    told = capsys.readouterr().err
    assert said in told
    assert "nothing was restored" in told
    assert "Anna" not in told
    assert site.warehouse.read_bytes() == before
    assert not restoring_path(site).exists()


@pytest.mark.usefixtures("file")
def test_what_the_backup_holds_and_the_other_does_not_know_stops_the_restore(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(site) as warehouse:
        registers.prepare(warehouse)
        registers.enter(warehouse, "holds", [{"hold_id": "site-h1", **HELD, "reviewer": "Anna"}], AT, "placed")
        made = back_up(warehouse, site, made_at=datetime(2026, 11, 26, 3), period="P50Y")[0].path
        registers.amend(warehouse, registers.Entry("holds", "site-h1"), {"released_at": "2026-11-30"}, AT, "released")
        warehouse.run("alter table office.holds drop column reviewer")
    assert restored(site, made) == 4
    assert "The backup holds values in office.holds.reviewer," in capsys.readouterr().err


@pytest.mark.usefixtures("file")
def test_what_a_warehouse_of_another_history_holds_is_not_taken_over(site: Site) -> None:
    with opened(site) as warehouse:
        registers.prepare(warehouse)
        registers.enter(warehouse, "holds", [{"hold_id": "site-h1", **HELD}], AT, "placed")
        other = registers.entered(warehouse)
        registers.amend(warehouse, registers.Entry("holds", "site-h1"), {"released_at": "2026-11-30"}, AT, "released")
        kept = warehouse.rows(KEPT_HERE)
        assert registers.take_over(warehouse, other) == 0
        (line,) = other.journal
        another = replace(other, journal=[{**line, "event": "released"}, line, line])
        assert registers.take_over(warehouse, another) == 0
        assert warehouse.rows(KEPT_HERE) == kept


def test_what_was_entered_and_cannot_be_read_any_more_is_named_and_its_number_not_given_again(
    site: Site, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signer = Signer.load(site.keys / "signing.pem")
    with opened(site) as warehouse:
        registers.prepare(warehouse)
        registers.enter(warehouse, "holds", [{"hold_id": "site-h1", **HELD}], AT, "placed")
        registers.note(warehouse, [registers.Entry("readings", "K1")], AT, "explained", "restricted")
        record(warehouse, site, signer, AT.astimezone(UTC))
        journal = warehouse.rows(JOURNAL)
    site.warehouse.unlink()
    assert restored(site, file) == 4
    told = capsys.readouterr().err
    assert "lost: hold site-h1 (placed 2026-11-25). Enter it again before the next run" in told
    assert "K1" not in told
    with opened(site) as warehouse:
        assert warehouse.rows(JOURNAL) == journal
        assert registers.next_id(warehouse, "holds") == "site-h2"
        assert record(warehouse, site, signer, AT.astimezone(UTC)).written.get("office") is None
    assert main(["restore", "--replay", "--as-of", str(DAY), "--site", str(site.path)]) == 0


@pytest.mark.parametrize("elsewhere", [False, True])
def test_backups_that_may_not_be_written_are_named_and_no_copy_stays(
    site: Site, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    """The copy in tmp/ was blamed, and left there."""

    def refused(old: Any, new: Any) -> None:
        number = errno.EXDEV if elsewhere else errno.EACCES
        raise OSError(number, os.strerror(number), str(old), None, str(new))

    def closed(*_: object, **named: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", f"{named['dir']}/.warehouse-x")

    with opened(site) as warehouse, monkeypatch.context() as patched:
        patched.setattr(os, "replace", refused)
        if elsewhere:
            patched.setattr("assets.writing.tempfile.mkstemp", closed)
        with pytest.raises(PermissionError) as found:
            back_up(warehouse, site, made_at=AT, period="P50Y")
    assert told_by_the_system(found.value) == (
        f"backups: this account may not read or write there: check the owner and the mode of {site.backups}."
    )
    assert list(site.temporary.iterdir()) == []


def test_backups_may_lie_on_another_disk(site: Site, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.replace

    def refused_between_folders(old: Any, new: Any) -> None:
        if Path(old).parent != Path(new).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link", str(new))
        rename(old, new)

    monkeypatch.setattr(os, "replace", refused_between_folders)
    (site.backups / ".warehouse-of-a-backup-that-died").touch()
    with opened(site) as warehouse:
        made = back_up(warehouse, site, made_at=datetime(2026, 11, 26, 3), period="P50Y")[0].path
    assert rotate_key(site, settings(site)).backups == 2
    assert sorted(site.backups.iterdir()) == sorted([file, made])
    assert {path.stat().st_mode & 0o777 for path in site.backups.iterdir()} == {0o600}
    assert not list(site.temporary.iterdir())
    restore_file(site, settings(site), made, DAY, today=DAY)


# -- what was read since the backup ------------------------------------------------------------------------------------

OFFICE = {
    "holds": "hold_id,record_type,record_key,fields,placed_at,released_at,reason\n",
    "partners": "partner_id,name,role,system\n",
}
HOLD = "V1,customer,K1,,2026-11-26T08:00:00Z,,dispute\n"


@dataclass
class Read:
    """A site whose office has delivered twice: before its backup, and after it a hold, in a delivery that is named."""

    company: Company
    backup: Path

    @property
    def inbox(self) -> Path:
        return self.company.site.inbox / "office"

    def send(self, day: str, *tables: str, mode: str = "full") -> None:
        self.company.send("office", {table: OFFICE[table] for table in tables}, day=day, mode=mode)

    def blocks_after(self, day: date) -> list[tuple[str, str]]:
        """The office's tables that block after a night that takes in what is in the inbox."""
        with opened(self.company.site) as warehouse:
            ingest(warehouse, POLICY, self.company.site, as_of=day)
            return warehouse.rows("select table_name, reason from intake.blocks where source = 'office' order by all")


@pytest.fixture(params=["full", "delta"])
def read(request: pytest.FixtureRequest, site: Site, tmp_path: Path) -> Iterator[Read]:
    company = Company(tmp_path)
    company.send("office", OFFICE, day="2026-11-25")
    with opened(site) as warehouse:
        house = House(warehouse, site)
        ingest(warehouse, POLICY, site, as_of=DAY)
        file = back_up(warehouse, site, made_at=AT, period="P50Y")[0].path
        company.send("office", {"holds": OFFICE["holds"] + HOLD}, day="2026-11-27", mode=request.param)
        ingest(warehouse, POLICY, site, as_of=LATER)
        build(warehouse)
        evaluate(warehouse, POLICY, LATER)
        assert house.signer is not None
        record(warehouse, site, house.signer, datetime(2026, 11, 27, 3, tzinfo=UTC))
    site.warehouse.unlink()
    yield Read(company, file)
    company.warehouse.close()


def test_what_was_read_since_the_backup_and_is_lost_blocks_until_its_source_delivers_whole(
    read: Read, capsys: pytest.CaptureFixture[str]
) -> None:
    site = read.company.site
    shutil.rmtree(read.inbox)
    assert restored(site, read.backup) == 4
    told = capsys.readouterr().err
    assert "office/2026-11-27-" in told
    assert "2026-11-25" not in told, "the backup knows it"
    assert "into inbox/" in told
    each = ["disclosures", "fiscal_years", "holds", "partners", "requests"]
    all_of_them = [(table, "rejected") for table in each]
    with opened(site) as warehouse:
        blocks = "select table_name, reason from intake.blocks where source = 'office' order by all"
        assert warehouse.rows(blocks) == all_of_them, "of a source all tables block, whichever are still to come"
    read.send("2026-11-26", "holds", "partners")
    assert read.blocks_after(LATER) == all_of_them, "what is older than the lost one does not hold what it said"
    read.send("2026-11-28", "holds")
    assert read.blocks_after(date(2026, 11, 28)) == all_of_them, "which tables the lost one brought nobody knows"
    read.send("2026-11-28", "partners", mode="delta")
    assert read.blocks_after(date(2026, 11, 28)) == all_of_them
    read.send("2026-11-29", "partners")
    assert read.blocks_after(date(2026, 11, 29)) == []


def test_what_was_read_since_the_backup_and_lies_in_the_inbox_blocks_nothing(read: Read) -> None:
    assert restored(read.company.site, read.backup) == 0
    assert read.blocks_after(LATER) == []
    with opened(read.company.site) as warehouse:
        assert warehouse.rows("select hold_id from raw.office_holds") == [("V1",)]


def test_what_is_put_back_into_the_inbox_after_the_restore_lifts_its_block(read: Read, tmp_path: Path) -> None:
    read.inbox.rename(tmp_path / "office")
    assert restored(read.company.site, read.backup) == 4
    assert ("holds", "rejected") in read.blocks_after(LATER)
    assert main(["restore", "--replay", "--as-of", str(LATER), "--site", str(read.company.site.path)]) == 0
    (tmp_path / "office").rename(read.inbox)
    assert read.blocks_after(LATER) == []


def test_of_what_was_lost_each_source_is_told_by_what_no_later_delivery_replaced(read: Read) -> None:
    site = read.company.site
    with opened(site) as warehouse:
        prepare(warehouse, POLICY)
        named = [{"source": "office", "delivery_id": each, "digest": each} for each in ("a", "b", "c", "d")]
        nights = [(1, named[:2]), (2, [named[2], named[1]]), (3, [named[2], named[3]])]
        readings = [
            Reading(datetime(2026, 11, 25 + night, tzinfo=UTC), date(2026, 11, 25 + night), deliveries)
            for night, deliveries in reversed(nights)
        ]
        lost = note_lost(warehouse, site, readings)
        assert [(each.delivery_id, each.read_on.day) for each in lost] == [("c", 27), ("d", 28)]
        assert note_lost(warehouse, site, readings) == ()
