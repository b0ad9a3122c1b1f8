"""Nothing leaks: people with unmistakable strings live a whole life, and every byte that it left is searched.

The strings are other ones each time; a failure prints the seed (`GALLRING_CANARY=…` runs it again). Before erasure they
stand in what others sent alone (inbox, receipts), and in the warehouse, where bytes do not show; after it nowhere.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import json
import os
import secrets
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest

from assets.site import Site
from assets.warehouse import Warehouse, identifier
from orchestration import resources
from orchestration.cli import main
from orchestration.opening import open_warehouse
from orchestration.settings import Settings
from tests.faults.birds import Birds
from tests.faults.searching import holds, places_of

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
FIRST, LAST, AFTER = date(2026, 11, 25), date(2045, 1, 2), date(2045, 3, 15)
ERASES = importlib.util.find_spec("assets.erasure.assets") is not None

#: A run that dies after intake has written and before anything is decided.
KILLED = """
import os, signal, sys
from assets.core import assets
from orchestration.cli import main
assets.rebuild = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
main(["run", "--site", sys.argv[1], "--as-of", sys.argv[2]])
"""


class Life:
    """A site, all that was said while it was used, and where temporary files went."""

    def __init__(self, folder: Path, seed: str) -> None:
        self.folder, self.seed, self.birds = folder, seed, Birds(seed)
        self.site = Site(folder / "site")
        self.spoken, self.temporary = folder / "spoken.txt", folder / "temporary"
        self.temporary.mkdir()

    def gallring(self, *arguments: str) -> int:
        """A command in this process; what it prints is kept."""
        with self.spoken.open("a", encoding="utf-8") as said:
            said.write(f"$ {' '.join(arguments)}\n")
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                return main([*arguments, "--site", str(self.site.path)])

    def deliver(self, day: str, *, people: bool = True, ended: bool = False) -> None:
        """Every source's full export as of a day."""
        for source, files in self.birds.write(self.folder / f"exports-{day}", people=people, ended=ended).items():
            instant = f"{day}T02:00:00Z"
            assert self.gallring("deliver", source, *map(str, files), "--extracted-at", instant) == 0

    def run(self, on: date) -> None:
        """A run that is made on the day, by the machine's clock too: before it nothing is over."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(resources, "created_at", lambda _: datetime.combine(on, time(3), UTC))
            code = self.gallring("run", "--as-of", on.isoformat())
        assert code in (0, 3, 4), self.spoken.read_text(encoding="utf-8")[-4000:]

    def crash(self, on: date) -> None:
        """A run in a process of its own, killed in the middle."""
        with self.spoken.open("ab") as said:
            environment = {**os.environ, "TMPDIR": str(self.temporary)}
            died = subprocess.run([sys.executable, "-c", KILLED, str(self.site.path), on.isoformat()], stdout=said,
                                  stderr=said, cwd=ROOT, env=environment)  # fmt: skip
        assert died.returncode == -9

    def places(self) -> set[str]:
        """Where in the site the strings stand: the two outer folders of each file, or the file."""
        found = places_of(self.birds.mark, self.site.path)
        sent = ("inbox/", "receipts/")
        return {"/".join(place.split("/")[:2]) if place.startswith(sent) else place for place in found}

    def warehouse(self) -> Warehouse:
        return open_warehouse(self.site, Settings.load(self.site))


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """Init, deliveries, a rejected one, a crash in the middle, a run, answers with names in them, questions."""
    seed = os.environ.get("GALLRING_CANARY") or secrets.token_hex(5)
    print(f"GALLRING_CANARY={seed}")
    life = Life(tmp_path_factory.mktemp("canary"), seed)
    with pytest.MonkeyPatch.context() as patched:
        for name in [name for name in os.environ if name.startswith(("GALLRING_", "DAGSTER_"))]:
            patched.delenv(name)
        patched.setattr(tempfile, "tempdir", str(life.temporary))
        assert main(["init", str(life.site.path)]) == 0
        life.deliver("2026-11-24")
        tamper(life)
        life.crash(FIRST)
        life.run(FIRST)
        answer(life)
        look(life)
        yield life


def answer(life: Life) -> None:
    """Every item of every manifest is refused, with a name in the reason and in the file's own name."""
    for manifest in sorted(life.site.outbox.glob("*/*/manifest.json")):
        system, manifest_id = manifest.parts[-3], manifest.parts[-2]
        life.gallring("manifest", "approve", manifest_id, "--by", "Dana", "--reason", "read it")
        lines = [json.loads(line) for line in (manifest.parent / "items.jsonl").read_text().splitlines()]
        answers = [{"manifest_id": manifest_id, "item_id": line["item_id"], "status": "refused",
                    "at": "2026-11-25T03:00:00Z", "detail": f"{life.birds.mark} has open business"}
                   for line in lines]  # fmt: skip
        folder = life.site.receipts / system
        folder.mkdir(exist_ok=True)
        text = "".join(json.dumps(each) + "\n" for each in answers)
        (folder / f"{manifest_id}.jsonl").write_text(text + f"not JSON, but {life.birds.mark}\n", encoding="utf-8")


def tamper(life: Life) -> None:
    """A delivery whose file is not the one that was sent: refused, and its reason kept."""
    folder = life.folder / "tampered"
    files = life.birds.write(folder)["web"]
    assert life.gallring("deliver", "web", *map(str, files), "--extracted-at", "2026-11-24T20:00:00Z") == 0
    with (life.site.inbox / "web" / "2026-11-24T20-00" / "events.csv").open("a", encoding="utf-8") as file:
        file.write(f"{life.birds.mark}\n")


def look(life: Life) -> None:
    """What people ask a site."""
    for question in (["status"], ["status", "--json"], ["explain", "customer", "customer_id-1"], ["manifest", "list"],
                     ["explain", "contact", "contact_id-2"], ["evidence", "export", str(life.folder / "bundle.zip")],
                     ["forecast"], ["copies"]):  # fmt: skip
        life.gallring(*question)
    for manifest in sorted(life.site.outbox.glob("*/*/manifest.json")):
        life.gallring("manifest", "show", manifest.parts[-2])


def told(life: Life, places: object) -> str:
    return f"GALLRING_CANARY={life.seed}: {places}"


# -- before erasure ------------------------------------------------------------------------------------------------


def test_the_strings_were_taken_in_checked_quarantined_and_told(life: Life) -> None:
    """The control of the life: there is something to leak, at every stop."""
    with life.warehouse() as warehouse:
        held = [
            f"{table}.{column}"
            for table, column in warehouse.rows(
                "select table_name, column_name from information_schema.columns where table_catalog = $catalog "
                "and table_schema = 'raw' and data_type = 'VARCHAR'", {"catalog": warehouse.catalog},
            )
            if warehouse.value(f"select count(*) from raw.{identifier(table)} "
                               f"where contains({identifier(column)}, $mark)", {"mark": life.birds.mark})
        ]  # fmt: skip
        assert len(held) > 40
        assert warehouse.value("select count(*) from intake.quarantined where contains(row_text, $mark)",
                               {"mark": life.birds.mark}) > 20  # fmt: skip
        assert warehouse.value("select count(*) from quality.verdicts where not passed") > 0
        assert warehouse.value("select count(*) from manifest.items") > 0
        assert warehouse.value("select count(*) from intake.deliveries where status = 'rejected'") == 1
        assert warehouse.value("select count(*) from retention.findings") > 0
    assert list(life.site.quarantine.rglob("reason.json"))
    assert (life.folder / "bundle.zip").exists()


def test_before_erasure_the_strings_stand_in_what_others_sent_alone(life: Life) -> None:
    places = life.places()
    expected = {f"inbox/{source}" for source in ("crm", "orders", "mailing", "web", "office")}
    expected |= {path.relative_to(life.site.path).as_posix() for path in life.site.receipts.iterdir()}
    assert len(expected) > 8
    assert places == expected, told(life, sorted(places - expected))


def test_nothing_said_written_down_or_left_behind_holds_them(life: Life) -> None:
    text = life.spoken.read_text(encoding="utf-8")
    assert "complete" in text
    lines = [line[:200] for line in text.splitlines() if life.birds.mark in line.lower()]
    assert lines == [], told(life, lines)
    left = places_of(life.birds.mark, life.temporary, life.folder / "bundle.zip")
    assert left == [], told(life, left)


# -- the control ---------------------------------------------------------------------------------------------------


def test_the_search_finds_what_is_there_however_it_is_written(life: Life, tmp_path: Path) -> None:
    mark = life.birds.mark
    text = f"Namn: {mark}.customers.name; adress okänd"
    hidden = {
        "plain": text.encode(),
        "upper": text.upper().encode(),
        "utf16": text.encode("utf-16"),
        "utf16be": text.upper().encode("utf-16-be"),
        "hex": b"\0\1" + text.encode().hex().encode(),
        "zlib": b"SQLite\0" + zlib.compress(text.encode()) + b"\0\0",
        "gzip": gzip.compress(text.encode()),
        "nested": gzip.compress(b"x" + zlib.compress(text.encode("utf-16-le"), 9)),
    }
    for name, content in hidden.items():
        (tmp_path / name).write_bytes(os.urandom(999) + content + os.urandom(999))
    with zipfile.ZipFile(tmp_path / "zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.txt", "nothing")
        archive.writestr("a/c.txt", text)
    for shift in range(3):
        (tmp_path / f"base64-{shift}").write_text(json.dumps({"x": zlib_free(" " * shift + text)}))
    (tmp_path / f"name-{mark.upper()}").touch()
    with Warehouse.in_memory() as warehouse:
        warehouse.run(f"attach '{tmp_path / 'open.duckdb'}' as plain")
        warehouse.run("create table plain.t as select $text as x", {"text": text})
        warehouse.run("detach plain")
    (tmp_path / "innocent").write_bytes(os.urandom(100_000))
    expected = sorted(path.name for path in tmp_path.iterdir() if path.name != "innocent")
    assert places_of(mark, tmp_path) == expected


def zlib_free(text: str) -> str:
    import base64

    return base64.b64encode(text.encode()).decode()


def test_an_unencrypted_copy_of_the_warehouse_would_be_found(life: Life, tmp_path: Path) -> None:
    """The search sees into the very tables in which it finds nothing when they are encrypted."""
    with life.warehouse() as warehouse:
        warehouse.run(f"attach '{tmp_path / 'open.duckdb'}' as opened")
        warehouse.run("create table opened.customers as from raw.crm_customers")
        warehouse.run("create table opened.quarantined as from intake.quarantined")
        warehouse.run("detach opened")
    assert holds((tmp_path / "open.duckdb").read_bytes(), life.birds.mark)
    assert not holds(life.site.warehouse.read_bytes(), life.birds.mark)


# -- after erasure -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not ERASES, reason="needs the erasure of own copies")
def test_after_erasure_they_stand_nowhere(life: Life) -> None:
    """Everything is due: it is ordered erased, leaves the warehouse, and the sources deliver it no more."""
    life.deliver("2045-01-01", ended=True)
    life.run(LAST)
    with life.warehouse() as warehouse:
        assert warehouse.value("select count(*) from manifest.items where action in ('erase', 'redact')") > 10
    life.deliver("2045-03-14", people=False)
    life.run(AFTER)
    look(life)
    places = life.places()
    assert places == set(), told(life, sorted(places))
    with life.warehouse() as warehouse:
        left = [
            f"{schema}.{table}"
            for schema, table in warehouse.rows(
                "select table_schema, table_name from information_schema.tables where table_catalog = $catalog",
                {"catalog": warehouse.catalog},
            )
            if warehouse.value(
                f"select count(*) from {identifier(schema)}.{identifier(table)} as t "
                "where contains(cast(t as varchar), $mark)", {"mark": life.birds.mark},
            )
        ]  # fmt: skip
        assert left == [], told(life, left)
    test_nothing_said_written_down_or_left_behind_holds_them(life)
