"""Names leave the office's registers when they are kept long enough, and nothing that is decided is another for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.core.building import build
from assets.core.changing import rebuild
from assets.erasure.erasing import Erasure, erase_own_copies
from assets.ingest import registers
from assets.ingest.loading import load_rows
from assets.ingest.registers import Entry
from assets.ingest.tables import prepare
from assets.ledger import issued
from assets.ledger.states import Event, record
from assets.manifests.changes import propose
from assets.manifests.sealing import seal
from assets.retention.evaluation import evaluate
from assets.retention.incremental import evaluate_night
from assets.rights.matches import remember
from assets.warehouse import Warehouse
from tests.erasure.house import POLICY, PSEUDONYM_KEY, opened
from tests.retention.nights import differences

CLOSED, YOUNG = "2021-11-25", "2021-12-31"
LAST = date(2026, 11, 25)
AT = datetime(2026, 11, 1, 12)
OVER = ("access", "portability", "rectification", "restriction")
SPEAKING = ("erasure", "objection", "termination", "withdrawal")

Exports = dict[str, list[dict[str, Any]]]


def request(key: str, kind: str | None, answered: str | None, **more: Any) -> dict[str, Any]:
    return {"request_id": key, "kind": kind, "received_at": "2021-11-01", "identity_verified_at": "2021-11-02",
            "answered_at": answered, **more}  # fmt: skip


def hold(key: str, customer: str, released: str | None, **more: Any) -> dict[str, Any]:
    return {"hold_id": key, "record_type": "customer", "record_key": customer, "placed_at": "2021-01-01",
            "released_at": released, "reason": "dispute with Egil", **more}  # fmt: skip


def disclosure(key: str, partner: str, customer: str, day: str | None = CLOSED) -> dict[str, Any]:
    return {"disclosure_id": key, "partner_id": partner, "record_type": "customer", "record_key": customer,
            "fields": "name;phone", "disclosed_at": day}  # fmt: skip


def exports() -> Exports:
    """Old and young, open and closed entries of every kind, about customers of today and some who leave."""
    customers = [f"{kind}-{age}" for kind in (*OVER, *SPEAKING) for age in ("old", "young", "open")]
    named = [*customers, "unknown", "late", "held", "G1", "G2", "G3", "G4"]
    rows: Exports = {
        "crm/customers": [
            {"customer_id": key, "customer_type": "private", "name": f"Prov {key}", "email": f"{key}@hem.example",
             "phone": "070-1740605", "customer_since": "2021-01-01"}
            for key in named
        ],
        "crm/quotes": [{"quote_id": f"Q-{key}", "customer_id": key, "status": "requested", "requested_at": "2026-11-01"}
                       for key in named],
        "office/requests": [
            request(f"R-{kind}-{age}", kind, answered, customer_id=f"{kind}-{age}")
            for kind in (*OVER, *SPEAKING) for age, answered in (("old", CLOSED), ("young", YOUNG), ("open", None))
        ],
        "office/holds": [
            hold("H-old", "held", CLOSED), hold("H-fields", "held", CLOSED, fields="name"),
            hold("H-nobody", "X9", CLOSED), hold("H-young", "held", YOUNG), hold("H-open", "access-old", None),
            hold("H-ahead", "access-young", "2027-01-01"), hold("H-odd", "unknown", CLOSED, placed_at="2022-01-01"),
            hold("H-to-come", "late", None, placed_at="2027-01-01"),
        ],
        "office/partners": [{"partner_id": "INK", "role": "controller"}, {"partner_id": "SEN", "role": "controller"},
                            {"partner_id": "MYN", "role": "authority"}],
        "office/disclosures": [
            disclosure("D-told", "INK", "G1"), disclosure("D-authority", "MYN", "G2"),
            disclosure("D-waiting", "SEN", "G3"), disclosure("D-young", "INK", "G4", YOUNG),
            disclosure("D-held", "INK", "held"), disclosure("D-unknown", "INK", "X9"),
            disclosure("D-undated", "INK", "G1", None),
            {**disclosure("D-capital", "INK", "G1"), "record_type": "Customer"},
        ],
    }  # fmt: skip
    rows["office/requests"] += [
        request("R-kindless", None, CLOSED, customer_id="unknown"),
        request("R-undated", "access", CLOSED, customer_id="unknown", received_at=None),
        request("R-backwards", "access", CLOSED, customer_id="unknown", received_at="2021-11-26"),
        request("R-address", "access", CLOSED, email="restriction-old@hem.example"),
        request("R-here", "access", None, customer_id="late"),
        request("R-lately", "access", None, email="late@hem.example"),
    ]
    return rows


def without_the_gone(rows: Exports) -> Exports:
    return {
        table: [row for row in of_table if table.startswith("office") or str(row["customer_id"])[0] != "G"]
        for table, of_table in rows.items()
    }


def enter(warehouse: Warehouse) -> None:
    """What the office enters at the site itself."""
    closed = date.fromisoformat(CLOSED)
    registers.amend(warehouse, Entry("requests", "R-here"), {"answered_at": closed}, AT, "answered")
    registers.amend(warehouse, Entry("requests", "R-lately"), {"answered_at": date(2026, 11, 1)}, AT, "answered")
    own = {"request_id": "site-r1", "customer_id": "late", "kind": "restriction", "received_at": date(2021, 11, 1),
           "answered_at": closed}  # fmt: skip
    registers.enter(warehouse, "requests", [own], AT, "received")
    released = {"hold_id": "site-h1", "record_type": "customer", "record_key": "late", "reason": "dispute",
                "placed_at": date(2021, 1, 1), "released_at": closed}  # fmt: skip
    registers.enter(warehouse, "holds", [released], AT, "placed")


class Site:
    """A site that lives through nights."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        POLICY.publish(warehouse)
        prepare(warehouse, POLICY)
        issued.prepare(warehouse)

    def night(self, day: date, rows: Exports) -> Erasure:
        self.evaluate(day, rows)
        propose(self.warehouse, POLICY, day)
        seal(self.warehouse, POLICY, None, None, as_of=day, issued_at=None)
        return erase_own_copies(self.warehouse, POLICY, as_of=day, residue="P9Y")

    def arrive(self, rows: Exports) -> None:
        load_rows(self.warehouse, POLICY, rows)
        registers.merge(self.warehouse)

    def evaluate(self, day: date, rows: Exports) -> None:
        self.arrive(rows)
        rebuild(self.warehouse, POLICY, largest_part=1)
        evaluate_night(self.warehouse, POLICY, day, largest_part=1)

    def acknowledge(self, partner: str, day: date) -> None:
        (manifest_id,) = self.warehouse.rows("select manifest_id from manifest.manifests where system = ?",
                                             [f"partner:{partner}"])[0]  # fmt: skip
        steps = (("approved", "approve"), ("delivered", "deliver"), ("done", "receipt"))
        events = [Event(manifest_id, state, day, origin, at=datetime(2026, 11, 25, 3, tzinfo=UTC))
                  for state, origin in steps]  # fmt: skip
        assert record(self.warehouse, events) == []

    def without_names(self) -> set[str]:
        """The entries that name nobody, by what is stored of them."""
        return {
            key for (key,) in self.warehouse.rows(
                "select request_id from raw.office_requests where customer_id is null and contact_id is null "
                "and email is null and email_key is null union all "
                "select hold_id from raw.office_holds where record_key is null and reason is null union all "
                "select disclosure_id from raw.office_disclosures where record_key is null and fields is null"
            )
        }  # fmt: skip


GONE = {
    *(f"R-{kind}-old" for kind in OVER), "R-address", "R-here", "site-r1", "H-old", "H-fields", "H-nobody", "site-h1",
    "D-told", "D-capital", "D-authority",
}  # fmt: skip


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Mapping[str, Any]]]:
    """A site after the day before, the last day, the day after, and a night with everything delivered again."""
    rows, seen = exports(), {}
    later = without_the_gone(rows)
    folder: Path = tmp_path_factory.mktemp("registers")
    with opened(folder, key=None) as warehouse:
        site = Site(warehouse)
        site.arrive(rows)
        enter(warehouse)
        site.night(LAST - timedelta(days=1), rows)
        seen["last"] = site.night(LAST, later), site.without_names()
        site.acknowledge("INK", LAST)
        seen["due"] = site.night(LAST + timedelta(days=1), later), site.without_names()
        seen["after"] = site.night(LAST + timedelta(days=2), later), site.without_names()
        yield site, seen


def test_names_go_the_day_after_the_last_and_do_not_come_back(lived: tuple[Site, Mapping[str, Any]]) -> None:
    site, seen = lived
    assert "registers" not in seen["last"][0].reasons
    assert seen["last"][1] == set()
    assert "registers" in seen["due"][0].reasons
    assert seen["due"][1] == GONE
    assert seen["after"] == (Erasure(LAST + timedelta(days=2)), GONE), "delivered again, and nothing is left to go"
    lately = "select email, email_key is null from raw.office_requests where request_id = 'R-lately'"
    assert site.warehouse.rows(lately) == [(None, False)], "answered here, whatever the export says"
    kept = site.warehouse.rows(
        "select customer_id, contact_id, email_key from office.requests union all "
        "select record_key, null, null from office.holds"
    )
    assert set(kept) == {(None, None, None)}, "nor does the site keep them itself"
    days = "select kind, received_at, answered_at, in_source from raw.office_requests where request_id = 'R-access-old'"
    assert site.warehouse.rows(days) == [("access", date(2021, 11, 1), date(2021, 11, 25), True)]


def test_nothing_else_is_another(lived: tuple[Site, Mapping[str, Any]]) -> None:
    """Against a site that has erased nothing: decided alike, the entries' own names and what was said of them apart."""
    site, _ = lived
    day = LAST + timedelta(days=2)
    assert differences(site.warehouse, POLICY, day) == [], "a night is what an evaluation of everything gives"
    with Warehouse.in_memory(pseudonym_key=PSEUDONYM_KEY) as warehouse:
        control, rows = Site(warehouse), exports()
        control.arrive(rows)
        enter(warehouse)
        control.arrive(without_the_gone(rows))
        build(warehouse)
        evaluate(warehouse, POLICY, day)
        tables = [f"{schema}.{table}" for schema, table in warehouse.rows(
            "select table_schema, table_name from information_schema.tables where table_catalog = current_database() "
            "and table_schema in ('core', 'triggers', 'purposes', 'retention') order by all"
        )]  # fmt: skip
        alike = [table for table in tables if compared(site, table) == compared(control, table)]
        assert alike == tables
        told = "select detail from retention.findings where record_type = 'hold' and finding = 'hold_without_record'"
        assert site.warehouse.rows(told) == []
        assert site.warehouse.rows("from triggers.held_unknown_customers") == []
        assert {"retention.dispositions", "retention.suppressions", "triggers.person_words", *ABOUT_THEM} <= set(alike)


def compared(site: Site, table: str) -> list[str]:
    """A table's rows, without what is said of the entries that name nobody any more."""
    return sorted(map(repr, site.warehouse.rows(ABOUT_THEM.get(table, f"from {table}"))))


_OLD = f"coalesce(kind, '') in {OVER} and received_on = date '2021-11-01' and answered_on = date '{CLOSED}'"
_OLD_HOLDS = f"(select hold_id from core.holds where released_on = '{CLOSED}' and placed_on < '2022-01-01')"
_OVER_CLAIM = f"ended_by is not null and ends_on = date '{CLOSED}'"
ABOUT_THEM = {
    "core.requests": "select * exclude (names_a_person, customer_id, contact_id, email_key) from core.requests "
    f"where {_OLD} union all by name from core.requests where not coalesce({_OLD}, false)",
    "triggers.requests_in_force": "select * exclude (names_a_person, customer_id, contact_id, email_key) "
    f"from triggers.requests_in_force where {_OLD} union all by name from triggers.requests_in_force "
    f"where not coalesce({_OLD}, false)",
    "core.holds": f"select * exclude (record_key) from core.holds where hold_id in {_OLD_HOLDS} "
    f"union all by name from core.holds where hold_id not in {_OLD_HOLDS}",
    "triggers.request_people": f"from triggers.request_people where not coalesce({_OLD}, false)",
    "triggers.held_customers": f"from triggers.held_customers where hold_id not in {_OLD_HOLDS}",
    "triggers.held_unknown_customers": f"from triggers.held_unknown_customers where hold_id not in {_OLD_HOLDS}",
    "triggers.customer_records": "from triggers.customer_records where customer_id > 0",  # others no source knows
    "purposes.legal_hold": f"from purposes.legal_hold where not coalesce({_OVER_CLAIM}, false)",
    "retention.purpose_claims": "from retention.purpose_claims where purpose <> 'legal_hold' "
    f"or not coalesce({_OVER_CLAIM}, false)",
    "retention.claims": "from retention.claims where purpose <> 'legal_hold' or ended_by is null "
    f"or keep_until > date '{CLOSED}'",
    "retention.findings": f"from retention.findings where record_type <> 'hold' or row_id not in {_OLD_HOLDS}",
}


def test_an_entry_that_says_something_else_names_whom_it_names_again(lived: tuple[Site, Mapping[str, Any]]) -> None:
    """A restriction that was answered by mistake, a hold that was not released: both count the same night."""
    site, _ = lived
    rows, day = without_the_gone(exports()), LAST + timedelta(days=3)
    reopened = {"R-restriction-old": {"answered_at": None}, "H-old": {"released_at": None}}
    for table, key in (("office/requests", "request_id"), ("office/holds", "hold_id")):
        rows[table] = [row | reopened.get(row[key], {}) for row in rows[table]]
    site.acknowledge("SEN", day)
    site.night(day, rows)
    assert site.without_names() == (GONE | {"D-waiting"}) - set(reopened)
    restricted = site.warehouse.rows(
        "select record_key, data_category from retention.dispositions natural join retention.records "
        "where list_contains(reasons, 'restriction (Art 18)') and record_type = 'customer' and data_category = 'phone' "
        "and record_key = 'restriction-old'"
    )
    assert restricted == [("restriction-old", "phone")]
    active = "select count(*) from retention.claims natural join retention.records where purpose = 'legal_hold' "
    assert site.warehouse.value(active + "and record_key = 'held' and is_active") > 0
    assert differences(site.warehouse, POLICY, day) == []


def test_an_entry_that_left_the_export_loses_its_names_too_and_stays_so_when_it_is_back() -> None:
    rows: Exports = {"office/requests": [request("R1", "access", CLOSED, customer_id="K1")]}
    with Warehouse.in_memory(pseudonym_key=PSEUDONYM_KEY) as warehouse:
        site = Site(warehouse)
        site.arrive(rows)
        site.arrive({"office/requests": []})
        nights: tuple[Exports, ...] = ({"office/requests": []}, rows)
        for named_again in nights:
            site.arrive(named_again)
            erasure = erase_own_copies(warehouse, POLICY, as_of=LAST + timedelta(days=1))
            assert ("registers" in erasure.reasons) == (named_again != rows)
            assert site.without_names() == {"R1"}


def test_a_policy_that_keeps_what_was_held_for_longer_keeps_the_hold() -> None:
    with Warehouse.in_memory(pseudonym_key=PSEUDONYM_KEY) as warehouse:
        site = Site(warehouse)
        site.arrive({"office/holds": [hold("H1", "K1", CLOSED, reason=None)]})
        warehouse.run("update policy.periods set months = 120 where purpose = 'legal_hold' and clock = 'released'")
        assert erase_own_copies(warehouse, POLICY, as_of=LAST + timedelta(days=1)).reasons == ()
        assert erase_own_copies(warehouse, POLICY, as_of=date(2031, 11, 25)).reasons == ()
        assert erase_own_copies(warehouse, POLICY, as_of=date(2031, 11, 26)).reasons == ("registers",)


def test_the_journal_and_decisions_on_matches_forget_of_whom_they_are_and_nothing_else_is_another() -> None:
    """What was read of restricted people, and who was said to be one: five years after, where nobody needs it."""
    pairs = (("A", "B"), ("A", "C"), ("E", "F"), ("G", "H"))
    young = {("G", "H")}
    customers = [{"customer_id": key, "customer_type": "private", "name": f"Prov {key}", "customer_since": "2021-01-01",
                  "email": f"{'delad' if key in 'EF' else key}@hem.example"} for key in "ABCEFGH"]  # fmt: skip
    day = LAST + timedelta(days=1)
    with Warehouse.in_memory(pseudonym_key=PSEUDONYM_KEY) as warehouse:
        site = Site(warehouse)
        site.evaluate(LAST, {"crm/customers": customers})
        for pair in pairs:
            first, second = (("customer", key) for key in pair)
            remember(warehouse, first, second, same=False, on=date.fromisoformat(YOUNG if pair in young else CLOSED))
        read = {"explained": "2021-11-25T22:59", "timeline_made": "2021-11-25T23:00"}  # the second: a day later here
        for reading, at in read.items():
            registers.note(warehouse, [Entry("readings", "customer/A")], datetime.fromisoformat(at), reading, None)
        registers.note(warehouse, [Entry("matches", "customer/A+customer/B")], datetime(2021, 11, 2), "decided", "same")
        registers.note(warehouse, [Entry("holds", "H1"), Entry("access_reports", "2021-1")], datetime(2021, 11, 2),
                       "placed", None)  # fmt: skip
        site.evaluate(day, {"crm/customers": [row for row in customers if row["customer_id"] == "C"]})
        told = warehouse.rows("select finding, record_type, row_id from retention.findings order by all")
        erasure = erase_own_copies(warehouse, POLICY, as_of=day, residue="P9Y")
        assert (erasure.reasons, erasure.fields_erased, erasure.records) == (("registers",), 4, 3)
        entries = "select event, entry_id from office.events order by sequence"
        assert warehouse.rows(entries) == [
            ("explained", None), ("timeline_made", "customer/A"), ("decided", None), ("placed", "H1"),
            ("placed", "2021-1"),
        ]  # fmt: skip
        left = warehouse.rows("select first_key, second_key from office.matches order by all")
        assert left == [("A", "C"), ("E", "F"), ("G", "H")], "C is there, E and F would be asked about again"
        assert erase_own_copies(warehouse, POLICY, as_of=day, residue="P9Y").reasons == ()
        evaluate_night(warehouse, POLICY, day)
        assert warehouse.rows("select finding, record_type, row_id from retention.findings order by all") == told
        assert differences(warehouse, POLICY, day) == []
        later = erase_own_copies(warehouse, POLICY, as_of=day + timedelta(days=1), residue="P9Y", erased_bytes="P3D")
        assert (later.reasons, later.rows_changed) == (("registers",), 1), "in place too"


def test_former_addresses_of_which_no_word_speaks_go_after_the_period() -> None:
    """Of the objection, the withdrawn consent and the unsubscription something would revive."""
    keys = ("silent", "young", "objected", "by-name", "consented", "unsubscribed", "undated")
    customers = [{"customer_id": key, "customer_type": "private", "name": f"Prov {key}", "email": f"{key}@hem.example"}
                 for key in keys]  # fmt: skip
    words = {
        "office/requests": [
            {"request_id": "R1", "kind": "objection", "received_at": "2021-01-01", "email": "objected@hem.example"},
            {"request_id": "R2", "kind": "objection", "received_at": "2021-01-01", "customer_id": "by-name"},
        ],
        "crm/consents": [{"consent_id": "S1", "email": "consented@hem.example", "purpose": "newsletter",
                          "given_at": "2020-01-01", "withdrawn_at": "2021-01-01"}],
        "mailing/subscribers": [{"subscriber_id": "P1", "email": "unsubscribed@hem.example",
                                 "subscribed_at": "2020-01-01", "unsubscribed_at": "2021-01-01"}],
    }  # fmt: skip
    day = LAST + timedelta(days=1)
    with Warehouse.in_memory(pseudonym_key=PSEUDONYM_KEY) as warehouse:
        site = Site(warehouse)
        site.arrive({"crm/customers": customers, **words})
        site.arrive({"crm/customers": [{**row, "email": f"new-{row['email']}"} for row in customers]})
        days = {"young": YOUNG, "undated": None}
        for key in keys:
            warehouse.run("update raw.former_addresses set replaced_on = ? where customer_id = ?",
                          [days.get(key, CLOSED), key])  # fmt: skip
        site.evaluate(LAST, {})
        assert erase_own_copies(warehouse, POLICY, as_of=LAST, residue="P9Y").reasons == ()
        site.evaluate(day, {})
        assert erase_own_copies(warehouse, POLICY, as_of=day, residue="P9Y").reasons == ("registers",)
        left = warehouse.rows("select customer_id from raw.former_addresses order by row_id")
        assert [key for (key,) in left] == [key for key in sorted(keys) if key != "silent"]
        site.evaluate(day, {})
        assert differences(warehouse, POLICY, day) == []
