"""Writes a sample company's exports into an inbox: generated rows of any number, and hand-written telling cases.

The generated rows are drawn range by range (`drawing`) and put one behind another; nothing here holds them. Everyone is
invented, and the same seed, number and day always give the same bytes. Nothing here takes anything in.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import yaml

from assets.errors import BadInput
from assets.sample.drawing import Drawn, Mode, Night, drawn, tables
from assets.writing import flush, one_at_a_time, write_whole

#: The day that the sample company is told as of, and the hour at which its exports were taken.
SAMPLE_DAY = date(2026, 11, 22)
EXPORTED_AT = time(2, 0, tzinfo=UTC)

CASES = Path(__file__).resolve().parent / "cases.yaml"
_BLOCK = 1 << 20
#: Folders of parts that are being drawn.
_PARTS = ".generating-"

Cases = Mapping[str, Sequence[Mapping[str, str]]]


@dataclass(frozen=True)
class Written:
    """One export file that was written."""

    source: str
    table: str
    rows: int
    bytes: int


def telling_cases() -> Cases:
    """The hand-written rows by `source/table`, every value as text."""
    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    cases: Cases = yaml.load(CASES.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506  gives text alone
    return cases


def generate(
    inbox: Path, *, customers: int, seed: int = 1, day: date = SAMPLE_DAY, cases: Cases | None = None
) -> list[Written]:
    """Write one full delivery a source into `inbox`: `customers` generated customers, then the rows of `cases`.

    Raises:
        BadInput: the inbox already holds a delivery of that moment.
    """
    return _write(inbox, Night(customers, seed, day), day, cases or {})


def generate_next_night(
    inbox: Path, *, customers: int, percent: float, mode: Mode = "full", seed: int = 1
) -> list[Written]:
    """Write the night after `SAMPLE_DAY`'s: the same company, with news of `percent` % of its customers.

    News is an interaction and one of an order, a payment of what is open, a move, an exit, a withdrawal, a visit, and
    visits forgotten. Where `mode` is `full` every row is told; where it is `delta`, the rows alone that are new,
    changed or gone, of the tables that have any.

    Raises:
        BadInput: the inbox already holds a delivery of that moment.
    """
    night = Night(customers, seed, SAMPLE_DAY, news_share=round(percent * 100), mode=mode)
    return _write(inbox, night, SAMPLE_DAY + timedelta(days=1), {})


def _write(inbox: Path, night: Night, on_day: date, cases: Cases) -> list[Written]:
    inbox.mkdir(mode=0o700, parents=True, exist_ok=True)
    with one_at_a_time(inbox):
        return _write_alone(inbox, night, on_day, cases)


def _write_alone(inbox: Path, night: Night, on_day: date, cases: Cases) -> list[Written]:
    extracted_at = datetime.combine(on_day, EXPORTED_AT)
    folders = {source: inbox / source / _delivery_id(extracted_at) for source, _ in tables()}
    for folder in folders.values():
        if folder.exists():
            raise BadInput(
                f"{folder} is there already: a delivery is never rewritten. "
                f"Generate into a new site, or remove that folder first."
            )
    with _put_in_place_once_whole(inbox, folders) as halves:
        exports = {table: _Export(table[1], halves[table[0]] / f"{table[1]}.csv") for table in tables()}
        with tempfile.TemporaryDirectory(prefix=_PARTS, dir=inbox) as parts:
            for part in drawn(night, Path(parts)):
                for table, rows in part.items():
                    exports[table].append(rows)
        for (source, name), export in exports.items():
            export.finish(cases.get(f"{source}/{name}", ()))
        return [
            written
            for source, half in halves.items()
            for written in _describe(
                half, source, extracted_at, night.mode, [each for table, each in exports.items() if table[0] == source]
            )
        ]


@contextmanager
def _put_in_place_once_whole(inbox: Path, folders: Mapping[str, Path]) -> Iterator[Mapping[str, Path]]:
    """A folder a source to write into, which gets its name at the end; cut short, nothing is left, or for the next."""
    halves = {source: folder.with_name(f".{folder.name}.partial") for source, folder in folders.items()}
    for left in [*inbox.glob(f"{_PARTS}*"), *halves.values()]:
        shutil.rmtree(left, ignore_errors=True)
    try:
        for half in halves.values():
            half.mkdir(mode=0o700, parents=True)
        yield halves
        for source, half in halves.items():
            if half.exists():  # a source without news delivers nothing
                half.rename(folders[source])
                flush(half.parent)
    finally:
        for half in halves.values():
            shutil.rmtree(half, ignore_errors=True)


class _Export:
    """One export file in the making: rows are put behind each other, and hashed on the way."""

    def __init__(self, table: str, path: Path) -> None:
        self.table = table
        self.path = path
        self.rows = 0
        self.bytes = 0
        self._columns: list[str] = []
        self._digest = hashlib.sha256()
        self._file = path.open("xb")

    def append(self, part: Drawn) -> None:
        """Put a part's rows behind those that are there, and take the part away."""
        with part.path.open("rb") as content:
            if not self._columns:
                self._columns = next(csv.reader([content.readline().decode()]))
                content.seek(0)
            while block := content.read(_BLOCK):
                self._put(block)
        self.rows += part.rows
        part.path.unlink()

    def finish(self, told: Sequence[Mapping[str, str]]) -> None:
        """Put hand-written rows behind all others; nothing more comes."""
        text = io.StringIO(newline="")
        csv.DictWriter(text, self._columns, lineterminator="\n").writerows(told)
        self._put(text.getvalue().encode())
        self.rows += len(told)
        self._file.close()

    @property
    def sha256(self) -> str:
        """Of what was written, in hexadecimal."""
        return self._digest.hexdigest()

    def _put(self, block: bytes) -> None:
        self._digest.update(block)
        self._file.write(block)
        self.bytes += len(block)


def _delivery_id(extracted_at: datetime) -> str:
    return extracted_at.strftime("%Y-%m-%dT%H-%M")


def _describe(
    folder: Path, source: str, extracted_at: datetime, mode: Mode, exports: Sequence[_Export]
) -> list[Written]:
    """Write `delivery.json` with the control totals, whole and last: before it the folder is still arriving.

    A delta lists the tables that have news; a source without any delivers nothing.
    """
    told = [export for export in exports if export.rows or mode == "full"]
    for export in exports:
        if export not in told:
            export.path.unlink()
    if not told:
        folder.rmdir()
        return []
    content: dict[str, Any] = {
        "source": source,
        "delivery_id": _delivery_id(extracted_at),
        "extracted_at": extracted_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "mode": mode,
        "files": [
            {"name": export.path.name, "table": export.table, "rows": export.rows, "sha256": export.sha256}
            for export in told
        ],
    }
    write_whole(folder / "delivery.json", json.dumps(content, indent=2).encode() + b"\n")
    return [Written(source, export.table, export.rows, export.bytes) for export in told]
