"""Contracts are read strictly, and can reach nothing but their own rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from assets.contracts.contract import TABLES
from assets.contracts.date_patterns import strptime_pattern
from assets.contracts.declarations import CONTRACTS, canonical, load_contracts
from assets.contracts.expressions import checked_expression
from assets.contracts.odcs import read_contract
from assets.errors import BadInput

GOOD = (CONTRACTS / "crm_contacts.yaml").read_text(encoding="utf-8")

#: `rules.md`, "Records, categories and fields".
CLASSIFIED = {
    "customer": {"identity": "name birth_date", "email": "email", "phone": "phone",
                 "address": "street postal_code city country", "national_id": "national_id org_number"},
    "contact": {"identity": "name job_title", "email": "email", "phone": "phone"},
    "interaction": {"content": "subject body"},
    "quote": {"content": "request_text", "transaction": "amount"},
    "quote_document": {"content": "file_name uri"},
    "consent": {"email": "email", "consent": "purpose given_at withdrawn_at evidence"},
    "order": {"identity": "buyer_name", "email": "buyer_email", "phone": "buyer_phone",
              "address": "invoice_street invoice_postal_code invoice_city"},
    "delivery": {"identity": "contact_name", "phone": "phone", "address": "street postal_code city"},
    "order_line": {"transaction": "product description quantity unit_price"},
    "proof_approval": {"identity": "approved_by", "content": "version file_uri approved_at"},
    "invoice": {"identity": "buyer_name", "address": "buyer_street buyer_postal_code buyer_city",
                "national_id": "buyer_national_id", "transaction": "amount currency"},
    "payment": {"identity": "payer_name", "transaction": "amount"},
    "claim_event": {"content": "event note"},
    "complaint": {"content": "channel description"},
    "subscriber": {"identity": "name", "email": "email", "behaviour": "last_opened_at"},
    "send": {"behaviour": "campaign opened_at"},
    "web_event": {"device": "ip user_agent", "behaviour": "cookie_id url"},
}  # fmt: skip


def test_the_shipped_contracts_classify_the_fields_that_the_rules_name() -> None:
    found: dict[str, dict[str, set[str]]] = {}
    for contract in canonical().values():
        for column in contract.columns:
            if column.category is not None and contract.record_type is not None:
                found.setdefault(contract.record_type, {}).setdefault(column.category, set()).add(column.name)
    expected = {
        record: {category: set(fields.split()) for category, fields in categories.items()}
        for record, categories in CLASSIFIED.items()
    }
    assert found == expected


def test_every_table_has_a_contract_and_offices_have_no_record_type() -> None:
    assert tuple(canonical()) == TABLES
    assert [contract.table for contract in canonical().values() if contract.record_type is None] == [
        "fiscal_years", "partners", "disclosures", "holds", "requests",
    ]  # fmt: skip
    assert load_contracts(CONTRACTS) is canonical()


def test_a_copy_of_a_shipped_contract_says_what_it_says(tmp_path: Path) -> None:
    for name, model in canonical().items():
        path = CONTRACTS / f"{model.source}_{model.table}.yaml"
        (tmp_path / path.name).write_bytes(path.read_bytes())
        assert read_contract(path, model) == model, name  # what need not be read again is the same
    assert load_contracts(tmp_path) == canonical()


def test_a_company_calls_its_records_what_it_likes(tmp_path: Path) -> None:
    path = tmp_path / "crm_contacts.yaml"
    path.write_text(
        GOOD.replace("- name: contacts\n", "- name: contacts\n    businessName: ' Våra  köpare'\n"), "utf-8"
    )
    assert read_contract(path, canonical()["crm", "contacts"]).label == "Våra köpare"
    assert {each.label for each in canonical().values()} == {""}


def test_a_table_without_a_contract_is_optional_and_empty(tmp_path: Path) -> None:
    (tmp_path / "crm_contacts.yaml").write_text(GOOD, encoding="utf-8")
    found = load_contracts(tmp_path)
    assert list(found) == list(canonical())
    assert found["crm", "contacts"].declared
    assert (found["crm", "customers"].declared, found["crm", "customers"].optional) == (False, True)
    assert found.sources == ("crm",)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: DataContract", "kind: Agreement", "kind"),
        ("domain: crm", "domain: orders", "domain must be crm"),
        ("format: csv", "format: xml", "format must be one of"),
        ("encoding: UTF-8", "encoding: klingon", "encoding klingon"),
        ("value: Europe/Stockholm", "value: Europe/Stokholm", "time zone"),
        ("property: delimiter", "property: seperator", "unknown custom property seperator"),
        ("- name: contacts", "- name: kontakter", "one object called contacts"),
        ("      - name: customer_id", "      - name: kund", "kund is no canonical column"),
        ("logicalType: date", "logicalType: number", "logicalType must be"),
        ("dataCategory, value: phone", "dataCategory, value: email", "dataCategory must be phone"),
        ("dataCategory, value: phone", "dataCategory, value: secret", "dataCategory must be one of"),
        ("      - name: contact_id\n", "      - name: job_title\n", "stands twice"),
        ("logicalType: timestamp", "logicalType: timestamp\n        logicalTypeOptions: {format: qq}", "date format"),
        ("value: 3, unit: d", "value: 3, unit: y", "freshness must be"),
        ("value: 3, unit: d", "value: ², unit: d", "freshness must be"),
        ("value: 3, unit: d", "value: 999999999, unit: d", "freshness must be"),
        ("delimiter, value: ','", "delimiter, value: '|\"'", "delimiter must be"),
        ("delimiter, value: ','", 'delimiter, value: "|\\n"', "delimiter must be"),
        ("shrinkTolerance, value: 0.2", "shrinkTolerance, value: 20", "shrinkTolerance must be"),
        ("property: header, value: true", "property: header, value: false", None),
        ("logicalType: string\n", "logicalType: string\n        colour: red\n", "colour"),
        ("apiVersion: v3.2.0", "apiVersion: [", "not YAML"),
        ("      - name: customer_id\n", "      - name: customer_id\n        enum: [{value: NO}]\n", 'such as "NO"'),
        ("property: delimiter, value: ','", "property: nullTokens, value: [NO]", 'such as "NO"'),
        ("property: delimiter, value: ','", 'property: nullTokens, value: [NULL, "-"]', "NULL and ~ as nothing"),
        ("property: delimiter, value: ','", "property: nullTokens, value: NULL", "NULL and ~ as nothing"),
        ("property: delimiter, value: ','", "property: nullTokens, value: [0000]", "007 as a number"),
        ("      - name: customer_id\n", "      - name: customer_id\n        enum: [{value: ~}]\n", "~ as nothing"),
        ("dataCategory, value: phone}", "remembered, value: true}", "remembered is false of the canonical column"),
        ("pseudonymised, value: true", "pseudonymised, value: maybe", "pseudonymised must be true or false"),
        ("pseudonymised, value: true", "pseudonymised, value: 1", "pseudonymised must be true or false"),
        ("optional, value: false", 'optional, value: "false"', "optional must be true or false"),
        ("optional, value: false", "optional, value: 0", "optional must be true or false"),
        ("header, value: true", 'header, value: "false"', "header must be true or false"),
        ("shrinkTolerance, value: 0.2", "shrinkTolerance, value: true", "shrinkTolerance must be a share"),
        ("shrinkTolerance, value: 0.2", "shrinkTolerance, value: null", "shrinkTolerance must be a share"),
        ("delimiter, value: ','", "delimiter, value: 1", "delimiter must be text: put it in quotes"),
        ('decimalMark, value: "."', "decimalMark, value: [.]", "decimalMark must be text"),
        ("property: delimiter, value: ','", "property: thousands, value: 0", "thousands must be text"),
        ("property: delimiter, value: ','", "property: sheet, value: 2024", "sheet must be text: put it in quotes"),
        ("optional, value: false", "rowFilter, value: false", "rowFilter must be text"),
        ("optional, value: false", "fileColumns, value: contact_id", "fileColumns must be a list"),
        ("optional, value: false", "fileColumns, value: [contact_id, NO]", 'such as "NO"'),
        ("dataCategory, value: phone", "dataCategory, value: [phone]", "dataCategory must be text"),
        (
            "- {property: dataCategory, value: phone}",
            "- {property: dataCategory, value: phone}\n          - {property: dataCategory, value: phone}",
            "phone: the custom property dataCategory stands twice",
        ),
        (
            "- {property: optional, value: false}",
            "- {property: optional, value: false}\n      - {property: optional, value: true}",
            "contacts: the custom property optional stands twice",
        ),
        (
            "property: delimiter, value: ','}",
            "property: delimiter, value: ','}\n      - {property: delimiter, value: ';'}",
            "crm_contacts.yaml: servers: the custom property delimiter stands twice",
        ),
        (
            "- {property: optional, value: false}",
            "- {property: role, value: lookup}\n      - {property: role, value: null}",
            "contacts: the custom property role stands twice",
        ),
        (
            "  - {property: freshness, value: 3, unit: d}",
            "  - {property: freshness, value: 3, unit: d}\n  - {property: freshness, value: 30, unit: d}",
            "slaProperties: freshness stands twice",
        ),
    ],
)
def test_a_contract_that_cannot_be_right_is_refused_by_name(
    tmp_path: Path, old: str, new: str, said: str | None
) -> None:
    assert old in GOOD or old == "logicalType: date"
    (tmp_path / "crm_contacts.yaml").write_text(
        GOOD.replace("logicalType: timestamp", new, 1) if old == "logicalType: date" else GOOD.replace(old, new, 1),
        encoding="utf-8",
    )
    if said is None:
        assert load_contracts(tmp_path)["crm", "contacts"].file_columns[0] == "contact_id"
        return
    with pytest.raises(BadInput, match=said):
        load_contracts(tmp_path)


def test_two_layouts_whose_files_nobody_could_tell_apart_are_refused(tmp_path: Path) -> None:
    (tmp_path / "crm_contacts.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "crm_contacts.shop.yaml").write_text(GOOD, encoding="utf-8")
    said = r"contacts\.shop\.yaml: contacts: physicalName: files called contacts\*\.csv are those of crm_contacts\.yaml"
    with pytest.raises(BadInput, match=said):
        load_contracts(tmp_path)
    own = GOOD.replace("physicalName: contacts*.csv", "physicalName: shop-*.csv", 1)
    (tmp_path / "crm_contacts.shop.yaml").write_text(own, encoding="utf-8")
    assert [each.file_pattern for each in load_contracts(tmp_path)["crm", "contacts"].layouts] == [
        "contacts*.csv", "shop-*.csv",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("yyyy-mm-dd", "has no month: mm is the minute, MM was probably meant"),
        ("dd.mm.yyyy", "has no month: mm is the minute, MM was probably meant"),
        ("yyyy-MM", "has no day: use dd"),
        ("dd/MM", "has no year: use yyyy"),
        ("HH:mm", "has no year: use yyyy"),
        ("EEEE", "has no year: use yyyy"),
        ("20260131", "has no year: use yyyy"),
        ("yyyy-MM-dd HH:MM", "has the month twice: MM is the month, mm the minute"),
        ("yyyy-MM-dd mm:ss", "has minutes and no hour: use HH"),
        ("yyyy-MM-dd yy", "has the year twice"),
        ("MMMM d, M yyyy", "has the month twice"),
        ("yyyy-MM-dd hh:mm", "hh is an hour of half a day, and a, which half it is, is missing: HH was probably meant"),
        ("d/M yyyy h", "h is an hour of half a day"),
        ("yyyy-MM-dd'T HH:mm", "has a quote that is not closed"),
        ("dd 'of'' MM yyyy", "has a quote that is not closed"),
        ("yyyy-MM-dd'", "has a quote that is not closed"),
    ],
)  # fmt: skip
def test_a_date_format_that_cannot_say_a_day_is_refused(pattern: str, said: str) -> None:
    """`yyyy-mm-dd` read 15 July as 15 January: the seven became minutes."""
    with pytest.raises(BadInput, match=said):
        strptime_pattern("crm_contacts.yaml: role_ended_at", pattern)


@pytest.mark.parametrize(
    ("pattern", "read"),
    [("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "%Y-%m-%dT%H:%M:%S.%g%z"), ("EEE d MMM yy", "%a %d %b %y"),
     ("d/M uuuu hh:mm a", "%d/%m %Y %I:%M %p"), ("dd 'of' MM yyyy 100%", "%d of %m %Y 100%%"),
     ("d/M yyyy HH 'o''clock'", "%d/%m %Y %H o'clock"), ("d MMM ''yy", "%d %b '%y"),
     ("''d''/M yyyy '''t'", "'%d'/%m %Y 't"), ("h a 'the' d/M yyyy", "%I %p the %d/%m %Y")],
)  # fmt: skip
def test_a_date_format_is_read_as_the_engine_writes_it(pattern: str, read: str) -> None:
    assert strptime_pattern("", pattern) == read


@pytest.mark.parametrize("table", ["office_requests", "office_holds", "office_partners"])
def test_a_register_takes_no_column_that_nobody_decides_about(tmp_path: Path, table: str) -> None:
    own = "      - {name: letter, customProperties: [{property: dataCategory, value: content}]}\n"
    text = (CONTRACTS / f"{table}.yaml").read_text(encoding="utf-8")
    (tmp_path / f"{table}.yaml").write_text(text + own, encoding="utf-8")
    with pytest.raises(BadInput, match=rf"{table}.yaml: letter is no column of this register.* Leave it out"):
        load_contracts(tmp_path)


@pytest.mark.parametrize(
    "name", ["row_id", "in_source", "in_delivery", "withheld", "changed_in", "row_digest", "email_key", "known_email"]
)
def test_an_own_column_takes_no_name_that_a_table_has_already(tmp_path: Path, name: str) -> None:
    text = GOOD.replace("      - name: customer_id", f"      - name: {name}", 1)
    (tmp_path / "crm_contacts.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=f"cannot be called {name}: a table has one of that name already"):
        load_contracts(tmp_path)


def test_a_required_column_must_come_from_somewhere(tmp_path: Path) -> None:
    text = GOOD.replace("      - name: contact_id\n", "      - name: job_title\n").replace("job_title", "x", 0)
    start = text.index("      - name: job_title")
    end = text.index("      - name: customer_id")
    (tmp_path / "crm_contacts.yaml").write_text(text[:start] + text[end:], encoding="utf-8")
    with pytest.raises(BadInput, match="contact_id is required"):
        load_contracts(tmp_path)


@pytest.mark.parametrize("name", ["customers.yaml", "crm_clients.yaml"])
def test_a_file_that_names_no_table_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(GOOD, encoding="utf-8")
    with pytest.raises(BadInput, match="no table is called"):
        load_contracts(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "name",
        "'company'",
        "case \"state\" when 'paid' then 'closed' end",
        "coalesce(first_name, '') || ' ' || coalesce(last_name, '')",
        '(select min(m.value) from mechanisms as m where m."party.id" = this.id)',
        "exists (select 1 from mechanisms where party = this.id)",
        "normalised_email(email)",
        "regexp_replace(phone, '^''', '')",
        "strftime(try_strptime(day, '%d.%m.%Y'), '%Y-%m-%d')",
    ],
)
def test_scalar_expressions_over_the_row_and_its_lookups_are_taken(text: str) -> None:
    assert checked_expression(text, "here", ["mechanisms"]).sql == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name; drop table raw.crm_customers",
        "name), (select 1",
        "name as other",
        "(name, email)",
        "*",
        "select 1",
        "(select name from raw.crm_customers)",
        "(select name from customers)",
        "(select content from read_text('secret'))",
        "(select 1 from 'file.csv')",
        "(select 1 from mechanisms union select 2)",
        "(with m as (select 1) select 1 from mechanisms)",
        "read_text('secret')",
        "getenv('HOME')",
        "current_setting('secret')",
        "getvariable('x')",
        "nextval('s')",
        "random()",
        "uuid()",
        "now()",
        "today()",
        "current_date",
        "sum(amount)",
        "row_number() over ()",
        "unnest([1, 2])",
        "$parameter",
        "?",
        "drop table x",
        "attach 'x'",
        "copy x to 'y'",
    ],
)
def test_an_expression_that_reaches_further_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        checked_expression(text, "here", ["mechanisms"])


@pytest.mark.parametrize(
    ("stated", "is_fine"),
    [
        ("logicalType: boolean, transformLogic: \"op = 'D'\"", True),
        ("physicalName: op", True),
        ("logicalType: string, physicalName: op", False),
        ("physicalName: op, required: true", False),
        ("physicalName: op, enum: [{value: D}]", False),
        ("physicalName: op, customProperties: [{property: dataCategory, value: content}]", False),
    ],
)
def test_a_contract_may_say_where_deletions_come_from(tmp_path: Path, stated: str, is_fine: bool) -> None:
    text = GOOD.replace("slaProperties:\n", f"      - {{name: _deleted, {stated}}}\nslaProperties:\n")
    (tmp_path / "crm_contacts.yaml").write_text(text, encoding="utf-8")
    if not is_fine:
        with pytest.raises(BadInput, match="_deleted takes logicalType boolean, and physicalName or transformLogic"):
            load_contracts(tmp_path)
        return
    found, shipped = load_contracts(tmp_path)["crm", "contacts"], canonical()["crm", "contacts"]
    assert (found.columns, found.reads, found.reads_in_delta) == (
        shipped.columns,
        shipped.reads,
        (*shipped.reads, "op"),
    )


@pytest.mark.parametrize(
    ("named", "stated", "said"),
    [
        ("updated_at", "", None),
        ("seq", "- {name: seq, logicalType: number}", None),
        ("seq", "- {name: seq, transformLogic: \"lpad(nr, 9, '0')\"}", None),
        ("seq", "", "lastBy names seq, which is no column of this contract"),
        ("birth_date", "", "lastBy names birth_date, which is no column of this contract"),
        ("seq", "- {name: seq, logicalType: boolean}", "lastBy: seq is true or false"),
        ("_deleted", "- {name: _deleted}", "lastBy names _deleted, which is no column of this contract"),
        ("seq", "- {name: SEQ, logicalType: number}", "lastBy names seq, which is no column of this contract"),
        ("1", "", "lastBy must be text"),
        ("updated_at", "- {name: seq, logicalType: number}", "seq is no canonical column"),
    ],
)
def test_a_contract_may_say_by_which_column_a_row_is_the_last_of_its_key(
    tmp_path: Path, named: str, stated: str, said: str | None
) -> None:
    text = GOOD.replace("slaProperties:\n", f"      {stated}\nslaProperties:\n" if stated else "slaProperties:\n")
    text = text.replace("property: optional, value: false", f"property: lastBy, value: {named}")
    (tmp_path / "crm_contacts.yaml").write_text(text, encoding="utf-8")
    if said is not None:
        with pytest.raises(BadInput, match=said):
            load_contracts(tmp_path)
        return
    found, shipped = load_contracts(tmp_path)["crm", "contacts"], canonical()["crm", "contacts"]
    assert found.last_by is not None
    assert found.last_by.name == named
    assert found.columns == shipped.columns
    assert found.reads == shipped.reads
    assert set(found.reads_in_delta) == {*shipped.reads, *found.last_by.reads}


def test_layouts_of_a_table_say_alike_by_what_a_row_is_the_last(tmp_path: Path) -> None:
    (tmp_path / "crm_contacts.yaml").write_text(
        GOOD.replace("property: optional, value: false", "property: lastBy, value: updated_at"), encoding="utf-8"
    )
    (tmp_path / "crm_contacts.shop.yaml").write_text(
        GOOD.replace("physicalName: contacts*", "physicalName: shop*"), encoding="utf-8"
    )
    with pytest.raises(BadInput, match="lastBy must name a column of the same logicalType in every layout"):
        load_contracts(tmp_path)


_LOOKUP = """  - name: artiklar
    customProperties: [{property: role, value: lookup}]
    properties: [%s]
slaProperties:
"""


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("{name: nr, physicalName: A}, {name: NR, physicalName: B}", "the column NR stands twice"),
        ("{name: nr, physicalName: A}, {name: a, physicalName: B}", "a is the name of one column and the physicalName"),
        ("{name: nr, physicalName: Nr}, {name: namn}, {name: text, physicalName: namn}", None),
    ],
)
def test_a_lookups_column_that_could_be_either_is_refused(tmp_path: Path, columns: str, said: str | None) -> None:
    (tmp_path / "crm_contacts.yaml").write_text(GOOD.replace("slaProperties:\n", _LOOKUP % columns), encoding="utf-8")
    if said is None:
        (lookup,) = load_contracts(tmp_path)["crm", "contacts"].lookups
        assert (lookup.columns, lookup.names) == (("Nr", "namn", "namn"), ("nr", "namn", "text"))
        return
    with pytest.raises(BadInput, match=f"crm_contacts.yaml: lookup artiklar: {said}"):
        load_contracts(tmp_path)


def test_the_columns_that_an_expression_reads_are_the_rows_own() -> None:
    found = checked_expression('coalesce(a, (select max(m.b) from m where m.c = this."d.e"))', "here", ["m"])
    assert found.columns == ("a", "d.e")
    assert found.lookups == ("m",)
