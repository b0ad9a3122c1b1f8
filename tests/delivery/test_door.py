"""The door opens on what was evaluated with all that is known: a word that came since keeps it shut."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from assets.core import changing
from assets.core.changing import look_again, rebuild
from assets.delivery.approving import approve
from assets.delivery.assets import Door, deliver_checked
from assets.delivery.rechecking import recall
from assets.erasure.erasing import erase_own_copies
from assets.errors import CheckFailed
from assets.ingest.loading import ingest
from assets.manifests.changes import propose
from assets.manifests.sealing import seal
from assets.retention.incremental import evaluate_night
from assets.rights.holds import Record, place
from assets.warehouse import Warehouse
from tests.delivery.nights import POLICY, Nights, Rules, System, instant, name_of

DAY = date(2026, 11, 1)
Word = Callable[[Nights], None]


def evaluate(nights: Nights) -> None:
    rebuild(nights.warehouse, POLICY)
    evaluate_night(nights.warehouse, POLICY, DAY)


def approved(path: Path, warehouse: Warehouse | None = None) -> Nights:
    """A company with an approved order of the day to erase T1."""
    crm = System("crm")
    crm.add(
        "customers", "T1", customer_type="private", name=name_of("T1"), customer_since="2020-01-01",
        relation_ended_at="2022-01-01",
    )  # fmt: skip
    made = Nights(path, crm, warehouse=warehouse)
    for source in made.systems:
        made.export(source, DAY)
    made.take_in(DAY)
    evaluate(made)
    propose(made.warehouse, POLICY, DAY)
    report = seal(made.warehouse, POLICY, made.site, made.signer, as_of=DAY, issued_at=instant(DAY, 3))
    for each in report.sealed:
        approve(made.warehouse, each.manifest_id, by="Eva", reason="ok", on_day=DAY, at=instant(DAY, 3))
    return made


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """One that each test begins with."""
    made = approved(tmp_path_factory.mktemp("approved"))
    made.keep()
    return made


@pytest.fixture
def nights(first_night: Nights, tmp_path: Path) -> Iterator[Nights]:
    """One in memory."""
    begun = first_night.begun(tmp_path)
    yield begun
    begun.warehouse.close()


def at_the_door(nights: Nights) -> list[str]:
    """The systems that something was delivered to."""
    door = Door(Rules(), lambda: nights.signer, lambda _: 10)
    report = deliver_checked(
        nights.warehouse, POLICY, nights.site, nights.transports(DAY), door, as_of=DAY, clock=lambda: instant(DAY, 4)
    )
    return [each.system for each in report.delivered]


def hold(nights: Nights) -> None:
    """Entered at the site, while the evaluation of the day stands."""
    place(nights.warehouse, [Record("customer", "T1")], reason="dispute", reviewer="Eva", placed_on=DAY,
          at=instant(DAY, 4))  # fmt: skip


def deliver_the_hold(nights: Nights) -> None:
    nights.systems["office"].add("holds", "H1", record_type="customer", record_key="T1", placed_at=DAY.isoformat())
    nights.export("office", DAY, hour=4)
    ingest(nights.warehouse, POLICY, nights.site, as_of=DAY)


@pytest.mark.parametrize("word", [hold, deliver_the_hold])
def test_nothing_is_sealed_by_an_evaluation_that_has_not_seen_a_hold(nights: Nights, word: Word) -> None:
    """The job that seals by itself: what it seals leaves the warehouse's own copies at once."""
    nights.systems["crm"].add(
        "customers", "T2", customer_type="private", name=name_of("T2"), customer_since="2020-01-01",
        relation_ended_at="2022-01-01",
    )  # fmt: skip
    nights.export("crm", DAY, hour=3)
    ingest(nights.warehouse, POLICY, nights.site, as_of=DAY)
    evaluate(nights)
    word(nights)

    def sealed() -> tuple[list[str], list[str]]:
        propose(nights.warehouse, POLICY, DAY)
        report = seal(nights.warehouse, POLICY, nights.site, nights.signer, as_of=DAY, issued_at=instant(DAY, 5))
        return [each.system for each in report.sealed], [refusal.rule for refusal in report.refusals]

    assert sealed() == ([], ["evaluation_behind"])
    evaluate(nights)
    assert sealed() == (["crm"], [])


@pytest.mark.parametrize("word", [hold, deliver_the_hold])
@pytest.mark.parametrize("half_read", [False, True])
def test_a_hold_that_came_after_the_evaluation_keeps_the_door_shut(nights: Nights, word: Word, half_read: bool) -> None:
    word(nights)
    if half_read:
        rebuild(nights.warehouse, POLICY)  # and the run was ended before it evaluated
    with pytest.raises(CheckFailed, match="has not looked"):
        at_the_door(nights)
    with pytest.raises(CheckFailed, match="has not looked"):
        recall(nights.warehouse, POLICY, DAY, at=instant(DAY, 4))
    assert nights.states("T1") == ["approved"]
    assert not (nights.exchange("crm") / "manifests").exists()
    evaluate(nights)
    assert at_the_door(nights) == ["crm"], "the restriction of what is held"
    actions = "select action, state from manifest.item_states where record_key = 'T1' order by all"
    assert nights.warehouse.rows(actions) == [("erase", "cancelled"), ("restrict", "delivered")]


def test_what_own_copies_lose_the_same_night_keeps_no_door_shut(nights: Nights) -> None:
    """A hold that was released six years ago loses whom it named, after the evaluation and before the delivery."""
    nights.systems["office"].add(
        "holds", "H1", record_type="customer", record_key="K9", placed_at="2019-01-01", released_at="2020-01-01"
    )
    nights.export("office", DAY, hour=4)
    ingest(nights.warehouse, POLICY, nights.site, as_of=DAY)
    evaluate(nights)
    erase_own_copies(nights.warehouse, POLICY, as_of=DAY)
    named = "select record_key from raw.office_holds where hold_id = 'H1'"
    assert nights.warehouse.rows(named) == [(None,)]
    assert at_the_door(nights) == ["crm"]


@pytest.mark.parametrize("is_shipped", [True, False])
def test_what_a_person_decided_is_looked_at_first(
    nights: Nights, is_shipped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with purposes of a company's own, of which no night remembers what was evaluated."""
    monkeypatch.setattr(changing, "_is_shipped", lambda _: is_shipped)
    look_again(nights.warehouse, [("customer", 1)])
    with pytest.raises(CheckFailed, match="has not looked"):
        at_the_door(nights)
    evaluate(nights)
    assert at_the_door(nights) == ["crm"]


#: A night of a policy with SQL of its own, or of the shipped one, that ends before a step of building or evaluating.
KILLED = """
import os, signal, sys
from pathlib import Path
from assets.core import building, changing
from assets.retention import incremental
from tests.delivery.test_door import DAY, POLICY, opened

path, step, is_shipped = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "shipped"
changing._is_shipped = lambda _: is_shipped
module = building if step == "resolve_people" else incremental
setattr(module, step, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
with opened(path) as warehouse:
    changing.rebuild(warehouse, POLICY, full=True)
    incremental.evaluate_night(warehouse, POLICY, DAY)
"""


def opened(path: Path) -> Warehouse:
    return Warehouse.open(path, key=None, pseudonym_key=b"nights", threads=1)


@pytest.mark.parametrize("policy", ["shipped", "own"])
@pytest.mark.parametrize("step", ["resolve_people", "evaluate", "remember_evaluation"])
def test_a_night_that_was_killed_leaves_the_door_shut(
    tmp_path: Path, step: str, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold was entered, and kill -9 came while it was built in, or before anything was evaluated by it."""
    monkeypatch.setattr(changing, "_is_shipped", lambda _: policy == "shipped")
    file = tmp_path / "warehouse.duckdb"
    nights = approved(tmp_path, opened(file))
    hold(nights)
    nights.warehouse.close()
    ended = subprocess.run([sys.executable, "-c", KILLED, str(file), step, policy], cwd=Path(__file__).parents[2],
                           check=False)  # fmt: skip
    assert ended.returncode == -signal.SIGKILL
    with opened(file) as nights.warehouse:
        with pytest.raises(CheckFailed, match=r"has not looked|evaluated as of no day"):
            at_the_door(nights)
        assert nights.states("T1") == ["approved"]
        evaluate(nights)
        assert at_the_door(nights) == ["crm"], "the restriction of what is held"
        assert "cancelled" in nights.states("T1")


def test_the_door_opens_where_nothing_came_since(nights: Nights) -> None:
    assert at_the_door(nights) == ["crm"]
    assert nights.states("T1") == ["delivered"]
