"""Whatever comes from outside is hostile until checked: refused in a sentence, without a value, and nothing reached."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from assets.contracts.declarations import CONTRACTS, load_contracts
from assets.contracts.expressions import checked_expression
from assets.errors import BadInput, GallringError
from assets.ingest.delivering import deliver
from assets.ingest.limits import Limits, bytes_of
from assets.ingest.loading import IngestReport, ingest
from assets.ingest.reading import FileRefused, refuse_bomb
from assets.manifests import documents
from assets.policy import SHIPPED_REGISTER, Policy
from assets.rehearsal.scenarios import read
from assets.warehouse import Warehouse
from assets.yaml_files import DEEPEST, LARGEST, read_yaml
from orchestration.cli.printing import harmless
from tests.ingest.company import AS_OF, Company

AT = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
HEADER = "event_id,customer_id,cookie_id,ip,user_agent,kind,url,statistics_consent,occurred_at\n"
SECRET = "hemligheten"


@pytest.fixture
def company(tmp_path: Path) -> Any:
    made = Company(tmp_path)
    yield made
    made.warehouse.close()


def row(key: str, url: str = "") -> str:
    return f"{key},,,,,view,{url},true,2026-11-01\n"


def reason(report: IngestReport) -> str:
    (rejected,) = report.rejected
    return rejected.reason or ""


# -- places --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["../secret.csv", "/etc/passwd", "a/../../secret.csv", "..", ".", "", "a\0b.csv", "a\nb.csv", "*.csv", "~/x.csv",
     "delivery.json", "a\\b.csv", "$(id).csv", "<b>x</b>.csv", 7, None, ["x"]],
)  # fmt: skip
def test_a_file_name_cannot_leave_its_delivery(company: Company, tmp_path: Path, name: Any) -> None:
    (tmp_path / "secret.csv").write_text(HEADER + row(SECRET), encoding="utf-8")
    digest = hashlib.sha256((HEADER + row(SECRET)).encode()).hexdigest()
    listed = [{"name": name, "table": "events", "rows": 1, "sha256": digest}]
    company.send("web", {"events": HEADER}, described={"files": listed})
    assert "name" in reason(company.ingest())
    assert company.value("select count(*) from raw.web_events") == 0


@pytest.mark.parametrize("name", ["../out", "a/b", "..", ".hidden", "", "a\0b", "x" * 300 + "/", "a b", "$x"])
def test_a_delivery_id_cannot_leave_the_inbox(company: Company, tmp_path: Path, name: str) -> None:
    file = tmp_path / "events.csv"
    file.write_text(HEADER, encoding="utf-8")
    before = sorted(company.site.path.rglob("*"))
    if name:
        with pytest.raises(GallringError, match="delivery id"):
            deliver(company.site, company.policy, "web", [file], mode="full", extracted_at=AT, delivery_id=name)
        assert [path for path in sorted(company.site.path.rglob("*.csv")) if path not in before] == []
    with pytest.raises(BadInput, match="No contract names"):
        deliver(company.site, company.policy, f"../{name}", [file], mode="full", extracted_at=AT)


@pytest.mark.parametrize("what", ["file", "folder", "source", "description"])
def test_no_link_is_followed(company: Company, tmp_path: Path, what: str) -> None:
    outside = Company(tmp_path / "outside")
    outside.send("web", {"events": HEADER + row(SECRET)}, delivery_id="D1")
    there = outside.site.inbox / "web" / "D1"
    inbox = company.site.inbox / "web"
    if what == "source":
        inbox.symlink_to(there.parent)
    elif what == "folder":
        inbox.mkdir()
        (inbox / "D1").symlink_to(there)
    else:
        (inbox / "D1").mkdir(parents=True)
        name = "delivery.json" if what == "description" else "events.csv"
        for each in ("delivery.json", "events.csv"):
            if each == name:
                (inbox / "D1" / each).symlink_to(there / each)
            else:
                (inbox / "D1" / each).write_bytes((there / each).read_bytes())
    report = company.ingest()
    assert report.loaded == ()
    assert company.value("select count(*) from raw.web_events") == 0
    told = company.rows("select distinct detail from intake.blocks where reason in ('barred', 'rejected')")
    assert len(told) == 1, "what it delivered would be left out without a word"
    assert "link" in told[0][0]
    outside.warehouse.close()


def test_a_pipe_or_a_device_is_no_file(company: Company) -> None:
    folder = company.send("web", {"events": HEADER})
    (folder / "events.csv").unlink()
    os.mkfifo(folder / "events.csv")
    assert "plain files" in reason(company.ingest())
    os.mkfifo(folder.parent / "pipe.yaml")
    with pytest.raises(yaml.YAMLError):
        read_yaml(folder.parent / "pipe.yaml")


# -- sizes ---------------------------------------------------------------------------------------------------------


def test_what_is_larger_than_the_limits_is_refused_unread(company: Company) -> None:
    company.send("web", {"events": HEADER + row("E1")})
    small = ingest(company.warehouse, company.policy, company.site, as_of=AS_OF, limits=Limits(file_bytes=10))
    assert "file_size" in reason(small)
    few = ingest(company.warehouse, company.policy, company.site, as_of=AS_OF, limits=Limits(files=0))
    assert "files_in_a_delivery" in reason(few)
    assert len(company.ingest().loaded) == 1


def test_sizes_are_read_as_people_write_them() -> None:
    assert (bytes_of("2MiB"), bytes_of("1.5 KB"), bytes_of("4GB")) == (2 << 20, 1_500, 4_000_000_000)


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_gigantic_line_is_kept_out_and_the_others_are_not(company: Company, ending: str, company_with: Any) -> None:
    huge = SECRET * 400_000
    if ending == "csv":
        company.send("web", {"events": HEADER + row("E1") + row("E2", huge) + row("E3")}, rows=3)
    else:
        text = (CONTRACTS / "web_events.yaml").read_text(encoding="utf-8").replace("format: csv", "format: jsonl")
        company = company_with(web_events=text)
        lines = [{"event_id": "E1"}, {"event_id": "E2", "url": huge}, {"event_id": "E3"}]
        company.send("web", {"events": "\n".join(map(json.dumps, lines)) + "\n"}, ending="jsonl", rows=3)
    report = company.ingest()
    assert SECRET not in str(report)
    loaded = [key for (key,) in company.rows("select event_id from raw.web_events order by all")]
    assert "E2" not in loaded
    assert loaded == ["E1", "E3"] or (loaded == [] and report.rejected)


@pytest.fixture
def company_with(tmp_path: Path) -> Any:
    made: list[Company] = []

    def make(**contracts: str) -> Company:
        folder = tmp_path / "contracts"
        folder.mkdir()
        for name, text in contracts.items():
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        made.append(Company(tmp_path / "own", load_contracts(folder)))
        return made[-1]

    yield make
    for each in made:
        each.warehouse.close()


def workbook(sheet: str | bytes, *, declared: int | None = None) -> bytes:
    """An Excel file whose only sheet is `sheet`; `declared` lies about its size."""
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    office = "http://schemas.openxmlformats.org"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{office}/package/2006/content-types">'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{office}/package/2006/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{office}/spreadsheetml/2006/main" xmlns:r="{office}/officeDocument/2006/'
        'relationships"><sheets><sheet name="events" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{office}/package/2006/relationships">'
        f'<Relationship Id="r1" Type="{office}/officeDocument/2006/relationships/worksheet" '
        'Target="worksheets/sheet1.xml"/></Relationships>',
    }
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
        if declared is not None:
            archive.getinfo("xl/worksheets/sheet1.xml").file_size = declared
    return whole.getvalue()


def cells(*rows: list[str], before: str = "") -> str:
    """A sheet of inline strings."""
    letters = "ABCDEFGHIJ"
    lines = "".join(
        f'<row r="{number}">'
        + "".join(
            f'<c r="{letters[at]}{number}" t="inlineStr"><is><t>{text}</t></is></c>' for at, text in enumerate(row)
        )
        + "</row>"
        for number, row in enumerate(rows, start=1)
    )
    return (f'<?xml version="1.0"?>{before}<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
            f"<sheetData>{lines}</sheetData></worksheet>")  # fmt: skip


BILLION = (
    '<!DOCTYPE x [<!ENTITY a "hemligheten">'
    + "".join(f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefghi", "bcdefghij", strict=True))
    + ']>'
)  # fmt: skip
SHEETS = {
    "an honest sheet": (lambda: workbook(cells(HEADER.strip().split(","), ["E1"])), True),
    "zeros without end": (lambda: workbook(b"\0" * 50_000_000), False),
    "a sheet that lies about its size": (lambda: workbook(b" " * 50_000_000, declared=100), False),
    "a billion laughs": (
        lambda: workbook(cells(HEADER.strip().split(","), ["&j;"], before=BILLION)), False,
    ),
    "a file of the machine": (
        lambda: workbook(cells(HEADER.strip().split(","), ["&x;"],
                               before='<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/hostname">]>')), None,
    ),  # its cell is empty
    "no workbook": (lambda: b"PK\3\4" + b"\0" * 100, False),
}  # fmt: skip


@pytest.mark.parametrize("what", SHEETS)
def test_an_excel_file_is_no_bomb(company_with: Any, what: str) -> None:
    text = (CONTRACTS / "web_events.yaml").read_text(encoding="utf-8").replace("format: csv", "format: xlsx")
    company = company_with(web_events=text)
    made, honest = SHEETS[what]
    company.send("web", {"events": made()}, ending="xlsx", rows=1)
    report = ingest(company.warehouse, company.policy, company.site, as_of=AS_OF, limits=Limits(unpacked_bytes=10**7))
    if honest is not None:
        assert bool(report.loaded) is honest, report
    name = Path("/etc/hostname").read_text(encoding="utf-8").strip()
    assert company.value(f"select count(*) from intake.quarantined where contains(row_text, '{name}')") == 0
    expected = ["E1"] if honest else []
    assert [key for (key,) in company.rows("select event_id from raw.web_events")] == expected


def test_a_zip_of_too_many_parts_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.xlsx", "w") as archive:
        for number in range(10_001):
            archive.writestr(str(number), b"")
    with pytest.raises(FileRefused, match="unpacked_size"):
        refuse_bomb(tmp_path / "many.xlsx", 10**9)


# -- bytes and words -----------------------------------------------------------------------------------------------


def test_nul_bytes_break_nothing(company: Company) -> None:
    company.send(
        "web", {"events": HEADER.encode() + b"E1,,,,,view,a\0b,true,2026-11-01\nE\0002,,,,,view,,true,\n"}, rows=2
    )
    report = company.ingest()
    assert report.loaded or report.rejected
    assert company.value("select count(*) from raw.web_events") <= 2


SQL = ["'); drop table raw.web_events; --", '"; drop table raw.web_events; --', "$as_of", "{batch}", "1' or '1'='1",
       "\\'; select 1; --", "%s", "${x}"]  # fmt: skip


@pytest.mark.parametrize("text", SQL)
def test_sql_is_a_value_like_any_other(company: Company, text: str) -> None:
    quoted = '"' + text.replace('"', '""') + '"'
    company.send("web", {"events": HEADER + f"{quoted},,,,{quoted},view,{quoted},true,2026-11-01\n"})
    assert len(company.ingest().loaded) == 1
    assert company.rows("select event_id, user_agent, url from raw.web_events") == [(text, text, text)]


@pytest.mark.parametrize("name", [*SQL, "<script>alert(1)</script>", "a" * 5_000, "Anna Andersson", "\x1b[2J"])
def test_a_column_name_is_never_run_and_named_only_where_it_is_one(company: Company, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    header = HEADER.strip() + f",{quoted},plain_one\n"
    company.send("web", {"events": header + "E1,,,,,view,,true,2026-11-01,x,y\n"})
    (loaded,) = company.ingest().loaded
    assert loaded.files[0].reason == "columns that no contract reads, not stored: plain_one and 1 more"
    assert company.value("select count(*) from raw.web_events") == 1


FORMULAS = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", " =1", "＝1", '=cmd|" /C calc"!A0', '=HYPERLINK("x")']


@pytest.mark.parametrize("key", FORMULAS)
def test_no_cell_that_people_open_is_a_formula(key: str) -> None:
    item = {"item_id": "i", "record_type": "customer", "key": {"customer_id": key}, "action": "erase", "fields": [],
            "because": [{"purpose": "newsletter", "ended_on": "2026-01-01", "reason": "r"}],
            "respond_by": "2026-12-25"}  # fmt: skip
    in_python = documents.csv_line(item)
    assert f",\"'{key[0]}" in in_python
    with Warehouse.in_memory() as warehouse:
        warehouse.run(
            "create table items as select 'i' as item_id, 'customer' as record_type, $key as record_key, "
            "'customer_id' as key_field, 'erase' as action, cast([] as varchar[]) as fields, "
            "cast($because as json) as because, cast('[]' as json) as kept, date '2026-12-25' as respond_by",
            {"key": key, "because": json.dumps(item["because"])},
        )
        (cells,) = warehouse.rows(f"select {documents.SQL_CELLS} from items")
    assert ",".join('"' + str(cell).replace('"', '""') + '"' for cell in cells) + "\n" == in_python


def test_nothing_that_is_printed_is_obeyed_by_a_terminal() -> None:
    shown = harmless("a\x1b[2J\x07b\u202ec\x9bd\r\n\tz")
    assert shown == "a\ufffd[2J\ufffdb\ufffdc\ufffdd\ufffd\n\tz"


# -- YAML and JSON -------------------------------------------------------------------------------------------------

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
BAD_YAML = {
    "a tag of a language": "a: !!python/object/apply:os.system ['touch owned']\n",
    "another tag": "a: !!python/name:os.system\n",
    "a tag of its own": "a: !secret x\n",
    "a billion laughs": LAUGHS,
    "an anchor": "a: &x 1\nb: *x\n",
    "a merge": "a: &x {b: 1}\nc:\n  <<: *x\n",
    "depth": "[" * (DEEPEST + 5) + "]" * (DEEPEST + 5),
    "more depth": "[" * 100_000,
    "size": "#" * (LARGEST + 1),
    "NUL": "a: \0\n",
    "no UTF-8": b"a: \xff\xfe\n",
    "two documents": "a: 1\n---\nb: 2\n",
    "a day that is none": "a: 2026-99-99\n",
    "a list": "- 1\n",
    "nothing": "",
}


@pytest.mark.parametrize("what", BAD_YAML)
@pytest.mark.parametrize("kind", ["contract", "register", "scenario"])
def test_yaml_is_plain_data_or_refused_in_a_sentence(tmp_path: Path, kind: str, what: str) -> None:
    content = BAD_YAML[what]
    folder = tmp_path / "policy"
    (folder / "contracts").mkdir(parents=True)
    (folder / "register.yaml").write_bytes(SHIPPED_REGISTER.read_bytes())
    target = {"contract": folder / "contracts" / "crm_customers.yaml", "register": folder / "register.yaml",
              "scenario": folder / "scenario.yaml"}[kind]  # fmt: skip
    target.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInput) as refused:
        read(target) if kind == "scenario" else Policy.load(folder)
    assert len(refused.value.message) < 500
    assert not Path("owned").exists()


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 50_000, "{", "[]", "7", '{"rows": 1e999}', "\0", "\xff",
                                     '{"files": ' + "9" * 5_000 + "}"])  # fmt: skip
def test_a_description_that_is_no_description_is_refused(company: Company, content: str) -> None:
    folder = company.site.inbox / "web" / "D1"
    folder.mkdir(parents=True)
    (folder / "delivery.json").write_text(content, encoding="latin-1")
    assert "delivery.json" in reason(company.ingest())


def test_json_rows_nested_without_end_are_kept_out(company_with: Any) -> None:
    text = (CONTRACTS / "web_events.yaml").read_text(encoding="utf-8").replace("format: csv", "format: jsonl")
    company = company_with(web_events=text)
    deep = '{"event_id": "E1", "url": ' + "[" * 100_000 + "]" * 100_000 + "}"
    company.send("web", {"events": f'{deep}\n{{"event_id": "E2"}}\n'}, ending="jsonl", rows=2)
    report = company.ingest()
    assert report.loaded or report.rejected
    assert company.value("select count(*) from raw.web_events where event_id = 'E2'") == len(report.loaded)


# -- SQL of others -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "read_text('/etc/passwd')", "(select content from read_text('/etc/passwd'))", "(select 1 from 'x.csv')",
        "getenv('HOME')", "current_setting('home_directory')", "1; drop table raw.crm_customers",
        "(select * from raw.x)",
        "nextval('x')", "query('select 1')", "(with a as (select 1) select * from a)", "random()", "now()",
        "list_transform([1], x -> x)", "(select 1 union select 2)", "$1", "columns('.*')", "*",
    ],
)  # fmt: skip
def test_a_contracts_expression_reaches_nothing_but_its_row(text: str) -> None:
    with pytest.raises(BadInput):
        checked_expression(text, "crm_customers.yaml: name")


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_text('/etc/passwd')", "select * from 'x.csv'", "select 1; drop table raw.crm_customers",
        "copy raw.crm_customers to 'x.csv'", "attach 'x.duckdb'", "install httpfs", "select * from glob('*')",
        "delete from raw.crm_customers", "create table x as select 1",
        "select getenv('HOME') as a from core.customers as c",
        "select * from information_schema.tables", "select * from intake.quarantined", "select * from manifest.items",
        "select * from other.raw.crm_customers", "select * from query('select 1')", "set memory_limit = '1GB'",
        "pragma version", "select current_date as d from core.customers as c", "select (", "",
    ],
)  # fmt: skip
def test_a_purpose_is_one_select_over_the_evaluation(tmp_path: Path, statement: str) -> None:
    (tmp_path / "purposes").mkdir()
    (tmp_path / "register.yaml").write_bytes(SHIPPED_REGISTER.read_bytes())
    (tmp_path / "purposes" / "newsletter.sql").write_text(statement, encoding="utf-8")
    with pytest.raises(BadInput, match=r"newsletter\.sql: it "):
        _ = Policy.load(tmp_path).purpose_models


def test_the_shipped_purposes_pass_as_a_policy_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "purposes").mkdir()
    (tmp_path / "register.yaml").write_bytes(SHIPPED_REGISTER.read_bytes())
    for model in Policy.load().purpose_models:
        (tmp_path / "purposes" / model.path.name).write_bytes(model.path.read_bytes())
    assert len(Policy.load(tmp_path).purpose_models) == len(Policy.load().purpose_models)


# -- bundles -------------------------------------------------------------------------------------------------------


def test_an_evidence_bundle_is_no_bomb_and_writes_nowhere(tmp_path: Path) -> None:
    from assets.evidence.bundles import check

    bombs = {"traversal": "../../owned", "absolute": "/tmp/owned", "big": "entries/entries-00000001.jsonl"}
    for what, name in bombs.items():
        with zipfile.ZipFile(tmp_path / f"{what}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, b"\0" * 1000)
            if what == "big":
                archive.getinfo(name).file_size = 1 << 40
        found = check(tmp_path / f"{what}.zip")
        assert not found.ok
    assert not list(tmp_path.rglob("owned"))
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "head.json").symlink_to("/etc/hostname")
    assert check(tmp_path / "links").problems == ("No evidence: it holds a link, or what is no file.",)
    assert not check(tmp_path / "links" / "head.json").ok
