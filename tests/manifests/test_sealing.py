"""Sealing: the same decisions give the same bytes, and a crash at any point leaves no half of a manifest."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.ledger import issued
from assets.manifests import documents, folders, sealing
from assets.manifests.folders import SealingFailed, folder_name
from assets.manifests.sealing import seal, take_out_of
from assets.manifests.verifying import verify
from assets.warehouse import TooLittleMemory, Warehouse
from tests.manifests.company import DAY, ISSUED_AT, POLICY, VALUES, Company, Office, full

C1, C2, E1 = ("customer", "C1"), ("customer", "C2"), ("web_event", "E1")
OUTCOMES = {C1: full("customer", "erase"), C2: {"phone": "erase", "email": "restrict"}, E1: {"behaviour": "never"}}


def made(keys: tuple[str, ...] = ("C1", "C2"), **options: Any) -> Company:
    company = Company(**options)
    for key in keys:
        company.add("customer", key)
    company.add("web_event", "E1")
    return company


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "site")


def documents_of(office: Office) -> dict[str, dict[str, Any]]:
    return {
        json.loads(content)["system"]: json.loads(content)
        for name, content in office.files().items() if name.endswith("manifest.json")
    }  # fmt: skip


def test_a_folder_holds_what_the_interface_says(office: Office) -> None:
    company = made()
    company.night(DAY, OUTCOMES, office)
    assert {name.split("/")[0] for name in office.files()} == {"crm", "web"}
    document = documents_of(office)["crm"]
    folder = office.site.outbox / "crm" / document["manifest_id"]
    assert {path.name for path in folder.iterdir()} == {"manifest.json", "manifest.jws", "items.jsonl", "manifest.csv"}
    assert document["counts"] == {"erase": 1, "redact": 1, "restrict": 1, "lift": 0, "notify": 0}
    assert (document["as_of"], document["respond_by"]) == ("2025-02-01", "2025-03-03")
    assert document["previous"] is None
    assert document["controller"] == "Test AB"
    assert document["state_of_inputs"] == [
        {"source": "crm", "delivery_id": "d2", "digest": "bb"}, {"source": "web", "delivery_id": "d1", "digest": "cc"}
    ]  # fmt: skip
    items = (folder / "items.jsonl").read_bytes()
    assert document["items"] == {"file": "items.jsonl", "count": 3, "sha256": hashlib.sha256(items).hexdigest()}
    assert [json.loads(line)["key"] for line in items.splitlines()] == [
        {"customer_id": key} for key in ("C1", "C2", "C2")
    ]
    redact = json.loads(items.splitlines()[1])
    assert list(redact) == ["item_id", "record_type", "key", "action", "fields", "because", "kept", "respond_by"]
    assert (redact["action"], redact["fields"], redact["respond_by"]) == ("redact", ["phone"], "2025-03-03")
    assert verify(folder, office.public).problems == ()


def test_nothing_about_a_person_leaves_but_the_key(office: Office) -> None:
    company = made()
    company.night(DAY, OUTCOMES, office)
    everything = b"".join(office.files().values()).decode()
    assert not [value for value in VALUES.values() if value in everything]


def test_what_an_earlier_version_proposed_is_sealed(office: Office) -> None:
    company = made()
    company.propose(DAY, OUTCOMES)
    company.warehouse.run("alter table manifest.manifests drop column table_sha256")
    company.warehouse.ask_anew()
    assert company.seal(DAY, office).refusals == ()
    assert company.warehouse.value("select count(*) from manifest.manifests where table_sha256 is null") == 0


def test_a_second_sealing_finds_nothing_to_do(office: Office) -> None:
    company = made()
    company.night(DAY, OUTCOMES, office)
    before = office.files()
    assert company.seal(DAY, office).sealed == ()
    assert office.files() == before


def test_manifests_of_a_system_form_a_chain(office: Office) -> None:
    company = made()
    company.night(DAY, OUTCOMES, office)
    first = documents_of(office)["crm"]
    company.night(DAY + timedelta(days=1), {**OUTCOMES, C2: full("customer", "erase")}, office)
    second = next(
        json.loads(content) for content in office.files().values()
        if content.startswith(b"{") and b'"as_of": "2025-02-02"' in content
    )  # fmt: skip
    assert second["previous"] == documents.digest(first)
    rows = company.warehouse.rows(
        "select sequence, previous, digest from manifest.manifests where system = 'crm' order by 1"
    )
    assert [row[0] for row in rows] == [1, 2]
    assert rows[1][1] == rows[0][2] == documents.digest(first)


def test_only_the_instant_of_issue_may_differ(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    outboxes = []
    for number, (threads, shuffle) in enumerate([(1, 0), (4, 7), (4, 8)]):
        office = Office(tmp_path / f"site{number}", keys)
        company = made(tuple(f"C{key}" for key in range(1, 9)), threads=threads, shuffle=shuffle)
        company.propose(DAY, {("customer", f"C{key}"): {"phone": "erase", "email": "restrict"} for key in range(1, 9)})
        company.warehouse.run(
            "create or replace table manifest.proposed as from manifest.proposed order by hash(record_key)"
        )
        issued_at = ISSUED_AT + timedelta(hours=number)
        assert company.seal(DAY, office, issued_at).refusals == ()
        outboxes.append((office.files(), issued_at))
    first, _ = outboxes[0]
    for files, issued_at in outboxes[1:]:
        assert files.keys() == first.keys()
        stamp = issued_at.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
        for name, content in files.items():
            if name.endswith("manifest.json"):
                assert content.replace(stamp, b"2025-02-01T03:00:00Z") == first[name]
            elif not name.endswith(".jws"):
                assert content == first[name]


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)


@settings(max_examples=6, deadline=None)
@given(
    st.sets(
        TEXT | st.sampled_from(["=1+1", "@x", "-2", "+3", "\t=a", ' "q', "a,b", "a\nb", "＝x"]), min_size=1, max_size=5
    )
)
def test_any_key_is_written_so_that_it_reads_back(keys: set[str]) -> None:
    company = Company(threads=1)
    for key in keys:
        company.add("customer", key)
    company.propose(DAY, {("customer", key): {"phone": "erase"} for key in keys})
    company.seal(DAY)
    with TemporaryDirectory() as folder:
        rows = f"(from manifest.items order by {documents.LINE_ORDER})"
        folders.write_items(company.warehouse, rows, None, Path(folder))
        lines = (Path(folder) / documents.ITEMS).read_bytes().decode().removesuffix("\n").split("\n")
        table = (Path(folder) / documents.TABLE).read_bytes().decode()
    items = [json.loads(line) for line in lines]
    assert {item["key"]["customer_id"] for item in items} == keys
    assert [item["key"]["customer_id"] for item in items] == sorted(keys, key=str.encode)
    assert table == documents.CSV_HEADER + "".join(documents.csv_line(item) for item in items)
    for line, item in zip(lines, items, strict=True):
        head = f'{{"item_id":"{item["item_id"]}",'
        assert line.startswith(head)
        assert item["item_id"] == documents.item_id("crm", "2025-02-01", None, "{" + line.removeprefix(head))
    for row in csv.reader(io.StringIO(table, newline=""), strict=True):
        assert not [cell for cell in row if cell.lstrip().startswith(("=", "+", "-", "@"))]


def test_lines_stand_in_the_order_of_their_words() -> None:
    """Sealing sorts by numbers that stand for record types and actions."""
    company = Company(threads=4)
    for record_type in ("web_event", "delivery", "customer"):
        for key in ("b", "B", "a", "å", "aa"):
            company.add(record_type, key)
    company.propose(DAY, {})
    company.warehouse.run(
        "create or replace table manifest.proposed as select 'partner:P1' as system, record_type, record_key, row_id, "
        "action, cast([] as varchar[]) as fields, cast('[]' as json) as because, cast('[]' as json) as kept "
        "from retention.records cross join (select unnest($actions) as action)",
        {"actions": list(issued.ACTIONS)},
    )
    sealing._Run(company.warehouse, POLICY, None, None, DAY, ISSUED_AT, DAY)._number_items(
        "partner:P1", None, {"customer": 25, "delivery": 25, "web_event": 25}
    )
    rows = company.warehouse.rows("select record_type, record_key, action from being_sealed order by rowid")
    assert len(rows) == 75
    assert rows == sorted(rows, key=lambda row: tuple(word.encode() for word in row))


def test_a_large_manifest_is_shared_among_threads_and_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    files, number_items = [], sealing._Run._number_items
    for most in (sealing._WORTH_SHARING, 0):
        threads: set[int] = set()

        def counted(run: sealing._Run, *named: Any, threads: set[int] = threads) -> None:
            threads.add(run.warehouse.value("select current_setting('threads')"))
            number_items(run, *named)

        monkeypatch.setattr(sealing._Run, "_number_items", counted)
        monkeypatch.setattr(sealing, "_WORTH_SHARING", most)
        company, office = made(threads=3), Office(tmp_path / f"site{most}", keys)
        company.night(DAY, OUTCOMES, office)
        assert threads == {1 if most else 3}
        assert company.warehouse.value("select current_setting('threads')") == 3
        files.append(office.files())
    assert files[0] == files[1]


@pytest.mark.parametrize("system", ["partner:../../etc", "partner:a/b", "..", ".hidden", "partner:" + "x" * 300, "crm"])
def test_a_system_never_names_a_path(system: str) -> None:
    name = folder_name(system)
    assert "/" not in name
    assert not name.startswith(".")
    assert len(name.encode()) <= 255


def test_a_system_with_a_plain_name_keeps_it() -> None:
    assert [folder_name(system) for system in ("crm", "partner:P1")] == ["crm", "partner:P1"]


# -- crashes ------------------------------------------------------------------------------------------------------


class Crash(BaseException):
    """The process ends here, as far as the code under test can tell."""


@contextmanager
def crashing(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, at: int, *, before: bool) -> Iterator[None]:
    """The `at`-th call of `owner.name` crashes, before or after it has done its work."""
    calls, real = [0], getattr(owner, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] == at and before:
            raise Crash
        result = real(*args, **kwargs)
        if calls[0] == at:
            raise Crash
        return result

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, call)
        yield


POINTS: list[tuple[Any, str]] = [
    (folders, "new_work_folder"), (folders, "write_items"), (folders, "write_document"), (folders, "put_in_place"),
    (folders.os, "rename"), (folders.os, "fsync"), (Warehouse, "insert"),
]  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """Keys, and what a sealing with them leaves when nothing crashes."""
    folder = tmp_path_factory.mktemp("undisturbed")
    keys = folder / "keys"
    keys.mkdir()
    office = Office(folder / "site", keys)
    made().night(DAY, OUTCOMES, office)
    return keys, office.files()


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize(("owner", "name"), POINTS, ids=[name for _, name in POINTS])
def test_a_crash_leaves_no_half_and_a_rerun_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: tuple[Path, dict[str, bytes]],
    owner: Any, name: str, at: int, before: bool,
) -> None:  # fmt: skip
    keys, expected = undisturbed
    company, office = made(), Office(tmp_path / "site", keys)
    company.propose(DAY, OUTCOMES)
    with crashing(monkeypatch, owner, name, at, before=before):
        try:
            company.seal(DAY, office)
        except Crash:
            assert_only_whole_folders(office)
    company.propose(DAY, OUTCOMES)
    assert company.seal(DAY, office).refusals == ()
    assert office.files() == expected
    assert ledger_of(company) == ledger_of_files(office)
    assert company.propose(DAY, OUTCOMES) == set()


@pytest.mark.parametrize("statement", range(1, 12))
def test_a_crash_inside_the_transaction_records_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch, statement: int
) -> None:
    company = made(("C1",))
    company.propose(DAY, {C1: full("customer", "erase")})
    real, calls = Warehouse.run, [0]

    def run(self: Warehouse, sql: str, params: Any = None) -> None:
        if self._depth:
            calls[0] += 1
            if calls[0] == statement:
                raise Crash
        real(self, sql, params)

    with monkeypatch.context() as patch:
        patch.setattr(Warehouse, "run", run)
        try:
            company.seal(DAY, office)
        except Crash:
            for table in ("items", "manifests", "events", "sealed_fields"):
                assert company.warehouse.value(f"select count(*) from manifest.{table}") == 0
    company.seal(DAY, office)
    assert ledger_of(company) == ledger_of_files(office) != {}
    assert company.warehouse.value("select count(*) from manifest.intended") == 0


def assert_only_whole_folders(office: Office) -> None:
    for system in office.site.outbox.iterdir():
        for folder in () if system.name.startswith(".") else system.iterdir():
            assert verify(folder, office.public).problems == ()


def ledger_of(company: Company) -> dict[str, str]:
    return dict(company.warehouse.rows("select manifest_id, items_sha256 from manifest.manifests"))


def ledger_of_files(office: Office) -> dict[str, str]:
    return {one["manifest_id"]: one["items"]["sha256"] for one in documents_of(office).values()}


def test_a_folder_that_has_gone_is_written_again_the_same(office: Office) -> None:
    company = made()
    company.night(DAY, OUTCOMES, office)
    before = office.files()
    shutil.rmtree(office.site.outbox / "crm")
    office.restore(company)
    assert office.files() == before


def test_an_outbox_newer_than_its_warehouse_is_not_touched(office: Office) -> None:
    made().night(DAY, OUTCOMES, office)
    before = office.files()
    with pytest.raises(SealingFailed, match="never sealed"):
        made().night(DAY, OUTCOMES, office)
    assert office.files() == before


@pytest.mark.parametrize("member", ["kept", "because"])
def test_an_item_that_lacks_a_member_is_no_blank_line(office: Office, member: str) -> None:
    company = made()
    company.propose(DAY, OUTCOMES)
    company.warehouse.run(f"update manifest.proposed set {member} = null where record_key = 'C2' and action = 'redact'")
    with pytest.raises(SealingFailed, match=f"^crm: 1 of 3 items .* 2025-02-01 lack `{member}`: nothing") as refused:
        company.seal(DAY, office)
    assert not [value for value in (*VALUES.values(), "C2") if value in str(refused.value)]
    assert office.files() == {}
    assert company.warehouse.value("select count(*) from manifest.items") == 0
    company.propose(DAY, OUTCOMES)
    assert len(company.seal(DAY, office).sealed) == 2


def test_a_full_disk_seals_nothing_and_says_so(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    company = made()
    company.propose(DAY, OUTCOMES)
    with monkeypatch.context() as patch:
        patch.setattr(folders.os, "fsync", _full)
        with pytest.raises(SealingFailed, match="No space left"):
            company.seal(DAY, office)
    assert company.warehouse.value("select count(*) from manifest.manifests") == 0
    assert len(company.seal(DAY, office).sealed) == 2


def _full(_: int) -> None:
    raise OSError(28, "No space left on device")


KILLED = """
import os, sys
from pathlib import Path
from assets.manifests import folders
from assets.warehouse import Warehouse
from tests.manifests.company import DAY, Company, Office
from tests.manifests.test_sealing import OUTCOMES, made

step = int(sys.argv[2])
office = Office(Path(sys.argv[1]), Path(sys.argv[3]))
company = made(warehouse=Warehouse.open(office.site.warehouse, key="k"))
company.propose(DAY, OUTCOMES)
calls = 0

def deadly(owner, name):
    real = getattr(owner, name)
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == step:
            os.kill(os.getpid(), 9)
        return real(*args, **kwargs)
    setattr(owner, name, call)

deadly(folders.os, "fsync")
deadly(folders.os, "rename")
deadly(Warehouse, "insert")
company.seal(DAY, office)
"""


@pytest.mark.parametrize("step", [2, 8])
def test_kill_9_leaves_no_half_of_a_manifest(tmp_path: Path, step: int) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    undisturbed = Office(tmp_path / "undisturbed", keys)
    made().night(DAY, OUTCOMES, undisturbed)
    office = Office(tmp_path / "site", keys)
    ended = subprocess.run([sys.executable, "-c", KILLED, str(office.site.path), str(step), str(keys)],
                           cwd=Path(__file__).parents[2], check=False)  # fmt: skip
    assert ended.returncode == -signal.SIGKILL
    assert_only_whole_folders(office)
    with Warehouse.open(office.site.warehouse, key="k") as warehouse:
        company = Company.opened(warehouse)
        assert company.seal(DAY, office).refusals == ()
        assert office.files() == undisturbed.files()
        assert ledger_of(company) == ledger_of_files(office)


# -- the warehouse alone ------------------------------------------------------------------------------------------


def test_scenarios_seal_without_files() -> None:
    company = made()
    items = company.night(DAY, OUTCOMES)
    assert company.warehouse.value("select count(*) from manifest.items") == len(items)
    assert company.warehouse.rows("select distinct state, on_day from manifest.events") == [("issued", DAY)]
    ordered = company.warehouse.rows("select record_key, field from manifest.ordered_fields order by all")
    assert ordered == [*(("C1", field) for field in ("city", "email", "name", "phone", "street")), ("C2", "phone"),
                       ("E1", "cookie_id"), ("E1", "url")]  # fmt: skip


def test_a_site_and_a_signer_come_together(office: Office) -> None:
    company = made()
    company.propose(DAY, OUTCOMES)
    with pytest.raises(ValueError, match="together"):
        seal(company.warehouse, POLICY, office.site, None, as_of=DAY, issued_at=ISSUED_AT)
    with pytest.raises(ValueError, match="time zone"):
        seal(company.warehouse, POLICY, office.site, office.signer, as_of=DAY, issued_at=datetime(2025, 2, 1))


def test_a_folder_of_the_outbox_on_another_disk_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    (tmp_path / ".sealing").mkdir()
    monkeypatch.setattr(os, "rename", refused)
    with pytest.raises(SealingFailed, match="Mount outbox/ as a whole"):
        folders.put_in_place(tmp_path / ".sealing", tmp_path / "crm" / "M1")


@pytest.mark.parametrize("theirs", [0, 1, 5, 9, 10])
def test_what_was_told_goes_from_the_news_and_nothing_else_does(theirs: int, tmp_path: Path) -> None:
    """Where most goes, what stays is written anew; where little goes, it is deleted: the same is left."""
    with Warehouse.open(tmp_path / "w.duckdb", key="5a" * 32) as warehouse:
        warehouse.run("create schema manifest")
        warehouse.run(
            "create table manifest.proposed as select case when n < $theirs then 'crm' when n < 9 then 'orders' end "
            "as system, cast(n as hugeint) as named, cast('a' as enum('a', 'b')) as action from range(10) as rows (n)",
            {"theirs": theirs},
        )
        described = warehouse.rows("describe manifest.proposed")
        left = warehouse.rows("select * from manifest.proposed where system is distinct from 'crm' order by all")
        with warehouse.transaction():
            take_out_of(warehouse, "manifest.proposed", "system", "crm")
        assert warehouse.rows("select * from manifest.proposed order by all") == left
        assert len(left) == 10 - theirs
        assert warehouse.rows("describe manifest.proposed") == described


def test_most_of_the_news_goes_in_little_memory(tmp_path: Path) -> None:
    """The engine remembers what is deleted until the transaction ends: of so many rows more than it may take."""

    @contextmanager
    def opened(memory_limit: str | None) -> Iterator[Warehouse]:
        path, spill = tmp_path / "w.duckdb", tmp_path / "spill"
        with Warehouse.open(path, key="5a" * 32, memory_limit=memory_limit, threads=1, temporary=spill) as warehouse:
            yield warehouse

    with opened(None) as warehouse:
        warehouse.run("create schema manifest")
        warehouse.run(
            "create table manifest.proposed as select case when n % 4 = 0 then 'crm' else 'orders' end as system, n "
            "from range(4_000_000) as rows (n)"
        )
    with opened("24MB") as warehouse, pytest.raises(TooLittleMemory), warehouse.transaction():
        warehouse.run("delete from manifest.proposed where system = 'orders'")
    with opened("24MB") as warehouse:
        with warehouse.transaction():
            take_out_of(warehouse, "manifest.proposed", "system", "orders")
        assert warehouse.rows("select system, count(*) from manifest.proposed group by all") == [("crm", 1_000_000)]
