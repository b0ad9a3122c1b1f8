"""The demo, as its user sees it: one command, and every verb answers about what it made."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from assets.sample.generating import telling_cases
from orchestration.cli import main
from orchestration.initialising import make_site

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def say(*arguments: str) -> Answer:
    """Run the command line and catch what it says."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(arguments)
    return Answer(code, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class Demo:
    """A demo's site, how making it went, and how running it again the same day went."""

    folder: Path
    made: Answer
    sealed: Any
    ordered: dict[Path, bytes]
    again: Answer

    def ask(self, *arguments: str) -> Answer:
        """Run the command line on the site."""
        return say(*arguments, "--site", str(self.folder))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("home") / "demo"
    folder.mkdir()
    (folder / ".gallring-demo").touch()
    (folder / "left-over of an earlier demo").touch()
    made = say("demo", str(folder))
    assert made.code == 0, made.err
    sealed = say("manifest", "list", "--json", "--site", str(folder)).data
    ordered = files_of(folder / "outbox")
    return Demo(folder, made, sealed, ordered, say("run", "--as-of", "2026-11-22", "--json", "--site", str(folder)))


def files_of(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def items_of(demo: Demo) -> list[dict[str, Any]]:
    """Every sealed item, as the systems get them."""
    lines = [
        line for path in sorted(demo.folder.glob("outbox/*/*/items.jsonl")) for line in path.read_text().splitlines()
    ]
    return [json.loads(line) for line in lines]


def test_the_demo_seals_one_verified_manifest_a_system_with_news(demo: Demo) -> None:
    found = demo.sealed
    assert {"crm", "orders", "mailing", "web"} <= {manifest["system"] for manifest in found}
    for manifest in found:
        folder = next(demo.folder.glob(f"outbox/*/{manifest['manifest_id']}"))
        key = str(demo.folder / "keys" / "signing.pub.pem")
        assert main(["manifest", "verify", str(folder), "--key", key]) == 0


def test_a_manifest_that_was_touched_does_not_verify(demo: Demo, tmp_path: Path) -> None:
    whole = next(path.parent for path in demo.folder.glob("outbox/crm/*/items.jsonl"))
    touched = tmp_path / whole.name
    touched.mkdir()
    for path in whole.iterdir():
        (touched / path.name).write_bytes(path.read_bytes())
    lines = (touched / "items.jsonl").read_bytes().splitlines(keepends=True)
    (touched / "items.jsonl").write_bytes(b"".join(lines[1:]))
    answer = demo.ask("manifest", "verify", str(touched))
    assert answer.code == 1
    assert "does not verify" in answer.out


def test_the_evidence_is_held_against_the_key_that_is_given(demo: Demo, tmp_path: Path) -> None:
    own = demo.folder / "keys" / "signing.pub.pem"
    assert demo.ask("evidence", "verify", "--key", str(own)).code == 0
    another = make_site(tmp_path / "another").keys / "signing.pub.pem"
    for key in (another, tmp_path / "none.pem"):
        answer = demo.ask("evidence", "verify", "--key", str(key))
        assert (answer.code != 0, answer.out) == (True, ""), "whoever has the key from elsewhere asks about that one"


def test_the_demo_tells_stories_of_every_action(demo: Demo) -> None:
    actions = {item["action"] for item in items_of(demo)}
    assert {"erase", "redact", "restrict", "notify"} <= actions


@pytest.mark.parametrize(
    ("record", "key", "field", "disposition"),
    [
        ("customer", "K9001", "national_id", "erase"),
        ("invoice", "F9001", "buyer_name", "restrict"),
        ("customer", "K9002", "national_id", "restrict"),
        ("customer", "K9003", "org_number", "restrict"),
        ("customer", "K9004", "email", "erase"),
        ("customer", "K9005", "phone", "retain"),
        ("customer", "K9006", "name", "restrict"),
        ("customer", "K9007", "email", "retain"),
        ("subscriber", "S9008", "email", "erase"),
        ("customer", "K9010", "name", "restrict"),
        ("customer", "K9011", "name", "erase"),
        ("contact", "K9012-1", "email", "erase"),
        ("contact", "K9012-2", "email", "retain"),
        ("complaint", "X9014", "description", "restrict"),
        ("customer", "K9016", "phone", "erase"),
        ("customer", "K9018", "national_id", "review"),
        ("order_line", "R9099", "product", "review"),
        ("customer", "K9020", "name", "erase"),
        ("customer", "K9012", "name", "not_personal"),
        ("web_event", "W9022-1", "url", "erase"),
        ("web_event", "W9022-1", "ip", "retain"),
    ],
)
def test_a_telling_case_is_decided_as_it_says(demo: Demo, record: str, key: str, field: str, disposition: str) -> None:
    found = demo.ask("explain", record, key, "--json").data
    assert {each["field"]: each["disposition"] for each in found["fields"]}[field] == disposition


def test_every_purpose_both_holds_and_has_let_go(demo: Demo) -> None:
    lines = demo.again.data["summary"]["purposes"]
    for purpose in {line["purpose"] for line in lines}:
        mine = [line for line in lines if line["purpose"] == purpose]
        assert sum(line["holds"] for line in mine) > 0, purpose
        assert sum(line["ended"] for line in mine) > 0, purpose
    assert len({line["purpose"] for line in lines}) == 17


def test_a_second_run_of_the_same_day_seals_nothing_more(demo: Demo) -> None:
    assert demo.again.code == 0
    assert demo.again.data["outcome"]["success"]
    assert demo.ask("manifest", "list", "--json").data == demo.sealed
    assert len(demo.ordered) > 10
    assert files_of(demo.folder / "outbox") == demo.ordered


def test_every_row_is_accounted_for(demo: Demo) -> None:
    summary = demo.again.data["summary"]
    for line in summary["deliveries"]:
        assert line["rows_in"] == line["loaded"] + line["quarantined"] + line["out_of_scope"]
    rules = {(line["file"], line["rule"]) for line in summary["quarantined"]}
    assert ("invoices.csv", "not_a_number") in rules
    assert len(rules) >= 5


def test_explain_looks_at_another_day_and_stores_nothing(demo: Demo) -> None:
    on = {day: demo.ask("explain", "customer", "K9003", "--as-of", day).out for day in ("2026-11-22", "2027-01-01")}
    assert "2027-01-01" in on["2027-01-01"]
    assert on["2026-11-22"] != on["2027-01-01"]
    assert demo.ask("explain", "customer", "K9003").out == on["2026-11-22"]
    assert "What was ordered" in on["2026-11-22"]
    assert "What was ordered" not in on["2027-01-01"]


def test_explain_tells_what_was_ordered_of_a_record(demo: Demo) -> None:
    (item,) = [item for item in items_of(demo) if item["key"] == {"customer_id": "K9001"}]
    (order,) = demo.ask("explain", "customer", "K9001", "--json").data["orders"]
    assert (order["action"], order["fields"], order["state"]) == (item["action"], item["fields"], "issued")
    assert order["next_en"] in demo.ask("explain", "customer", "K9001").out


@pytest.mark.parametrize("language", ["sv", "en"])
def test_explain_speaks_both_languages(demo: Demo, language: str) -> None:
    said = demo.ask("explain", "invoice", "F9002", "--language", language)
    assert said.code == 0
    assert ("Indrivning" in said.out) == (language == "sv")


@pytest.mark.parametrize("arguments", [("customer", "K0"), ("unicorn", "K9001")])
def test_explain_of_what_is_not_there_says_so(demo: Demo, arguments: Sequence[str]) -> None:
    answer = demo.ask("explain", *arguments)
    assert answer.code == 3
    assert "Traceback" not in answer.err


def test_a_manifest_is_found_by_the_beginning_of_its_id(demo: Demo) -> None:
    whole = demo.ask("manifest", "list", "--json").data[0]["manifest_id"]
    answer = demo.ask("manifest", "show", whole[:14])
    assert whole in answer.out
    assert demo.ask("manifest", "show", "nothing").code == 2


def test_nothing_personal_is_printed_or_ordered(demo: Demo) -> None:
    said = [demo.made, demo.again, demo.ask("status"), demo.ask("explain", "customer", "K9002")]
    ordered = "\n".join(path.read_text() for path in demo.folder.glob("outbox/*/*/*") if path.is_file())
    text = ordered + "".join(answer.out + answer.err for answer in said)
    personal = {
        row[column]
        for table in ("crm/customers", "crm/contacts", "mailing/subscribers")
        for row in telling_cases()[table]
        for column in ("name", "email", "phone", "street", "national_id")
        if row.get(column) and row.get("customer_type") != "company"
    }
    assert len(personal) > 80
    assert sorted(value for value in personal if value in text) == []


def test_status_tells_what_was_taken_in(demo: Demo) -> None:
    found = demo.ask("status", "--as-of", "2026-11-22", "--json").data
    assert found["as_of"] == "2026-11-22"
    assert found["waiting"] == []
    assert [line["source"] for line in found["deliveries"]] == ["crm", "mailing", "office", "orders", "web"]
    assert demo.ask("status").code == 0


def test_the_run_left_a_report_and_a_forecast(demo: Demo) -> None:
    assert {path.name for path in demo.folder.glob("reports/*")} >= {"index.html", "index.sv.html", "register.csv"}
    before = (demo.folder / "reports" / "index.html").read_bytes()
    assert demo.ask("report").code == 0
    assert (demo.folder / "reports" / "index.html").read_bytes() == before
    looked = demo.ask("forecast", "--months", "3", "--json").data
    assert {line["month"] for line in looked["lines"]} <= {"2026-11", "2026-12", "2027-01"}
    assert looked["later"] > 0


def test_a_policy_that_erases_at_once_is_shouted(demo: Demo, tmp_path: Path) -> None:
    other = tmp_path / "policy"
    shutil.copytree(demo.folder / "policy", other)
    assert demo.ask("simulate", "--policy", str(other)).code == 0
    register = (other / "register.yaml").read_text(encoding="utf-8")
    (other / "register.yaml").write_text(register.replace("{followup: P1Y}", "{followup: P6M}"), encoding="utf-8")
    answer = demo.ask("simulate", "--policy", str(other), "--json")
    assert answer.code == 4
    assert answer.data["erased_at_once"] > 0
    assert "ERASE" in answer.err
    told = say("policy", "diff", str(demo.folder / "policy"), str(other))
    assert told.out == "Purpose quote_followup, clock followup: P1Y becomes P6M, which is shorter.\n"


def test_an_earlier_demo_is_remade_and_the_new_one_summed_up(demo: Demo) -> None:
    assert not (demo.folder / "left-over of an earlier demo").exists()
    for part in ("by system", "each purpose holds", "Rows quarantined", "Sealed manifests", "Where to look next"):
        assert part in demo.made.out
    count = len(demo.sealed)
    assert f"{count} of {count} manifests verified" in demo.made.out
