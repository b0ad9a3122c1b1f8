"""The published copy served to readers in processes of their own, while a run publishes the next one."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from assets.errors import BadInput, BadUsage, CheckFailed
from assets.policy import Policy
from assets.publication.analytics import publish
from assets.retention.evaluation import evaluate
from assets.sample.generating import SAMPLE_DAY
from assets.site import Site
from assets.warehouse import Warehouse, extension_path
from orchestration.serving_analytics import Serving, read_token, serve
from tests.publication.reported import decided_site

#: A reader as docs/analysts.md shows it. It asks, one line in and one line out, until its input ends; what the engine
#: prints of itself, as it does where a query takes seconds, is no answer.
READER = """
import duckdb, json, os, sys
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
port, token, httpfs, quack = sys.argv[1:]
connection = duckdb.connect(config={"autoinstall_known_extensions": False})
connection.execute(f"load '{httpfs}'")
connection.execute(f"load '{quack}'")
def attach():
    connection.execute("detach database if exists site")
    connection.execute(f"attach 'quack:localhost:{port}' as site (token '{token}')")
for line in sys.stdin:
    what, text = json.loads(line)
    try:
        if what == "attach":
            attach(); said = "attached"
        elif what == "here":
            said = connection.execute(text).fetchall()
        else:
            said = connection.execute("from site.query(?)", [text]).fetchall()
        print(json.dumps([True, said], default=str), file=answers, flush=True)
    except duckdb.Error as error:
        print(json.dumps([False, str(error).splitlines()[0]]), file=answers, flush=True)
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Reader:
    """A client in a process of its own."""

    process: subprocess.Popen[str]

    def says(self, text: str, what: str = "ask") -> tuple[bool, object]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([what, text]) + "\n")
        self.process.stdin.flush()
        went, said = json.loads(self.process.stdout.readline())
        return went, said

    def as_of(self) -> tuple[bool, object]:
        return self.says("select as_of from about")


@dataclass
class Served:
    """A site whose copy is served."""

    site: Site
    warehouse: Warehouse
    port: int
    process: subprocess.Popen[str]
    readers: list[Reader]

    def reader(self, token: str | None = None) -> Reader:
        shown = token or (self.site.keys / "analytics.token").read_text(encoding="ascii").strip()
        command = [sys.executable, "-c", READER, str(self.port), shown]
        command += [str(extension_path("httpfs")), str(extension_path("quack"))]
        made = Reader(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        self.readers.append(made)
        return made

    def told(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    site, warehouse = decided_site(tmp_path_factory, "served")
    site.settings.write_text("", encoding="utf-8")
    port = free_port()
    command = [str(Path(sys.executable).with_name("gallring")), "serve-analytics", "--site", str(site.path)]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--memory-limit", "200MB"], stdout=subprocess.PIPE, text=True
    )
    standing = Served(site, warehouse, port, process, [])
    with warehouse:
        assert "analytics.token" in standing.told()
        assert standing.told() == f"analytics.duckdb is served on quack:localhost:{port}.\n"
        yield standing
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=180)
        assert (process.returncode, rest) == (0, "Stopped.\n")
    for reader in standing.readers:
        reader.process.communicate(timeout=120)
    with socket.socket() as trying:
        assert trying.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture(scope="module")
def reader(served: Served) -> Reader:
    made = served.reader()
    assert made.says("", "attach") == (True, "attached")
    return made


def test_a_reader_with_the_token_reads(reader: Reader) -> None:
    went, rows = reader.says("from what_holds('customer', 'K9001')")
    assert went
    assert rows


def test_a_wrong_token_opens_nothing(served: Served) -> None:
    stranger = served.reader(token="a-token-that-somebody-guessed")
    went, said = stranger.says("", "attach")
    assert not went
    assert "Authentication failed" in str(said)
    assert stranger.as_of()[0] is False


def test_no_token_opens_nothing(served: Served) -> None:
    stranger = served.reader(token="never-shown-to-the-server")
    went, said = stranger.says(f"attach 'quack:localhost:{served.port}' as site", "here")
    assert not went
    assert "token" in str(said)


@pytest.mark.parametrize(
    "sql",
    ["create table mine as select 1", "insert into about from about", "delete from retention.claims",
     "create temp table mine as select 1"],
)  # fmt: skip
def test_writing_is_refused(reader: Reader, sql: str) -> None:
    went, said = reader.says(sql)
    assert (went, "Authorization failed" in str(said)) == (False, True)


def test_writing_in_another_way_is_refused(reader: Reader) -> None:
    assert reader.says("insert into site.main.about from site.main.about", "here")[0] is False
    assert reader.says("create table site.main.mine (a int)", "here")[0] is False
    assert reader.as_of() == (True, [[str(SAMPLE_DAY)]])


@pytest.mark.parametrize("sql", ["from read_text('{site}/gallring.toml')", "from glob('{site}/*')",
                                 "from '{site}/analytics.duckdb'", "attach '{site}/warehouse.duckdb'",
                                 "copy about to '{site}/out.csv'"])  # fmt: skip
def test_the_servers_files_are_out_of_reach(served: Served, reader: Reader, sql: str) -> None:
    assert reader.says(sql.format(site=served.site.path))[0] is False
    assert not (served.site.path / "out.csv").exists()


@pytest.mark.parametrize(
    "sql",
    ["set enable_external_access = true", "set memory_limit = '50GB'", "load excel",
     "call quack_stop('quack:localhost:1')", "from quack_active_connections()"],
)  # fmt: skip
def test_the_server_cannot_be_changed_or_looked_into(reader: Reader, sql: str) -> None:
    assert reader.says(sql)[0] is False


def test_two_readers_read_on_while_a_run_publishes(served: Served) -> None:
    two = [served.reader(), served.reader()]
    for each in two:
        assert each.says("", "attach")[0]
        assert each.as_of() == (True, [[str(SAMPLE_DAY)]])
    tomorrow = SAMPLE_DAY + timedelta(days=1)
    evaluate(served.warehouse, Policy.load(), tomorrow)
    assert [each.as_of()[1] for each in two] == [[[str(SAMPLE_DAY)]]] * 2
    publish(served.warehouse, Policy.load(), served.site)
    assert served.told() == f"analytics.duckdb is served on quack:localhost:{served.port}.\n"
    for each in two:
        went, said = each.as_of()
        assert (went, "Invalid connection id" in str(said)) == (False, True)
        assert each.says("", "attach") == (True, "attached")
        assert each.as_of() == (True, [[str(tomorrow)]])


def test_a_copy_that_cannot_be_opened_leaves_the_old_one_served(served: Served) -> None:
    before = served.site.analytics.read_bytes()
    broken = served.site.temporary / "broken"
    broken.write_bytes(b"no database")
    broken.replace(served.site.analytics)
    assert "the old one still is" in served.told()
    asking = served.reader()
    assert asking.says("", "attach")[0]
    assert asking.as_of()[0]
    served.site.analytics.write_bytes(before)
    assert "is served on" in served.told()


def test_a_token_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("x" * 30, encoding="ascii")
    file.chmod(0o644)
    with pytest.raises(BadInput, match="chmod 600"):
        read_token(Site(tmp_path), file)


@pytest.mark.parametrize("content", ["", "short", "x" * 30 + "'", "x" * 15 + " " + "x" * 15])
def test_a_token_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text(content, encoding="ascii")
    with pytest.raises(BadInput, match="holds no token"):
        read_token(Site(tmp_path), file)


def test_the_sites_own_token_is_made_once(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.keys.mkdir()
    first, file = read_token(site)
    assert read_token(site) == (first, file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(first) >= 40


def test_a_port_that_is_taken_is_said(served: Served) -> None:
    with pytest.raises(BadUsage, match=f"port {served.port} already"):
        serve(served.site, Serving(served.port, "x" * 30, "", 0), print)


def test_what_was_never_published_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="gallring run"):
        serve(Site(tmp_path), Serving(free_port(), "x" * 30, "", 0), print)
