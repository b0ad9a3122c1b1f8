"""Random nights of a small company, and a second opinion: everything evaluated anew from the same raw rows."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

from assets.core.building import build
from assets.core.changing import Rebuilt, rebuild
from assets.erasure.erasing import erase_own_copies
from assets.ingest import registers
from assets.ingest.loading import load_rows
from assets.ingest.tables import prepare
from assets.ledger import issued
from assets.manifests.changes import propose
from assets.manifests.sealing import seal
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.retention.incremental import Evaluated, evaluate_night
from assets.rights import matches
from assets.warehouse import Warehouse, identifier
from tests.oracle.companies import random_company

Exports = dict[str, list[dict[str, Any]]]
SCHEMAS = ("core", "triggers", "purposes", "retention")
SECOND = "second"
_TABLES = (
    "select table_schema, table_name from information_schema.tables where table_catalog = ? "
    "and list_contains(?, table_schema) order by all"
)
_NOT_OWN = ("national_id", "buyer_national_id", "partner_id", "cookie_id")


def differences(warehouse: Warehouse, policy: Policy, as_of: date) -> list[str]:
    """The tables that are not, as multisets, what an evaluation of everything gives; none when all agree."""
    with _second_opinion(warehouse, policy, as_of) as second:
        tables = second.rows(_TABLES, [SECOND, list(SCHEMAS)])
        assert len(tables) > 60, "the second opinion is about nothing"
        ours = warehouse.rows(_TABLES, [warehouse.catalog, list(SCHEMAS)])
        if left := sorted({*ours} - {*tables}):
            return [f"{schema}.{table}: nothing makes it" for schema, table in left]
        digests = " union all ".join(
            f"select '{schema}.{table}', {_digest(warehouse.catalog, schema, table)}, {_digest(SECOND, schema, table)}"
            for schema, table in tables
        )
        unlike = [table for table, ours, theirs in warehouse.rows(digests) if ours != theirs]
        return [_difference(warehouse, *table.split(".")) for table in unlike]


def _digest(catalog: str, schema: str, table: str) -> str:
    """A number that no order of the rows changes."""
    return (
        "(select concat(count(*), ' ', sum(cast(hash(each_row) as hugeint))) "
        f"from {catalog}.{schema}.{identifier(table)} as each_row)"
    )


def _difference(warehouse: Warehouse, schema: str, table: str) -> str:
    ours = f"{warehouse.catalog}.{schema}.{identifier(table)}"
    theirs = f"{SECOND}.{schema}.{identifier(table)}"
    more = warehouse.rows(f"select * from {ours} except all select * from {theirs} limit 3")
    less = warehouse.rows(f"select * from {theirs} except all select * from {ours} limit 3")
    return f"{schema}.{table}: has {more}, lacks {less}"


@contextmanager
def _second_opinion(warehouse: Warehouse, policy: Policy, as_of: date) -> Iterator[Warehouse]:
    """A catalog in which everything is evaluated from the warehouse's raw rows."""
    warehouse.run(f"attach ':memory:' as {SECOND}")
    cursor = warehouse.cursor()
    try:
        second = Warehouse(cursor, SECOND)
        second.run(f"set search_path = '{SECOND}.main,memory.main'")
        second.run("create schema raw")
        second.run("create schema office")
        second.run(f"create view office.matches as from {warehouse.catalog}.office.matches")
        for (table,) in warehouse.rows(
            "select table_name from information_schema.tables where table_catalog = ? and table_schema = 'raw'",
            [warehouse.catalog],
        ):
            second.run(f"create view raw.{identifier(table)} as from {warehouse.catalog}.raw.{identifier(table)}")
        policy.publish(second)
        build(second)
        evaluate(second, policy, as_of)
        yield second
    finally:
        cursor.close()
        warehouse.run(f"detach {SECOND}")


def _neighbours(seed: int, size: int, houses: int) -> tuple[Exports, list[date]]:
    """Several companies in one, with customers of their own and numbers that only two of them share."""
    joined: Exports = {}
    days: list[date] = []
    for house in range(houses):
        exports, found = random_company(seed * houses + house, size)
        days = days or found
        for table, rows in exports.items():
            for row in rows if table != "office/fiscal_years" or house == 0 else []:
                joined.setdefault(table, []).append(_moved(table, row, house))
    return joined, days


def _moved(table: str, row: dict[str, Any], house: int) -> dict[str, Any]:
    """A row of one of several companies: its keys and addresses are that company's own."""
    moved = dict(row)
    for name, value in row.items():
        if value is None or table == "office/fiscal_years":
            continue
        if name == "email":
            moved[name] = value.replace("@", f"{house}@")
        elif name in ("record_key", "refers_to_invoice_id") or (name.endswith("_id") and name not in _NOT_OWN):
            moved[name] = f"{value}-{house}"
        elif name == "national_id" and house > 1:
            moved[name] = None
    return moved


class Company:
    """A company whose exports change from night to night."""

    def __init__(self, seed: int, policies: list[Policy], *, size: int = 8, houses: int = 4) -> None:
        """Make the company of a seed; a part of its rows is still to come."""
        self.random = Random(seed)
        self.policies = policies
        self.policy = policies[0]
        exports, days = _neighbours(seed, size, houses)
        self.day = days[0]
        self.there: Exports = {}
        self.to_come: Exports = {}
        for table, rows in exports.items():
            for row in rows:
                come = self.random.random() < 0.75 or table == "office/fiscal_years"
                (self.there if come else self.to_come).setdefault(table, []).append(copy.deepcopy(row))
            self.there.setdefault(table, [])
        self.keys = {f"{each.source}/{each.table}": each.key for each in self.policy.contracts.values()}

    # -- what happens by day ----------------------------------------------------------------------------------

    def change(self) -> tuple[Exports, str]:
        """Something happens to a few rows; what is delivered of it, and whether in full or as changes."""
        touched: dict[str, dict[str, dict[str, Any]]] = {}
        for _ in range(self.random.choice((1, 1, 1, 2, 4))):
            self._happen(touched)
        if self.random.random() < 0.5:
            return {table: list(rows.values()) for table, rows in touched.items()}, "delta"
        return {
            table: self.there[table] for table in self.there if self.random.random() < 0.5 or table in touched
        }, "full"

    def _happen(self, touched: dict[str, dict[str, dict[str, Any]]]) -> None:
        table = self.random.choice(sorted(self.there))
        roll = self.random.random()
        key = self.keys[table]
        if table == "office/fiscal_years" and self.random.random() < 0.7:
            return
        if roll < 0.3 and self.to_come.get(table):
            row = self.to_come[table].pop()
            self.there[table].append(row)
        elif roll < 0.45 and self.there[table]:
            row = self.there[table].pop(self.random.randrange(len(self.there[table])))
            self.to_come.setdefault(table, []).append(row)
            touched.setdefault(table, {})[row[key]] = {**row, "_deleted": "true"}
            return
        elif self.there[table]:
            row = self.random.choice(self.there[table])
            self._correct(table, row)
        else:
            return
        touched.setdefault(table, {})[row[key]] = row

    def _correct(self, table: str, row: dict[str, Any]) -> None:
        """A row takes values of another row of its table, or a day moves."""
        other = self.random.choice(self.there[table])
        names = [name for name in row if name != self.keys[table]]
        for name in self.random.sample(names, min(len(names), self.random.choice((1, 1, 2, 3)))):
            value = row[name]
            if (
                isinstance(value, str)
                and value[:2] in ("19", "20")
                and value[4:5] == "-"
                and self.random.random() < 0.6
            ):
                moved = self.day + timedelta(days=self.random.choice((-800, -366, -31, -2, -1, 0, 1, 2, 40)))
                row[name] = moved.isoformat()
            else:
                row[name] = other[name]

    def pass_days(self) -> None:
        """The next night comes: mostly the next day."""
        self.day += timedelta(days=self.random.choice((0, 1, 1, 1, 1, 2, 3, 30, 90, 400, -2)))
        if self.random.random() < 0.08:
            self.policy = self.random.choice(self.policies)

    def enter(self, warehouse: Warehouse) -> None:
        """The office places a hold, takes a request down, or says of two rows whether they are one person."""
        at = datetime.combine(self.day, time(12))
        chance = self.random.random()
        if chance < 0.3:
            self._decide(warehouse)
            return
        if chance < 0.65:
            kind, key = self._some_record()
            row = {"hold_id": registers.next_id(warehouse, "holds"), "record_type": kind, "record_key": key,
                   "placed_at": self.day, "reason": "tvist"}  # fmt: skip
            registers.enter(warehouse, "holds", [row], at, "placed")
            return
        customers = self.there["crm/customers"] or [{"customer_id": "X1"}]
        row = {"request_id": registers.next_id(warehouse, "requests"), "received_at": self.day,
               "customer_id": self.random.choice(customers)["customer_id"],
               "kind": self.random.choice(("objection", "restriction", "erasure")),
               "identity_verified_at": self.day}  # fmt: skip
        registers.enter(warehouse, "requests", [row], at, "received")

    def _decide(self, warehouse: Warehouse) -> None:
        """Mostly of two with one address, where there are any."""
        rows = warehouse.rows(
            "select record.record_type, record.record_key, node.email_key from core.person_nodes as node "
            "inner join core.records as record on node.node_type = record.record_type and node.row_id = record.row_id "
            "order by all"
        )
        if not rows:
            return
        kind, key, address = self.random.choice(rows)
        others = [row for row in rows if address is not None and row[2] == address]
        other = self.random.choice(others if self.random.random() < 0.8 and others else rows)
        matches.remember(warehouse, (kind, key), other[:2], same=self.random.random() < 0.3, on=self.day)

    def _some_record(self) -> tuple[str, str]:
        """A record; now and then a customer that nobody knows."""
        contracts = [each for each in self.policy.contracts.values() if each.record_type]
        contract = self.random.choice(contracts)
        rows = self.there.get(f"{contract.source}/{contract.table}") or []
        if not rows or self.random.random() < 0.2:
            return "customer", f"X99-{self.random.randrange(4)}"
        return str(contract.record_type), self.random.choice(rows)[contract.key]


def first_night(warehouse: Warehouse, company: Company) -> None:
    """Everything arrives, and is evaluated."""
    company.policy.publish(warehouse)
    prepare(warehouse, company.policy)
    issued.prepare(warehouse)
    load_rows(warehouse, company.policy, company.there)
    night(warehouse, company)


def something_happens(warehouse: Warehouse, company: Company) -> str:
    """A day or several pass, and as a rule something comes in; what it was."""
    company.pass_days()
    told = str(company.day)
    if company.random.random() < 0.75:
        exports, mode = company.change()
        load_rows(warehouse, company.policy, exports, mode=mode)
        if company.random.random() < 0.8:  # else the delivery says of no day when it was extracted
            warehouse.run("update raw.former_addresses set replaced_on = ? where replaced_on is null", [company.day])
        told += f" {mode} {sorted(exports)}"
    if company.random.random() < 0.2:
        company.enter(warehouse)
        told += " entered"
    return told


def night(warehouse: Warehouse, company: Company, *, full: bool = False) -> tuple[Rebuilt, Evaluated]:
    """One night's core and evaluation, as the assets make them."""
    company.policy.publish(warehouse)
    return (
        rebuild(warehouse, company.policy, full=full, largest_part=1),
        evaluate_night(warehouse, company.policy, company.day, full=full, largest_part=1),
    )


def seal_and_erase(warehouse: Warehouse, company: Company) -> None:
    """Tell the systems, and erase the warehouse's own copies of what they were told to erase."""
    propose(warehouse, company.policy, company.day)
    report = seal(warehouse, company.policy, None, None, as_of=company.day, issued_at=None)
    assert not report.refusals, report.refusals
    in_place = company.day.day % 2 == 0  # every other day the file may wait
    erase_own_copies(warehouse, company.policy, as_of=company.day, erased_bytes="P7D" if in_place else "P0D")
