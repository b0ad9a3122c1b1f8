"""The administrator of a system without an API: verify, see what is to be done, fill in a table, send the receipt."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from assets.delivery.answers import Answers
from assets.delivery.receipts import read_receipts
from assets.delivery.receiving import (
    COLUMNS,
    STATE,
    default_receipts,
    read_answers,
    receive,
    write_receipt,
    write_template,
)
from assets.delivery.sending import deliver_approved
from assets.delivery.transports.folder import FolderTransport, OutboxTransport
from assets.errors import BadInput, CheckFailed
from assets.manifests.signatures import PublicKey
from orchestration.cli import main
from tests.delivery.sealed import NOW, TODAY, Counting, Sealed, Ways
from tests.delivery.vectors import VECTORS

KEY = VECTORS / "TEST-KEY.pub.pem"
(VALID,) = (VECTORS / "valid" / "manifests").iterdir()
(FOLLOWS,) = (VECTORS / "follows" / "manifests").iterdir()


@pytest.fixture
def key() -> PublicKey:
    return PublicKey.load(KEY)


def filled(template: Path, *rows: dict[str, str]) -> Path:
    """The template with the given cells in its first rows."""
    read = list(csv.DictReader(io.StringIO(template.read_text(encoding="utf-8-sig"))))
    for row, cells in zip(read, rows, strict=False):
        row.update(cells)
    with template.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(read)
    return template


@pytest.fixture
def table(key: PublicKey, tmp_path: Path) -> Path:
    write_template(receive(VALID, key, tmp_path), tmp_path / "answers.csv")
    return tmp_path / "answers.csv"


def test_the_work_list_has_every_item_and_no_formula(table: Path) -> None:
    text = table.read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["action"] for row in rows] == ["erase", "restrict", "redact"]
    assert rows[1]["key"] == '\'=1+1 "Å"; 17'
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


def test_a_table_that_may_be_filled_in_is_not_overwritten(key: PublicKey, table: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there already"):
        write_template(receive(VALID, key, tmp_path), table)


def test_a_filled_in_table_becomes_a_receipt(key: PublicKey, table: Path, tmp_path: Path) -> None:
    received = receive(VALID, key, tmp_path, answering=True)
    filled(table, {"status": "Done"}, {"status": "already absent", "at": "2026-11-25T10:00:00+01:00"},
           {"status": "withheld", "until": "2027-05-24", "detail": "ORDER-OPEN", "at": "2026-11-25"})  # fmt: skip
    given = read_answers(received, table, at=NOW)
    path = write_receipt(received, given, tmp_path)
    assert path.name == f"{VALID.name}.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["status"] for line in lines] == ["done", "already_absent", "withheld"]
    assert [line["at"] for line in lines] == ["2025-02-02T03:00:00Z", "2026-11-25T09:00:00Z", "2026-11-25T00:00:00Z"]
    assert (lines[2]["detail"], lines[2]["until"]) == ("order_open", "2027-05-24")
    answers = Answers()
    with path.open("rb") as file:
        assert len(list(answers.read(file))) == 3
    assert answers.dropped == 0


def test_a_later_answer_is_a_receipt_of_its_own(key: PublicKey, table: Path, tmp_path: Path) -> None:
    filled(table, {"status": "queued"})
    for name in (f"{VALID.name}.jsonl", f"{VALID.name}-2.jsonl"):
        received = receive(VALID, key, tmp_path, answering=True)
        given = read_answers(received, table, at=NOW)
        assert given.unanswered == 2
        assert write_receipt(received, given, tmp_path).name == name


@pytest.mark.parametrize(
    "saved",
    [
        lambda text: text.replace(",", ";").encode("cp1252"),
        lambda text: text.replace(",", "\t").encode("utf-8"),
        lambda text: text.replace("\r\n", "\n").replace('"', "").encode("utf-8-sig"),
        lambda text: (text + ",,,,,,,,,\r\n\r\n").encode(),
        lambda text: text.replace("item_id", "ITEM_ID ").replace("status", " Status").encode(),
    ],
)
def test_a_table_is_read_as_spreadsheets_save_it(key: PublicKey, tmp_path: Path, saved: Callable[[str], bytes]) -> None:
    received = receive(VALID, key, tmp_path)
    text = "item_id,status\r\n" + "".join(f'"{task.item_id}",done\r\n' for task in received.tasks)
    (tmp_path / "saved.csv").write_bytes(saved(text))
    assert read_answers(received, tmp_path / "saved.csv", at=NOW).statuses == {"done": 3}


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"status": "gone"}, "status"),
        ({"status": "verified"}, "status"),
        ({"status": "withheld"}, "until"),
        ({"status": "withheld", "until": "next year"}, "until"),
        ({"status": "done", "at": "yesterday"}, "at"),
        ({"status": "done", "at": "0001-01-01T00:00:00+01:00"}, "at"),
        ({"status": "done", "at": "9999-12-31T23:00:00-05:00"}, "at"),
        ({"status": "refused", "detail": "Anna Testsson vill inte"}, "detail"),
        ({"status": "done", "item_id": "0" * 32}, "item_id"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_and_not_quoted(
    key: PublicKey, table: Path, tmp_path: Path, cells: dict[str, str], column: str
) -> None:
    received = receive(VALID, key, tmp_path)
    with pytest.raises(BadInput) as caught:
        read_answers(received, filled(table, {}, cells), at=NOW)
    assert f"line 3, column {column}" in str(caught.value)
    assert "Anna" not in str(caught.value)


def test_a_table_that_is_none_is_told(key: PublicKey, table: Path, tmp_path: Path) -> None:
    received = receive(VALID, key, tmp_path)
    for content in (b"", b"a,b\n1,2\n", b"\x00\x01"):
        (tmp_path / "none.csv").write_bytes(content)
        with pytest.raises(BadInput):
            read_answers(received, tmp_path / "none.csv", at=NOW)
    with pytest.raises(BadInput, match="No such file"):
        read_answers(received, tmp_path / "missing.csv", at=NOW)
    with pytest.raises(BadInput, match="No row has a status"):
        write_receipt(received, read_answers(received, table, at=NOW), tmp_path)
    doubled = table.read_text(encoding="utf-8-sig")
    table.write_text(doubled + doubled.splitlines()[1] + "\n")
    with pytest.raises(BadInput, match="a row already"):
        read_answers(received, table, at=NOW)


# -- the chain ----------------------------------------------------------------------------------------------------


def test_what_was_answered_is_not_handed_out_again(key: PublicKey, table: Path, tmp_path: Path) -> None:
    received = receive(VALID, key, tmp_path)  # not answered yet: it may be looked at again
    write_receipt(received, read_answers(received, filled(table, {"status": "done"}), at=NOW), tmp_path)
    with pytest.raises(CheckFailed, match="replay"):
        receive(VALID, key, tmp_path)


def test_a_chain_may_begin_in_the_middle_where_the_one_before_is_shown(key: PublicKey, tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="missing"):
        receive(FOLLOWS, key, tmp_path)
    assert not (tmp_path / STATE).exists()
    receive(FOLLOWS, key, tmp_path, previous=VALID)
    with pytest.raises(CheckFailed, match="split, or an old manifest"):
        receive(VALID, key, tmp_path)


def test_a_cancelled_document_of_another_signer_bridges_nothing(key: PublicKey, tmp_path: Path) -> None:
    shutil.copytree(VECTORS / "after-cancelled", tmp_path / "exchange")
    receive(VALID, key, tmp_path / "receipts")
    (signature,) = (tmp_path / "exchange" / "cancelled").glob("*/manifest.jws")
    (other,) = (VECTORS / "wrong-key" / "manifests").glob("*/manifest.jws")
    shutil.copyfile(other, signature)
    (manifest,) = (tmp_path / "exchange" / "manifests").iterdir()
    with pytest.raises(CheckFailed, match="missing"):
        receive(manifest, key, tmp_path / "receipts")


def test_what_follows_a_recalled_one_that_came_is_handed_out(key: PublicKey, tmp_path: Path) -> None:
    """Its sending was cut off, so that the sender cannot know that it came: the lift that follows has to arrive."""
    (lift,) = (VECTORS / "after-recalled" / "manifests").iterdir()
    receive(VALID, key, tmp_path)
    receive(FOLLOWS, key, tmp_path)
    assert receive(lift, key, tmp_path).manifest_id == lift.name


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\xff", b'{"crm": 1}', b'{"crm": [1]}', b'{"crm": [{}]}', b"[" * 9999]
)
def test_a_memory_that_cannot_be_read_lets_nothing_through(key: PublicKey, tmp_path: Path, content: bytes) -> None:
    (tmp_path / STATE).write_bytes(content)
    with pytest.raises(BadInput, match="restore it"):
        receive(VALID, key, tmp_path)


def test_in_an_outbox_only_what_is_marked_is_handed_out(sealed: Sealed) -> None:
    sealed.site.settings.write_text("")
    key, folder = PublicKey.load(sealed.office.public), sealed.folder("crm", 0)
    receipts = default_receipts(folder)
    assert receipts == sealed.site.receipts / "crm"
    with pytest.raises(CheckFailed, match="not delivered"):
        receive(folder, key, receipts)
    OutboxTransport(folder.parent).put(folder, folder.name)
    assert len(receive(folder, key, receipts).tasks) == 3


def test_in_an_outbox_a_cancelled_one_is_bridged(sealed: Sealed) -> None:
    sealed.site.settings.write_text("")
    first, second = sealed.folder("crm", 0), sealed.folder("crm", 1)
    transport = OutboxTransport(first.parent)
    transport.put_cancelled(first, first.name)
    transport.put(second, second.name)
    key = PublicKey.load(sealed.office.public)
    assert receive(second, key, sealed.site.receipts / "crm").manifest_id == second.name
    with pytest.raises(CheckFailed, match="not delivered"):
        receive(first, key, sealed.site.receipts / "crm")


def test_in_an_outbox_what_was_delivered_and_then_cancelled_is_handed_out_no_more(sealed: Sealed) -> None:
    sealed.site.settings.write_text("")
    folder, receipts = sealed.folder("crm", 0), sealed.site.receipts / "crm"
    transport, key = OutboxTransport(folder.parent), PublicKey.load(sealed.office.public)
    transport.put(folder, folder.name)
    transport.put_cancelled(folder, folder.name)
    for answering in (False, True):
        with pytest.raises(CheckFailed, match="was cancelled"):
            receive(folder, key, receipts, answering=answering)
    (mark,) = folder.parent.glob("*.cancelled")
    mark.unlink()
    receive(folder, key, receipts)
    transport.put_cancelled(folder, folder.name)
    with pytest.raises(CheckFailed, match="was cancelled"):
        receive(folder, key, receipts)
    assert receive(folder, key, receipts, answering=True).tasks, "what was done of it meanwhile can be answered"


def test_in_an_outbox_one_that_was_taken_in_before_it_was_recalled_is_followed(sealed: Sealed) -> None:
    sealed.site.settings.write_text("")
    first, second = sealed.folder("crm", 0), sealed.folder("crm", 1)
    transport = OutboxTransport(first.parent)
    transport.put(first, first.name)
    key = PublicKey.load(sealed.office.public)
    receive(first, key, sealed.site.receipts / "crm")
    transport.put_cancelled(first, first.name)
    transport.put(second, second.name)
    assert receive(second, key, sealed.site.receipts / "crm").manifest_id == second.name


# -- all the way --------------------------------------------------------------------------------------------------


def test_from_the_seal_to_the_answer_and_back(
    sealed: Sealed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Delivered into a folder, received by `gallring receive`, answered, and the answers read from that folder."""
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    ways = Ways(crm=FolderTransport(exchange), web=Counting())
    sealed.step("approved")
    deliver_approved(sealed.warehouse, sealed.policy, sealed.site, ways, as_of=TODAY, now=NOW)
    first = sealed.manifests("crm")[0]
    command = ["receive", str(exchange / "manifests" / first), "--key", str(sealed.office.public)]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert ["customer", "erase", "3"] in [line.split() for line in shown.splitlines()]
    template = exchange / "receipts" / f"{first}-answers.csv"
    filled(template, {"status": "done"}, {"status": "already_absent"},
           {"status": "refused", "detail": "bookkeeping"})  # fmt: skip
    assert main([*command, "--answers", str(template)]) == 0
    assert "1 already_absent, 1 done, 1 refused; 0 not answered yet" in capsys.readouterr().out
    assert main(command) == 1
    assert "replay" in capsys.readouterr().err
    (report,) = read_receipts(sealed.warehouse, sealed.site, ways, now=NOW).files
    assert (report.recorded, report.file) == (3, f"{first}.jsonl")
    assert sealed.states(first) == ["done", "already_absent", "refused"]


def test_a_receipt_that_goes_elsewhere_leaves_the_memory_where_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exchange = tmp_path / "exchange"
    for vector in (VALID, FOLLOWS):
        shutil.copytree(vector, exchange / "manifests" / vector.name)
    first, second = (["receive", str(exchange / "manifests" / each.name), "--key", str(KEY)] for each in
                     (VALID, FOLLOWS))  # fmt: skip
    assert main(first) == 0
    table = filled(exchange / "receipts" / f"{VALID.name}-answers.csv", {"status": "done"})
    assert main([*first, "--answers", str(table), "--receipt", str(tmp_path / "elsewhere" / "r.jsonl")]) == 0
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["r.jsonl"]
    assert main(first) == 1
    assert "replay" in capsys.readouterr().err
    assert main([*second, "--receipt", str(tmp_path / "other" / "r.jsonl")]) == 0


def test_the_command_answers_in_json_and_exit_codes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    receipt = str(tmp_path / "out" / "r.jsonl")
    shutil.copytree(VALID, tmp_path / "came" / VALID.name)
    command = ["receive", f"came/{VALID.name}", "--key", str(KEY), "--receipt", receipt, "--json"]
    assert main(command) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [task["action"] for task in shown["tasks"]] == ["erase", "restrict", "redact"]
    filled(Path(shown["table"]), {"status": "done"})
    assert main([*command, "--answers", shown["table"]]) == 0
    assert json.loads(capsys.readouterr().out)["unanswered"] == 2
    assert Path(receipt).exists()
    assert main([*command, "--answers", shown["table"]]) == 3  # a receipt is not overwritten
    (tampered,) = (VECTORS / "tampered-item" / "manifests").iterdir()
    assert main(["receive", str(tampered), "--key", str(KEY)]) == 1
    assert main(["receive", str(VALID), "--key", str(tmp_path / "none.pem")]) == 3
