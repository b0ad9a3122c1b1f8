"""The office at its desk: a request, a hold, the cycle, the answer drafted, the report handed out."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.evidence.recording import _office
from assets.ingest.delivering import deliver
from assets.policy import Policy
from assets.site import Site
from orchestration.cli import main
from orchestration.cli.summary import read_summary
from orchestration.initialising import make_site
from orchestration.opening import open_warehouse
from orchestration.running import run_cycle
from orchestration.settings import Settings
from tests.rights.company import EXPORTS

pytestmark = pytest.mark.slow
Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    for name in [name for name in os.environ if name.startswith(("GALLRING_", "DAGSTER_"))]:
        monkeypatch.delenv(name)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def delivered(site: Site, source: str, at: datetime) -> None:
    """Every table of a source as a full delivery; those that nobody fills are empty."""
    policy = Policy.load()
    files = []
    for contract in policy.contracts.of_source(source):
        path = site.path / "tmp" / f"{contract.table}.csv"
        with path.open("w", newline="", encoding="utf-8") as target:
            writer = csv.DictWriter(target, [column.name for column in contract.columns], restval="")
            writer.writeheader()
            writer.writerows(EXPORTS.get(f"{source}/{contract.table}", []))
        files.append(path)
    deliver(site, policy, source, files, mode="full", extracted_at=at)
    for path in files:
        path.unlink()


class Killed(BaseException):
    """The process went; nothing that follows is done."""


def killed(*_: object) -> None:
    raise Killed


def readings(site: Site) -> list[tuple[Any, Any]]:
    with open_warehouse(site, Settings.load(site)) as warehouse:
        return [(facts["event"], facts["code"]) for _, _, facts in _office(warehouse)
                if facts["register"] in ("readings", "access_reports")]  # fmt: skip


def dispositions(site: Site, record_type: str, key: str, field: str) -> Any:
    from assets.attaching import attached
    from assets.warehouse import Warehouse

    with Warehouse.in_memory() as reader, attached(reader, site.analytics, "site", read_only=True):
        return reader.value(
            "select disposition from site.retention.field_dispositions "
            "where record_type = ? and record_key = ? and field = ?",
            [record_type, key, field],
        )


def test_the_office_at_its_desk(say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXPORTS, "office/requests", [{"request_id": "R9", "kind": "objection", "customer_id": "C3"}])
    site = make_site(tmp_path / "site")
    at = f"--site={site.path}"
    today = datetime.now(Settings.load(site).zone).date()  # the office's day, which begins before that of UTC
    yesterday = today - timedelta(days=1)
    for source in ("crm", "orders", "mailing", "web", "office"):
        delivered(site, source, datetime.now(UTC) - timedelta(hours=2))
    assert run_cycle(site, yesterday).success
    assert dispositions(site, "subscriber", "N1", "email") == "retain"

    # a request for erasure, doubted and then verified
    code, out, err = say("request", "add", "--kind", "erasure", "--customer", "C1", "--received",
                         str(today - timedelta(days=2)), "--json", at)  # fmt: skip
    assert (code, "customer/C1+customer/C3" in err) == (0, True)
    number = json.loads(out)["request_id"]
    assert number == "site-r1"
    assert say("request", "verify", number, "--asked", "--on", str(yesterday), at)[0] == 0
    code, out, err = say("request", "list", at)
    assert ("paused" in out, "R9 has no day of receipt" in err) == (True, True)
    assert say("request", "verify", number, "--on", str(yesterday), at)[0] == 0
    assert say("request", "extend", number, at)[0] == 0
    code, out, _ = say("request", "list", "--json", at)
    assert json.loads(out)[0]["standing"]["extension"] == "in_time"
    asks = ("request", "add", "--kind", "access", "--received", "2026-01-02", at, "--email")
    code, _, err = say(*asks, "egil@hem.example")
    assert (code, "has that address" in err) == (0, False)
    code, _, err = say("request", "list", at)
    assert (code, "site-r2" in err) == (1, True)

    # holds: on a customer, and on what a query names
    hold = ("hold", "place", "--reason", "dispute", "--reviewer", "jurist", at)
    assert say(*hold, "--customer", "C2", "--on", "2026-01-01")[0] == 0
    query = "select record_type, record_key from retention.dispositions where record_type = 'interaction'"
    code, out, _ = say(*hold, "--query", query, "--field", "body")
    assert (code, "site-h2 holds 3 record(s)" in out) == (0, True)
    assert say(*hold, "--record", "interaction", "T99")[0] == 3
    assert say(*hold)[0] == 2
    assert say(*hold, "--record", "interaction", "T99", "--unknown")[0] == 0
    code, out, err = say("hold", "list", "--json", at)
    assert (code, len(json.loads(out)), "no record that has been taken in: site-h3. Look" in err) == (0, 5, True)
    with open_warehouse(site, Settings.load(site)) as warehouse:
        assert read_summary(warehouse).holding_nothing == ("site-h3",)
    assert say("hold", "release", "site-h3", at)[0] == 0
    code, _, err = say("hold", "review", at)
    assert (code, "site-h1" in err) == (4, True)
    assert say("hold", "review", "site-h1", at)[0] == 0
    assert say("hold", "review", at)[0] == 0

    # somebody disputes what is held: restricted from the next evaluation on
    assert say("request", "add", "--kind", "restriction", "--customer", "C2", "--received", str(today), at)[0] == 0

    # the office's own export comes again, the cycle runs, and everything entered here counts
    delivered(site, "office", datetime.now(UTC) - timedelta(hours=1))
    outcome = run_cycle(site, today)
    assert outcome.success
    assert [(check.name, check.severity, check.unexpected) for check in outcome.failed_checks
            if check.name == "requests_answered_in_time"] == [("requests_answered_in_time", "critical", 1)]  # fmt: skip
    assert dispositions(site, "subscriber", "N1", "email") == "erase"
    assert dispositions(site, "interaction", "T1", "body") == "restrict"

    # the answer, the report, and the end of it; one that no evaluation has seen yet is not to go out
    late = json.loads(say("request", "add", "--kind", "objection", "--customer", "C1", "--json", at)[1])["request_id"]
    code, _, err = say("request", "answer", late, at)
    assert (code, "has not seen the request" in err) == (4, True)
    code, out, err = say("request", "answer", number, at)
    assert (code, "has not been handed over yet" in err) == (4, True)
    letter = (site.reports / "access-answers" / number / "answer.sv.txt").read_text(encoding="utf-8")
    assert "Prenumerationer på nyhetsbrev (1) i nyhetsbrevssystemet" in letter
    assert "Tvist (legal hold)" in letter
    assert say("request", "answer", number, "--sent", str(today), at)[0] == 0
    code, out, err = say("access-report", "--customer", "C1", "--json", at)
    assert (code, json.loads(out)["held_back"], "customer/C1+customer/C3" in err) == (0, 5, True)
    assert say("access-report", "--email", "disa@hem.example", at)[0] == 4
    code, out, _ = say("explain", "customer", "C1", "--whole", "--language", "sv", at)
    assert (code, "Varför har ni kvar det här?" in out) == (0, True)
    assert len(list((site.reports / "access-timelines").glob("*/timeline.sv.html"))) == 1
    assert say("explain", "order", "O1", "--whole", at)[0] == 2
    code, out, _ = say("people", "review", at)
    assert (code, "same e-mail" in out) == (4, True)
    code, out, _ = say("people", "review", "--show", "customer/C1+customer/C3", at)
    assert (code, "Olle Provsson" in out) == (0, True)
    assert say("people", "review", "--show", "a", "--yes", "b", at)[0] == 2
    assert say("people", "review", "--yes", "customer/C1+customer/C3", at)[0] == 0
    code, out, _ = say("people", "review", "--no", "customer/C1+customer/C3", "--json", at)
    assert (code, json.loads(out)["pair"], json.loads(out)["decided"]) == (0, "customer/C1+customer/C3", "no")
    assert say("people", "review", at)[0] == 0
    assert say("access-report", "--customer", "C1", "--checked", "nonsense", at)[0] == 2
    assert say("hold", "release", "site-h2", at)[0] == 0
    assert len(json.loads(say("hold", "list", "--json", at)[1])) == 5  # today is the released ones' last day

    # each reading of the restricted person is noted, and of others only the report
    assert say("explain", "customer", "C2", at)[0] == 0
    assert say("explain", "order", "O2", "--as-of", str(today), at)[0] == 0
    assert say("explain", "customer", "C2", "--whole", at)[0] == 0
    assert say("request", "answer", "site-r3", at)[0] == 4
    assert say("access-report", "--customer", "C2", at)[0] == 0
    assert readings(site) == [
        ("made", None), ("match_shown", None), ("explained", "restricted"), ("explained", "restricted"),
        ("timeline_made", "restricted"), ("answer_drafted", "restricted"), ("made", "restricted"),
    ]  # fmt: skip

    # and before a file of it stands: who is killed meanwhile leaves none that nobody noted
    monkeypatch.setattr("assets.rights.reports.write_folder", killed)
    with pytest.raises(Killed):
        say("access-report", "--customer", "C2", at)
    assert readings(site)[-2:] == [("made", "restricted")] * 2


def test_a_report_on_whom_rows_were_set_aside_of_is_for_a_person(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = {"customer_id": "C9", "name": "Nova Testman", "email": "nova@hem.example"}
    monkeypatch.setitem(EXPORTS, "crm/customers", [*EXPORTS["crm/customers"], stranger])
    order = {"order_id": "O9", "customer_id": "C9", "placed_at": "2026-09-01", "status": "open"}
    monkeypatch.setitem(EXPORTS, "orders/orders", [*EXPORTS["orders/orders"], order])
    monkeypatch.setitem(EXPORTS, "orders/payments", [{"payment_id": "B1", "invoice_id": "I1", "payer_name": "Disa"}])
    site = make_site(tmp_path / "site")
    at = f"--site={site.path}"
    for source in ("crm", "orders", "mailing", "web", "office"):
        delivered(site, source, datetime.now(UTC) - timedelta(hours=2))
    assert run_cycle(site, datetime.now(Settings.load(site).zone).date()).success
    code, out, err = say("access-report", "--customer", "C1", at)
    assert (code, "portability.json" in out) == (4, True)
    assert "1 of orders payment (amount: the value is missing), kept through " in err
    assert "`gallring quarantine orders --show --all` shows them" in err
    for who in (("--customer", "C9"), ("--email", "nova@hem.example")):
        code, out, err = say("access-report", *who, at)
        assert (code, out, "1 of crm customer (customer_type: " in err, "Nova" in err) == (4, "", True, False)
        assert "Taken in, and hanging on them alone: order O9." in err
    assert say("access-report", "--customer", "C8", at)[0] == 3
    assert say("access-report", "--customer", "C2", at)[0] == 0
    whole = {"payment_id": "B1", "invoice_id": "I1", "payer_name": "Disa", "amount": "1", "paid_at": "2026-10-01"}
    monkeypatch.setitem(EXPORTS, "orders/payments", [whole])
    delivered(site, "orders", datetime.now(UTC) - timedelta(hours=1))
    assert run_cycle(site, datetime.now(Settings.load(site).zone).date()).success
    code, _, err = say("access-report", "--customer", "C1", at)
    assert (code, "have been delivered whole since and are in the report: 1 of orders payment" in err) == (0, True)
    assert "gallring quarantine" not in err
    with open_warehouse(site, Settings.load(site)) as warehouse:
        warehouse.insert("intake.blocks", ("source", "table_name", "reason"), [("crm", "customers", "shrunk")])
    code, out, err = say("access-report", "--customer", "C1", at, "--json")
    assert (code, json.loads(out)["incomplete"], "what it left out" in err) == (4, ["crm/customers: shrunk"], True)
    for option, who, exit_code, is_told in (
        ("--customer", "C8", 3, True), ("--email", "ingen@hem.example", 3, True), ("--contact", "K8", 3, False),
        ("--customer", "C9", 4, True),
    ):  # fmt: skip
        code, _, err = say("access-report", option, who, at)
        said = "was not taken in (crm/customers: shrunk): who is asked about may be in it" in err
        assert (code, said) == (exit_code, is_told), who
    code, _, err = say("request", "add", "--kind", "access", "--email", "ingen@hem.example", at)
    assert (code, "No record that is known has that address" in err) == (0, True)


def test_a_day_to_come_is_refused_for_what_has_happened(say: Say, tmp_path: Path) -> None:
    """Taken in it could not be taken back: a restriction would last until then."""
    site = make_site(tmp_path / "site")
    at = f"--site={site.path}"
    ahead = str(datetime.now(Settings.load(site).zone).date() + timedelta(days=3650))
    person = ("request", "add", "--kind", "restriction", "--email", "egil@hem.example", at)
    assert say(*person, "--received", ahead)[0] == 2
    assert say(*person)[0] == 0
    place = ("hold", "place", "--reason", "court", "--reviewer", "jurist", "--customer", "C1", "--unknown", at)
    assert say(*place)[0] == 0
    for verb in (
        ("request", "verify", "site-r1", "--on"), ("request", "verify", "site-r1", "--asked", "--on"),
        ("request", "extend", "site-r1", "--on"), ("request", "answer", "site-r1", "--notice-given", ahead, "--sent"),
        ("hold", "release", "site-h1", "--on"), (*place[:-1], "--on"),
    ):  # fmt: skip
        code, _, err = say(*verb, ahead, at)
        assert (code, f"{ahead} is a day to come" in err) == (2, True)
    assert json.loads(say("request", "list", "--json", at)[1])[0]["clock"]["answered_on"] is None
    assert json.loads(say("hold", "list", "--json", at)[1])[0]["released_on"] is None
