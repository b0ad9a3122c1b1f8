"""Proof by the next export: what verifies an item, what contradicts it, and what says nothing at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import pytest
from dagster import AssetCheckResult, AssetCheckSeverity

from assets.contracts.contract import Lookup
from assets.contracts.declarations import CONTRACTS
from assets.contracts.expressions import checked_expression
from assets.delivery.assets import delivery_checks
from assets.delivery.outcomes import outcome_of, render
from assets.delivery.settling import Unproven, settle, unproven
from assets.erasure.copies import copy_register, destroy, forget_manifests
from assets.erasure.erasing import erase_own_copies
from assets.erasure.periods import Periods
from assets.ingest import readings
from assets.ledger.issued import show
from assets.policy import SHIPPED_REGISTER, Policy
from tests.delivery import nights as settling_nights
from tests.delivery.nights import POLICY, Nights, System, name_of

DAY = date(2026, 11, 1)
EVERYTHING = ("crm", "orders", "mailing", "web", "office")
Made = Callable[..., Nights]


def day(number: int) -> date:
    return DAY + timedelta(days=number)


def add_customer(crm: System, key: str, *, kept: bool = False) -> None:
    """A private customer whose every purpose has ended, or (kept) one that is marketed to."""
    crm.add(
        "customers", key, customer_type="private", name=name_of(key), phone="070-1740605",
        email="" if kept else f"{key.lower()}@hem.example", customer_since="2026-01-01" if kept else "2020-01-01",
        relation_ended_at="" if kept else "2022-01-01",
    )  # fmt: skip


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A company with the named customers, after its first night: the same for the same names, policy and answers."""

    @cache
    def make(under: object, *keys: str, kept: int) -> Nights:
        crm = System("crm")
        for key in keys:
            add_customer(crm, key)
        for number in range(kept):
            add_customer(crm, f"K{number:03}", kept=True)
        nights = Nights(tmp_path_factory.mktemp("first-night"), crm)
        nights.night(DAY, *EVERYTHING)
        nights.keep()
        return nights

    return make


@pytest.fixture
def made(first_night: Made, tmp_path: Path) -> Iterator[Made]:
    """Such a company of the test's own."""
    opened: list[Nights] = []

    def make(*keys: str, kept: int = 0) -> Nights:
        under = (settling_nights.POLICY.sha256, System._meet)
        opened.append(first_night(under, *keys, kept=kept).begun(tmp_path))
        return opened[-1]

    yield make
    for nights in opened:
        nights.warehouse.close()


def test_the_next_export_and_no_answer_decides(made: Made) -> None:
    keys = ("T1", "L1", "H1", "S1", "N1", "R1", "P1", "A1", "O1")
    nights = made(*keys)
    before = {key: nights.states(key) for key in keys}
    assert before == {
        "T1": ["done"], "L1": ["done"], "H1": ["done"], "S1": ["delivered"], "N1": ["delivered"], "R1": ["refused"],
        "P1": ["partly_retained"], "A1": ["already_absent"], "O1": ["done"],
    }  # fmt: skip
    nights.export("crm", DAY, hour=3)  # extracted before the manifest was delivered
    nights.take_in(day(1))
    assert nights.settled == []
    assert {key: nights.states(key) for key in keys} == before
    nights.export("crm", day(1))
    nights.take_in(day(1))
    assert {key: nights.states(key)[0] for key in keys} == {
        "T1": "verified", "L1": "discrepancy", "H1": "discrepancy", "S1": "verified", "N1": "delivered",
        "R1": "refused", "P1": "partly_retained", "A1": "verified", "O1": "verified",
    }  # fmt: skip
    assert nights.warehouse.rows(
        "select record_key, reason, owner, due_on from manifest.item_states where state = 'discrepancy' order by all"
    ) == [("H1", "partly_there", "privacy", day(31)), ("L1", "still_there", "privacy", day(31))]
    assert settle(nights.warehouse, POLICY, day(1)) == []
    proofs = "select outcome, delivery_id, count(*) from manifest.verifications group by all order by all"
    delivery = f"{day(1).isoformat()}-2"
    assert nights.warehouse.rows(proofs) == [("discrepancy", delivery, 2), ("verified", delivery, 4)]


@pytest.mark.parametrize("mode", ["full", "delta"])
def test_an_export_from_before_it_was_done_contradicts_nothing(made: Made, mode: str) -> None:
    """Delivered at 4, done at 12, read at 20: what was extracted up to then shows what was there until then."""
    nights = made("T1", "L1", "H1", "P1")
    crm = nights.systems["crm"]
    answered = {key: nights.states(key) for key in ("T1", "L1", "H1", "P1")}
    left = {key: dict(row) for key, row in crm.tables["customers"].items()}
    for key in answered:  # as they were before the system acted; each row says something new
        add_customer(crm, key)
    for hour in (3, 4, 8, 12):
        for row in crm.tables["customers"].values():
            row["city"] = f"Provstad {hour}"
        nights.export("crm", DAY, hour=hour, mode="full" if hour == 8 else mode)
        nights.take_in(day(1))
        assert (hour, nights.settled) == (hour, [])
    assert {key: nights.states(key) for key in answered} == answered
    crm.tables["customers"] = left
    nights.export("crm", DAY, hour=13)
    nights.take_in(day(1))
    assert {key: nights.states(key)[0] for key in answered} == {
        "T1": "verified", "L1": "discrepancy", "H1": "discrepancy", "P1": "partly_retained",
    }  # fmt: skip


def test_a_system_that_says_it_was_done_on_a_day_to_come_is_contradicted_all_the_same(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet = System._meet

    def later(system: System, *given: object) -> list[dict[str, object]]:
        return [{**answer, "at": "2999-01-01T00:00:00Z"} for answer in meet(system, *given)]  # type: ignore[arg-type]

    monkeypatch.setattr(System, "_meet", later)
    nights = made("L1")
    assert nights.states("L1") == ["done"]
    nights.export("crm", day(1))
    nights.take_in(day(1))
    assert nights.states("L1")[0] == "discrepancy"


def test_an_export_that_is_itself_in_doubt_proves_nothing(made: Made) -> None:
    nights = made("T1", "L1", kept=24)
    crm = nights.systems["crm"]
    nights.export("crm", day(1), files=[])
    nights.take_in(day(1))
    assert nights.rejected
    assert (nights.settled, nights.states("T1"), nights.states("L1")) == ([], ["done"], ["done"])
    customers = dict(crm.tables["customers"])
    crm.tables["customers"] = {key: row for key, row in customers.items() if key not in {f"K{n:03}" for n in range(9)}}
    nights.export("crm", day(2))
    nights.take_in(day(2))
    assert nights.warehouse.value("select count(*) from intake.blocks where reason = 'shrunk'") == 1
    assert (nights.settled, nights.states("T1"), nights.states("L1")) == ([], ["done"], ["done"])
    crm.tables["customers"] = customers
    nights.export("crm", day(3))
    nights.take_in(day(3))
    assert (nights.states("T1"), nights.states("L1")) == (["verified"], ["discrepancy"])


def test_a_row_that_cannot_be_read_proves_nothing_about_itself(made: Made) -> None:
    nights = made("T1", "T2")
    crm = nights.systems["crm"]
    add_customer(crm, "T1")
    crm.tables["customers"]["T1"]["customer_type"] = "hushåll"
    nights.export("crm", day(1))
    nights.take_in(day(1))
    assert (nights.states("T1"), nights.states("T2")) == (["done"], ["verified"])


@pytest.mark.parametrize("unreadable", ["customer_type", "key"])
def test_a_row_set_aside_proves_nothing_of_a_record_that_was_missing_before(made: Made, unreadable: str) -> None:
    """N1 is missing from an export of before its order came; then it is there, in a row that breaks a rule."""
    nights = made("N1", "T1")
    crm = nights.systems["crm"]
    row = crm.tables["customers"].pop("N1")
    nights.export("crm", DAY, hour=3)
    nights.take_in(day(1))
    broken = ("N1", {**row, "customer_type": "hushåll"}) if unreadable == "customer_type" else ("", row)
    crm.tables["customers"] |= [broken]
    nights.export("crm", day(1))
    nights.take_in(day(1))
    assert (nights.states("N1"), nights.states("T1")) == (
        ["delivered"],
        ["done" if unreadable == "key" else "verified"],
    )
    nights.warehouse.run("delete from intake.quarantined")  # their day has passed
    nights.take_in(day(2))
    assert nights.states("N1") == ["delivered"]
    crm.tables["customers"].pop(broken[0])
    nights.export("crm", day(3))
    nights.take_in(day(3))
    assert (nights.states("N1"), nights.states("T1")) == (["verified"], ["verified"])


def held_name(made: Made, key: str) -> Nights:
    """A company of whose one customer, but for the name, everything was ordered erased."""
    nights = made()
    add_customer(nights.systems["crm"], key)
    nights.systems["office"].add(
        "holds", "H1", record_type="customer", record_key=key, fields="name", placed_at="2026-01-01"
    )
    nights.night(day(1), "crm", "office")
    assert nights.warehouse.rows(
        "select record_key, list_sort(fields) from manifest.items where action = 'redact'"
    ) == [(key, ["email", "phone"])]
    return nights


def test_a_second_row_of_the_record_s_key_leaves_it_unproved(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two rows one is taken; what was ordered erased is empty in that one, and stands in the other as before."""
    nights = held_name(made, "N1")
    crm = nights.systems["crm"]
    listed = list(crm.files())

    def doubled() -> Iterator[tuple[str, str, bytes, int]]:
        for name, table, content, rows in listed:
            if table == "customers":
                emptied = content.splitlines()[1].replace(b"Provperson", b"Alfa").replace(b"n1@hem.example", b"")
                content += emptied.replace(b"070-1740605", b"") + b"\r\n"
                rows += 1
            yield name, table, content, rows

    monkeypatch.setattr(crm, "files", doubled)
    nights.export("crm", day(2))
    nights.take_in(day(2))
    assert nights.warehouse.rows("select rule, record_key from intake.quarantined") == [("duplicate_key", "N1")]
    assert "verified" not in nights.states("N1")


def test_what_a_row_without_a_key_keeps_unproved_is_told_with_its_table(made: Made) -> None:
    """T1 and T2 left the CRM; a row of each export has no key, and may be either. A row of N1's key is N1's alone."""
    nights = made("T1", "T2", "N1")
    customers = nights.systems["crm"].tables["customers"]
    customers[""] = {"customer_type": "private", "name": name_of("?")}
    for number in (1, 2):
        nights.export("crm", day(number))
        nights.take_in(day(number))
        assert nights.states("T1") == nights.states("T2") == ["done"]
        assert unproven(nights.warehouse) == [Unproven("crm", 2, "rows_without_key", "customers", 1)]
    (told,) = unproven(nights.warehouse)
    assert "rows of customers were set aside in its latest full export (1)" in told.message
    customers[""] |= {"customer_type": "okänd"}
    customers["N1"]["birth_date"] = "okänd"
    nights.export("crm", day(3))
    nights.take_in(day(3))
    assert unproven(nights.warehouse) == [Unproven("crm", 2, "rows_without_key", "customers", 1)]
    del customers[""]
    nights.export("crm", day(4))
    nights.take_in(day(4))
    assert nights.states("T1") == nights.states("T2") == ["verified"]
    assert unproven(nights.warehouse) == []


@pytest.mark.parametrize("word", ["deleted", "emptied"])
def test_what_a_later_delta_takes_away_waits_for_the_next_full_delivery(
    made: Made, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The full delivery shows N1 as it was, so that it cannot be named as the proof."""
    nights = made("N1", "T1")
    crm = nights.systems["crm"]
    nights.export("crm", day(1))
    nights.take_in(day(1))
    assert (nights.states("N1"), nights.states("T1")) == (["delivered"], ["verified"])
    columns = [column.name for column in POLICY.contracts["crm", "customers"].columns]
    values = {"customer_id": "N1", "customer_type": "private"}
    row = [*(values.get(name, "") for name in columns), "true" if word == "deleted" else ""]
    content = "".join(",".join(each) + "\n" for each in ([*columns, "_deleted"], row)).encode()
    with monkeypatch.context() as patched:
        patched.setattr(crm, "files", lambda: iter([("customers.csv", "customers", content, 1)]))
        nights.export("crm", day(2), mode="delta")
    nights.take_in(day(2))
    assert (nights.rejected, nights.states("N1")) == ((), ["delivered"])
    crm.tables["customers"].pop("N1")
    nights.export("crm", day(3))
    nights.take_in(day(3))
    assert nights.states("N1") == ["verified"]


@pytest.mark.parametrize("mode", ["full", "delta"])
def test_a_record_that_is_back_is_told_anew_and_kept_out_meanwhile(made: Made, mode: str) -> None:
    nights = made("T1", "T2")
    crm = nights.systems["crm"]
    nights.night(day(1), "crm")
    assert nights.states("T1") == ["verified"]
    add_customer(crm, "T1")  # from an old backup
    nights.export("crm", day(2), mode=mode)
    nights.take_in(day(2))
    assert [(each.outcome, each.items) for each in nights.settled] == [("returned", 1)]
    kept_out = "select name is null and email is null and in_source from raw.crm_customers where customer_id = 'T1'"
    assert nights.warehouse.value(kept_out)
    nights.decide(day(2))
    nights.exchange_with_systems(day(2))
    assert nights.states("T1") == ["verified", "done"], "the proof that was given stays; a new item was issued"
    nights.night(day(3), "crm")
    assert nights.states("T1") == ["verified", "verified"]
    told = "select delivery_id, reason from manifest.verifications where outcome = 'returned'"
    assert nights.warehouse.rows(told) == [(f"{day(2)}-2", "there_again")], "it came back by that delivery"


def keep_from_sealing(nights: Nights, number: int) -> None:
    """A night on which nothing can be sealed: a delivery of another system is rejected."""
    rejected = [{"name": "subscribers.csv", "table": "subscribers", "rows": 7, "sha256": "0" * 64}]
    nights.export("mailing", day(number), files=rejected)
    nights.night(day(number), "crm")


def known(nights: Nights) -> list[tuple[str | None, ...]]:
    return nights.warehouse.rows("select name, email, phone from raw.crm_customers where customer_id = 'T1'")


def test_what_is_back_is_kept_out_until_it_is_told_anew(made: Made) -> None:
    nights = made("T1")
    crm = nights.systems["crm"]
    nights.night(day(1), "crm")
    add_customer(crm, "T1")
    for number in (2, 3, 4):
        keep_from_sealing(nights, number)
        assert (known(nights), nights.states("T1")) == ([(None, None, None)], ["verified"])
    assert nights.warehouse.value("select count(*) from manifest.verifications where outcome = 'returned'") == 1
    crm.tables["customers"]["T1"]["phone"] = ""  # what is gone again needs no order
    nights.night(day(5), *EVERYTHING)
    assert nights.states("T1") == ["verified", "done"]
    nights.night(day(6), *EVERYTHING)
    assert nights.states("T1") == ["verified", "verified"]
    add_customer(crm, "T1")
    nights.night(day(7), *EVERYTHING)
    assert nights.states("T1") == ["verified", "verified", "done"], "also of the phone, which the first order named"
    assert known(nights) == [(None, None, None)]


def test_what_is_back_after_its_manifest_was_destroyed_is_ordered_anew(made: Made) -> None:
    """Five years on nothing says any more that it was verified; that it was told to go still stands."""
    nights = made("T1", "T2")
    nights.night(day(1), *EVERYTHING)
    assert nights.states("T1") == nights.states("T2") == ["verified"]
    copies = copy_register(nights.site, nights.warehouse, Periods()).copies
    sealed = [each for each in copies if each.kind == "manifest"]
    forget_manifests(nights.warehouse, destroy(nights.site, sealed))
    assert nights.states("T1") == []
    nights.night(day(2), *EVERYTHING)
    assert nights.states("T1") == nights.states("T2") == [], "what is gone needs no order"
    add_customer(nights.systems["crm"], "T1")
    nights.night(day(3), *EVERYTHING)
    assert (known(nights), nights.states("T1")) == ([(None, None, None)], ["done"])
    nights.night(day(4), *EVERYTHING)
    assert (nights.states("T1"), nights.states("T2")) == (["verified"], [])


def test_what_is_back_and_in_use_again_comes_in_once_its_order_is_lifted(made: Made) -> None:
    nights = made("T1")
    nights.night(day(1), "crm")
    add_customer(nights.systems["crm"], "T1", kept=True)
    keep_from_sealing(nights, 2)
    assert known(nights) == [(None, None, None)]
    nights.night(day(3), *EVERYTHING)
    assert nights.warehouse.rows(
        "select action, state from manifest.item_states where record_key = 'T1' order by as_of"
    ) == [("erase", "verified"), ("lift", "done")]  # fmt: skip
    nights.night(day(4), *EVERYTHING)
    assert known(nights) == [(name_of("T1"), None, "070-1740605")]
    assert len(nights.states("T1")) == 2


@pytest.mark.parametrize("is_answered", [True, False])
def test_an_order_that_a_hold_has_chased_is_verified_or_taken_back(
    made: Made, monkeypatch: pytest.MonkeyPatch, is_answered: bool
) -> None:
    """All were said to be done, and then held; of T1 it was so, of L1 nothing was done, and half of it of H1."""
    keys = ("T1", "L1", "H1")
    nights = made(*keys)
    assert [nights.states(key) for key in keys] == [["done"]] * 3
    if not is_answered:
        monkeypatch.setattr(System, "_meet", lambda *_: [])
    for key in keys:
        hold = {"record_type": "customer", "record_key": key, "placed_at": day(1).isoformat()}
        nights.systems["office"].add("holds", f"S-{key}", **hold)
    nights.night(day(1), "office")
    chased = "done" if is_answered else "delivered"
    assert [nights.states(key) for key in keys] == [["done", chased]] * 3, "no export since"
    nights.export("crm", day(2))
    nights.take_in(day(2))
    kept = "cancelled" if is_answered else "done"
    found = {key: nights.states(key)[0] for key in keys}
    assert found == {"T1": "verified", "L1": kept, "H1": kept}, "what was taken back contradicts nobody"
    outcomes = [(each.outcome, each.items) for each in nights.settled]
    assert outcomes == ([("superseded", 2)] if is_answered else []) + [("verified", 1)]
    reasons = "select distinct reason from manifest.item_states where state = 'cancelled'"
    assert nights.warehouse.rows(reasons) == ([("superseded",)] if is_answered else [])
    assert nights.warehouse.rows("select distinct outcome from manifest.verifications") == [("verified",)]
    assert settle(nights.warehouse, POLICY, day(2)) == []


def test_a_chased_order_is_proved_as_any_other(made: Made) -> None:
    """By an export in which no row was set aside that may be the record; until then it stays as it was answered."""
    nights = made("T1", "T2")
    hold = {"record_type": "customer", "record_key": "T1", "placed_at": day(1).isoformat()}
    nights.systems["office"].add("holds", "S1", **hold)
    nights.night(day(1), "office")
    assert nights.states("T1") == ["done", "done"]
    crm = nights.systems["crm"]
    crm.add("customers", "", customer_type="private", name=name_of("T1"))
    nights.export("crm", day(2))
    nights.take_in(day(2))
    assert (nights.states("T1"), nights.states("T2")) == (["done", "done"], ["done"])
    assert [each.items for each in unproven(nights.warehouse)] == [2]
    crm.tables["customers"].pop("")
    nights.export("crm", day(3))
    nights.take_in(day(3))
    assert (nights.states("T1"), nights.states("T2")) == (["verified", "done"], ["verified"])


def test_a_redaction_is_proven_by_its_fields_alone(made: Made) -> None:
    nights = made()
    crm, office = nights.systems["crm"], nights.systems["office"]
    add_customer(crm, "T1")
    add_customer(crm, "L1")
    for key in ("T1", "L1"):
        office.add("holds", f"H{key}", record_type="customer", record_key=key, fields="name", placed_at="2026-01-01")
    nights.night(day(1), "crm", "office")
    assert nights.warehouse.rows(
        "select distinct record_key, action, list_sort(fields) from manifest.items where action = 'redact' order by all"
    ) == [(key, "redact", ["email", "phone"]) for key in ("L1", "T1")]
    nights.night(day(2), "crm")
    assert crm.tables["customers"]["T1"]["name"] == name_of("T1")
    assert "verified" in nights.states("T1")
    assert "discrepancy" in nights.states("L1")


Reading = Callable[..., None]


@pytest.fixture
def reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reading:
    """Has the CRM's customers read by another contract from now on: the shipped one with texts replaced."""
    made = iter(range(9))

    def read(*replaced: tuple[str, str]) -> None:
        folder = tmp_path / f"policy-{next(made)}"
        shutil.copytree(CONTRACTS, folder / "contracts")
        shutil.copy(SHIPPED_REGISTER, folder / "register.yaml")
        contract = folder / "contracts" / "crm_customers.yaml"
        text = contract.read_text(encoding="utf-8")
        for old, new in replaced:
            assert text.count(old) == 1
            text = text.replace(old, new)
        contract.write_text(text, encoding="utf-8")
        monkeypatch.setattr("tests.delivery.nights.POLICY", Policy.load(folder))

    return read


@pytest.fixture
def following(reading: Reading) -> None:
    """A company whose CRM says into which customer it merged another one."""
    reading(("slaProperties:", "      - name: merged_into\n        logicalType: string\nslaProperties:"))


@pytest.mark.parametrize(
    ("chain", "left", "state"),
    [
        ({"T1": "K000"}, "K000", "discrepancy"),
        ({"T1": "T2", "T2": "K000"}, "K000", "discrepancy"),
        ({"T1": "X99"}, "K000", "verified"),  # its successor is in no export: it went, as far as anyone can see
        ({"T1": "T2", "T2": "T1"}, "K000", "done"),  # merged in a circle: the export contradicts itself
    ],
)
def test_a_record_that_was_merged_away_is_followed(
    following: None, made: Made, chain: dict[str, str], left: str, state: str
) -> None:
    nights = made("T1", "T2", kept=1)
    customers = nights.systems["crm"].tables["customers"]
    for key, successor in chain.items():
        customers[key] = {"customer_type": "private", "merged_into": successor}
    assert left in customers
    nights.export("crm", day(1))
    nights.take_in(day(1))
    assert nights.states("T1") == [state]
    reasons = nights.warehouse.rows("select distinct reason from manifest.item_states where state = 'discrepancy'")
    assert reasons == ([("merged_into_another",)] if state == "discrepancy" else [])
    (line,) = [each for each in render(outcome_of(nights.warehouse, "customer", "T1"), "crm", "en") if "crm" in each]
    assert ("was merged into another" in line, "in spite of" in line) == (state == "discrepancy", False)
    manifest_id = nights.warehouse.value("select min(manifest_id) from manifest.manifests")
    (told,) = show(nights.warehouse, manifest_id, 1).preview
    assert ("values of who was erased" in told.next_step) == (state == "discrepancy") == (told.reason is not None)
    assert told.next_step in line


def test_a_merged_record_that_keeps_what_was_ordered_is_no_proof(following: None, made: Made) -> None:
    """L1 was merged into one that holds nothing, and its own row stays as it was."""
    nights = made("L1", kept=1)
    customers = nights.systems["crm"].tables["customers"]
    customers["L1"]["merged_into"] = "K000"
    customers["K000"] |= {"name": "", "phone": "", "email": ""}
    nights.export("crm", day(1))
    nights.take_in(day(1))
    assert nights.states("L1") == ["discrepancy"]
    reasons = "select distinct reason from manifest.item_states where state = 'discrepancy'"
    assert nights.warehouse.rows(reasons) == [("still_there",)]
    customers["L1"] |= {"name": "", "phone": "", "email": ""}
    nights.export("crm", day(2))
    nights.take_in(day(2))
    assert nights.states("L1") == ["verified"]


def test_a_row_set_aside_may_be_what_a_record_was_merged_into(following: None, made: Made) -> None:
    nights = made("T1", "T2")
    customers = nights.systems["crm"].tables["customers"]
    customers["T1"] = {"customer_type": "private", "merged_into": "X99"}
    customers["X99"] = {"customer_type": "hushåll", "name": name_of("T1")}
    nights.export("crm", day(1))
    nights.take_in(day(1))
    assert (nights.states("T1"), nights.states("T2")) == (["done"], ["verified"])


# -- a contract that changes meanwhile ---------------------------------------------------------------------------------

TABLE = "      - {property: shrinkTolerance, value: 0.2}\n"
KEY = "      - name: customer_id\n        logicalType: string\n"
NAME = "      - name: name\n        logicalType: string\n"
PHONE = "      - name: phone\n        logicalType: string\n"


def filtered(condition: str) -> tuple[str, str]:
    return TABLE, f'{TABLE}      - {{property: rowFilter, value: "{condition}"}}\n'


def made_by(column: str, expression: str) -> tuple[str, str]:
    return column, f'{column}        transformLogic: "{expression}"\n'


@pytest.mark.parametrize(
    ("change", "reached"),
    [
        (filtered("customer_id <> 'L1'"), ["done", "verified"]),
        (made_by(KEY, "case when customer_id = 'L1' then 'X1' else customer_id end"), ["done", "discrepancy"]),
        (made_by(NAME, "case when customer_id <> 'L1' then name end"), ["discrepancy", "verified"]),
        (("name: crm_customers\nversion: 1.0.0", "name: crm_customers\nversion: 1.1.0"), ["discrepancy", "verified"]),
    ],
)
def test_what_a_contract_leaves_out_is_no_proof_that_it_went(
    reading: Reading, made: Made, change: tuple[str, str], reached: list[str]
) -> None:
    """L1 is said to be done and is delivered as ever; T1 goes after an export that was read the new way."""
    nights = made("L1", "T1")
    add_customer(nights.systems["crm"], "T1")  # from an old backup
    reading(change)
    nights.export("crm", day(1))
    nights.take_in(day(1))
    assert nights.states("L1") != ["verified"]
    nights.systems["crm"].tables["customers"].pop("T1")
    nights.export("crm", day(2))
    nights.take_in(day(2))
    assert [nights.states(key)[0] for key in ("L1", "T1")] == reached


def test_a_field_that_is_read_no_more_is_not_proved_empty(reading: Reading, made: Made) -> None:
    nights = made("L1")
    nights.systems["crm"].tables["customers"]["L1"]["name"] = ""
    nights.systems["crm"].tables["customers"]["L1"]["email"] = ""
    reading(made_by(PHONE, "case when customer_id <> 'L1' then phone end"))
    nights.export("crm", day(1))
    nights.take_in(day(1))
    assert nights.states("L1") == ["done"], "its phone is delivered, and left out by the contract alone"
    assert "070-1740605" in nights.systems["crm"].tables["customers"]["L1"].values()


def test_what_is_sealed_after_a_change_is_proved_by_what_is_read_the_same_way(reading: Reading, made: Made) -> None:
    nights = made()
    reading(made_by(KEY, "concat('', customer_id)"))
    nights.export("crm", day(1))
    nights.take_in(day(1))
    add_customer(nights.systems["crm"], "T1")
    nights.night(day(2), "crm")
    assert nights.states("T1") == ["done"]
    nights.night(day(3), "crm")
    assert nights.states("T1") == ["verified"]
    told = "select what, digest is not null, sealed_before is null from intake.readings order by sequence, what"
    rows = nights.warehouse.rows(told)
    assert ("customer_id", True, False) in rows
    assert sum(not is_first for _, _, is_first in rows) == 1


def test_another_column_in_a_field_s_place_of_a_file_without_a_header_is_another_reading() -> None:
    contract = POLICY.contracts["crm", "customers"]
    bare = replace(contract, format=replace(contract.format, header=False))
    swapped = replace(bare, file_columns=("name", *(name for name in bare.file_columns if name != "name")))
    read, otherwise = readings._reading(bare), readings._reading(swapped)
    assert {what for what in read if read[what] != otherwise[what]} == {"name", "customer_id"}
    assert readings._reading(replace(contract, file_columns=swapped.file_columns)) == readings._reading(contract)


def test_another_meaning_of_a_lookup_s_names_is_another_reading_of_what_is_read_by_them() -> None:
    contract = POLICY.contracts["crm", "customers"]

    def read(sql: str, *names: str) -> dict[str, str]:
        lookup = Lookup("m", "m*.csv", ("A", "B"), contract.format, names)
        made = checked_expression(f"(select max({sql}) from m)", "here", ["m"])
        columns = tuple(
            replace(each, transform=made) if each.name == "name" else each for each in contract.columns
        )  # fmt: skip
        return readings._reading(replace(contract, columns=columns, lookups=(lookup,)))

    assert read("m.a", "ett", "tu") == read("m.a", "tu", "ett") == read("m.a"), "as earlier versions read it"
    differ = read("ett", "ett", "tu").items() ^ read("ett", "tu", "ett").items()
    assert {what for what, _ in differ} == {"name"}


NICKNAME = (
    "slaProperties:",
    "      - name: nickname\n        logicalType: string\n"
    "        customProperties: [{property: dataCategory, value: identity}]\nslaProperties:",
)
UNPROVEN = "select system, reason, items from manifest.unproven order by all"


def test_a_column_that_has_left_its_contract_is_not_proved_empty(reading: Reading, made: Made) -> None:
    """Of N1 its source holds a nickname alone, and does nothing; no delivery comes after the contract changed."""
    reading(NICKNAME)
    nights = made(kept=1)
    settling_nights.POLICY.publish(nights.warehouse)
    add_customer(nights.systems["crm"], "N1")
    nights.systems["crm"].tables["customers"]["N1"] |= {"name": "", "phone": "", "email": "", "nickname": "Provis"}
    nights.night(day(1), "crm")
    assert nights.states("N1") == ["delivered"]
    nights.export("crm", day(2))
    nights.take_in(day(2))
    assert nights.warehouse.rows(UNPROVEN) == []
    reading()
    settling_nights.POLICY.publish(nights.warehouse)
    nights.take_in(day(3))
    assert nights.states("N1") == ["delivered"]
    assert nights.warehouse.rows(UNPROVEN) == [("crm", "field_read_no_more", 1)]
    erase_own_copies(nights.warehouse, settling_nights.POLICY, as_of=day(3))
    reading(NICKNAME)
    settling_nights.POLICY.publish(nights.warehouse)
    nights.take_in(day(4))
    assert nights.states("N1") == ["delivered"], "that the column is there again, and empty, is our own doing"
    nights.export("crm", day(5))
    nights.take_in(day(5))
    assert (nights.states("N1"), nights.warehouse.rows(UNPROVEN)) == (["delivered"], []), "it is seen to be there"
    nights.systems["crm"].tables["customers"]["N1"]["nickname"] = ""
    nights.export("crm", day(6))
    nights.take_in(day(6))
    assert nights.states("N1") == ["verified"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (filtered("customer_id <> 'L1'"), "other_rows_in_scope"),
        (made_by(KEY, "case when customer_id = 'L1' then 'X1' else customer_id end"), "key_read_otherwise"),
    ],
)
def test_a_contract_that_is_put_back_is_proof_again(
    reading: Reading, made: Made, change: tuple[str, str], reason: str
) -> None:
    nights = made("L1", "T1", "T2")
    reading(change)
    nights.export("crm", day(1))
    nights.take_in(day(1))
    assert nights.warehouse.rows(UNPROVEN) == [("crm", reason, 3)]
    told = delivery_checks()[0](warehouse=nights.warehouse)
    assert isinstance(told, AssetCheckResult)
    assert (told.passed, told.severity) == (False, AssetCheckSeverity.WARN)
    assert [told.metadata[name].value for name in ("unexpected", "systems")] == [3, f"crm: 3, {reason}"]
    reading()
    nights.systems["crm"].add("customers", "T2", customer_type="none of the contract's")
    nights.export("crm", day(2))
    nights.take_in(day(2))
    assert [nights.states(key) for key in ("L1", "T1", "T2")] == [["discrepancy"], ["verified"], ["done"]], (
        "T1 is seen to be gone; T2 is in a row that was set aside"
    )
    assert nights.warehouse.rows(UNPROVEN) == [("crm", reason, 1)]
    assert [(each.outcome, each.items) for each in nights.settled] == [
        ("discrepancy", 1), ("unproven", 1), ("verified", 1),
    ]  # fmt: skip


def test_a_changed_row_brought_by_a_changed_contract_leaves_the_others_as_they_were_read(
    reading: Reading, made: Made
) -> None:
    """N1 is read by the first contract and told to be erased under the second; no export was read by both."""
    nights = made(kept=1)
    customers = nights.systems["crm"].tables["customers"]
    add_customer(nights.systems["crm"], "N1", kept=True)
    customers["N1"] |= {"customer_since": "2020-01-01", "relation_ended_at": "2025-11-01"}
    nights.export("crm", DAY, hour=3)
    nights.take_in(DAY)
    reading(filtered("customer_id <> 'N1'"))
    kept = customers.pop("N1")
    for number in (1, 2):
        nights.export("crm", day(number), hour=1, mode="delta")
        nights.take_in(day(number))
    nights.decide(day(2))
    nights.exchange_with_systems(day(2))
    assert nights.states("N1") == ["delivered"]
    customers["N1"] = kept
    nights.export("crm", day(3))
    nights.take_in(day(3))
    assert nights.states("N1") == ["delivered"], "its source has it still, and the second contract leaves it out"
    changes = "select count(*) from intake.readings where what = '' and sealed_before is not null"
    assert nights.warehouse.value(changes) == 2, "once with the first delta, and once with the full delivery"


def test_what_is_read_no_more_is_noted_once(reading: Reading, made: Made) -> None:
    reading(NICKNAME)
    nights = made(kept=1)
    reading()
    for number in (1, 2, 3):
        nights.export("crm", day(number))
        nights.take_in(day(number))
    noted = "select digest is null, sealed_before from intake.readings where what = 'nickname' order by sequence"
    assert nights.warehouse.rows(noted) == [(False, None), (True, 0)]
