"""The evidence log: written once whatever crashes, and whoever changes it is found out, with and without Gallring."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from assets.catalogue.verdicts import record_verdicts
from assets.core.building import build
from assets.errors import BadInput
from assets.evidence import chain as chains
from assets.evidence.bundles import check, export
from assets.evidence.chain import EvidenceBroken, append, read_chain
from assets.evidence.entries import entry_fits, facts_fit
from assets.evidence.recording import record
from assets.evidence.verify_bundle import canonical
from assets.ingest.loading import load_rows
from assets.manifests.changes import propose
from assets.manifests.sealing import seal
from assets.manifests.signatures import Signer, make_key
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.site import Site
from assets.warehouse import Warehouse
from expectations.validation import Verdict

DAY = date(2026, 11, 25)
AT = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 26, 2, 0, tzinfo=UTC)
EXPORTS = {
    "crm/customers": [
        {"customer_id": "K1", "customer_type": "private", "name": "Kanarie Fågel", "email": "k@fagel.example",
         "customer_since": "2015-01-01"},
        {"customer_id": "K2", "customer_type": "private", "name": "Annan Fågel", "customer_since": "2014-01-01"},
    ]
}  # fmt: skip


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy.load()


@pytest.fixture(scope="module")
def sealed(policy: Policy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Warehouse]]:
    """A site where one night's manifests were sealed, and one check did not hold."""
    site = Site(tmp_path_factory.mktemp("evidence") / "site")
    site.make()
    make_key(site.keys / "signing.pem", site.keys / "signing.pub.pem")
    with Warehouse.in_memory(pseudonym_key=b"k" * 32) as warehouse:
        policy.publish(warehouse)
        load_rows(warehouse, policy, EXPORTS)
        build(warehouse)
        evaluate(warehouse, policy, DAY)
        propose(warehouse, policy, DAY)
        seal(warehouse, policy, site, Signer.load(site.keys / "signing.pem"), as_of=DAY, issued_at=AT)
        verdicts = [Verdict(name, "raw.crm_customers", "warning", held, 2, 0 if held else 1, "A claim.")
                    for name, held in (("a_claim", True), ("another_claim", False))]  # fmt: skip
        record_verdicts(warehouse, "raw", verdicts, DAY)
        yield site, warehouse


class Night:
    """A site of its own with the sealed night's warehouse."""

    def __init__(self, site: Site, warehouse: Warehouse, policy: Policy) -> None:
        self.site, self.warehouse, self.policy = site, warehouse, policy
        self.signer = Signer.load(site.keys / "signing.pem")
        self.public = site.keys / "signing.pub.pem"

    def record(self, at: datetime = AT) -> dict[str, int]:
        return record(self.warehouse, self.site, self.signer, at).written

    def entries(self) -> tuple[dict[str, Any], ...]:
        return read_chain(self.site, self.signer.public).entries

    @property
    def log(self) -> Path:
        (file,) = (self.site.evidence / "entries").iterdir()
        return file

    def export(self, target: Path) -> Path:
        return export(self.site, self.policy, self.signer, self.public, target)


@pytest.fixture
def night(sealed: tuple[Site, Warehouse], policy: Policy, tmp_path: Path) -> Night:
    site = Site(tmp_path / "site")
    shutil.copytree(sealed[0].path, site.path)
    return Night(site, sealed[1], policy)


def event(warehouse: Warehouse, **columns: Any) -> None:
    warehouse.insert("manifest.events", list(columns), [tuple(columns.values())])


# -- what it says --------------------------------------------------------------------------------------------------


def test_a_night_is_told_in_counts_and_digests(night: Night) -> None:
    assert night.record() == {"decided": 1, "checked": 1, "sealed": 1}
    decided, checked, sealed = night.entries()
    assert decided["facts"]["policy"] == {"version": night.policy.version, "sha256": night.policy.sha256}
    assert {"system": "crm", "disposition": "erase", "categories": 10} in decided["facts"]["dispositions"]
    assert [each["source"] for each in decided["facts"]["deliveries"]] == ["crm"]
    assert (checked["facts"]["held"], checked["facts"]["failed"]) == (1, ["another_claim"])
    digest, items = night.warehouse.rows("select digest, items from manifest.manifests")[0]
    assert (sealed["facts"]["digest"], sealed["facts"]["items"], sealed["facts"]["signed"]) == (digest, items, True)
    assert all(map(entry_fits, night.entries()))


def test_nothing_in_it_names_a_person_or_a_record(night: Night) -> None:
    night.record()
    text = night.log.read_text(encoding="utf-8")
    assert not any(value in text for row in EXPORTS["crm/customers"] for value in row.values() if value != "private")


def test_what_became_of_a_manifest_is_told_with_who_approved_it(night: Night) -> None:
    night.record()
    warehouse = night.warehouse
    manifest_id = warehouse.value("select manifest_id from manifest.manifests")
    item_id, key = warehouse.rows("select item_id, record_key from manifest.items order by record_key")[0]
    common = {"manifest_id": manifest_id, "on_day": "2026-11-25"}
    try:
        event(warehouse, **common, state="approved", by_whom="Dana Dataskydd", sequence=1)
        event(warehouse, **common, state="delivered", sequence=2)
        event(warehouse, **common, state="refused", item_id=item_id, reason="business_open", sequence=3)
        assert night.record(LATER) == {"approved": 1, "delivered": 1, "answered": 1}
        by_kind = {entry["kind"]: entry["facts"] for entry in night.entries()}
        assert (by_kind["approved"]["by"], by_kind["approved"]["items"]) == ("Dana Dataskydd", 2)
        assert (by_kind["answered"]["items"], by_kind["answered"]["reason"]) == (1, "business_open")
        reference = warehouse.value("select cast(pseudonym('evidence:customer:' || $key) as varchar)", {"key": key})
        assert by_kind["answered"]["records"] == [reference]
        assert all(map(entry_fits, night.entries()))
    finally:
        warehouse.run("delete from manifest.events where state <> 'issued'")


def test_a_manifest_that_was_told_is_not_read_again(night: Night) -> None:
    night.record()
    document = night.warehouse.value("select document from manifest.manifests")
    night.warehouse.run("update manifest.manifests set document = 'unreadable'")
    try:
        assert night.record(LATER) == {}
    finally:
        night.warehouse.run("update manifest.manifests set document = $document", {"document": document})


def test_what_was_erased_here_is_told(night: Night) -> None:
    from assets.erasure.erasing import prepare

    night.record()
    prepare(night.warehouse)
    rewritten, in_place = "(1, date '2026-11-25', 'ordered quarantine', 7, 2, 1, 3, null)", \
        "(2, date '2026-11-26', 'ordered', 5, 1, 0, 3, date '2026-12-03')"  # fmt: skip
    night.warehouse.run(f"insert into erasure.rewrites values {rewritten}, {in_place}")
    try:
        assert night.record(LATER) == {"erased": 2}
        assert night.entries()[-1]["facts"]["bytes_until"] == "2026-12-03", "where its bytes may linger in the file"
        assert entry_fits(night.entries()[-1])
        facts = night.entries()[-2]["facts"]
        assert "bytes_until" not in facts, "the file was written anew, and what was told before is told so still"
        assert (facts["reasons"], facts["fields_erased"], facts["records"]) == (["ordered", "quarantine"], 7, 2)
        assert entry_fits(night.entries()[-2])
        night.warehouse.run("alter table erasure.rewrites drop column bytes_until")
        night.warehouse.run("delete from erasure.rewrites where sequence = 2")
        assert night.record(LATER) == {}, "a warehouse of an earlier version has the same to tell"
    finally:
        night.warehouse.run("drop table erasure.rewrites")


def test_a_manifest_that_was_destroyed_on_its_day_stays_told(night: Night) -> None:
    night.record()
    before = night.entries()
    night.warehouse.run("begin")
    night.warehouse.run("update manifest.manifests set document = null, signature = null")
    assert night.record(LATER) == {}
    night.warehouse.run("rollback")
    assert night.entries() == before


def test_a_fact_is_written_once_and_again_when_it_has_changed(night: Night) -> None:
    night.record()
    assert night.record(LATER) == {}
    night.warehouse.run("update quality.verdicts set passed = true")
    try:
        assert night.record(LATER) == {"checked": 1}
    finally:
        night.warehouse.run("update quality.verdicts set passed = false where name = 'another_claim'")


def test_an_entry_with_a_place_for_a_value_is_refused(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    from assets.evidence import recording

    monkeypatch.setattr(recording, "_sealed", lambda *_: [("sealed", "m", {"name": "Kanarie"})])
    with pytest.raises(EvidenceBroken, match="no place for"):
        night.record()
    assert not (night.site.evidence / "entries").exists()


# -- a crash -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [0, 1, 250, "all"])
def test_a_crash_before_the_head_is_signed_leaves_each_entry_once(night: Night, kept: int | str) -> None:
    night.record()
    undisturbed = night.log.read_bytes()
    crashed = Site(night.site.path.with_name("crashed"))
    shutil.copytree(night.site.path, crashed.path)
    log = crashed.evidence / "entries" / night.log.name
    log.unlink()
    (crashed.evidence / "head.json").unlink()
    append(crashed, night.signer, read_chain(crashed, night.signer.public), [], AT)
    log.write_bytes(undisturbed if kept == "all" else undisturbed[: int(kept)])
    report = record(night.warehouse, crashed, night.signer, AT)
    assert report.repaired is (kept != 0)
    assert log.read_bytes() == undisturbed


def test_a_head_is_signed_last(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    night.record()
    before = night.entries()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    night.warehouse.run("update quality.verdicts set passed = true")
    try:
        with monkeypatch.context() as patched:
            patched.setattr(chains, "write_head", killed)
            with pytest.raises(KeyboardInterrupt):
                night.record(LATER)
        assert night.entries() == before
        assert night.record(LATER) == {"checked": 1}
        assert len(night.entries()) == len(before) + 1
    finally:
        night.warehouse.run("update quality.verdicts set passed = false where name = 'another_claim'")


def test_entries_go_on_in_another_file(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "ENTRIES_A_FILE", 2)
    night.record()
    files = sorted(path.name for path in (night.site.evidence / "entries").iterdir())
    assert files == ["entries-00000001.jsonl", "entries-00000003.jsonl"]
    assert len(night.entries()) == 3
    (night.site.evidence / "entries" / files[0]).unlink()
    with pytest.raises(EvidenceBroken):
        night.entries()


# -- tampering -----------------------------------------------------------------------------------------------------


def changed(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(b'"categories":10', b'"categories":11'), *lines[1:]]


def rechained(lines: list[bytes]) -> list[bytes]:
    """Changed by somebody who can count: every digest after it is made to fit."""
    entries = [json.loads(line) for line in changed(lines)]
    for before, after in pairwise(entries):
        after["previous"] = hashlib.sha256(canonical(before)).hexdigest()
    return list(map(canonical, entries))


TAMPERED: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "changed": changed,
    "changed, with every digest made to fit": rechained,
    "dropped": lambda lines: [lines[0], lines[2]],
    "the first dropped": lambda lines: lines[1:],
    "the last dropped": lambda lines: lines[:-1],
    "all dropped": lambda _: [],
    "reordered": lambda lines: [lines[1], lines[0], lines[2]],
    "repeated": lambda lines: [*lines, lines[-1]],
    "written another way": lambda lines: [lines[0].replace(b'"as_of":', b'"as_of": '), *lines[1:]],
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_tampered_log_is_found_by_all_who_check_it(night: Night, how: str, tmp_path: Path) -> None:
    night.record()
    bundle = night.export(tmp_path / "bundle")
    lines = night.log.read_bytes().splitlines()
    tampered = b"".join(line + b"\n" for line in TAMPERED[how](lines))
    (bundle / "entries" / night.log.name).write_bytes(tampered)
    assert not check(bundle, night.public).ok
    assert stand_alone(bundle).returncode == 1
    night.log.write_bytes(tampered)
    if how == "repeated":  # after the signed head: as good as never written
        assert len(night.entries()) == 3
    else:
        with pytest.raises(EvidenceBroken):
            night.entries()
        with pytest.raises(EvidenceBroken):
            night.record(LATER)


def stand_alone(bundle: Path, *key: Path) -> subprocess.CompletedProcess[str]:
    """The script alone, from the bundle, where Gallring can not be imported."""
    script = bundle / "verify_bundle.py"
    if bundle.suffix == ".zip":
        script = bundle.with_name("verify_bundle.py")
        script.write_bytes(zipfile.ZipFile(bundle).read("verify_bundle.py"))
    command = [sys.executable, "-I", str(script), str(bundle), *map(str, key)]
    return subprocess.run(command, capture_output=True, text=True, cwd=bundle.parent)


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_a_bundle_holds_with_and_without_gallring(night: Night, name: str, tmp_path: Path) -> None:
    night.record()
    bundle = night.export(tmp_path / name)
    found = check(bundle, night.public)
    assert (found.problems, found.entries) == ((), 3)
    ran = stand_alone(bundle, night.public)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("All holds.")


@pytest.mark.parametrize("left", [b'{"sequence": 4}\n', b'{"seq', b'{"sequence": 4}\n{"seq'])
def test_a_bundle_holds_what_was_signed_and_nothing_a_crash_left_after_it(
    night: Night, left: bytes, tmp_path: Path
) -> None:
    night.record()
    whole = night.log.read_bytes()
    night.log.write_bytes(whole + left)
    assert read_chain(night.site, night.signer.public).surplus == len(left)
    bundle = night.export(tmp_path / "bundle")
    assert (bundle / "entries" / night.log.name).read_bytes() == whole
    assert check(bundle, night.public).problems == ()


def test_a_delivery_may_have_as_long_a_name_as_a_folder() -> None:
    facts = {"as_of": "2026-11-25", "policy": {"version": "1", "sha256": "a" * 64}, "dispositions": [], "purposes": [],
             "blocked": [], "deliveries": [{"source": "crm", "delivery_id": "d" * 255, "digest": "b" * 64,
                                            "status": "loaded"}]}  # fmt: skip
    assert facts_fit("decided", facts)


def test_the_script_stands_alone() -> None:
    from assets.evidence import verify_bundle

    text = Path(verify_bundle.__file__).read_text(encoding="utf-8")
    assert "assets" not in text
    code = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("#", '"""'))]
    assert len(code) <= 110


@pytest.mark.parametrize("part", ["policy/register.yaml", "head.json", "signing.pub.pem", "contents.json",
                                  "verify_bundle.py"])  # fmt: skip
def test_every_other_part_of_a_bundle_is_held_too(night: Night, part: str, tmp_path: Path) -> None:
    night.record()
    bundle = night.export(tmp_path / "bundle")
    script = (bundle / "verify_bundle.py").read_bytes()
    (bundle / part).write_bytes((bundle / part).read_bytes().translate(bytes.maketrans(b"eA", b"fB")))
    assert not check(bundle).ok
    (bundle / "verify_bundle.py").write_bytes(script + (b"#\n" if part == "verify_bundle.py" else b""))
    assert stand_alone(bundle).returncode == 1


def test_a_bundle_that_was_damaged_is_told_without_a_traceback(night: Night, tmp_path: Path) -> None:
    """Wherever in it: what packs it finds other faults than what reads it."""
    night.record()
    bundle = night.export(tmp_path / "bundle.zip")
    whole = bundle.read_bytes()
    with zipfile.ZipFile(bundle) as packed:
        begins = min(each.header_offset for each in packed.infolist() if each.filename.endswith(".jsonl"))
    for place in range(begins + 30, begins + 230, 5):
        bundle.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        assert not check(bundle, night.public).ok
    ran = stand_alone(bundle, night.public)
    assert (ran.returncode, ran.stderr[:13]) == (1, "No evidence: ")


def test_another_key_is_found_out(night: Night, tmp_path: Path) -> None:
    night.record()
    bundle = night.export(tmp_path / "bundle")
    make_key(tmp_path / "other.pem", tmp_path / "other.pub.pem")
    assert not check(bundle, tmp_path / "other.pub.pem").ok
    assert stand_alone(bundle, tmp_path / "other.pub.pem").returncode == 1
    with pytest.raises(EvidenceBroken, match="signature"):
        read_chain(night.site, Signer.load(tmp_path / "other.pem").public)


def test_the_same_log_gives_the_same_bundle_and_a_broken_one_none(night: Night, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no evidence yet"):
        night.export(tmp_path / "none.zip")
    night.record()
    one, two = night.export(tmp_path / "one.zip"), night.export(tmp_path / "two.zip")
    assert one.read_bytes() == two.read_bytes()
    with pytest.raises(BadInput, match="there already"):
        night.export(one)
    night.log.write_bytes(night.log.read_bytes()[:-30])
    with pytest.raises(EvidenceBroken, match="cut off"):
        night.export(tmp_path / "three.zip")


@pytest.mark.parametrize("head", [b"", b"{}", b"[" * 100_000, b'{"signed":{},"signature":7}', b"\xff"])
def test_a_head_that_is_none_is_told_without_a_traceback(night: Night, head: bytes) -> None:
    night.record()
    (night.site.evidence / "head.json").write_bytes(head)
    with pytest.raises(EvidenceBroken):
        night.entries()
    (night.site.evidence / "head.json").unlink()
    with pytest.raises(EvidenceBroken, match="missing"):
        night.entries()
