"""Approving from the command line and in Dagster: the same jobs, the same history, the same answers."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, build_sensor_context

from assets.delivery.sending import held_back
from assets.ledger.issued import manifests
from assets.site import Site
from orchestration.cli import main
from orchestration.cli.manifests import told_next
from orchestration.definitions import build_definitions
from orchestration.initialising import make_site
from orchestration.running import CycleOutcome, run_cycle
from tests.delivery.sealed import Sealed
from tests.orchestration.conftest import DAY
from tests.orchestration.conftest import cycled as cycled


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("GALLRING_", "DAGSTER_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def site(cycled: tuple[Site, CycleOutcome], tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A sample site after one cycle that B. Runner launched."""
    site, outcome = cycled
    assert outcome.success
    return Site(shutil.copytree(site.path, tmp_path_factory.mktemp("commands") / "site"))


@pytest.fixture
def asked(site: Site, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Calls the command on the site; its exit code and what it printed."""

    def ask(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments, "--site", str(site.path)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return ask


def manifest_of(asked: Any, system: str) -> dict[str, Any]:
    code, out, _ = asked("manifest", "list", "--system", system, "--json")
    assert code == 0
    found = json.loads(out)[0]
    assert isinstance(found, dict)
    return found


def test_what_waits_is_shown_with_why_and_whose_turn_it_is(asked: Any) -> None:
    manifest_id = manifest_of(asked, "web")["manifest_id"]
    code, out, _ = asked("manifest", "show", manifest_id, "--items", "2")
    assert code == 0
    assert out.endswith("\nissued: Approve or cancel the manifest.\n")
    assert "Waits for a person" in out
    assert "Every manifest is approved by a person" in out
    code, out, _ = asked("manifest", "show", manifest_id, "--json")
    review = json.loads(out)["review"]
    assert review["counts"]
    assert 0 < len(review["examples"]) <= 10
    code, out, _ = asked("status", "--json", "--as-of", DAY.isoformat())
    turns = json.loads(out)["turns"]
    assert {(turn["owner"], turn["state"]) for turn in turns} == {("approver", "issued")}


def test_who_launched_the_run_is_sent_to_somebody_else(asked: Any) -> None:
    manifest_id = manifest_of(asked, "web")["manifest_id"]
    code, _, err = asked("manifest", "approve", manifest_id, "--by", "b. runner", "--reason", "x")
    assert code == 4
    assert "four eyes" in err


def test_an_approval_is_delivered_by_the_job_that_follows_it(site: Site, asked: Any) -> None:
    manifest_id = manifest_of(asked, "web")["manifest_id"]
    code, out, _ = asked("manifest", "approve", manifest_id[:24], "--by", "A. Prover", "--reason", "looked at it")
    assert code == 0
    assert f"{manifest_id} (web)" in out
    assert " approved" in out
    code, _, err = asked("manifest", "approve", manifest_id, "--by", "A. Prover", "--reason", "again")
    assert code == 1
    assert "waits for no approval" in err
    assert run_cycle(site, DAY, job="deliver_manifests").success
    assert set(manifest_of(asked, "web")["states"]) == {"delivered"}
    code, _, err = asked("manifest", "cancel", manifest_id, "--by", "A. Prover", "--reason", "too late")
    assert code == 1
    assert "cannot be cancelled" in err


def test_what_waits_for_an_earlier_one_is_not_said_to_be_delivered(sealed: Sealed) -> None:
    first, second = sealed.manifests("crm")
    (web,) = sealed.manifests("web")
    looked = [each for each in manifests(sealed.warehouse) if each.manifest_id in (second, web)]
    sealed.step("approved", second, web)
    assert [*told_next(looked, held_back(sealed.warehouse, sealed.site))] == [
        f"{second} waits here. Manifest {first} of crm comes before it: approve or cancel that one first.",
        "The next run delivers the other: `gallring run`, the job deliver_manifests, or the sensor approval_given.",
    ]
    sealed.step("approved", first)
    assert [*told_next(looked, held_back(sealed.warehouse, sealed.site))] == [
        "The next run delivers them: `gallring run`, the job deliver_manifests, or the sensor approval_given.",
    ]


def test_an_answer_is_read_and_told(site: Site, asked: Any) -> None:
    manifest_id = manifest_of(asked, "web")["manifest_id"]
    items = (site.outbox / "web" / manifest_id / "items.jsonl").read_text(encoding="utf-8").splitlines()
    answers = [
        {"manifest_id": manifest_id, "item_id": json.loads(line)["item_id"], "status": "done",
         "at": "2026-11-23T08:00:00Z"}
        for line in items
    ]  # fmt: skip
    folder = site.receipts / "web"
    folder.mkdir(exist_ok=True)
    (folder / "answers.jsonl").write_text("".join(json.dumps(answer) + "\n" for answer in answers), encoding="utf-8")
    assert run_cycle(site, DAY, job="read_receipts").success
    assert manifest_of(asked, "web")["states"] == {"done": len(items)}


def test_a_cancelled_manifest_is_proposed_anew(site: Site, asked: Any) -> None:
    before = manifest_of(asked, "mailing")
    code, out, _ = asked("manifest", "cancel", before["manifest_id"], "--by", "A. Prover", "--reason", "wrong week")
    assert (code, "cancelled" in out) == (0, True)
    assert run_cycle(site, DAY, job="seal_manifests").success
    code, out, _ = asked("manifest", "list", "--system", "mailing", "--json")
    old, new = json.loads(out)
    assert (old["states"], new["states"]) == ({"cancelled": old["items"]}, {"issued": old["items"]})
    assert new["actions"] == old["actions"]


def test_a_persons_word_is_taken_while_a_contract_cannot_be_read(site: Site, asked: Any) -> None:
    """What people ask for does not wait until the contract is mended, nor does stopping what it brought about."""
    contract = site.policy / "contracts" / "crm_customers.yaml"
    whole = contract.read_text(encoding="utf-8")
    broken = whole.replace("logicalType: string\n", 'logicalType: string\n        transformLogic: "upper("\n', 1)
    contract.write_text(broken, encoding="utf-8")
    try:
        _, listed, _ = asked("manifest", "list", "--system", "mailing", "--json")
        manifest_id = json.loads(listed)[-1]["manifest_id"]
        who = ("--by", "A. Prover", "--reason", "a wrong contract")
        code, _, err = asked("manifest", "approve", manifest_id, *who)
        assert (code, "crm_customers.yaml" in err) == (3, True), "nothing leaves by a policy that nobody can read"
        assert asked("manifest", "cancel", manifest_id, *who)[0] == 0
        code, out, err = asked("request", "add", "--kind", "withdrawal", "--email", "nobody@hem.example")
        assert (code, "crm_customers.yaml" in err) == (0, True)
        number = out.split()[0]
        assert asked("request", "list", "--json")[0] == 0
        code, _, err = asked("request", "answer", number)
        assert (code, "crm_customers.yaml" in err) == (3, True)
        code, out, _ = asked("hold", "place", "--record", "customer", "NN", "--unknown", "--reason", "dispute",
                             "--reviewer", "legal")  # fmt: skip
        assert code == 0
        assert asked("hold", "release", out.split()[0])[0] == 0
        assert asked("quarantine", "crm")[0] == 0
        code, _, err = asked("quarantine", "krm")
        assert (code, "crm" in err) == (2, True)
        assert asked("hold", "place", "--record", "customer", "NN", "--unknown", "--reason", "dispute", "--reviewer",
                     "legal", "--policy", str(site.policy))[0] == 3, "who names a policy means it"  # fmt: skip
    finally:
        contract.write_text(whole, encoding="utf-8")


def test_several_are_approved_at_once_and_none_where_one_is_unknown(site: Site, asked: Any) -> None:
    named = [manifest_of(asked, system)["manifest_id"] for system in ("crm", "orders")]
    who = ("--by", "A. Prover", "--reason", "looked at both")
    code, out, err = asked("manifest", "approve", named[0], "ffff", named[1], *who)
    assert (code, out) == (2, "")
    assert "'ffff'" in err
    assert {*manifest_of(asked, "crm")["states"], *manifest_of(asked, "orders")["states"]} == {"issued"}
    code, out, _ = asked("manifest", "approve", f" {named[0]}\n", named[1], *who, "--json")
    assert code == 0
    assert [(each["manifest_id"], set(each["states"])) for each in json.loads(out)] == [
        (each, {"approved"}) for each in named
    ]
    code, out, _ = asked("manifest", "cancel", *named, *who)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == named


def test_the_ledger_answers_who_received_a_record(asked: Any) -> None:
    code, out, _ = asked("manifest", "recipients", "delivery", "\u00a0 L9002\n")  # as it was pasted
    assert (code, out.strip()) == (0, "No partner is on record for it.")
    code, _, said = asked("manifest", "recipients", "delivery", "none")
    assert code == 3
    assert "No delivery with the key 'none'" in said


def test_an_unknown_manifest_is_bad_usage(asked: Any) -> None:
    assert asked("manifest", "approve", "ffff", "--by", "A. Prover", "--reason", "x")[0] == 2
    assert asked("manifest", "approve", "", "--by", "A. Prover", "--reason", "x")[0] == 2


def test_an_approval_starts_one_delivery(site: Site) -> None:
    definitions = build_definitions(site=site.path)
    repository = definitions.get_repository_def()
    watch: Any = next(each for each in repository.sensor_defs if each.name == "approval_given")
    with DagsterInstance.from_config(str(site.dagster)) as instance:
        approvals = [
            each.run_id for each in instance.get_runs() if each.job_name == "approve_manifest" and each.is_success
        ]
        found = watch.evaluate_tick(build_sensor_context(instance, cursor="0"))
        again = watch.evaluate_tick(build_sensor_context(instance, cursor=found.cursor))
    assert approvals
    assert {(each.run_key, each.tags["gallring/approval"]) for each in found.run_requests} == {
        (run_id, run_id) for run_id in approvals
    }
    assert again.run_requests == []


def test_arrived_answers_start_one_reading_until_they_change(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    repository = build_definitions(site=site.path).get_repository_def()
    watch = next(each for each in repository.sensor_defs if each.name == "receipt_arrived")

    def keys() -> list[str | None]:
        return [request.run_key for request in watch.evaluate_tick(build_sensor_context()).run_requests or []]

    assert keys() == []
    (site.receipts / "crm").mkdir()
    answers = site.receipts / "crm" / "answers.jsonl"
    answers.write_text("{}\n", encoding="utf-8")
    first = keys()
    assert first == keys()
    assert len(first) == 1
    answers.write_text("{}\n{}\n", encoding="utf-8")
    assert keys() != first


def test_rows_that_were_set_aside_are_told_by_place_and_rule_and_shown_to_who_asks(asked: Any, site: Site) -> None:
    code, out, _ = asked("quarantine", "orders", "--json")
    told = json.loads(out)
    assert code == 0
    assert told
    assert {row["source"] for row in told} == {"orders"}
    assert all(row["line"] and row["rule"] and row["text"] is None for row in told)
    code, out, _ = asked("quarantine", "orders", "--show", "--json")
    shown = json.loads(out)
    assert code == 0
    assert [row | {"text": None} for row in shown] == told
    assert all(row["text"] for row in shown)
    code, out, _ = asked("quarantine", "orders", "--limit", "1")
    assert code == 0
    assert "--limit shows more" in out
    assert out.split()[:5] == ["file", "row", "table", "column", "why"]


def test_a_source_that_no_contract_names_is_no_source_without_bad_rows(asked: Any) -> None:
    code, out, said = asked("quarantine", "nowhere")
    assert (code, out) == (2, "")
    assert "crm, mailing, office, orders, web" in said
