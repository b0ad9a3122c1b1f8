"""Writes a sample company's exports into an inbox: generated rows of any number, and hand-written telling cases.

DuckDB streams the generated rows from arithmetic over a seed (`sql/`); nothing here holds them. Everyone is invented,
and the same seed, number and day always give the same bytes. Nothing here takes anything in.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from assets.errors import BadInput
from assets.warehouse import Warehouse

#: The day that the sample company is told as of, and the hour at which its exports were taken.
SAMPLE_DAY = date(2026, 11, 22)
EXPORTED_AT = time(2, 0, tzinfo=UTC)

FOLDER = Path(__file__).resolve().parent
SQL = FOLDER / "sql"
CASES = FOLDER / "cases.yaml"

Cases = Mapping[str, Sequence[Mapping[str, str]]]


@dataclass(frozen=True)
class Written:
    """One export file that was written."""

    source: str
    table: str
    rows: int
    bytes: int


@cache
def tables() -> tuple[tuple[str, str], ...]:
    """Source and table of every export that the sample company has, in order."""
    return tuple(sorted((path.parent.name, path.stem) for path in SQL.glob("*/*.sql")))


def telling_cases() -> Cases:
    """The hand-written rows by `source/table`, every value as text."""
    cases: Cases = yaml.load(CASES.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506  gives text alone
    return cases


def generate(
    inbox: Path, *, customers: int, seed: int = 1, day: date = SAMPLE_DAY, cases: Cases | None = None
) -> list[Written]:
    """Write one full delivery a source into `inbox`: `customers` generated customers, then the rows of `cases`.

    Raises:
        BadInput: the inbox already holds a delivery of that moment.
    """
    exported_at = datetime.combine(day, EXPORTED_AT)
    delivery_id = exported_at.strftime("%Y-%m-%dT%H-%M")
    sources = sorted({source for source, _ in tables()})
    for source in sources:
        if (inbox / source / delivery_id).exists():
            raise BadInput(
                f"{inbox / source / delivery_id} is there already: a delivery is never rewritten. "
                f"Generate into a new site, or remove that folder first."
            )
    written = []
    with Warehouse.in_memory() as warehouse:
        _prepare(warehouse, customers, seed, day)
        for source in sources:
            folder = inbox / source / delivery_id
            folder.mkdir(mode=0o700, parents=True)
            files = [
                _export(warehouse, source, table, folder, cases or {}) for origin, table in tables() if origin == source
            ]
            _control(folder, source, delivery_id, exported_at, files)
            written += files
    return written


def _prepare(warehouse: Warehouse, customers: int, seed: int, day: date) -> None:
    warehouse.run("set variable customers = $value", {"value": customers})
    warehouse.run("set variable seed = $value", {"value": seed})
    warehouse.run("set variable day = $value", {"value": day})
    warehouse.script(SQL / "draws.sql")
    warehouse.script(SQL / "company.sql")


def _export(warehouse: Warehouse, source: str, table: str, folder: Path, cases: Cases) -> Written:
    """Write one CSV file: the generated rows, streamed, then the hand-written ones."""
    path = folder / f"{table}.csv"
    select = (SQL / source / f"{table}.sql").read_text(encoding="utf-8")
    generated = warehouse.value(f"copy (\n{select}\n) to $path (format csv, header)", {"path": str(path)})
    told = cases.get(f"{source}/{table}", ())
    with path.open("r+", encoding="utf-8", newline="") as file:
        columns = next(csv.reader([file.readline()]))
        file.seek(0, os.SEEK_END)
        csv.DictWriter(file, columns, lineterminator="\n").writerows(told)
    return Written(source, table, int(generated) + len(told), path.stat().st_size)


def _control(folder: Path, source: str, delivery_id: str, exported_at: datetime, files: Sequence[Written]) -> None:
    """Write `delivery.json` with the control totals, whole and last: before it the folder is still arriving."""
    names = [f"{file.table}.csv" for file in files]
    content: dict[str, Any] = {
        "source": source,
        "delivery_id": delivery_id,
        "extracted_at": exported_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "mode": "full",
        "files": [
            {"name": name, "table": file.table, "rows": file.rows, "sha256": _sha256(folder / name)}
            for name, file in zip(names, files, strict=True)
        ],
    }
    half = folder / ".delivery.json"
    with half.open("w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=2)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    half.replace(folder / "delivery.json")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
