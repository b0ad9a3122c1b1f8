"""Every approved manifest reaches its system once in effect, in its order, whatever happens to the others or to us."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from assets.delivery import circuit
from assets.delivery.sending import DeliveryReport, Retry, deliver_approved
from assets.delivery.transports.contract import RetryableTransportError, TerminalTransportError
from assets.errors import BadInput
from assets.manifests import folders
from tests.delivery.sealed import NOW, TODAY, Counting, Sealed, Ways

DOWN = RetryableTransportError("unreachable", "nobody answers")
REFUSED = TerminalTransportError("http_403", "refused")


def send(sealed: Sealed, now=NOW, waits: list[float] | None = None, **ways: Counting) -> DeliveryReport:  # type: ignore[no-untyped-def]
    slept: list[float] = [] if waits is None else waits
    return deliver_approved(
        sealed.warehouse, sealed.policy, sealed.site, Ways(**ways), as_of=TODAY, now=now,
        retry=Retry(sleep=slept.append), half_open_after=timedelta(hours=1),
    )  # fmt: skip


def test_nothing_that_is_not_approved_is_sent(sealed: Sealed) -> None:
    crm, web = Counting(), Counting()
    report = send(sealed, crm=crm, web=web)
    assert (report.delivered, crm.tries, web.tries) == ((), 0, 0)


def test_what_is_approved_is_sent_in_its_order_and_once(sealed: Sealed) -> None:
    sealed.step("approved")
    crm, web = Counting(), Counting()
    report = send(sealed, crm=crm, web=web)
    assert crm.got == sealed.manifests("crm")
    assert web.got == sealed.manifests("web")
    assert len(report.delivered) == 3
    assert report.waiting == ()
    assert set(sealed.states(crm.got[0])) == {"delivered"}
    assert send(sealed, crm=crm, web=web).delivered == ()
    assert (crm.tries, web.tries) == (2, 1)


def test_none_goes_before_an_earlier_one_that_waits(sealed: Sealed) -> None:
    first, second = sealed.manifests("crm")
    sealed.step("approved", second)
    crm = Counting()
    report = send(sealed, crm=crm)
    assert crm.tries == 0
    assert [(each.manifest_id, each.code, each.passes) for each in report.waiting] == [(second, "earlier_waits", False)]
    sealed.step("approved", first)
    send(sealed, crm=crm)
    assert crm.got == [first, second]


def test_a_cancelled_one_in_between_is_told_so_that_the_chain_has_no_hole(sealed: Sealed) -> None:
    first, second = sealed.manifests("crm")
    sealed.step("cancelled", first)
    sealed.step("approved", second)
    crm = Counting()
    report = send(sealed, crm=crm)
    assert (crm.told_cancelled, crm.got) == ([first], [second])
    assert [each.manifest_id for each in report.delivered] == [second]
    assert set(sealed.states(first)) == {"cancelled"}


def test_an_order_waits_while_a_source_that_it_depends_on_is_blocked(sealed: Sealed) -> None:
    """What the silent source would have said of it is not known, however long ago it was approved."""
    sealed.step("approved")
    block(sealed, "web", "events")
    crm, web = Counting(), Counting()
    report = send(sealed, crm=crm, web=web)
    assert (crm.got, web.tries) == (sealed.manifests("crm"), 0)  # web events decide about nothing but themselves
    assert [(each.system, each.code, each.passes) for each in report.waiting] == [("web", "blocked_delivery", True)]
    assert "web/events: stale" in report.waiting[0].message
    sealed.warehouse.run("delete from intake.blocks")
    assert [each.system for each in send(sealed, crm=crm, web=web).delivered] == ["web"]


def test_a_block_of_what_decides_about_others_keeps_every_order(sealed: Sealed) -> None:
    sealed.step("approved")
    block(sealed, "orders", "holds")
    crm, web = Counting(), Counting()
    report = send(sealed, crm=crm, web=web)
    assert (crm.tries, web.tries, report.delivered) == (0, 0, ())
    assert {each.manifest_id for each in report.waiting} == {*sealed.manifests("crm"), *sealed.manifests("web")}


@pytest.mark.parametrize("action", ["lift", "restrict"])
def test_what_keeps_data_does_not_wait_for_a_source_that_is_blocked(sealed: Sealed, action: str) -> None:
    sealed.step("approved")
    block(sealed, "orders", "holds")
    second = sealed.manifests("crm")[1]
    sealed.warehouse.run("update manifest.items set action = $action where manifest_id = $id",
                         {"action": action, "id": second})  # fmt: skip
    crm, web = Counting(), Counting()
    report = send(sealed, crm=crm, web=web)
    assert (crm.got, web.tries) == (sealed.manifests("crm"), 0)
    assert [each.system for each in report.waiting] == ["web"]


def block(sealed: Sealed, source: str, table: str) -> None:
    sealed.warehouse.insert("intake.blocks", ("source", "table_name", "reason"), [(source, table, "stale")])


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("manifest.json", "byte"), ("manifest.jws", "link"), ("items.jsonl", "gone"), ("manifest.csv", "byte"),
        ("manifest.csv", "shortened"), ("manifest.csv", "swapped"), ("manifest.csv", "gone"),
        ("manifest.csv", "gone, sealed by an earlier version"), ("manifest.csv", "byte, sealed by an earlier version"),
    ],
)  # fmt: skip
def test_what_somebody_changed_in_the_outbox_is_not_delivered(sealed: Sealed, name: str, how: str) -> None:
    sealed.step("approved")
    if "earlier version" in how:
        sealed.warehouse.run("alter table manifest.manifests drop column table_sha256")
        sealed.warehouse.ask_anew()
    first, second = sealed.manifests("crm")
    path = sealed.site.outbox / "crm" / first / name
    whole = path.read_bytes()
    path.unlink()
    if how.startswith("byte"):
        path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    elif how == "shortened":
        path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    elif how == "swapped":
        path.write_bytes((sealed.site.outbox / "crm" / second / name).read_bytes())
    elif how == "link":
        (elsewhere := sealed.site.path / "elsewhere").write_bytes(whole)
        path.symlink_to(elsewhere)
    crm, web = Counting(), Counting()
    report = send(sealed, crm=crm, web=web)
    assert (crm.tries, len(web.got)) == (0, 1)
    assert [(each.manifest_id, each.code) for each in report.waiting] == [(first, "altered"), (second, "altered")]
    assert f"{first}: {name} is not what was sealed" in report.waiting[0].message
    shutil.rmtree(path.parent)
    folders.restore(sealed.warehouse, sealed.site)
    send(sealed, crm=crm, web=web)
    assert crm.got == [first, second]


def noted(sealed: Sealed) -> dict[str, str | None]:
    return dict(sealed.warehouse.rows("select manifest_id, table_sha256 from manifest.manifests"))


def test_the_list_for_people_is_compared_by_what_was_noted_when_it_was_written(
    sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert noted(sealed) == {
        path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sealed.site.outbox.glob("*/*/manifest.csv")
    }
    sealed.step("approved")
    monkeypatch.setattr(folders, "_write", None)  # it is not written once more
    assert len(send(sealed, crm=Counting(), web=Counting()).delivered) == 3


def test_what_an_earlier_version_sealed_still_goes_out(sealed: Sealed) -> None:
    sealed.warehouse.run("alter table manifest.manifests drop column table_sha256")
    sealed.warehouse.ask_anew()
    sealed.step("approved")
    crm = Counting()
    send(sealed, crm=crm, web=Counting())
    assert crm.got == sealed.manifests("crm")


def test_a_list_that_is_written_again_is_noted_as_it_is_written_now(sealed: Sealed) -> None:
    first, second = sealed.manifests("crm")
    before = noted(sealed)
    sealed.warehouse.run("update manifest.manifests set table_sha256 = null where manifest_id = $id", {"id": first})
    sealed.warehouse.run(
        "update manifest.manifests set table_sha256 = $id where manifest_id = $id", {"id": second}
    )  # another version wrote it otherwise
    for number in (0, 1):
        shutil.rmtree(sealed.folder("crm", number))
    folders.restore(sealed.warehouse, sealed.site)
    assert noted(sealed) == before
    sealed.step("approved")
    assert len(send(sealed, crm=Counting(), web=Counting()).delivered) == 3


def test_a_cancelled_one_alone_is_nothing_to_send(sealed: Sealed) -> None:
    sealed.step("cancelled", *sealed.manifests("crm"))
    crm = Counting()
    assert send(sealed, crm=crm).waiting == ()
    assert crm.tries == 0


def test_a_manifest_with_some_items_cancelled_is_not_sent(sealed: Sealed) -> None:
    from assets.ledger.states import Event, record

    first, second = sealed.manifests("crm")
    sealed.step("approved", first, second)
    record(sealed.warehouse, [Event(first, "cancelled", TODAY, "recall", item_id=sealed.items(first)[0])])
    crm = Counting()
    report = send(sealed, crm=crm)
    assert crm.tries == 0
    assert [each.code for each in report.waiting] == ["partly_cancelled", "earlier_waits"]


def test_the_recheck_comes_first_and_what_it_recalls_is_not_sent(sealed: Sealed) -> None:
    sealed.step("approved", *sealed.manifests("web"))
    web = Counting()

    def recall(*_: object) -> None:
        sealed.step("cancelled", *sealed.manifests("web"))

    deliver_approved(
        sealed.warehouse, sealed.policy, sealed.site, Ways(web=web), as_of=TODAY, now=NOW, recheck=recall
    )  # fmt: skip
    assert web.tries == 0


def test_what_may_pass_is_tried_again_with_growing_waits(sealed: Sealed) -> None:
    sealed.step("approved", *sealed.manifests("web"))
    waits: list[float] = []
    web = Counting(DOWN, DOWN, DOWN)
    report = send(sealed, waits=waits, web=web)
    assert len(report.delivered) == 1
    assert len(waits) == 3
    assert 1 <= waits[0] <= 2 <= waits[1] <= 3
    assert 4 <= waits[2] <= 5
    assert circuit.open_circuits(sealed.warehouse) == []


def test_what_somebody_has_to_mend_is_not_tried_again_and_opens_no_circuit(sealed: Sealed) -> None:
    sealed.step("approved", *sealed.manifests("crm"))
    waits: list[float] = []
    crm = Counting(REFUSED)
    report = send(sealed, waits=waits, crm=crm)
    assert (waits, crm.tries) == ([], 1)
    assert [(each.code, each.passes) for each in report.waiting] == [("http_403", False)] * 2
    assert circuit.open_circuits(sealed.warehouse) == []
    assert set(sealed.states(sealed.manifests("crm")[0])) == {"approved"}


def test_a_system_that_is_down_delays_nobody_else(sealed: Sealed) -> None:
    """The other system's manifest arrives while the first one's is still being tried."""
    sealed.step("approved")
    arrived = threading.Event()

    class Other(Counting):
        def put(self, manifest_folder: Path, manifest_id: str) -> None:
            super().put(manifest_folder, manifest_id)
            arrived.set()

    class Down(Counting):
        def put(self, manifest_folder: Path, manifest_id: str) -> None:
            self.tries += 1
            assert arrived.wait(20)
            raise DOWN

    crm, web = Down(), Other()
    report = send(sealed, crm=crm, web=web)
    assert web.got == sealed.manifests("web")
    assert [each.system for each in report.delivered] == ["web"]
    assert crm.tries == 4  # the second manifest of crm was not tried
    assert [each.code for each in report.waiting] == ["unreachable"] * 2


def test_deliveries_are_recorded_in_the_order_of_the_systems_whoever_answers_first(sealed: Sealed) -> None:
    sealed.step("approved")
    arrived = threading.Event()

    class First(Counting):
        def put(self, manifest_folder: Path, manifest_id: str) -> None:
            super().put(manifest_folder, manifest_id)
            arrived.set()

    class Slow(Counting):
        def put(self, manifest_folder: Path, manifest_id: str) -> None:
            assert arrived.wait(20)
            time.sleep(0.1)  # long enough for what came first to be recorded first
            super().put(manifest_folder, manifest_id)

    crm, web = Slow(), First()
    report = send(sealed, crm=crm, web=web)
    expected = sealed.manifests("crm") + sealed.manifests("web")
    assert [each.manifest_id for each in report.delivered] == expected
    told = "select manifest_id, min(sequence) from manifest.events where state = 'delivered' group by 1 order by 2"
    assert [manifest_id for manifest_id, _ in sealed.warehouse.rows(told)] == expected


def test_the_circuit_opens_half_opens_and_closes(sealed: Sealed) -> None:
    sealed.step("approved", *sealed.manifests("crm"))
    crm = Counting(*[DOWN] * 5)
    send(sealed, crm=crm)
    assert crm.tries == 4
    (is_open,) = circuit.open_circuits(sealed.warehouse)
    assert (is_open.system, is_open.code, is_open.opened_at) == ("crm", "unreachable", NOW)
    report = send(sealed, now=NOW + timedelta(minutes=59), crm=crm)
    assert crm.tries == 4
    assert [(each.code, each.passes) for each in report.waiting] == [("circuit_open", True)] * 2
    send(sealed, now=NOW + timedelta(hours=1), crm=crm)
    assert crm.tries == 5  # once
    send(sealed, now=NOW + timedelta(hours=1, minutes=59), crm=crm)
    assert crm.tries == 5
    report = send(sealed, now=NOW + timedelta(hours=2), crm=crm)
    assert len(report.delivered) == 2
    assert circuit.open_circuits(sealed.warehouse) == []


def test_settings_that_are_of_no_use_stop_their_system_alone(sealed: Sealed) -> None:
    sealed.step("approved")

    class Unset(Ways):
        def of(self, system: str):  # type: ignore[no-untyped-def]
            if system == "crm":
                raise TerminalTransportError("settings", "no address")
            return super().of(system)

    report = deliver_approved(
        sealed.warehouse, sealed.policy, sealed.site, Unset(web=Counting()), as_of=TODAY, now=NOW
    )  # fmt: skip
    assert [each.system for each in report.delivered] == ["web"]
    assert {each.code for each in report.waiting} == {"settings"}


def test_a_defect_of_a_transport_is_no_failure_to_deliver(sealed: Sealed) -> None:
    sealed.step("approved", *sealed.manifests("web"))

    class Broken(Counting):
        def put(self, manifest_folder: Path, manifest_id: str) -> None:
            raise BadInput("a defect")

    with pytest.raises(BadInput):
        send(sealed, web=Broken())
    assert set(sealed.states(sealed.manifests("web")[0])) == {"approved"}


@pytest.mark.slow
def test_what_may_have_arrived_is_known_until_it_is_recorded(sealed: Sealed, monkeypatch: pytest.MonkeyPatch) -> None:
    for manifest_id in sealed.manifests("crm"):
        sealed.step("approved", manifest_id)
    with monkeypatch.context() as patched:
        patched.setattr("assets.delivery.sending.record", _cut_off)
        with pytest.raises(KeyboardInterrupt):
            send(sealed, crm=Counting())
    noted = "select manifest_id from manifest.sending order by all"
    assert [name for (name,) in sealed.warehouse.rows(noted)] == sorted(sealed.manifests("crm"))
    send(sealed, crm=Counting())
    assert sealed.warehouse.rows(noted) == []


def _cut_off(*_: object) -> None:
    raise KeyboardInterrupt


def test_killed_at_every_step_the_next_run_delivers_each_once_in_effect(tmp_path: Path) -> None:
    """In another process, which forks one that is killed at each step in turn; the next run is whole each time."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.delivery.killing", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["kills"] >= 12
    assert found["steps"] == ["answer", "copy", "flush", "record", "rename", "rewrite"]
