"""What an account may not read, or a shell has closed: it is told with what to do, and holds up nothing else."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from assets.assurance.verification import copies
from assets.contracts.declarations import load_contracts
from assets.erasure.copies import copy_register, destroy_expired, expired
from assets.erasure.periods import Periods
from assets.errors import STOPPED, BadInput, told_by_the_system
from assets.evidence.chain import Chain, append, read_chain
from assets.ingest.blocking import refresh_blocks
from assets.ingest.deliveries import DENIED
from assets.manifests.signatures import Signer
from assets.rights.arrivals import arrived
from assets.site import Site
from orchestration.cli import main
from orchestration.cli.printing import complain, heading, table
from orchestration.cli.progress import progress
from orchestration.doctor import examine
from orchestration.initialising import make_site
from orchestration.opening import SIGNING_KEY
from orchestration.running import run_cycle
from orchestration.sensors import arrived_receipts
from tests.faults.test_hostile_input import HEADER, row
from tests.ingest.company import AS_OF, Company


class Deny:
    """The places that an account may not look at, for as long as they are not lifted."""

    def __init__(self) -> None:
        self.denied: list[Path] = []

    def __call__(self, place: Path) -> None:
        self.denied.append(place)

    def lift(self) -> None:
        self.denied.clear()


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    made = Company(tmp_path)
    yield made
    made.warehouse.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("denied") / "site")


@pytest.fixture
def site(made: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    for name in ("GALLRING_SITE", "GALLRING_POLICY"):
        monkeypatch.delenv(name, raising=False)
    return Site(shutil.copytree(made.path, tmp_path / "site"))


@pytest.fixture
def deny(monkeypatch: pytest.MonkeyPatch) -> Deny:
    """What the system answers an account that may not look below a folder, or read a file; tests may run as root."""
    made = Deny()

    def guarded(name: str, module: Any, *, looked_at: bool) -> None:
        allowed = getattr(module, name)

        def guard(path: Any, *given: Any, **named: Any) -> Any:
            if isinstance(path, str | os.PathLike):
                asked = Path(path)
                if any(each in asked.parents or (asked == each and not looked_at) for each in made.denied):
                    raise PermissionError(13, "Permission denied", str(path))
            return allowed(path, *given, **named)

        monkeypatch.setattr(module, name, guard)

    for name in ("stat", "lstat"):
        guarded(name, os, looked_at=True)
    for module, name in ((os, "listdir"), (os, "scandir"), (io, "open")):
        guarded(name, module, looked_at=False)
    return made


@pytest.mark.parametrize("part", ["", "delivery.json", "events.csv"])
def test_a_delivery_that_this_account_may_not_read_holds_up_no_other(company: Company, deny: Deny, part: str) -> None:
    barred = company.send("web", {"events": HEADER + row("E1")})
    company.send("office", {"fiscal_years": "starts_on,ends_on\n2026-01-01,2026-12-31\n"})
    deny(barred / part if part else barred)
    report = company.ingest()
    assert [each.source for each in report.loaded] == ["office"]
    assert [(each.source, each.delivery_id, each.reason) for each in report.rejected] == [("web", barred.name, DENIED)]
    assert company.rows("select distinct source from intake.blocks where reason = 'rejected'") == [("web",)]


def test_once_it_may_be_read_it_is_taken_in(company: Company) -> None:
    barred = company.send("web", {"events": HEADER + row("E1")})
    with pytest.MonkeyPatch.context() as patched:
        original = Path.read_bytes

        def denied(path: Path) -> bytes:
            if path.parent == barred:
                raise PermissionError(13, "Permission denied", str(path))
            return original(path)

        patched.setattr(Path, "read_bytes", denied)
        assert [each.reason for each in company.ingest(AS_OF).rejected] == [DENIED]
    assert [each.delivery_id for each in company.ingest(AS_OF).loaded] == [barred.name]
    assert company.rows("select * from intake.blocks where source = 'web' and reason = 'rejected'") == []


def test_a_source_whose_folder_is_barred_is_held_alone_and_told_every_night(company: Company, deny: Deny) -> None:
    sent = company.send("web", {"events": HEADER + row("E1")})
    company.send("office", {"fiscal_years": "starts_on,ends_on\n2026-01-01,2026-12-31\n"})
    (company.site.inbox / "lost+found").mkdir()
    barred = "select distinct source, table_name, detail from intake.blocks where reason = 'barred'"
    deny(sent.parent)
    deny(company.site.inbox / "lost+found")
    assert [each.source for each in company.ingest().loaded] == ["office"]
    for _ in range(2):
        assert company.ingest().deliveries == ()
        assert company.rows(barred) == [("web", "events", "this account may not look into inbox/web")]
    assert list(arrived(company.site)) == []
    deny.lift()
    assert [each.delivery_id for each in company.ingest().loaded] == [sent.name]
    assert company.rows(barred) == []


def test_what_an_earlier_version_took_in_is_judged_as_before(company: Company) -> None:
    company.ingest()
    before = company.rows("from intake.blocks order by all")
    company.warehouse.run("drop table intake.barred")
    refresh_blocks(company.warehouse, company.policy, AS_OF)
    assert company.rows("from intake.blocks order by all") == before


def test_answers_in_a_barred_folder_keep_no_other_from_being_seen(site: Site, deny: Deny) -> None:
    for system in ("crm", "orders"):
        (site.receipts / system).mkdir()
        (site.receipts / system / "answers.jsonl").write_bytes(b"{}\n")
    both = arrived_receipts(site)
    deny(site.receipts / "crm")
    one = arrived_receipts(site)
    assert None not in (one, both)
    assert one != both


def test_what_may_not_be_looked_at_is_on_no_line_of_the_copy_register(company: Company, deny: Deny) -> None:
    sent = company.send("web", {"events": HEADER + row("E1")})
    whole = copy_register(company.site, company.warehouse, Periods())
    assert whole.strangers == ()
    deny(sent.parent)
    register = copy_register(company.site, company.warehouse, Periods())
    assert register.strangers == (Path("inbox/web"),)
    assert {*whole.copies} - {*register.copies} == {each for each in whole.copies if each.kind == "delivery"}


def test_a_copy_that_the_disk_does_not_let_go_of_keeps_no_other_past_its_last_day(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = company.send("web", {"events": HEADER + row("E1")})
    goes = company.send("office", {"fiscal_years": "starts_on,ends_on\n2026-01-01,2026-12-31\n"})
    company.ingest()
    remove = shutil.rmtree

    def removed(path: Path, **named: Any) -> None:
        if path == kept:
            raise PermissionError(13, "Permission denied", "events.csv")
        remove(path, **named)

    monkeypatch.setattr(shutil, "rmtree", removed)
    day = date(2026, 12, 31)
    gone, register = destroy_expired(company.warehouse, company.site, Periods(), day)
    assert (gone, kept.is_dir(), goes.exists()) == (1, True, False)
    assert [each.kind for each in expired(register, day)] == ["delivery"]
    assert copies(company.warehouse, company.site, Periods(), day).unexpected == ("delivery, last day 2026-12-02",)
    monkeypatch.undo()
    assert destroy_expired(company.warehouse, company.site, Periods(), day)[0] == 1
    assert not kept.exists()


@pytest.mark.parametrize("part", ["keys/warehouse.key", "inbox/crm/D1"])
def test_the_doctor_tells_what_this_account_may_not_look_at_and_goes_on(site: Site, deny: Deny, part: str) -> None:
    (site.inbox / "crm" / "D1").mkdir(parents=True)
    deny(site.path / part)
    found = examine(site, datetime(2026, 11, 25, 12, tzinfo=UTC))
    barred = [each for each in found if each.subject == "access"]
    assert [(each.verdict, str(site.path / part) in each.found) for each in barred] == [("error", True)]
    assert "check the owner and the mode" in barred[0].mend
    assert {"clock", "disk"} <= {each.subject for each in found}


def test_a_published_file_that_may_not_be_read_is_not_called_damaged(site: Site, deny: Deny) -> None:
    site.analytics.write_bytes(b"")
    deny(site.analytics)
    found = examine(site, datetime(2026, 11, 25, 12, tzinfo=UTC))
    assert [each.found for each in found if each.subject in ("access", "analytics.duckdb")] == [
        f"{site.analytics} cannot be read"
    ]


def test_evidence_that_may_not_be_read_is_not_called_cut_off(site: Site, deny: Deny) -> None:
    """It was told to restore evidence/ from the last export, over a log that is whole."""
    signer = Signer.load(site.keys / SIGNING_KEY)
    entry = {"kind": "run", "subject": "night", "facts": {}}
    append(site, signer, Chain((), None, 0), [entry], datetime(2026, 11, 25, tzinfo=UTC))
    assert len(read_chain(site, signer.public).entries) == 1
    deny(site.evidence / "entries")
    with pytest.raises(PermissionError):
        read_chain(site, signer.public)


def test_contracts_that_may_not_be_read_are_not_called_none(tmp_path: Path, deny: Deny) -> None:
    with pytest.raises(BadInput, match="holds no contract"):
        load_contracts(tmp_path / "contracts")
    deny(tmp_path / "contracts")
    (tmp_path / "contracts").mkdir()
    with pytest.raises(PermissionError):
        load_contracts(tmp_path / "contracts")


def test_what_is_denied_is_told_with_the_folder_that_it_lies_in() -> None:
    told = told_by_the_system(PermissionError(13, "Permission denied", "/site/receipts/crm"))
    assert told == (
        "crm: this account may not read or write there: check the owner and the mode of /site/receipts/crm."
    )
    assert told_by_the_system(PermissionError(13, "Permission denied")).endswith("the mode.")


def missing(key: Path) -> None:
    key.unlink()


def open_to_others(key: Path) -> None:
    key.chmod(0o644)


def another_file(key: Path) -> None:
    key.write_text("no key")


@pytest.mark.parametrize(
    ("break_it", "told"), [(missing, "signing.pem"), (open_to_others, "chmod 600"), (another_file, "no Ed25519 key")]
)
def test_a_run_that_comes_to_no_step_says_why(
    site: Site, break_it: Callable[[Path], None], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    break_it(site.keys / SIGNING_KEY)
    assert main(["run", "--as-of", "2026-11-25", "--site", str(site.path)]) == 3
    printed = capsys.readouterr()
    assert "stopped" in printed.out
    assert told in printed.err
    assert "defect" not in printed.err


def test_a_defect_before_the_first_step_is_told_by_its_kind_and_never_by_its_text(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: object) -> None:
        raise KeyError("Sven Svensson")

    monkeypatch.setattr("orchestration.resources.load_signer", failing)
    (failure,) = run_cycle(site, AS_OF, job="verify_everything").failures
    assert failure.exit_code is None
    assert "KeyError" in failure.message
    assert "Sven" not in failure.message


def test_a_stream_that_the_shell_closed_is_not_asked_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdout", None)  # as Python has it after `>&- 2>&-`
    monkeypatch.setattr(sys, "stderr", None)
    heading("Manifests")
    table(["system", "items"], [["crm", 1]])
    complain("nobody reads it")
    with progress("run") as doing:
        doing.told("core", 1)
    monkeypatch.setattr("orchestration.initialising.make_site", stopped)
    assert main(["init", "site"]) == STOPPED
