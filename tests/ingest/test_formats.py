"""Files read exactly as their contract declares them."""

from __future__ import annotations

import hashlib
import io
import random
import shutil
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.contracts.contract import Format
from assets.contracts.declarations import canonical
from assets.errors import BadInput
from assets.ingest import quoting
from assets.ingest.accepting import accept_as_right
from assets.ingest.delivering import deliver
from assets.ingest.reading import FileRefused, Reading
from assets.warehouse import Warehouse, WarehouseError

CONTRACT = """
apiVersion: v3.2.0
kind: DataContract
id: test-orders-invoices
version: 1.0.0
status: active
domain: orders
servers:
  - server: inbox
    type: local
    path: inbox/orders
    format: {format}
    encoding: {encoding}
    customProperties:
{options}
schema:
  - name: invoices
    physicalName: Fakturor*
    customProperties:
      - {{property: fileColumns, value: [Nr, Köpare, Typ, Belopp, Datum]}}
    properties:
      - {{name: invoice_id, physicalName: Nr}}
      - {{name: buyer_name, physicalName: Köpare}}
      - {{name: amount, physicalName: Belopp}}
      - name: issued_on
        physicalName: Datum
        logicalTypeOptions: {{format: {date_format}}}
      - name: kind
        transformLogic: "case \\"Typ\\" when 'K' then 'credit_note' else 'invoice' end"
"""


def contract(
    *, form: str = "csv", encoding: str = "UTF-8", date_format: str = "yyyy-MM-dd", **options: Any
) -> dict[str, str]:
    lines = "".join(f"      - {{property: {name}, value: {value}}}\n" for name, value in options.items())
    text = CONTRACT.format(
        format=form, encoding=encoding, date_format=date_format, options=lines.rstrip() or "      []"
    )
    return {"orders_invoices": text}


EXPECTED = [
    ("F1", "Åsa Öberg", Decimal("1234.5000"), date(2024, 2, 29), "invoice"),
    ("F2", None, Decimal("-7.0000"), None, "credit_note"),
]


def loaded(company: Any) -> list[tuple[Any, ...]]:
    report = company.ingest()
    assert [each.reason for each in report.rejected] == []
    assert company.rows("select rule, column_name from intake.quarantined") == []
    return list(
        company.rows("select invoice_id, buyer_name, amount, issued_on, kind from raw.orders_invoices order by row_id")
    )


SWEDISH = "Nr;Typ;Köpare;Belopp;Datum\r\nF1;F; Åsa Öberg ;1\u00a0234,50;29-02-2024\r\nF2;K;NULL;-7;\r\n"
SWEDISH_OPTIONS = {
    "delimiter": "';'", "decimalMark": "','", "thousands": '" \\u00a0"', "nullTokens": "['NULL']",
}  # fmt: skip


@pytest.mark.parametrize(
    ("encoding", "codec"),
    [("UTF-8", "utf-8"), ("UTF-8", "utf-8-sig"), ("cp1252", "cp1252"), ("CP437", "cp437"), ("ISO-8859-1", "latin-1"),
     ("UTF-16", "utf-16")],
)  # fmt: skip
def test_swedish_csv_in_every_encoding(company_with: Any, encoding: str, codec: str) -> None:
    company = company_with(**contract(encoding=encoding, date_format="dd-MM-yyyy", **SWEDISH_OPTIONS))
    company.send("orders", {"invoices": SWEDISH.encode(codec)}, rows=2)
    assert loaded(company) == EXPECTED
    assert list(company.site.temporary.iterdir()) == []


def test_a_file_in_another_encoding_than_declared_is_refused(company_with: Any) -> None:
    company = company_with(**contract(encoding="cp1252", date_format="dd-MM-yyyy", **SWEDISH_OPTIONS))
    company.send("orders", {"invoices": SWEDISH.encode("cp1252") + b"F3;F;\x81;1;\r\n"}, rows=3)
    assert "not cp1252" in company.ingest().rejected[0].reason


@pytest.mark.parametrize(
    ("declared", "codec", "said"),
    [("UTF-8", "utf-16", "written in UTF-16, and its contract says UTF-8"),
     ("cp1252", "utf-8-sig", "written in UTF-8, and its contract says CP1252"),
     ("UTF-16", "utf-8-sig", "written in UTF-8, and its contract says UTF-16")],
)  # fmt: skip
def test_a_file_whose_mark_says_another_encoding_is_refused(
    company_with: Any, declared: str, codec: str, said: str
) -> None:
    company = company_with(**contract(encoding=declared, date_format="dd-MM-yyyy", **SWEDISH_OPTIONS))
    company.send("orders", {"invoices": SWEDISH.encode(codec)}, rows=2)
    assert said in company.ingest().rejected[0].reason


def test_bytes_that_are_not_utf8_cost_their_row_alone(company_with: Any) -> None:
    company = company_with(**contract(date_format="dd-MM-yyyy", **SWEDISH_OPTIONS))
    company.send("orders", {"invoices": SWEDISH.encode() + "F3;F;Åsa;1;\r\n".encode("cp1252")}, rows=3)
    company.ingest()
    assert company.rows("select rule, line from intake.quarantined") == [("invalid_encoding", 4)]


def test_csv_without_a_header_and_quotes(company_with: Any) -> None:
    company = company_with(**contract(delimiter='"\\t"', quote="''", header="false"))
    company.send("orders", {"invoices": "F1\tÅsa Öberg\tF\t1234.5\t2024-02-29\nF2\t\tK\t-7\t\n"}, rows=2)
    assert loaded(company) == EXPECTED


@pytest.mark.parametrize("delimiter", ["||", "§§"])
def test_csv_with_a_delimiter_of_several_characters(company_with: Any, delimiter: str) -> None:
    company = company_with(**contract(delimiter=f"'{delimiter}'"))
    rows = [
        'Nr;Typ;"Köpare";Belopp;Datum;"a;""b"',
        'F1;K;"Ada; ""Exempel""";12;2026-03-02;',
        "F2;;Bo;7;2026-03-03;x",
    ]
    company.send("orders", {"invoices": "\n".join(rows).replace(";", delimiter) + "\n"})
    assert company.ingest().rejected == ()
    assert company.rows("select invoice_id, kind, buyer_name, amount from raw.orders_invoices order by 1") == [
        ("F1", "credit_note", f'Ada{delimiter} "Exempel"', Decimal(12)), ("F2", "invoice", "Bo", Decimal(7)),
    ]  # fmt: skip


def test_a_heading_that_holds_what_stands_for_a_long_delimiter_is_refused(company_with: Any) -> None:
    company = company_with(**contract(delimiter="'||'"))
    company.send("orders", {"invoices": "Nr||Typ||Köpare||Belopp||Datum||a\x1fb\n"})
    assert company.ingest().rejected[0].reason.endswith("the first line is not a header as the contract declares it")


@pytest.mark.parametrize("character", ["*", "?", "["])
def test_a_path_that_the_reader_takes_for_a_pattern_is_refused(tmp_path: Path, character: str) -> None:
    meant, other = tmp_path / f"s{character}1]", tmp_path / "s1"
    for folder in (meant, other):
        folder.mkdir()
        (folder / "a.csv").write_text("customer_id\nK1\n", encoding="utf-8")
    with Warehouse.in_memory() as warehouse, Reading(warehouse, None) as opened, pytest.raises(FileRefused) as refused:
        opened.scan(meant / "a.csv", canonical()["crm", "customers"], deletions=False)
    assert str(refused.value).startswith("the path of the site holds")


def test_the_order_of_columns_is_the_files_own(company_with: Any) -> None:
    company = company_with(**contract())
    company.send(
        "orders", {"invoices": 'Datum,Typ,Extra,Belopp,Nr,Köpare\n2024-02-29,F,x,1234.5,F1,"Åsa Öberg"\n,K,y,-7,F2,\n'}
    )
    assert loaded(company) == EXPECTED


def test_json_lines(company_with: Any) -> None:
    company = company_with(**contract(form="jsonl"))
    lines = [
        '{"Nr": "F1", "Köpare": "Åsa Öberg", "Belopp": 1234.50, "Datum": "2024-02-29", "Typ": "F"}',
        '{"Nr": "F2", "Köpare": null, "Belopp": "-7", "Typ": "K", "Extra": {"a": [1]}}',
    ]
    company.send("orders", {"invoices": "\n".join(lines) + "\n\n"}, ending="jsonl", rows=2)
    assert loaded(company) == EXPECTED
    assert "Extra" in company.value("select reason from intake.files")


def test_a_line_that_is_no_json_object_is_quarantined_as_it_stands(company_with: Any) -> None:
    company = company_with(**contract(form="jsonl"))
    lines = '{"Nr": "F1", "Köpare": "", "Belopp": 1, "Datum": "", "Typ": "F"}\n{"Nr": "F2"\n["F3"]\n'
    company.send("orders", {"invoices": lines}, ending="jsonl")
    company.ingest()
    assert company.rows("select line, rule, row_text from intake.quarantined order by line") == [
        (2, "malformed_line", '{"Nr": "F2"'), (3, "malformed_line", '["F3"]'),
    ]  # fmt: skip


def test_parquet(company_with: Any) -> None:
    company = company_with(**contract(form="parquet"))
    table = pa.table({
        "Nr": ["F1", "F2"], "Köpare": ["Åsa Öberg", None], "Belopp": pa.array([Decimal("1234.50"), Decimal("-7.00")]),
        "Datum": pa.array([date(2024, 2, 29), None]), "Typ": ["F", "K"],
    })  # fmt: skip
    sink = io.BytesIO()
    pq.write_table(table, sink)
    company.send("orders", {"invoices": sink.getvalue()}, ending="parquet", rows=2)
    assert loaded(company) == EXPECTED


def floats(*keys: float | None, kind: Any = None) -> bytes:
    """A Parquet file whose keys and buyers are numbers, as a column of references with gaps becomes."""
    sink, column = io.BytesIO(), pa.array(keys, kind or pa.float64())
    texts = pa.nulls(len(keys), pa.string())
    amounts = pa.array([Decimal("10.50")] * len(keys), pa.decimal128(10, 2))
    pq.write_table(pa.table([column, column, amounts, texts, texts], names=TWICE[0][:-1]), sink)
    return sink.getvalue()


WHOLE = {("1001", "1001"), ("100000000000000000000", "100000000000000000000"), ("0", "0"), ("7.25", "7.25")}


def test_a_whole_number_in_parquet_names_the_same_as_its_text(company_with: Any) -> None:
    """The reference "1001.0" met no customer 1001, and people whose orders hung on it were ordered erased."""
    company = company_with(**contract(form="parquet"))
    company.send("orders", {"invoices": floats(1001.0, 1e20, -0.0, 7.25)}, ending="parquet", rows=4)
    assert {(key, buyer) for key, buyer, *_ in loaded(company)} == WHOLE
    assert company.value("select distinct amount from raw.orders_invoices") == Decimal("10.5")


def test_a_whole_decimal_in_parquet_names_the_same_as_its_text(company_with: Any) -> None:
    company = company_with(**contract(form="parquet"))
    made = floats(Decimal("1001.00"), Decimal("7.25"), Decimal("20.00"), kind=pa.decimal128(10, 2))
    company.send("orders", {"invoices": made}, ending="parquet", rows=3)
    assert {key for key, *_ in loaded(company)} == {"1001", "7.25", "20"}


def test_what_is_no_number_in_parquet_is_nothing(company_with: Any) -> None:
    company = company_with(**contract(form="parquet"))
    made = floats(17.0, float("nan"), float("inf"), -float("inf"))
    company.send("orders", {"invoices": made}, ending="parquet", rows=4)
    company.ingest()
    assert company.rows("select invoice_id from raw.orders_invoices") == [("17",)]
    assert company.rows("select rule, column_name from intake.quarantined") == [("required", "invoice_id")] * 3


def test_a_whole_number_in_json_lines_names_the_same_as_its_text(company_with: Any) -> None:
    company = company_with(**contract(form="jsonl"))
    numbers = ["1001.0", "1e20", "-0.0", "7.250", '"1001.0"', "1e25", "12345678901234567890123", "-2", "true"]
    rest = '"Belopp": 10.50, "Datum": null, "Typ": "F"}'
    lines = [f'{{"Nr": {number}, "Köpare": {number}, {rest}' for number in numbers]
    company.send("orders", {"invoices": "\n".join(lines)}, ending="jsonl", rows=len(lines))
    others = ["1001.0", "10000000000000000905969664", "12345678901234567890123", "-2", "true"]
    assert {(key, buyer) for key, buyer, *_ in loaded(company)} == WHOLE | {(each, each) for each in others}
    assert company.value("select distinct amount from raw.orders_invoices") == Decimal("10.5")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_what_is_no_number_in_json_lines_is_nothing(company_with: Any, number: str) -> None:
    company = company_with(**contract(form="jsonl"))
    rest = '"Belopp": 1, "Datum": null, "Typ": "F"}'
    lines = f'{{"Nr": {number}, "Köpare": "", {rest}\n{{"Nr": "{number}", "Köpare": {number}, {rest}\n'
    company.send("orders", {"invoices": lines}, ending="jsonl", rows=2)
    company.ingest()
    assert company.rows("select invoice_id, buyer_name from raw.orders_invoices") == [(number, None)]
    assert company.rows("select rule, column_name from intake.quarantined") == [("required", "invoice_id")]


def test_excel(company_with: Any) -> None:
    company = company_with(**contract(form="excel", sheet="Fakturor"))
    book = openpyxl.Workbook()
    sheet = book.create_sheet("Fakturor")
    sheet.append(["Nr", "Köpare", "Belopp", "Datum", "Typ"])
    sheet.append(["F1", "Åsa Öberg", 1234.5, datetime(2024, 2, 29), "F"])
    sheet.append([None] * 5)
    sheet.append(["F2", None, -7, None, "K"])
    sink = io.BytesIO()
    book.save(sink)
    book.close()
    company.send("orders", {"invoices": sink.getvalue()}, ending="xlsx", rows=2)
    assert loaded(company) == EXPECTED


def workbook(*rows: list[Any]) -> bytes:
    """An Excel file of one sheet."""
    book, sink = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(sink)
    book.close()
    return sink.getvalue()


def rewritten(book: bytes, old: bytes, new: bytes) -> bytes:
    """The Excel file with other text in the part that tells of the workbook."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as before, zipfile.ZipFile(sink, "w") as after:
        for name in before.namelist():
            part = before.read(name)
            assert old in part or name != "xl/workbook.xml"
            after.writestr(name, part.replace(old, new) if name == "xl/workbook.xml" else part)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("pattern", "cell", "day"),
    [
        ("yyMMdd", "260731", date(2026, 7, 31)),
        ("yyMMdd", 260731, date(2026, 7, 31)),
        ("yyMMdd", datetime(2012, 7, 31), None),  # 41121, which is also 2004-11-21 without its zero
        ("yyMMdd", 41121, None),
        ("yyyyMMdd", "20260731", date(2026, 7, 31)),
        ("yyyyMMdd", datetime(2012, 7, 31), date(2012, 7, 31)),
        ("yyyy-MM-dd", datetime(2012, 7, 31, 18), date(2012, 7, 31)),
    ],
)  # fmt: skip
def test_a_stated_date_format_comes_before_a_cells_number(
    company_with: Any, pattern: str, cell: object, day: date | None
) -> None:
    """The format of six digits was taken for days since 1899: 31 July 2026 became a day in 2613."""
    company = company_with(**contract(form="excel", date_format=pattern))
    book = workbook(["Nr", "Köpare", "Belopp", "Datum", "Typ"], ["F1", "Åsa Öberg", 1, cell, "F"])
    company.send("orders", {"invoices": book}, ending="xlsx", rows=1)
    company.ingest()
    assert company.value("select max(issued_on) from raw.orders_invoices") == day
    assert company.rows("select rule from intake.quarantined") == ([] if day else [("not_a_date",)])


@pytest.mark.parametrize(
    ("attribute", "said"),
    [('date1904="1"', "from 1904"), ("date1904 = 'true'", "from 1904"), ('date1904="0"', None),
     ('date1904="false"', None), ("date1904", "not of the format")],
)  # fmt: skip
def test_a_workbook_that_counts_its_days_from_1904_is_refused(
    company_with: Any, attribute: str, said: str | None
) -> None:
    """Its days would be read four years and a day too early, and what they start would end so much too early."""
    company = company_with(**contract(form="excel"))
    book = workbook(["Nr", "Köpare", "Belopp", "Datum", "Typ"], ["F1", "Åsa Öberg", 1234.5, datetime(2024, 2, 29), "F"])
    book = rewritten(book, b"<workbookPr ", f"<workbookPr {attribute} ".encode())
    company.send("orders", {"invoices": book}, ending="xlsx", rows=1)
    if said is None:
        assert loaded(company) == EXPECTED[:1]
    else:
        assert said in company.ingest().rejected[0].reason


def test_a_number_in_excel_names_the_same_as_its_text_and_a_text_stays(company_with: Any) -> None:
    company = company_with(**contract(form="excel"))
    rows = [[key, key, 10.5, None, "F"] for key in (1001.0, "1002.0")]
    made = workbook(["Nr", "Köpare", "Belopp", "Datum", "Typ"], *rows)
    company.send("orders", {"invoices": made}, ending="xlsx", rows=2)
    assert [key for key, *_ in loaded(company)] == ["1001", "1002.0"]


TWICE = ["Nr", "Köpare", "Belopp", "Datum", "Typ", "Köpare"], ["F1", "Åsa Öberg", "1", "2024-02-29", "F", "Bo Annan"]
ONE_LINE = '{"Nr": "F2", "Köpare": "Ada Exempel", "Belopp": "2", "Datum": null, "Typ": "F"}'


def parquet(names: list[str], row: list[str]) -> bytes:
    sink = io.BytesIO()
    nested = pa.array([{"Nr": "x", "Köpare": "y"}])
    pq.write_table(pa.table([nested, *([value] for value in row)], names=["nested", *names]), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("form", "ending", "made"),
    [
        ("csv", "csv", lambda: "\n".join(map(",".join, TWICE)).encode()),
        ("excel", "xlsx", lambda: workbook(*TWICE)),
        ("parquet", "parquet", lambda: parquet(*TWICE)),
        ("jsonl", "jsonl", lambda: f'{ONE_LINE}\n{ONE_LINE[:-1]}, "Köpare": "Bo Annan"}}\n'.encode()),
    ],
)
def test_a_column_that_stands_twice_is_refused(company_with: Any, form: str, ending: str, made: Any) -> None:
    """Which of the two is meant, nobody can tell; readers take the first, or name the second anew."""
    company = company_with(**contract(form=form))
    company.send("orders", {"invoices": made()}, ending=ending, rows=2 if form == "jsonl" else 1)
    assert [each.reason for each in company.ingest().rejected] == [f"invoices.{ending}: the column Köpare stands twice"]


@pytest.mark.parametrize(("form", "ending"), [("excel", "xlsx"), ("parquet", "parquet")])
def test_columns_that_nobody_reads_may_stand_twice(company_with: Any, form: str, ending: str) -> None:
    names = ["Not", "Nr", "köpare", "Köpare", "Belopp", "Datum", "Typ", "Not"]
    row = ["a", "F2", "Bo Annan", "", "7", "", "K", "b"]
    made = workbook(names, row) if form == "excel" else parquet(names, row)
    company = company_with(**contract(form=form))
    company.send("orders", {"invoices": made}, ending=ending, rows=1)
    assert loaded(company) == [("F2", None, Decimal(7), None, "credit_note")]


@pytest.mark.parametrize("form", ["parquet", "excel"])
def test_a_file_of_another_format_than_declared_is_refused(company_with: Any, form: str) -> None:
    company = company_with(**contract(form=form))
    company.send("orders", {"invoices": "Nr,Köpare\nF1,Ada Exempel\n"})
    reason = company.ingest().rejected[0].reason
    assert "format" in reason
    assert "Ada" not in reason


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.234,50", Decimal("1234.5")), ("1234,5", Decimal("1234.5")), ("12.5", None), ("1.23.456", None),
     ("1,2,3", None), ("1e3", None), ("12 kr", None), ("+3", Decimal(3)), ("99999999999999999", None)],
)  # fmt: skip
def test_numbers_are_read_strictly(company_with: Any, text: str, value: Decimal | None) -> None:
    company = company_with(**contract(delimiter="';'", decimalMark="','", thousands="'.'"))
    company.send("orders", {"invoices": f"Nr;Typ;Köpare;Belopp;Datum\nF1;F;;{text};\n"})
    company.ingest()
    assert company.value("select max(amount) from raw.orders_invoices") == value
    assert (company.value("select max(rule) from intake.quarantined") == "not_a_number") is (value is None)


INSTANTS = """
apiVersion: v3.2.0
kind: DataContract
id: test-web-events
version: 1.0.0
status: active
domain: web
servers:
  - server: inbox
    type: local
    path: inbox/web
    format: csv
    customProperties:
      - {property: timeZone, value: America/New_York}
schema:
  - name: events
    physicalName: events.csv
    properties:
      - {name: event_id}
      - {name: occurred_at, FORMAT}
"""


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-12-31T23:30:00Z", date(2027, 1, 1)),
        ("2026-12-31t23:30:00.123456789z", date(2027, 1, 1)),
        ("2026-12-31T23:30:00+01:00", date(2026, 12, 31)),
        ("2026-06-30T22:30:00+00:00", date(2026, 7, 1)),
        ("2026-12-31T18:30:00", date(2027, 1, 1)),
        ("2026-12-31 17:30:00", date(2026, 12, 31)),
        ("2026-12-31", date(2026, 12, 31)),
        ("2026-12-31T23:30", None),
        ("20261231", None),
        ("2026-12-31T23:30:00+0100", None),
    ],
)
def test_an_instant_becomes_its_local_day(company_with: Any, text: str, day: date | None) -> None:
    company = company_with(web_events=INSTANTS.replace(", FORMAT", ""))
    company.send("web", {"events": f"event_id,occurred_at\nE1,{text}\n"})
    company.ingest()
    assert company.value("select max(occurred_at) from raw.web_events") == day


@pytest.mark.parametrize(
    ("pattern", "text", "day"),
    [("MMMM d, yyyy", "'July 4, 1996'", date(1996, 7, 4)), ("dd/MM/yyyy HH:mm", "31/12/2026 18:30", date(2027, 1, 1)),
     ("dd/MM/yyyy", "2026-12-31", None), ("yyMMdd", "261231", date(2026, 12, 31)), ("yyMMdd", "41121", None),
     ("yyyyMMddHHmm", "202612311830", date(2027, 1, 1)), ("yyyyMMddHHmm", "20261231183", None)],
)  # fmt: skip
def test_a_date_format_of_its_own(company_with: Any, pattern: str, text: str, day: date | None) -> None:
    made = INSTANTS.replace("FORMAT", f"logicalTypeOptions: {{format: '{pattern}'}}")
    company = company_with(
        web_events=made.replace(
            "format: csv\n    customProperties:",
            'format: csv\n    customProperties:\n      - {property: quote, value: "\'"}',
        )
    )
    company.send("web", {"events": f"event_id,occurred_at\nE1,{text}\n"})
    company.ingest()
    assert company.value("select max(occurred_at) from raw.web_events") == day


PEOPLE = """
apiVersion: v3.2.0
kind: DataContract
id: test-crm-customers
version: 1.0.0
status: active
domain: crm
servers:
  - {server: inbox, type: local, path: inbox/crm, format: csv}
schema:
  - name: customers
    physicalName: parties*.csv
    customProperties:
      - {property: rowFilter, value: "kind in ('person', 'company')"}
    properties:
      - {name: customer_id, physicalName: id}
      - {name: name}
      - {name: customer_type, transformLogic: "case kind when 'person' then 'private' else 'company' end"}
      - name: email
        transformSourceObjects: [mechanisms]
        transformLogic: >-
          (select min(m.value) from mechanisms as m where m."party.id" = this.id and m.type = 'email')
      - name: nickname
        customProperties:
          - {property: dataCategory, value: identity}
  - name: mechanisms
    physicalName: contact_mechanisms*.csv
    customProperties:
      - {property: role, value: lookup}
    properties:
      - {name: party, physicalName: party.id}
      - {name: type}
      - {name: value}
"""
CONTACTS = """
apiVersion: v3.2.0
kind: DataContract
id: test-crm-contacts
version: 1.0.0
status: active
domain: crm
servers:
  - {server: inbox, type: local, path: inbox/crm, format: csv}
schema:
  - name: contacts
    physicalName: parties*.csv
    customProperties:
      - {property: rowFilter, value: "kind = 'contact'"}
    properties:
      - {name: contact_id, physicalName: id}
      - {name: name}
"""


def test_one_file_feeds_several_tables_and_is_looked_up_in_another(company_with: Any, tmp_path: Path) -> None:
    company = company_with(crm_customers=PEOPLE, crm_contacts=CONTACTS)
    parties = tmp_path / "parties.csv"
    parties.write_text(
        "id,kind,name,nickname\n1,person,Ada Exempel,Ad\n2,contact,Bo Exempel,\n3,carrier,X,\n", encoding="utf-8"
    )
    mechanisms = tmp_path / "contact_mechanisms.csv"
    mechanisms.write_text(
        "id,party.id,type,value\n1,1,phone,070-1740605\n2,1,email,ada@exempel.example\n", encoding="utf-8"
    )
    deliver(
        company.site, company.policy, "crm", [parties, mechanisms], mode="full",
        extracted_at=datetime.fromisoformat("2026-11-24T23:00:00+01:00"),
    )  # fmt: skip
    assert company.ingest().rejected == ()
    assert company.rows("select customer_id, customer_type, name, email, nickname from raw.crm_customers") == [
        ("1", "private", "Ada Exempel", "ada@exempel.example", "Ad")
    ]
    assert company.rows("select contact_id, name from raw.crm_contacts") == [("2", "Bo Exempel")]
    assert company.rows(
        "select table_name, file_name, rows_in, rows_loaded, rows_quarantined, rows_out_of_scope, status "
        "from intake.files order by 1"
    ) == [
        ("contacts", "parties.csv", 3, 1, 0, 2, "loaded"),
        ("customers", "parties.csv", 3, 1, 0, 2, "loaded"),
        ("mechanisms", "contact_mechanisms.csv", 2, 2, 0, 0, "lookup"),
    ]
    assert company.blocks("orders") == []


def test_a_delivery_without_its_lookup_is_refused(company_with: Any) -> None:
    company = company_with(crm_customers=PEOPLE)
    company.send("crm", {"customers": "id,kind,name,nickname\n"})
    assert "lookup mechanisms" in company.ingest().rejected[0].reason


def with_lookup(company: Any, day: int, rows: int, mode: str = "full") -> str:
    """A delivery whose lookup has so many rows; why it is refused, if it is."""
    mechanisms = "".join(f"{row},email,a{row}@exempel.example\n" for row in range(1, rows + 1))
    files = {
        "customers": "id,kind,name,nickname\n1,person,Ada Exempel,\n",
        "mechanisms": f"party.id,type,value\n{mechanisms}",
    }
    company.send("crm", files, day=f"2026-11-{day}", mode=mode)
    return " ".join(each.reason or "" for each in company.ingest().rejected)


@pytest.mark.parametrize("spelled", ['m."party.id"', "m.party", "m.Party"])
def test_a_lookup_is_read_by_its_columns_names_or_those_in_its_file(company_with: Any, spelled: str) -> None:
    company = company_with(crm_customers=PEOPLE.replace('m."party.id"', spelled))
    assert with_lookup(company, 20, 1) == ""
    assert company.rows("select email from raw.crm_customers") == [("a1@exempel.example",)]


@pytest.mark.parametrize(("before", "after"), [(1, 0), (25, 0), (25, 19)])
def test_a_delivery_whose_lookup_comes_empty_or_cut_off_is_refused(company_with: Any, before: int, after: int) -> None:
    company = company_with(crm_customers=PEOPLE)
    assert with_lookup(company, 20, before) == ""
    refused = with_lookup(company, 21, after)
    assert refused.startswith(f"the lookup mechanisms holds {after} rows after {before}: ")
    assert "gallring accept crm mechanisms" in refused
    assert company.value("select count(email) from raw.crm_customers") == 1


def test_a_lookup_may_lose_what_a_table_may_and_a_delta_may_bring_a_part(company_with: Any) -> None:
    company = company_with(crm_customers=PEOPLE)
    assert [with_lookup(company, 20, 25), with_lookup(company, 21, 20)] == ["", ""]
    assert with_lookup(company, 22, 2, "delta") == ""
    assert with_lookup(company, 23, 0, "delta").startswith("the lookup mechanisms holds 0 rows after 20: ")


def test_a_person_may_say_that_a_short_lookup_is_right(company_with: Any) -> None:
    company = company_with(crm_customers=PEOPLE)
    at = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
    assert with_lookup(company, 20, 0).startswith("the lookup mechanisms holds 0 rows: "), "nothing to compare it with"
    with pytest.raises(BadInput, match="is not blocked"):
        accept_as_right(company.warehouse, "crm", "customers", by="Data protection", reason="none has any", at=at)
    accepted = accept_as_right(
        company.warehouse, "crm", "mechanisms", by="Data protection", reason="none has any", at=at
    )
    assert accepted == "2026-11-20-full"
    assert company.ingest().rejected == ()
    assert with_lookup(company, 21, 0) == "", "it was empty before"
    assert with_lookup(company, 22, 30) == ""
    assert with_lookup(company, 23, 3) != "", "what was accepted is one delivery"


def test_a_lookup_that_ends_within_a_quote_is_refused(company_with: Any, tmp_path: Path) -> None:
    """The address in its last row would be missing without a word."""
    company = company_with(crm_customers=PEOPLE)
    parties, found = tmp_path / "parties.csv", tmp_path / "contact_mechanisms.csv"
    parties.write_text("id,kind,name,nickname\n1,person,Ada Exempel,\n", encoding="utf-8")
    found.write_text('id,party.id,type,value\n1,1,phone,1\n2,1,email,"ada@exempel.example\n', encoding="utf-8")
    when = datetime.fromisoformat("2026-11-24T23:00:00+01:00")
    said = "contact_mechanisms.csv: a quote is not closed, near line 3 or before it"
    with pytest.raises(BadInput, match=said):
        deliver(company.site, company.policy, "crm", [parties, found], mode="full", extracted_at=when)
    described = [
        {"name": each.name, "table": table, "rows": 1, "sha256": hashlib.sha256(each.read_bytes()).hexdigest()}
        for each, table in ((parties, "customers"), (found, "mechanisms"))
    ]
    folder = company.send("crm", {}, described={"files": described})
    for each in (parties, found):
        shutil.copy(each, folder)
    assert company.ingest().rejected[0].reason == said


def _is_lost(warehouse: Warehouse, path: Path, text: str, written: Format) -> bool | None:
    """Whether a row that is put behind a text does not come out; None: the reader refuses the file."""
    path.write_bytes(f"{text}\nS{written.delimiter}S\n".encode())
    try:
        rows = warehouse.rows(
            "from read_csv($path, columns = {'a': 'VARCHAR', 'b': 'VARCHAR'}, delim = $delimiter, quote = $quote, "
            "escape = $quote, header = false, auto_detect = false, parallel = false, store_rejects = true)",
            {"path": str(path), "delimiter": written.delimiter, "quote": written.quote},
        )
    except WarehouseError:
        return None
    finally:
        warehouse.run("drop table if exists reject_errors")
        warehouse.run("drop table if exists reject_scans")
    return rows[-1] != ("S", "S")


@pytest.mark.parametrize(
    ("delimiter", "quote"), [(",", '"'), (";", '"'), ("\t", "'"), (" ", '"'), ("||", '"'), (", ", '"'), (" |", '"'),
                             ("å", "^"), ("^", "]"), (",", "\\")],
)  # fmt: skip
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_quote_is_open_where_the_reader_loses_what_comes_next(
    delimiter: str, quote: str, line_end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(7)
    path, written = tmp_path / "short.csv", Format(delimiter=delimiter, quote=quote)
    parts = ("a", delimiter, delimiter, quote, quote, quote, line_end, " ")
    with Warehouse.in_memory() as warehouse:
        for _ in range(60):
            text = f"a{delimiter}b{line_end}" + "".join(chance.choices(parts, k=chance.randrange(16)))
            lost = _is_lost(warehouse, path, text, written)
            path.write_bytes(text.encode())
            for at_once in (1, 2, 3, 1 << 20):
                monkeypatch.setattr(quoting, "_CHUNK", at_once)
                found = quoting.unclosed_quote(path, written) is not None
                assert lost is None or found == lost, (text, at_once)


@pytest.mark.parametrize("mode", ["full", "delta"])
def test_what_no_run_could_read_for_want_of_its_lookup_is_not_delivered(
    company_with: Any, tmp_path: Path, mode: str
) -> None:
    company = company_with(crm_customers=PEOPLE)
    parties = tmp_path / "parties.csv"
    parties.write_text("id,kind,name,nickname\n", encoding="utf-8")
    when = datetime.fromisoformat("2026-11-24T23:00:00+01:00")
    with pytest.raises(BadInput, match=r"lookup mechanisms \(contact_mechanisms\*\.csv\).*0 are named"):
        deliver(company.site, company.policy, "crm", [parties], mode=mode, extracted_at=when)


def test_an_expression_that_fails_on_a_row_refuses_without_telling_the_row(company_with: Any) -> None:
    failing = CONTACTS.replace("{name: name}", "{name: name, transformLogic: 'cast(name as integer)'}")
    company = company_with(crm_contacts=failing)
    company.send("crm", {"contacts": "id,kind,name\n1,contact,7\n2,contact,\n3,contact,Ada Exempel\n"})
    reason = company.ingest().rejected[0].reason
    told = (
        "transformLogic of name in the contract of crm/contacts fails on a value in contacts.csv, row 4: let it give "
    )
    assert reason.startswith(told)
    assert "Ada" not in reason
    assert company.rows("select table_name from duckdb_tables() where table_name like 'rejects%'") == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{name: name}", "{name: name, transformLogic: '(select max(cast(kind as integer)) from parties where "
         "parties.id = this.id)'}",
         "transformLogic of name in the contract of crm/contacts fails on a value in contacts.csv: let it give"),
        ("kind = 'contact'", "cast(name as integer) > 1",
         "rowFilter in the contract of crm/contacts fails on a value in contacts.csv, row 3"),
        ("kind = 'contact'", "cast(name as boolean)",
         "rowFilter in the contract of crm/contacts fails on a value in contacts.csv, row 3"),
    ],
)  # fmt: skip
def test_which_expression_fails_and_on_which_row_is_told(old: str, new: str, told: str, company_with: Any) -> None:
    """A row that cannot be read is counted; of an expression that looks into another file no row can be told."""
    lookup = (
        "  - name: parties\n    customProperties: [{property: role, value: lookup}]\n    properties: [{name: id}]\n"
    )
    company = company_with(crm_contacts=CONTACTS.replace(old, new, 1) + lookup.replace("id}", "id}, {name: kind}"))
    text = "id,kind,name\n1,contact,too,many\n2,contact,Ada Exempel\n3,contact,Bo\n"
    rows = {"contacts": text, "parties": "id,kind\n2,contact\n"}
    company.send("crm", rows)
    (rejected,) = company.ingest().rejected
    assert told in rejected.reason
    assert "Ada" not in rejected.reason
