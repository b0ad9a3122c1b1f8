"""A site that is well has nothing to mend; each thing that is wrong is found, alone, with what to do about it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assets.delivery import circuit
from assets.evidence.chain import write_head
from assets.ingest.blocking import refresh_blocks
from assets.ingest.lost import Reading, note_lost
from assets.ingest.tables import prepare
from assets.models import SQL
from assets.policy import Policy
from assets.site import Site
from assets.warehouse import Warehouse
from orchestration.cli import main
from orchestration.doctor import Examined, examine
from orchestration.history import run_history
from orchestration.initialising import make_site
from orchestration.opening import PUBLIC_KEY, SIGNING_KEY, WAREHOUSE_KEY, load_signer, open_warehouse
from orchestration.settings import Settings

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with a warehouse and a run history, to be copied."""
    site = make_site(tmp_path_factory.mktemp("whole") / "site")
    settings = Settings.load(site)
    open_warehouse(site, settings).close()
    with run_history(site):
        pass
    return site.path


@pytest.fixture
def site(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    for name in ("GALLRING_SITE", "GALLRING_POLICY"):
        monkeypatch.delenv(name, raising=False)
    shutil.copytree(whole, tmp_path / "site")
    return Site(tmp_path / "site")


def complaints(site: Site) -> list[Examined]:
    return [each for each in examine(site, NOW) if each.verdict != "ok"]


def test_a_site_that_is_well_has_nothing_to_mend(site: Site) -> None:
    found = examine(site, NOW)
    assert [each for each in found if each.verdict != "ok" or each.mend] == []
    assert {"warehouse", "clock", "disk", "modes", "policy", "signing key", "run history"} <= {
        each.subject for each in found
    }


def test_sources_may_deliver_by_group(site: Site) -> None:
    """The inbox is let to a group, as `require_private_inbox` advises; what holds keys and copies is not."""
    site.path.chmod(0o710)
    site.inbox.chmod(0o770)
    assert complaints(site) == []
    site.inbox.chmod(0o772)
    assert [(each.subject, each.mend) for each in complaints(site)] == [("modes", f"chmod o= {site.inbox}")]


def test_sql_that_stands_for_the_shipped_one_is_named(site: Site) -> None:
    """An update of the program does not change it."""
    shutil.copy(SQL / "purposes" / "newsletter.sql", site.policy / "purposes")
    (policy,) = (each for each in examine(site, NOW) if each.subject == "policy")
    assert (policy.verdict, "shipped: newsletter" in policy.found) == ("ok", True)


def lose_a_key(site: Site) -> None:
    (site.keys / WAREHOUSE_KEY).unlink()


def another_warehouse_key(site: Site) -> None:
    (site.keys / WAREHOUSE_KEY).write_text("0" * 64)


def another_public_key(site: Site) -> None:
    other = make_site(site.path.with_name("other"))
    (site.keys / PUBLIC_KEY).write_bytes((other.keys / PUBLIC_KEY).read_bytes())


def another_signing_key(site: Site) -> None:
    """Another pair, whose halves fit each other, beside a log that was signed with the first one."""
    write_head(site, load_signer(site), 0, None, NOW)
    other = make_site(site.path.with_name("other"))
    for name in (SIGNING_KEY, PUBLIC_KEY):
        shutil.copyfile(other.keys / name, site.keys / name)


def open_the_keys(site: Site) -> None:
    site.keys.chmod(0o755)


def open_the_signing_key(site: Site) -> None:
    (site.keys / SIGNING_KEY).chmod(0o644)


def break_the_settings(site: Site) -> None:
    site.settings.write_text("time_zone = 'Mars/Olympus'\n")


def break_the_register(site: Site) -> None:
    (site.policy / "register.yaml").write_text("purposes: [")


def take_a_purpose_away(site: Site) -> None:
    path = site.policy / "register.yaml"
    path.write_text(path.read_text().replace("  web_security:", "  web_safety:"))


def lose_a_folder(site: Site) -> None:
    site.receipts.rmdir()


def lose_dagsters_settings(site: Site) -> None:
    (site.dagster / "dagster.yaml").unlink()


def leave_a_delivery_half_way(site: Site) -> None:
    folder = site.inbox / "crm" / "2026-11-01"
    folder.mkdir(parents=True)
    then = (NOW - timedelta(days=3)).timestamp()
    os.utime(folder, (then, then))


def move_a_source_to_another_disk(site: Site) -> None:
    (site.path.parent / "disk").mkdir()
    (site.inbox / "office").symlink_to(site.path.parent / "disk")


def leave_a_rewriting(site: Site) -> None:
    site.warehouse.rename(site.warehouse.with_name("warehouse.duckdb.rewriting"))


def lose_the_warehouse(site: Site) -> None:
    site.warehouse.unlink()
    (site.outbox / "crm" / "2026-11-22-0").mkdir(parents=True)


def lose_an_export(site: Site) -> None:
    with open_warehouse(site, Settings.load(site)) as warehouse:
        policy = Policy.load()
        prepare(warehouse, policy)
        read = [{"source": "office", "delivery_id": "2026-11-22", "digest": "ab"}]
        note_lost(warehouse, site, [Reading(NOW, NOW.date(), read)])
        refresh_blocks(warehouse, policy, NOW.date())


def send_nowhere(site: Site) -> None:
    with site.settings.open("a") as file:
        file.write('\n[transports.crm]\nkind = "folder"\nto = "not/there"\n')


def name_a_key_that_is_none(site: Site) -> None:
    (site.path / "crm.pub.pem").write_text("a private matter")
    with site.settings.open("a") as file:
        file.write('\n[transports.crm]\npublic_key = "crm.pub.pem"\n')


def damage_what_is_published(site: Site) -> None:
    site.analytics.write_bytes(b"no database " * 5_000)
    site.analytics.chmod(0o600)


def live_elsewhere(site: Site) -> None:
    site.settings.write_text('time_zone = "Europe/Helsinki"\n')


def fall_silent(site: Site) -> None:
    with open_warehouse(site, Settings.load(site)) as warehouse:
        circuit.prepare(warehouse)
        circuit.failed(warehouse, "crm", "unreachable", NOW)


@pytest.mark.parametrize(
    ("harm", "subject", "verdict", "mend"),
    [
        (lose_a_key, "warehouse.key", "error", "restore it from the backup of the keys"),
        (another_warehouse_key, "warehouse", "error", "check the warehouse key"),
        (another_public_key, "signing key", "error", "from the same backup"),
        (another_signing_key, "signing key", "error", "restore it from the backup of the keys"),
        (open_the_keys, "modes", "error", "chmod go="),
        (open_the_signing_key, "modes", "error", "chmod go="),
        (break_the_settings, "settings", "error", "time_zone"),
        (break_the_register, "policy", "error", "register.yaml"),
        (take_a_purpose_away, "policy", "error", "gallring policy check"),
        (lose_a_folder, "site", "error", "gallring init"),
        (lose_dagsters_settings, "run history", "error", "gallring init"),
        (leave_a_delivery_half_way, "inbox", "warning", "deliver it again"),
        (move_a_source_to_another_disk, "inbox", "error", "Mount the disk"),
        (leave_a_rewriting, "leftovers", "error", "gallring restore"),
        (lose_the_warehouse, "warehouse", "error", "gallring restore FILE"),
        (lose_an_export, "lost deliveries", "warning", "into inbox/"),
        (send_nowhere, "transport to crm", "error", "[transports.crm]"),
        (name_a_key_that_is_none, "public key of crm", "error", "[transports.crm]"),
        (damage_what_is_published, "analytics.duckdb", "error", "gallring run"),
        (live_elsewhere, "time zone", "warning", "counts to another day"),
        (fall_silent, "deliveries to crm", "warning", "[transports.crm]"),
    ],
)
def test_what_is_wrong_is_found_with_what_to_do(
    site: Site, harm: Callable[[Site], None], subject: str, verdict: str, mend: str
) -> None:
    harm(site)
    found = [each for each in complaints(site) if each.subject == subject]
    assert [each.verdict for each in found] == [verdict]
    assert mend in found[0].mend


def test_a_damaged_file_ends_no_examination(site: Site) -> None:
    before = [each.subject for each in examine(site, NOW)]
    damage_what_is_published(site)
    assert [each.subject for each in examine(site, NOW)] == [
        "analytics.duckdb" if subject == "clock" else subject for subject in before
    ]


def test_a_delivery_that_is_renamed_during_an_examination_ends_none(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_a_delivery_half_way(site)
    folder, exists = site.inbox / "crm" / "2026-11-01", Path.exists

    def renamed(path: Path) -> bool:
        there = exists(path)
        if path.parent == folder and sys._getframe(1).f_globals["__name__"] == "orchestration.doctor":
            folder.rename(site.path.parent / "elsewhere")
        return there

    monkeypatch.setattr(Path, "exists", renamed)
    assert [each.verdict for each in examine(site, NOW) if each.subject == "inbox"] == ["ok"]
    assert not folder.is_dir()


def test_a_zone_with_the_same_midnight_is_none_to_warn_of(site: Site) -> None:
    site.settings.write_text('time_zone = "Europe/Oslo"\n')
    assert "time zone" not in {each.subject for each in complaints(site)}


def test_a_clock_that_runs_behind_is_found(site: Site) -> None:
    site.analytics.touch()
    site.analytics.unlink()
    with Warehouse.open(site.analytics, key=None) as published:
        published.run("create table about as select date '2026-11-27' as as_of")
        published.run("create schema quality")
        published.run("create table quality.deliveries as select timestamp '2026-12-24 12:00:00' as extracted_at")
    behind = next(each for each in complaints(site) if each.subject == "clock")
    assert (behind.verdict, "2026-11-27" in behind.found) == ("error", True)
    later = {each.subject: each for each in examine(site, NOW + timedelta(days=5))}
    assert (later["clock"].verdict, "2026-12-24" in later["clock"].found) == ("warning", True)


def test_a_run_that_died_is_found(site: Site) -> None:
    from dagster import DagsterRunStatus

    with run_history(site) as history:
        history.create_run_for_job(job_def=_job(), status=DagsterRunStatus.STARTED)
    found = [each for each in complaints(site) if each.subject == "run history"]
    assert [each.verdict for each in found] == ["warning"]


def _job():  # type: ignore[no-untyped-def]
    from dagster import job, op

    @op
    def nothing() -> None: ...

    @job
    def dead() -> None:
        nothing()

    return dead


def test_an_address_is_tried(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with site.settings.open("a") as file:
            file.write(f'\n[transports.crm]\nkind = "sftp"\nto = "sftp://127.0.0.1:{port}/in"\n')
        assert complaints(site) == []
    assert [each.subject for each in complaints(site)] == ["transport to crm"]


def test_a_recipients_key_is_told_by_its_fingerprint(site: Site) -> None:
    with site.settings.open("a") as file:
        file.write(f'\n[transports.crm]\npublic_key = "keys/{PUBLIC_KEY}"\n')
    found = next(each for each in examine(site, NOW) if each.subject == "public key of crm")
    assert found.verdict == "ok"
    assert re.match("SHA-256 [0-9a-f]{64}: on record", found.found)


def test_the_ways_to_tell_people_are_tried(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        text = site.settings.read_text()
        text = text.replace('# url = ""', f'url = "http://{address}/notices"')
        text = text.replace('# server = ""', f'server = "{address}"')
        text = text.replace('# sender = ""', 'sender = "gallring@company.example"')
        site.settings.write_text(text.replace("# recipients = []", 'recipients = ["ops@company.example"]'))
        assert complaints(site) == []
        assert {"notifications by webhook", "notifications by email"} <= {each.subject for each in examine(site, NOW)}
    found = {each.subject: each.mend for each in complaints(site)}
    assert "`url` in [notifications.webhook]" in found["notifications by webhook"]
    assert "`server` in [notifications.email]" in found["notifications by email"]


def test_no_key_is_told(site: Site) -> None:
    key = (site.keys / WAREHOUSE_KEY).read_text().strip()
    another_public_key(site)
    open_the_keys(site)
    assert not any(key in each.found + each.mend for each in examine(site, NOW))


def test_the_command_says_no_when_something_is_wrong(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--site", str(site.path)]) == 0
    open_the_keys(site)
    assert main(["doctor", "--site", str(site.path)]) == 1
    told = capsys.readouterr()
    assert "chmod go=" in told.out
    assert "1 of" in told.err
    assert main(["doctor", "--site", str(site.path / "nowhere")]) == 1
