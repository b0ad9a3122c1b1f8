"""Answers are claims by strangers: what leads an item on is recorded, everything else is told and harmless."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.delivery import receipts
from assets.delivery.answers import CODES, Answers, code_of
from assets.delivery.receipts import FileReport, ReceiptReport, read_receipts
from assets.delivery.transports.contract import ReceiptFile, RetryableTransportError
from assets.ledger.states import Event, record
from assets.warehouse import Warehouse
from tests.delivery.sealed import NOW, TODAY, Counting, Sealed, Ways, answer

LATER = NOW + timedelta(days=1)


@pytest.fixture
def told(sealed: Sealed) -> Sealed:
    """Everything approved and delivered."""
    sealed.step("approved")
    sealed.step("delivered")
    return sealed


def read(sealed: Sealed, now: datetime = LATER, **ways: Counting) -> ReceiptReport:
    return read_receipts(
        sealed.warehouse, sealed.site, Ways(**{"crm": Counting(), "web": Counting(), **ways}), now=now
    )  # fmt: skip


def post(sealed: Sealed, content: bytes, name: str = "a.jsonl", system: str = "crm") -> Path:
    path = sealed.site.receipts / system / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def only(report: ReceiptReport) -> FileReport:
    (file,) = report.files
    return file


def stored(sealed: Sealed) -> list[tuple[object, ...]]:
    return sealed.warehouse.rows(
        "select item_id, status, receipts.at, detail, until from manifest.receipts order by line"
    )


def everything_stored(sealed: Sealed) -> str:
    tables = ("receipts", "receipt_files", "events")
    return "".join(str(sealed.warehouse.rows(f"from manifest.{table}")) for table in tables)


def test_answers_move_their_items_on(told: Sealed) -> None:
    manifest = told.manifests("crm")[0]
    one, two, three = told.items(manifest)
    post(
        told,
        answer(manifest, one)
        + answer(manifest, two, "withheld", until="2025-08-01", detail="ORDER-OPEN")
        + answer(manifest, three, "refused", detail="Business_Open"),
    )
    report = only(read(told))
    assert (report.recorded, report.lines, report.problems) == (3, 3, {})
    assert told.states(manifest) == ["done", "withheld", "refused"]
    at = datetime(2025, 2, 3, 10, 0)
    assert sorted(stored(told), key=str) == sorted(
        [(one, "done", at, None, None), (two, "withheld", at, "order_open", date(2025, 8, 1)),
         (three, "refused", at, "business_open", None)], key=str,
    )  # fmt: skip
    rows = told.warehouse.rows("select state, reason, until from manifest.item_states where manifest_id = ? order by "
                               "record_key", [manifest])  # fmt: skip
    assert rows[1:] == [("withheld", "order_open", date(2025, 8, 1)), ("refused", "business_open", None)]


def test_files_that_were_taken_cost_no_statement_each(told: Sealed, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = told.manifests("crm")[0]
    asked: list[str] = []
    execute = Warehouse._execute

    def counted(warehouse: Warehouse, sql: str, *more: Any) -> Any:
        asked.append(sql)
        return execute(warehouse, sql, *more)

    numbers = []
    for files in (1, 9):
        for number in range(files):
            post(told, answer(manifest, told.items(manifest)[0]) + b"\n" * number, f"{number}.jsonl")
        read(told)
        with monkeypatch.context() as counting:
            counting.setattr(Warehouse, "_execute", counted)
            assert read(told).files == ()
        numbers.append(len(asked))
        asked.clear()
    assert numbers[0] == numbers[1] > 0


def test_a_file_is_taken_once(told: Sealed) -> None:
    manifest = told.manifests("crm")[0]
    content = answer(manifest, told.items(manifest)[0])
    post(told, content)
    assert only(read(told)).recorded == 1
    assert read(told).files == ()
    post(told, content, "again.jsonl")
    assert read(told).files == ()
    events = told.warehouse.value("select count(*) from manifest.events where origin = 'receipt'")
    assert events == 1


def test_a_file_that_grows_is_read_again_and_its_old_lines_change_nothing(told: Sealed) -> None:
    manifest = told.manifests("crm")[0]
    one, two, _ = told.items(manifest)
    path = post(told, answer(manifest, one, "queued"))
    read(told)
    path.write_bytes(path.read_bytes() + answer(manifest, two))
    report = only(read(told))
    assert (report.recorded, report.repeated) == (1, 1)


def test_several_answers_to_one_item_are_taken_in_the_order_of_their_instants(told: Sealed) -> None:
    manifest = told.manifests("crm")[0]
    one, *_ = told.items(manifest)
    lines = [answer(manifest, one, status, at=f"2025-02-0{day}T10:00:00+01:00")
             for status, day in (("done", 5), ("accepted", 3), ("queued", 4))]  # fmt: skip
    post(told, b"".join(lines))
    assert only(read(told)).recorded == 3
    assert told.states(manifest)[0] == "done"


AT_8, AT_15 = "2025-02-02T08:00:00Z", "2025-02-02T15:00:00Z"


def morning_and_afternoon(told: Sealed) -> tuple[str, bytes, bytes]:
    """A manifest, and what its system said of three items at eight, and otherwise at three."""
    manifest = told.manifests("crm")[0]
    one, two, three = told.items(manifest)
    early = (
        answer(manifest, one, "accepted", at=AT_8)
        + answer(manifest, two, "queued", at=AT_8)
        + answer(manifest, three, "refused", at=AT_8, detail="debt_open")
    )
    late = (
        answer(manifest, one, "refused", at=AT_15, detail="debt_open")
        + answer(manifest, two, "withheld", at=AT_15, until="2025-12-01")
        + answer(manifest, three, "withheld", at=AT_15, until="2025-12-01")
    )
    return manifest, early, late


@pytest.mark.parametrize("is_fetched", [False, True])
def test_the_files_of_receive_are_read_in_the_order_in_which_it_names_them(told: Sealed, is_fetched: bool) -> None:
    manifest, early, late = morning_and_afternoon(told)
    last = answer(manifest, told.items(manifest)[0], "done", at="2025-02-02T16:00:00Z")
    files = {f"{manifest}-10.jsonl": last, f"{manifest}-2.jsonl": late, f"{manifest}.jsonl": early}
    crm = Counting(receipts=[ReceiptFile(*each) for each in ((name, "1", files[name]) for name in files if is_fetched)])
    for name in files if not is_fetched else ():
        post(told, files[name], name)
    assert [(file.recorded, file.backward) for file in read(told, crm=crm).files] == [(3, 0), (3, 0), (1, 0)]
    assert told.states(manifest) == ["done", "withheld", "withheld"]


@pytest.mark.parametrize("nights", [1, 2])
def test_what_was_said_before_does_not_come_after_what_was_said_since(told: Sealed, nights: int) -> None:
    """Whatever the files are called, and though the first one comes a night late."""
    manifest, early, late = morning_and_afternoon(told)
    post(told, late, "a.jsonl")
    if nights == 2:
        assert only(read(told)).recorded == 3
    post(told, early, "b.jsonl")
    last = read(told).files[-1]
    assert (last.recorded, last.backward) == (0, 3)
    assert told.states(manifest) == ["refused", "withheld", "withheld"]
    assert {row[2] for row in stored(told)} == {datetime(2025, 2, 2, 15)}


def test_an_earlier_answer_counts_that_the_later_one_cannot_have_followed(told: Sealed) -> None:
    """By its day alone it was done at midnight. In one file, too, `queued` after it would be a backward step."""
    manifest = told.manifests("crm")[0]
    one, *_ = told.items(manifest)
    post(told, answer(manifest, one, "queued", at=AT_8), "a.jsonl")
    read(told)
    post(told, answer(manifest, one, at="2025-02-02T00:00:00Z"), "b.jsonl")
    assert only(read(told)).recorded == 1
    assert told.states(manifest)[0] == "done"


def test_an_answer_dated_ahead_keeps_no_later_one_out(told: Sealed) -> None:
    manifest = told.manifests("crm")[0]
    one, *_ = told.items(manifest)
    post(told, answer(manifest, one, "refused", at="2062-02-02T08:00:00Z"), "a.jsonl")
    read(told)
    post(told, answer(manifest, one, "withheld", at="2025-02-03T05:00:00Z", until="2025-12-01"), "b.jsonl")
    assert only(read(told, now=LATER + timedelta(days=1))).recorded == 1


def test_an_earlier_done_is_none_after_an_export_has_shown_otherwise(told: Sealed) -> None:
    manifest = told.manifests("crm")[0]
    one, *_ = told.items(manifest)
    post(told, answer(manifest, one, at=AT_15))
    read(told)
    assert record(told.warehouse, [Event(manifest, "discrepancy", TODAY, "verify", item_id=one, reason="there")]) == []
    post(told, answer(manifest, one, at=AT_8), "b.jsonl")
    assert only(read(told)).recorded == 0
    assert told.states(manifest)[0] == "discrepancy"


def test_backward_steps_are_told_and_change_nothing(told: Sealed) -> None:
    manifest = told.manifests("crm")[0]
    one, *_ = told.items(manifest)
    post(told, answer(manifest, one))
    read(told)
    post(told, answer(manifest, one, "accepted", at="2025-02-04T10:00:00Z"), "b.jsonl")
    report = only(read(told))
    assert (report.recorded, report.backward) == (0, 1)
    assert told.states(manifest)[0] == "done"
    assert len(stored(told)) == 1


@pytest.mark.parametrize(
    ("status", "first", "again", "repeated"),
    [
        ("accepted", {}, {}, True),
        ("queued", {}, {}, True),
        ("done", {}, {}, True),
        ("done", {}, {"detail": "already_erased"}, True),
        ("already_absent", {}, {}, True),
        ("refused", {"detail": "business_open"}, {"detail": "business_open"}, True),
        ("refused", {"detail": "business_open"}, {}, True),
        ("refused", {"detail": "business_open"}, {"detail": "legal_hold"}, False),
        ("partly_retained", {}, {"detail": "bookkeeping"}, False),
        ("withheld", {"until": "9999-12-31"}, {"until": "9999-12-31"}, True),
        ("withheld", {"until": "2025-08-01", "detail": "legal_hold"}, {"until": "2025-08-01"}, True),
    ],
)
def test_what_is_said_again_at_another_instant_is_a_repetition(
    told: Sealed, status: str, first: dict[str, str], again: dict[str, str], repeated: bool
) -> None:
    manifest = told.manifests("crm")[0]
    one, *_ = told.items(manifest)
    post(told, answer(manifest, one, status, **first))
    assert only(read(told)).recorded == 1
    post(told, answer(manifest, one, status, **{"at": "2025-02-04T10:00:00Z", **again}), "b.jsonl")
    report = only(read(told))
    assert (report.repeated, report.backward) == (int(repeated), int(not repeated))
    assert told.states(manifest)[0] == status
    assert len(stored(told)) == 1
    assert told.warehouse.value("select count(*) from manifest.unread_receipts") == int(not repeated)


@pytest.mark.parametrize("again", [{"until": "2025-09-01"}, {"until": "2025-08-01", "detail": "legal_hold"}])
def test_what_is_withheld_to_another_day_or_for_another_reason_is_a_step_of_its_own(
    told: Sealed, again: dict[str, str]
) -> None:
    manifest = told.manifests("crm")[0]
    one, *_ = told.items(manifest)
    for name, more in (("a", {"until": "2025-08-01", "at": "2025-02-02T10:00:00Z"}), ("b", again)):
        post(told, answer(manifest, one, "withheld", **more), f"{name}.jsonl")
        assert only(read(told)).recorded == 1


@pytest.mark.parametrize("status", ["accepted", "queued"])
@pytest.mark.parametrize("first", [{}, {"until": "2025-08-01"}])
def test_what_is_put_off_to_another_day_is_a_step_and_one_without_a_day_is_said_again(
    told: Sealed, status: str, first: dict[str, str]
) -> None:
    manifest = told.manifests("crm")[0]
    one, *_ = told.items(manifest)
    said = (
        (first, "2025-02-02T09:00:00Z", 1),
        ({"until": "2025-09-01", "detail": "queue_full"}, "2025-02-02T10:00:00Z", 1),
        ({"until": "2025-09-01", "detail": "rate_limit"}, "2025-02-02T11:00:00Z", 0),
        ({}, "2025-02-02T12:00:00Z", 0),
        ({"until": "2025-10-01"}, "2025-02-02T09:30:00Z", 0),
    )
    for number, (more, at, recorded) in enumerate(said):
        post(told, answer(manifest, one, status, at=at, **more), f"{number}.jsonl")
        report = only(read(told))
        assert (report.recorded, report.repeated, report.backward) == (recorded, 1 - recorded, 0)
    assert told.warehouse.rows(
        "select state, reason, until, due_on from manifest.item_states where item_id = ?", [one]
    ) == [(status, "queue_full", date(2025, 9, 1), date(2025, 9, 1))]  # fmt: skip


@pytest.mark.parametrize("at_once", [False, True])
def test_what_is_queued_without_a_day_keeps_the_day_for_which_it_was_accepted(told: Sealed, at_once: bool) -> None:
    manifest = told.manifests("crm")[0]
    one, *_ = told.items(manifest)
    accepted = answer(manifest, one, "accepted", until="2025-08-01")
    queued = answer(manifest, one, "queued", at="2025-02-04T10:00:00Z")
    for number, content in enumerate([accepted + queued] if at_once else [accepted, queued]):
        post(told, content, f"{number}.jsonl")
        read(told)
    query = "select state, until, due_on from manifest.item_states where item_id = ?"
    assert told.warehouse.rows(query, [one]) == [("queued", date(2025, 8, 1), date(2025, 8, 1))]
    assert {row[-1] for row in stored(told)} == {date(2025, 8, 1), None}, "answers are kept as they were given"


def test_of_two_in_one_file_the_earlier_is_taken_and_the_other_repeats_it(told: Sealed) -> None:
    manifest = told.manifests("crm")[0]
    one, *_ = told.items(manifest)
    post(told, answer(manifest, one) + answer(manifest, one, at="2025-02-02T10:00:00Z"))
    report = only(read(told))
    assert (report.recorded, report.repeated, report.backward) == (1, 1, 0)
    assert [row[2] for row in stored(told)] == [datetime(2025, 2, 2, 10)]


def test_a_later_done_does_not_take_the_place_of_the_first(told: Sealed) -> None:
    manifest = told.manifests("crm")[0]
    one, *_ = told.items(manifest)
    post(told, answer(manifest, one))
    read(told)
    post(told, answer(manifest, one, at="2025-03-03T10:00:00Z"), "b.jsonl")
    read(told)
    found = told.warehouse.rows("select happened_at from manifest.item_states where item_id = ?", [one])
    assert found == [(datetime(2025, 2, 3, 10),)]


def test_done_after_an_export_has_shown_otherwise_is_no_repetition(told: Sealed) -> None:
    manifest = told.manifests("crm")[0]
    one, *_ = told.items(manifest)
    post(told, answer(manifest, one))
    read(told)
    contradicted = Event(manifest, "discrepancy", TODAY, "verify", item_id=one, reason="still_there")
    assert record(told.warehouse, [contradicted]) == []
    post(told, answer(manifest, one, at="2025-02-05T10:00:00Z"), "b.jsonl")
    report = only(read(told))
    assert (report.recorded, report.repeated, report.backward) == (1, 0, 0)
    assert told.states(manifest)[0] == "done"


@pytest.mark.parametrize(
    ("status", "backward"),
    [("accepted", 0), ("queued", 0), ("done", 0), ("already_absent", 0), ("refused", 1), ("partly_retained", 1),
     ("withheld", 1)],
)  # fmt: skip
def test_what_an_export_has_shown_before_the_answer_was_read_is_no_backward_step(
    told: Sealed, status: str, backward: int
) -> None:
    manifest = told.manifests("crm")[0]
    assert record(told.warehouse, [Event(manifest, "verified", TODAY, "verify")]) == []
    until = {"until": "2025-08-01"} if status == "withheld" else {}
    post(told, answer(manifest, told.items(manifest)[0], status, **until))
    report = only(read(told))
    assert (report.recorded, report.repeated, report.backward) == (0, 1 - backward, backward)
    assert set(told.states(manifest)) == {"verified"}
    assert stored(told) == []
    assert told.warehouse.value("select count(*) from manifest.unread_receipts") == backward


def test_unknown_items_and_those_of_another_system_are_told_and_change_nothing(told: Sealed) -> None:
    manifest = told.manifests("crm")[0]
    one, *_ = told.items(manifest)
    post(told, answer(manifest, "0" * 32) + answer("2025-02-01-" + "0" * 32, one))
    post(told, answer(manifest, one), "c.jsonl", "web")
    first, second = read(told).files
    assert (first.unknown, second.unknown) == (2, 1)
    assert stored(told) == []
    assert set(told.states(manifest)) == {"delivered"}


def test_an_answer_before_its_delivery_is_recorded_is_read_again(sealed: Sealed) -> None:
    sealed.step("approved")
    manifest = sealed.manifests("crm")[0]
    post(sealed, answer(manifest, sealed.items(manifest)[0]))
    assert only(read(sealed)).early == 1
    assert only(read(sealed)).early == 1
    sealed.step("delivered")
    report = only(read(sealed))
    assert (report.early, report.recorded) == (0, 1)


NAME = "Anna Testsson"
GOOD = {"manifest_id": "2025-02-01-" + "a" * 32, "item_id": "b" * 32, "status": "done", "at": "2025-02-03T10:00:00Z"}


@pytest.mark.parametrize(
    "line",
    [
        b"\0" * 100,
        b"\xff\xfe",
        b"[" * 9_000,
        b'{"a":' * 1_500 + b"1",
        b"x" * 5_000_000,
        b"null",
        b"[]",
        b"12",
        b'"done"',
        b'{"status": "done", "status": "done"}',
        *(json.dumps({**GOOD, **change}).encode() for change in (
            {"manifest_id": 1}, {"manifest_id": None}, {"manifest_id": NAME}, {"item_id": ["x"]}, {"item_id": "b" * 31},
            {"item_id": "b" * 32 + "\n"}, {"status": NAME}, {"status": {"a": 1}}, {"status": "verified"},
            {"status": "cancelled"}, {"at": None}, {"at": "yesterday"}, {"at": "2025-02-03"}, {"at": 1738576800},
            {"at": "2025-02-03T10:00:00"}, {"at": "9999-12-31T23:59:59-12:00"}, {"at": "0001-01-01T00:00:00+12:00"},
            {"at": "2025-02-30T10:00:00Z"}, {"status": "withheld"}, {"status": "withheld", "until": NAME},
            {"status": "withheld", "until": "2025-02-30"}, {"until": 7}, {"until": "2025-02-03T10:00:00Z"},
            {"manifest_id": "2025-02-01-" + "\u0661" * 32},
        )),
    ],
    ids=lambda line: line[-60:].decode("utf-8", "replace"),
)  # fmt: skip
def test_a_malformed_line_is_told_and_the_rest_is_read(line: bytes) -> None:
    import io

    answers = Answers()
    good = json.dumps(GOOD).encode() + b"\n"
    rows = list(answers.read(io.BytesIO(line + b"\n" + good)))
    assert [row[0] for row in rows] == [2]
    assert answers.malformed == 1
    ((_, (times, first)),) = answers.problems.items()
    assert (times, first) == (1, 1)
    assert NAME not in str(answers.problems)


VALUES = st.none() | st.booleans() | st.floats() | st.text(max_size=20)
MEMBERS = st.sampled_from([*GOOD, "detail", "until", "x"])
NESTED = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MEMBERS, inner, max_size=6),
    max_leaves=12,
)
NEARLY_GOOD = st.fixed_dictionaries({name: st.just(value) | VALUES for name, value in GOOD.items()})


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300) | (NESTED | NEARLY_GOOD).map(lambda value: json.dumps(value).encode()))
def test_no_line_raises_or_is_kept_as_it_stands(line: bytes) -> None:
    import io

    for _, manifest_id, item_id, status, at, detail, until in Answers().read(io.BytesIO(line + b"\n")):
        assert (len(manifest_id), len(item_id)) == (43, 32)
        assert isinstance(at, datetime)
        assert detail is None or code_of(detail) == detail
        assert until is None or isinstance(until, date)
        assert status in ("accepted", "queued", "done", "already_absent", "partly_retained", "refused", "withheld")


@pytest.mark.parametrize("detail", ["ORDER_OPEN", "order-open", " Legal_Hold ", "HTTP_409", "E17", *sorted(CODES)])
def test_codes_of_the_list_are_kept(detail: str) -> None:
    assert code_of(detail) == detail.strip().lower().replace("-", "_")


@pytest.mark.parametrize(
    "detail",
    ["ANNA", "ANNA_TESTSSON", "TESTSSON-1979", "A.B.TESTSSON", "201701012393", "E201701012393", "070-1740605",
     "test@hem.example", "Anna Testsson vill inte", "", "E12345", 17, None, ["ORDER_OPEN"], {"code": "ORDER_OPEN"}],
)  # fmt: skip
def test_whatever_could_name_somebody_is_no_code(detail: object) -> None:
    assert code_of(detail) is None


def test_free_text_is_stored_nowhere_and_goes_from_the_file(told: Sealed) -> None:
    manifest = told.manifests("crm")[0]
    one, two, _ = told.items(manifest)
    path = post(
        told,
        answer(manifest, one, "refused", detail=f"{NAME} har en öppen order")
        + answer(manifest, two, "done", detail="LEGAL_HOLD", note=NAME)
        + f"{NAME}\n".encode(),
        f"{NAME}.jsonl",
    )  # fmt: skip
    report = read(told)
    assert (only(report).texts, only(report).recorded) == (2, 2)
    assert list(only(report).problems.values()) == [(1, 3)]
    assert "Anna" not in str(report)
    assert "Anna" not in everything_stored(told)
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["item_id"], line["detail"]) for line in kept] == [(one, None), (two, "legal_hold")]
    assert read(told).files == ()  # what was written anew is not news


def test_a_crash_before_the_file_is_written_anew_is_made_good(told: Sealed, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = told.manifests("crm")[0]
    path = post(told, answer(manifest, told.items(manifest)[0], "refused", detail=NAME))

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(receipts, "write_whole", crash)
    with pytest.raises(KeyboardInterrupt):
        read(told)
    monkeypatch.undo()
    assert NAME in path.read_text()
    assert read(told).files == ()
    assert NAME not in path.read_text()
    assert read(told).files == ()


def test_a_file_that_took_its_place_meanwhile_is_not_written_over(
    told: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system renames a newer file over the one that is being read."""
    manifest = told.manifests("crm")[0]
    one, two, _ = told.items(manifest)
    first = answer(manifest, one, "refused", detail=NAME)
    path = post(told, first)
    settle = receipts._Reading._settle

    def renamed(reading: receipts._Reading, *of_file: str) -> Any:
        post(told, first + answer(manifest, two), ".new").rename(path)
        return settle(reading, *of_file)

    with monkeypatch.context() as patched:
        patched.setattr(receipts._Reading, "_settle", renamed)
        assert only(read(told)).recorded == 1
    report = only(read(told))
    assert (report.recorded, report.repeated) == (1, 1)
    assert NAME not in path.read_text()
    assert read(told).files == ()


def test_a_file_that_is_still_being_written_is_read_again(told: Sealed) -> None:
    manifest = told.manifests("crm")[0]
    one, two, _ = told.items(manifest)
    whole = answer(manifest, one) + answer(manifest, two)
    path = post(told, whole[:-30])
    report = only(read(told))
    assert (report.incomplete, report.recorded) == (True, 1)
    assert path.read_bytes() == whole[:-30]
    path.write_bytes(whole)
    report = only(read(told))
    assert (report.incomplete, report.recorded, report.repeated) == (False, 1, 1)


def test_too_many_answers_to_one_item_do_not_hold_up_the_rest(told: Sealed) -> None:
    manifest = told.manifests("crm")[0]
    one, two, _ = told.items(manifest)
    many = b"".join(
        answer(
            manifest, one, "withheld", until=f"2025-{3 + n // 28:02}-{1 + n % 28:02}", at=f"2025-02-03T10:00:{n:02}Z"
        )
        for n in range(60)
    )
    post(told, many + answer(manifest, two))
    report = only(read(told))
    assert (report.recorded, report.backward) == (receipts.MOST_ANSWERS + 1, 60 - receipts.MOST_ANSWERS)


def test_folders_links_and_pipes_that_belong_to_nobody_are_told(told: Sealed, tmp_path: Path) -> None:
    import os

    (told.site.receipts / NAME).mkdir()
    (told.site.receipts / "crm").mkdir()
    (tmp_path / "elsewhere.jsonl").write_bytes(b"{}\n")
    (told.site.receipts / "crm" / "link.jsonl").symlink_to(tmp_path / "elsewhere.jsonl")
    os.mkfifo(told.site.receipts / "crm" / "pipe.jsonl")
    (told.site.receipts / "crm" / "folder.jsonl").mkdir()
    report = read(told)
    assert report.files == ()
    assert sorted(each.code for each in report.unread) == ["unknown_system", *["unreadable"] * 3]
    assert NAME not in str(report)
    kept = "select system, code, times from manifest.unread_receipts order by all"
    assert told.warehouse.rows(kept) == [
        ("crm", "unreadable", 1),
        ("crm", "unreadable", 2),
        (None, "unknown_system", 1),
    ]
    assert NAME not in str(told.warehouse.rows("from manifest.unread_receipts"))
    for path in (told.site.receipts / "crm").iterdir():
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    (told.site.receipts / NAME).rmdir()
    assert read(told).unread == ()
    assert told.warehouse.rows(kept) == [], "what was mended is told no more"


@pytest.mark.parametrize("whole", [False, True])
def test_a_file_of_answers_that_its_system_takes_back_meanwhile_is_nobodys_to_mend(
    told: Sealed, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    manifest = told.manifests("crm")[0]
    post(told, answer(manifest, told.items(manifest)[0]))
    folder, real = told.site.receipts / "crm", Path.iterdir

    def listed_and_gone(path: Path) -> list[Path]:
        if path == folder and whole:
            path.rename(told.site.path / "gone")
        found = list(real(path))
        if path == folder:
            path.rename(told.site.path / "gone")
        return found

    monkeypatch.setattr(Path, "iterdir", listed_and_gone)
    assert read(told) == ReceiptReport((), ())
    assert not folder.exists()


def test_answers_under_another_kind_of_name_are_told_without_naming_anybody(told: Sealed) -> None:
    manifest = told.manifests("crm")[0]
    content = answer(manifest, told.items(manifest)[0])
    for name in (f"{manifest}.JSONL", f"{NAME}.json", "b.csv", "c.jsonl~"):
        post(told, content, name)
    for name in ("received.json", f"{manifest}-answers.csv", ".arriving.jsonl"):
        post(told, content, name)
    (told.site.receipts / "crm" / "archive").mkdir()
    for _ in range(2):
        report = read(told)
        assert report.files == ()
        kept = told.warehouse.rows("select system, code, times, message from manifest.unread_receipts order by all")
        assert [row[:3] for row in kept] == [("crm", "other_name", 1), ("crm", "other_name", 3)]
        assert f"{manifest}.JSONL" in kept[0][3]
        assert "end in .jsonl" in kept[1][3]
        assert NAME not in str(kept)


def test_what_was_wrong_with_lines_is_told_once_and_names_no_value(told: Sealed) -> None:
    manifest, other = told.manifests("crm")[0], told.manifests("web")[0]
    one, two, three = told.items(manifest)
    post(told, b"".join([
        answer(manifest, one), answer(manifest, one, "refused", at="2025-02-04T10:00:00Z"),
        answer(other, told.items(other)[0]), answer(manifest, two, NAME), answer(manifest, two, NAME),
    ]))  # fmt: skip
    post(told, answer(manifest, three)[:-20], name="cut.jsonl")
    read(told)
    kept = "select code, times, message from manifest.unread_receipts order by all"
    rows = told.warehouse.rows(kept)
    assert [row[:2] for row in rows] == [("backward", 1), ("incomplete", 1), ("malformed", 2), ("unknown", 1)]
    assert "the first is line 4, which has a status that is none" in rows[2][2]
    assert NAME not in str(rows)
    read(told)
    assert [row[:2] for row in told.warehouse.rows(kept)] == [("incomplete", 1)]


def test_answers_to_what_is_not_delivered_yet_are_told(sealed: Sealed) -> None:
    manifest = sealed.manifests("crm")[0]
    post(sealed, answer(manifest, sealed.items(manifest)[0]))
    for _ in range(2):
        read(sealed)
        assert sealed.warehouse.rows("select system, code, times from manifest.unread_receipts") == [
            ("crm", "early", 1)
        ]


def test_a_folder_that_may_not_be_looked_into_holds_up_its_own_system_alone(
    told: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    for system in ("crm", "web"):
        manifest = told.manifests(system)[0]
        post(told, answer(manifest, told.items(manifest)[0]), system=system)
    listdir = os.listdir

    def barred(path: Path) -> list[str]:
        if Path(path).name == "crm":
            raise PermissionError(13, "Permission denied", str(path))
        return listdir(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", barred)
        for recorded in ([1], []):
            report = read(told)
            assert [file.recorded for file in report.files] == recorded
            assert [(each.system, each.code) for each in report.unread] == [("crm", "denied")]
            assert told.warehouse.rows("select system, code from manifest.unread_receipts") == [("crm", "denied")]
    report = read(told)
    assert ([file.system for file in report.files], report.recorded, report.unread) == (["crm"], 1, ())


def test_answers_come_over_the_transports_too_and_once(told: Sealed) -> None:
    manifest = told.manifests("crm")[0]
    one, two, _ = told.items(manifest)
    crm = Counting(receipts=[ReceiptFile(f"{NAME}.jsonl", "1", answer(manifest, one))])
    assert only(read(told, crm=crm)).recorded == 1
    assert read(told, crm=crm).files == ()
    crm.receipts.append(ReceiptFile("b.jsonl", "1", answer(manifest, two)))
    assert only(read(told, crm=crm)).recorded == 1
    assert told.states(manifest)[:2] == ["done", "done"]


def test_of_a_file_that_changes_the_version_fetched_last_is_remembered(told: Sealed) -> None:
    manifest = told.manifests("crm")[0]
    lines = [answer(manifest, item) for item in told.items(manifest)]
    first, second = ReceiptFile("receipts", "1", lines[0]), ReceiptFile("receipts", "2", lines[0] + lines[1])
    crm = Counting()
    for file, recorded in ((first, 1), (second, 1), (first, 0)):
        crm.receipts = [file]
        assert read(told, crm=crm).recorded == recorded
        assert told.warehouse.rows("select name, version from manifest.fetched_receipts") == [
            ("receipts", file.version)
        ]


def test_a_file_that_is_too_large_to_be_fetched_is_told_until_it_is_gone(told: Sealed) -> None:
    manifest = told.manifests("crm")[0]
    large = ReceiptFile("anna-testsson.jsonl", "1", b"", is_too_large=True)
    crm = Counting(receipts=[large, ReceiptFile("b.jsonl", "1", answer(manifest, told.items(manifest)[0]))])
    first, second = read(told, crm=crm), read(told, crm=crm)
    assert [report.recorded for report in (first, second)] == [1, 0]
    assert [(each.system, each.code) for each in second.unread] == [("crm", "too_large")]
    assert "anna" not in second.unread[0].message
    assert told.warehouse.rows("select code, times from manifest.unread_receipts") == [("too_large", 1)]


def test_early_answers_are_fetched_again(sealed: Sealed) -> None:
    sealed.step("approved")
    manifest = sealed.manifests("crm")[0]
    crm = Counting(receipts=[ReceiptFile("a.jsonl", "1", answer(manifest, sealed.items(manifest)[0]))])
    assert only(read(sealed, crm=crm)).early == 1
    sealed.step("delivered")
    assert only(read(sealed, crm=crm)).recorded == 1


def test_a_system_that_is_down_keeps_no_other_from_being_read(told: Sealed) -> None:
    manifest = told.manifests("web")[0]
    crm = Counting(*[RetryableTransportError("unreachable", "nobody answers")] * 5)
    web = Counting(receipts=[ReceiptFile("a.jsonl", "1", answer(manifest, told.items(manifest)[0]))])
    report = read(told, crm=crm, web=web)
    assert only(report).recorded == 1
    assert [(each.system, each.code) for each in report.unread] == [("crm", "unreachable")]
    alone = read(told, crm=crm, web=web)
    assert crm.tries == 1  # its circuit is open
    assert [(each.system, each.code) for each in alone.unread] == [("crm", "circuit_open")], "nor are its answers read"
    read(told, now=LATER + timedelta(hours=2), crm=crm, web=web)
    assert crm.tries == 2


def test_the_published_table_finds_its_columns(told: Sealed) -> None:
    from assets.models import SQL

    manifest = told.manifests("crm")[0]
    post(told, answer(manifest, told.items(manifest)[0]))
    read(told)
    query = (SQL / "analytics" / "manifest.receipts.sql").read_text(encoding="utf-8")
    assert told.warehouse.records(query)[0]["at"] == datetime(2025, 2, 3, 10, 0)


def test_the_day_on_which_an_answer_counts_is_the_sites(told: Sealed) -> None:
    manifest = told.manifests("crm")[0]
    post(told, answer(manifest, told.items(manifest)[0]))
    read(told, now=datetime(2025, 2, 3, 23, 30, tzinfo=UTC))
    day = told.warehouse.value("select on_day from manifest.events where origin = 'receipt'")
    assert day == date(2025, 2, 4)


def test_the_codes_stand_on_the_page_for_receivers() -> None:
    import re

    page = (Path(__file__).resolve().parents[2] / "docs" / "manifest-format.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"\*\*Codes\*\* for `detail`, in any case: (.*?); besides", page, re.DOTALL)
    assert set(re.findall(r"`([a-z_]+)`", listed)) == CODES
