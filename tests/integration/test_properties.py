"""What must hold for any company at all, through the product's own intake, evaluation, proposal and sealing."""

from __future__ import annotations

import csv
import random
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from assets.core.building import build
from assets.ingest.delivering import deliver
from assets.ingest.loading import ingest, load_rows
from assets.ingest.tables import prepare
from assets.manifests.changes import propose
from assets.manifests.sealing import seal
from assets.manifests.signatures import Signer, make_key
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.site import Site
from assets.warehouse import Warehouse
from tests.oracle.companies import random_company

Exports = dict[str, list[dict[str, Any]]]
Fields = set[tuple[str, str, str]]

POLICY = Policy.load()
SIZE = 8
A_FEW = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@contextmanager
def loaded(exports: Exports, *, threads: int = 1) -> Iterator[Warehouse]:
    """A warehouse in memory that has taken `exports` in."""
    with Warehouse.in_memory(pseudonym_key=b"properties", threads=threads) as warehouse:
        POLICY.publish(warehouse)
        prepare(warehouse, POLICY)
        load_rows(warehouse, POLICY, exports)
        build(warehouse)
        yield warehouse


def dispositions(warehouse: Warehouse, day: date) -> dict[tuple[str, str, str], tuple[str, date | None]]:
    """(record type, key, category) -> (disposition, last day)."""
    evaluate(warehouse, POLICY, day)
    rows = warehouse.rows(
        """
        select record.record_type, record.record_key, decided.data_category, decided.disposition, decided.keep_until
        from retention.dispositions as decided
        inner join retention.records as record
            on decided.record_type = record.record_type and decided.row_id = record.row_id
        """
    )
    return {(kind, key, category): (decided, until) for kind, key, category, decided, until in rows}


def ordered_erased(warehouse: Warehouse, day: date) -> Fields:
    """The fields that a first manifest of the day would order erased."""
    evaluate(warehouse, POLICY, day)
    propose(warehouse, POLICY, day)
    rows = warehouse.rows(
        "select record_type, record_key, field from manifest.changed_fields where action in ('erase', 'redact')"
    )
    return {(kind, key, field) for kind, key, field in rows}


def a_record(exports: Exports, chance: random.Random) -> tuple[str, str]:
    """Some record of the company, as a hold names it."""
    records = [
        (contract.record_type, row[contract.key])
        for contract in POLICY.contracts.values()
        if contract.record_type is not None
        for row in exports.get(f"{contract.source}/{contract.table}", [])
    ]
    return chance.choice(records)


@A_FEW
@given(seed=st.integers(1000, 9999))
def test_adding_a_hold_never_grows_a_manifest(seed: int) -> None:
    """Whatever record it names, with or without fields: what is ordered erased only shrinks."""
    exports, days = random_company(seed, SIZE)
    chance = random.Random(seed)
    kind, key = a_record(exports, chance)
    hold = {"hold_id": "J-new", "record_type": kind, "record_key": key, "placed_at": days[0].isoformat()}
    with loaded(exports) as before:
        without = ordered_erased(before, days[0])
    held = {**exports, "office/holds": [*exports.get("office/holds", []), hold]}
    with loaded(held) as after:
        assert ordered_erased(after, days[0]) <= without, f"seed {seed}: a hold on {kind} {key} grew the manifest"


_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}")


def days_named(exports: Exports) -> set[date]:
    """Every day that stands anywhere in the exports, and its neighbours (instants fall on either)."""
    named = {
        date.fromisoformat(value[:10])
        for rows in exports.values()
        for row in rows
        for value in row.values()
        if isinstance(value, str) and _DAY.match(value)
    }
    return {day + timedelta(days=shift) for day in named for shift in (-1, 0, 1)}


@A_FEW
@given(seed=st.integers(1000, 9999), start=st.integers(0, 900), length=st.integers(1, 700))
def test_a_later_day_without_a_new_fact_keeps_erased_what_was_to_be_erased(seed: int, start: int, length: int) -> None:
    """Time alone never turns `erase` into anything else."""
    exports, days = random_company(seed, SIZE)
    earlier = days[0] + timedelta(days=start)
    later = earlier + timedelta(days=length)
    assume(not any(earlier < day <= later for day in days_named(exports)))
    with loaded(exports) as warehouse:
        first, second = dispositions(warehouse, earlier), dispositions(warehouse, later)
    revived = {
        key: second[key] for key, (decided, _) in first.items() if decided == "erase" and second[key][0] != "erase"
    }
    assert not revived, f"seed {seed}, {earlier} to {later}: {sorted(revived.items())[:5]}"


@A_FEW
@given(seed=st.integers(1000, 9999))
def test_the_order_of_rows_and_the_number_of_threads_decide_nothing(seed: int) -> None:
    """Shuffled rows, two threads: the same dispositions, the same proposal."""
    exports, days = random_company(seed, SIZE)
    shuffled = {table: random.Random(seed).sample(rows, len(rows)) for table, rows in exports.items()}
    results = []
    for rows, threads in ((exports, 1), (shuffled, 2)):
        with loaded(rows, threads=threads) as warehouse:
            decided = dispositions(warehouse, days[0])
            propose(warehouse, POLICY, days[0])
            proposed = warehouse.rows(
                "select system, record_type, record_key, action, fields, because, kept "
                "from manifest.proposed order by all"
            )
        results.append((decided, proposed))
    assert results[0] == results[1]


def write_exports(folder: Path, exports: Exports, *, pieces: int) -> dict[str, list[Path]]:
    """CSV files by source, each table in `pieces` files."""
    written: dict[str, list[Path]] = {}
    for contract in POLICY.contracts.values():
        rows = exports.get(f"{contract.source}/{contract.table}", [])
        columns = [column.name for column in contract.columns]
        for piece in range(pieces):
            path = folder / contract.source / f"{contract.table}{f'_{piece}' if pieces > 1 else ''}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(columns)
                writer.writerows([row.get(column) or "" for column in columns] for row in rows[piece::pieces])
            written.setdefault(contract.source, []).append(path)
    return written


def sealed_bytes(folder: Path, exports: Exports, day: date, *, threads: int, pieces: int = 1) -> dict[str, bytes]:
    """Deliver, evaluate and seal in a site of its own; the items files by system."""
    site = Site(folder / "site")
    site.make()
    make_key(site.keys / "signing.pem", site.keys / "signing.pub.pem")
    for source, files in write_exports(folder / "exports", exports, pieces=pieces).items():
        extracted = datetime.combine(day, datetime.min.time(), tzinfo=UTC)
        deliver(site, POLICY, source, files, mode="full", extracted_at=extracted)
    with Warehouse.open(
        site.warehouse, key="00", pseudonym_key=b"properties", threads=threads, temporary=site.temporary
    ) as warehouse:
        POLICY.publish(warehouse)
        report = ingest(warehouse, POLICY, site, as_of=day)
        assert not report.rejected
        build(warehouse)
        evaluate(warehouse, POLICY, day)
        propose(warehouse, POLICY, day)
        sealing = seal(
            warehouse, POLICY, site, Signer.load(site.keys / "signing.pem"), as_of=day, issued_at=datetime.now(UTC)
        )
        assert not sealing.refusals
    found = {path.parent.parent.name: path.read_bytes() for path in sorted(site.outbox.glob("*/*/items.jsonl"))}
    names = {path.parent.name for path in site.outbox.glob("*/*/items.jsonl")}
    if pieces == 1:
        found["manifest ids"] = "\n".join(sorted(names)).encode()
    return found


@pytest.mark.parametrize("seed", [11, 12])
def test_the_same_inputs_give_the_same_manifest_bytes(seed: int, tmp_path: Path) -> None:
    """Another day of sealing, another key, another number of threads: the same items and ids."""
    exports, days = random_company(seed, SIZE)
    with tempfile.TemporaryDirectory(dir=tmp_path) as one, tempfile.TemporaryDirectory(dir=tmp_path) as two:
        first = sealed_bytes(Path(one), exports, days[0], threads=1)
        second = sealed_bytes(Path(two), exports, days[0], threads=2)
    assert first == second
    assert len(first) > 1


def test_tables_split_over_files_give_the_same_items(tmp_path: Path) -> None:
    """One file a table or three: what is ordered is the same to the byte."""
    exports, days = random_company(13, SIZE)
    whole = sealed_bytes(tmp_path / "whole", exports, days[0], threads=1)
    split = sealed_bytes(tmp_path / "split", exports, days[0], threads=1, pieces=3)
    assert {system: content for system, content in whole.items() if system != "manifest ids"} == split
