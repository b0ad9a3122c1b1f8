"""The retention report: every number is what its printed query says, and the page stands on its own."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from assets.attaching import attached
from assets.core.building import build
from assets.errors import CheckFailed
from assets.ingest.loading import load_rows
from assets.ingest.tables import prepare
from assets.policy import Policy
from assets.publication.analytics import publish
from assets.publication.report import asking
from assets.publication.report.asking import Answers, Language, ask, published, questions, sections
from assets.publication.report.building import Report, build_report
from assets.publication.report.register import as_csv, as_json_ld
from assets.publication.report.rendering import PAGES, Page, drawn, render, words
from assets.retention.evaluation import evaluate
from assets.retention.forecasting import forecast
from assets.rights.answering import due_on
from assets.sample.generating import SAMPLE_DAY
from assets.site import Site
from assets.warehouse import Warehouse, WarehouseError
from orchestration.opening import open_reader
from orchestration.settings import Settings, WarehouseSettings
from tests.publication.reported import Element, decided_site, read_page

LANGUAGES: tuple[Language, Language] = ("en", "sv")


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Warehouse]]:
    site, warehouse = decided_site(tmp_path_factory, "reported")
    with warehouse:
        yield site, warehouse


@pytest.fixture(scope="module")
def site(decided: tuple[Site, Warehouse]) -> Site:
    return decided[0]


@pytest.fixture(scope="module")
def report(site: Site) -> Report:
    return build_report(site)


@pytest.fixture(scope="module", params=LANGUAGES)
def page(request: pytest.FixtureRequest, site: Site, report: Report) -> Element:
    return read_page(site.reports / PAGES[request.param])


@pytest.fixture(scope="module")
def answers(site: Site, report: Report) -> Answers:
    return ask(site)


def printed(page: Element) -> dict[str, str]:
    """The queries on the page, by the element that holds them."""
    return {code.attributes["id"]: code.text for code in page.all("code") if "id" in code.attributes}


def rows_shown(table: Element) -> list[list[str]]:
    """The raw values of a table's cells that come from its query."""
    body = table.all("tbody")[0]
    return [
        [cell.attributes["data-v"] for cell in row.all("th", "td") if "data-computed" not in cell.attributes]
        for row in body.all("tr")
    ]


def test_every_number_is_what_its_printed_query_says(page: Element, site: Site) -> None:
    queries = printed(page)
    shown = [element for element in page.every() if "data-query" in element.attributes]
    assert {element.attributes["data-query"].removeprefix("query-") for element in shown} == {q.id for q in questions()}
    with published(site) as reader:
        for element in shown:
            rows = reader.rows(queries[element.attributes["data-query"]])
            found = [["" if value is None else str(value) for value in row] for row in rows]
            if element.tag == "table":
                assert rows_shown(element) == found
            elif element.tag == "strong":
                assert [[element.attributes["data-v"]]] == found
            else:
                assert (element.attributes["class"], found) == ("nothing", [])


def test_whoever_reads_for_it_the_report_is_the_same(decided: tuple[Site, Warehouse], report: Report) -> None:
    site, warehouse = decided
    before = [path.read_bytes() for path in report.files]
    place = warehouse.value("select current_setting('search_path')")
    assert build_report(site, warehouse) == report
    assert [path.read_bytes() for path in report.files] == before
    assert warehouse.value("select current_setting('search_path')") == place
    assert warehouse.rows("select database_name from duckdb_databases() where database_name = 'site'") == []


def test_a_reader_has_no_more_of_the_machine_than_the_warehouse(site: Site) -> None:
    given = WarehouseSettings(memory_limit="60MiB", threads=1)
    names = ("memory_limit", "threads", "temp_directory", "temp_file_encryption")
    with open_reader(site, Settings(warehouse=given)) as reader:
        found = reader.rows("select " + ", ".join(f"current_setting('{name}')" for name in names))
        assert found == [("48.0 MiB", 1, str(site.temporary), True)]
        reader.run("create temp table large as select range as i, 'kanariefågel ' || range as text from range(2000000)")
        spilled = [path.read_bytes() for path in site.temporary.glob("duckdb_temp_*")]
        assert spilled
        assert not any("kanariefågel".encode() in each for each in spilled)
        assert build_report(site, reader).as_of == SAMPLE_DAY


def test_every_shown_number_reads_as_its_raw_value(page: Element) -> None:
    numbers = [each for each in page.every() if each.attributes.get("class", "").split()[:1] == ["number"]]
    checked = 0
    for cell in numbers:
        raw = cell.attributes.get("data-v", "")
        if raw and "data-computed" not in cell.attributes:
            assert int(re.sub(r"[,\u00a0]", "", cell.text).replace("−", "-")) == int(raw)
            checked += 1
    assert checked > 100


def test_the_keys_behind_the_numbers_are_as_many(site: Site) -> None:
    with published(site) as reader:
        for question in questions():
            if question.keys is None:
                continue
            listed = reader.value(f"select count(*) from ({question.keys})")
            total = question.total or next(iter(re.findall(r"as (\w+)\n", question.sql)))
            counted = reader.value(f"select coalesce(sum({total}), 0) from ({question.sql})")
            assert listed == counted, question.id


def test_something_stands_in_every_part(answers: Answers) -> None:
    empty = {question.id for question in questions() if not answers.rows[question.id]}
    assert empty <= {
        "blocks", "failed_expectations", "history", "uncovered_fields", "free_text_hits",
        "partner_silence",  # nothing has left yet
    }  # fmt: skip


def test_a_company_with_few_kinds_of_records_is_not_told_that_fields_lack_a_purpose(tmp_path: Path) -> None:
    """A purpose that covers more than there is now is not one that covers everything."""
    site = Site(tmp_path / "site")
    site.make()
    policy = Policy.load()
    with Warehouse.in_memory(pseudonym_key=b"report", threads=1) as warehouse:
        policy.publish(warehouse)
        prepare(warehouse, policy)
        customer = {"customer_id": "C1", "customer_type": "private", "name": "Disa Testman", "city": "Testinge"}
        load_rows(warehouse, policy, {"crm/customers": [customer]})
        build(warehouse)
        evaluate(warehouse, policy, date(2026, 11, 25))
        publish(warehouse, policy, site)
    (question,) = (each for each in questions() if each.id == "uncovered_fields")
    with published(site) as reader:
        assert reader.rows(question.sql) == []
        covered = "(select len(covers) from retention.purposes where purpose = 'legal_hold')"
        assert reader.value(f"select count(*) = {covered} from stored.categories"), (
            "what covers everything is told apart"
        )


def test_free_text_that_is_kept_is_no_empty_field(tmp_path: Path) -> None:
    """Of a text that was ordered erased and is in use again its source alone has it, until it delivers anew."""
    site = Site(tmp_path / "site")
    site.make()
    policy = Policy.load()
    call = {"customer_id": "C1", "channel": "phone", "occurred_at": "2026-11-01T09:00:00Z"}
    with Warehouse.in_memory(pseudonym_key=b"report", threads=1) as warehouse:
        policy.publish(warehouse)
        prepare(warehouse, policy)
        load_rows(warehouse, policy, {
            "crm/customers": [{"customer_id": "C1", "customer_type": "private", "customer_since": "2026-11-01"}],
            "crm/interactions": [
                {"interaction_id": "T1", "subject": "Fråga", "body": "Undrade om fler kopior.", **call},
                {"interaction_id": "T2", "subject": "Fråga", **call}, {"interaction_id": "T3", **call},
                {"interaction_id": "T4", **call}, {"interaction_id": "T5", "body": "Väntar.", **call},
            ],
        })  # fmt: skip
        warehouse.run("update raw.crm_interactions set withheld = ['body'] where interaction_id = 'T4'")
        build(warehouse)
        evaluate(warehouse, policy, date(2026, 11, 25))
        warehouse.run("update retention.dispositions set disposition = 'erase' where record_type = 'interaction' "
                      "and row_id = 5")  # fmt: skip
        publish(warehouse, policy, site)
    (question,) = (each for each in questions() if each.id == "free_text")
    assert question.keys is not None
    with published(site) as reader:
        assert reader.rows(question.sql) == [("crm", "interaction", "body", 2), ("crm", "interaction", "subject", 2)]
        assert [row[2:4] for row in reader.rows(question.keys)] == [
            ("body", "T1"), ("body", "T4"), ("subject", "T1"), ("subject", "T2"),
        ]  # fmt: skip


def test_what_holds_nothing_is_no_work_that_is_left(tmp_path: Path) -> None:
    """An empty field is decided on like any other; the headline comes to nought when nothing is left to erase."""
    site = Site(tmp_path / "site")
    site.make()
    policy = Policy.load()
    call = {"customer_id": "C1", "channel": "phone", "occurred_at": "2019-11-01T09:00:00Z"}
    bodies = {"T1": "Undrade om fler kopior.", "T2": "", "T3": ""}
    found = []
    with Warehouse.in_memory(pseudonym_key=b"report", threads=1) as warehouse:
        policy.publish(warehouse)
        prepare(warehouse, policy)
        load_rows(warehouse, policy, {
            "crm/customers": [{"customer_id": "C1", "customer_type": "private", "name": "Kim Lind",
                               "customer_since": "2010-11-01"}],
            "crm/interactions": [{"interaction_id": each, "body": body, **call} for each, body in bodies.items()],
        })  # fmt: skip
        warehouse.run("update raw.crm_interactions set withheld = ['body'] where interaction_id = 'T2'")
        build(warehouse)
        for day in (25, 26):
            evaluate(warehouse, policy, date(2026, 11, day))
            publish(warehouse, policy, site)
            found.append(ask(site).rows)
            warehouse.run("update raw.crm_customers set name = null")  # its source carried the orders out
            warehouse.run("update raw.crm_interactions set body = null, withheld = null")
        decided = warehouse.value("select count(*) from retention.dispositions where disposition = 'erase'")
    first, second = found
    assert (first["glance_due"], [row[:2] for row in first["due_by_system"]]) == (((3,),), [("crm", 3)])
    assert first["dispositions_by_system"] == (("crm", 0, 0, 0, 3),)
    assert (second["glance_due"], second["due_by_system"], decided > 3) == (((0,),), (), True)
    assert [row[3:] for row in second["history"] if row[2] == "erase"] == [(3, 0, -3)]


def test_the_parts_agree_with_each_other(answers: Answers) -> None:
    due = answers.rows["glance_due"][0][0]
    assert due == sum(row[1] for row in answers.rows["due_by_system"]) > 0
    assert due == sum(row[4] for row in answers.rows["dispositions_by_system"])
    assert answers.rows["glance_waiting"][0][0] == sum(row[5] for row in answers.rows["waiting"])
    assert answers.rows["glance_review"][0][0] <= sum(row[3] for row in answers.rows["unknown_triggers"])
    assert all(row[4] <= row[3] for row in answers.rows["forecast_purposes"])
    kept = sum(row[1] + row[2] for row in answers.rows["dispositions_by_system"])
    ending = sum(row[3] for row in answers.rows["forecast_purposes"])
    assert kept == ending + sum(row[2] for row in answers.rows["without_end"])


def test_what_waits_comes_oldest_first(answers: Answers) -> None:
    since = [row[0] for row in answers.rows["waiting"]]
    assert since == sorted(since)
    received = [row[2] for row in answers.rows["open_requests"]]
    assert received == sorted(received)


@pytest.mark.parametrize(("partners", "together"), [(5, False), (6, True)])
def test_many_partners_take_one_line_and_what_needs_a_person_is_named(partners: int, together: bool) -> None:
    queries = {question.id: question.sql for question in questions()}
    with Warehouse.in_memory() as reader:
        reader.run("create schema manifest")
        systems = ", ".join(f"('partner:{number}')" for number in range(partners))
        reader.run(f"create table manifest.manifests as from (values {systems}) as told(system)")
        reader.run(
            "create table manifest.items as select system, 'notify' as action, date '2026-11-22' as since, "
            "date '2026-12-22' as due_on, if(system = 'partner:0', 'discrepancy', 'issued') as state, "
            "if(system = 'partner:0', 'merged_into_another', null) as reason, "
            "if(system = 'partner:0', 'privacy', 'approver') as owner from manifest.manifests"
        )
        told = [(system, items) for system, _, _, items in reader.rows(queries["items_by_action"])]
        found = reader.rows(queries["waiting"])
    waiting = [(owner, system, items) for _, owner, system, _, _, items, _ in found]
    assert [step for _, _, _, state, step, _, _ in found if step != state] == ["merged_into_another"]
    others = (
        [("approver", "partner:*", 5)] if together else [("approver", f"partner:{each}", 1) for each in range(1, 5)]
    )
    assert waiting == [*others, ("privacy", "partner:0", 1)]
    assert told == ([("partner:*", 1), ("partner:*", 5)] if together else [(f"partner:{each}", 1) for each in range(5)])


def test_a_partner_who_was_told_nothing_yet_is_not_said_to_be_silent() -> None:
    """What waits for our own approver, or never left, is no partner's silence."""
    (question,) = (each for each in questions() if each.id == "partner_silence")
    with Warehouse.in_memory() as reader:
        reader.run("create schema manifest")
        reader.run("create table about as select date '2026-12-02' as as_of")
        reader.run('create table manifest.receipts (manifest_id varchar, item_id varchar, "at" timestamp)')
        reader.run(
            "create table manifest.items as select told.*, 'M' as manifest_id, state as item_id, 'x' as record_type, "
            "'x' as record_key, null as due_on, date '2026-11-22' as as_of from (values "
            "('partner:1', 'cancelled', 'nobody'), ('partner:1', 'issued', 'approver'), "
            "('partner:1', 'approved', 'gallring'), ('partner:2', 'cancelled', 'nobody'), "
            "('partner:2', 'delivered', 'system'), ('partner:2', 'done', 'nobody')) as told(system, state, owner)"
        )
        assert [row[:3] for row in reader.rows(question.sql)] == [("partner:2", 2, 1)]
        assert question.keys is not None
        assert [row[:2] for row in reader.rows(question.keys)] == [("partner:2", "delivered"), ("partner:2", "done")]


def test_the_clock_of_a_request_is_that_of_the_calendar(answers: Answers, page: Element) -> None:
    table = next(each for each in page.all("table") if each.attributes["id"] == "open_requests")
    for row, known in zip(table.all("tbody")[0].all("tr"), answers.rows["open_requests"], strict=True):
        due, left = (cell.attributes["data-v"] for cell in row.all("td") if "data-computed" in cell.attributes)
        expected = due_on(known[2], known[5])
        assert (due, left) == (str(expected), str((expected - answers.as_of).days))


def test_a_late_request_is_said_to_be_late_in_words(answers: Answers) -> None:
    late = replace(answers, rows={**answers.rows, "open_requests": (
        ("R1", "access", date(2026, 9, 1), None, None, None), ("R2", "erasure", date(2026, 11, 1), date(2026, 11, 2),
        None, None), ("R3", "access", None, None, None, None),
    )})  # fmt: skip
    question = next(each for each in questions() if each.id == "open_requests")
    first, paused, undated = Page(late, {}, "en").table(question).rows
    assert (first[-1].shown, first[-1].alarm) == ("Late 52", True)
    assert (paused[-2].shown, paused[-1].shown) == ("—", "paused")
    assert undated[-1].shown == "—"


def test_the_same_file_gives_the_same_bytes(site: Site, report: Report) -> None:
    before = {path.name: path.read_bytes() for path in report.files}
    assert {path.name: path.read_bytes() for path in build_report(site).files} == before
    assert sorted(before) == ["index.html", "index.sv.html", "register.csv", "register.jsonld"]


def test_nothing_is_asked_of_the_outside(page: Element) -> None:
    for element in page.every():
        assert element.tag not in {"script", "iframe", "object", "embed", "form", "base", "img"}
        assert not any(name.startswith("on") for name in element.attributes)
        for name in ("href", "src", "xlink:href", "action"):
            value = element.attributes.get(name, "")
            assert value in {"", "data:,", *PAGES.values(), "register.csv", "register.jsonld"} or value.startswith("#")
        style = element.text if element.tag == "style" else element.attributes.get("style", "")
        assert "url(" not in style
        assert "@import" not in style


def test_every_link_leads_somewhere(page: Element, report: Report) -> None:
    ids = [element.attributes["id"] for element in page.every() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    files = {path.name for path in report.files}
    for link in page.all("a"):
        target = link.attributes["href"]
        assert target.removeprefix("#") in ids if target.startswith("#") else target in files


def test_the_page_can_be_walked_by_ear(page: Element) -> None:
    levels = [int(heading.tag[1]) for heading in page.all("h1", "h2", "h3")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    for landmark in ("header", "nav", "main", "footer"):
        assert len(page.all(landmark)) == 1
    for table in page.all("table"):
        assert table.all("caption")[0].text.strip()
        assert all(cell.attributes.get("scope") for cell in table.all("th"))
    for drawing in page.all("svg"):
        assert drawing.attributes["aria-hidden"] == "true"
    assert all(picture.attributes.get("aria-label") for picture in page.every()
               if picture.attributes.get("role") == "img")  # fmt: skip


def test_what_the_file_says_is_escaped(answers: Answers) -> None:
    nasty = '<script>alert("x")</script>&'
    hostile = replace(answers, controller=nasty, deliveries=(nasty,), policy=nasty, rows={
        **answers.rows,
        "quarantined_rows": ((nasty, nasty, nasty, nasty, 1),),
        "forecast_months": ((date(2026, 12, 1), nasty, 3, 1),),
        "dispositions_by_system": ((nasty, 1, 2, 3, 4),),
    })  # fmt: skip
    for language in LANGUAGES:
        text = render(hostile, drawn(hostile), language)
        assert "<script" not in text
        assert "&lt;script&gt;" in text


def test_every_code_has_words_in_both_languages(answers: Answers) -> None:
    for group, entries in words().items():
        for code, entry in entries.items():
            assert set(entry) == {"sv", "en"}, (group, code)
    for question in questions():
        for at, column in enumerate(question.columns):
            if column.kind != "code" or column.group == "purpose":
                continue
            for row in answers.rows[question.id]:
                known = str(row[at]).rpartition(": ")[2]
                assert known in words()[column.group] or row[at] is None, (question.id, row[at])


def test_both_languages_say_everything(report: Report) -> None:
    for section in sections():
        for each in (section.title, section.lead, *(question.title for question in section.tables)):
            assert each is None or set(each) == {"sv", "en"}
    english, swedish = (read_page(report.page.with_name(PAGES[language])) for language in LANGUAGES)
    assert [each.tag for each in english.every()] == [each.tag for each in swedish.every()]
    assert (english.all("html")[0].attributes["lang"], swedish.all("html")[0].attributes["lang"]) == ("en", "sv")


def test_the_register_is_whole_in_every_form(site: Site, page: Element, answers: Answers) -> None:
    names = [purpose["purpose"] for purpose in answers.purposes]
    assert [each.all("code")[0].text for each in page.all("article")] == names
    lines = list(csv.DictReader(io.StringIO((site.reports / "register.csv").read_bytes().decode("utf-8-sig"))))
    assert [line["purpose"] for line in lines] == names
    assert all(line["legal_basis"] and line["periods"] and line["law"] and line["covers"] for line in lines)
    linked = json.loads((site.reports / "register.jsonld").read_bytes())
    processes = linked["dpv:hasProcess"]
    assert [process["dct:identifier"] for process in processes] == names
    accounting = processes[names.index("accounting")]
    assert accounting["dpv:hasLegalBasis"] == [{"@id": "eu-gdpr:A6-1-c"}]
    assert accounting["dpv:hasStorageCondition"][0]["dpv:hasDuration"]["@value"] == "P7Y"
    printed = {line["purpose"]: line["periods"] for line in lines}
    assert (printed["accounting"], printed["web_security"]) == ("archive: P7Y", "security: P90D")
    statistics = processes[names.index("web_statistics")]["dpv:hasStorageCondition"]
    assert [each["dpv:hasDuration"]["@value"] for each in statistics] == ["P13M"], "no whole years"


def test_the_record_says_who_receives_where_and_how_it_is_protected(
    site: Site, page: Element, answers: Answers
) -> None:
    record = next(each for each in page.all("div") if each.attributes.get("class") == "record")
    titles = [each.text for each in record.all("h3")]
    said = dict(zip([each.text for each in record.all("dt")], [each.text for each in record.all("dd")], strict=True))
    assert len(titles) == 4
    assert "dataskydd@familjefilm.example" in " ".join(said.values())
    lines = csv.DictReader(io.StringIO((site.reports / "register.csv").read_bytes().decode("utf-8-sig")))
    newsletter = next(line for line in lines if line["purpose"] == "newsletter")
    assert newsletter["recipients"] == "Providers of e-mail mailings"
    assert newsletter["data_protection_officer"] == "Dataskyddsombudet dataskydd@familjefilm.example"
    assert (newsletter["transfers"], "encrypted" in newsletter["security_measures"]) == ("", True)
    linked = json.loads((site.reports / "register.jsonld").read_bytes())
    assert linked["dpv:hasDataController"]["dpv:hasContact"]
    assert linked["dpv:hasDataController"]["dpv:hasDataProtectionOfficer"][0]["dpv:hasContact"]
    assert len(linked["dpv:hasTechnicalOrganisationalMeasure"]) == 4
    process = next(each for each in linked["dpv:hasProcess"] if each["dct:identifier"] == "debt_collection")
    assert process["dpv:hasRecipient"][0]["@type"] == "dpv:DataController"


def test_a_transfer_to_a_third_country_is_told_with_what_it_rests_on(answers: Answers) -> None:
    abroad = [
        {**each, "country": "US", "safeguard": "adequacy decision"} if each["name"] == "mailings" else each
        for each in answers.particulars
    ]
    told = replace(answers, particulars=tuple(abroad))
    lines = list(csv.DictReader(io.StringIO(as_csv(told).decode("utf-8-sig"))))
    assert {line["transfers"] for line in lines if line["purpose"] == "newsletter"} == {
        "US: Providers of e-mail mailings (adequacy decision)"
    }
    process = next(each for each in json.loads(as_json_ld(told))["dpv:hasProcess"]
                   if each["dct:identifier"] == "newsletter")  # fmt: skip
    assert process["dpv:hasRecipient"][0]["dpv:hasLocation"] == {"@id": "loc:US"}
    assert process["dpv:hasRecipient"][0]["dct:description"] == "adequacy decision"


def test_a_register_without_a_record_says_what_is_lacking(answers: Answers) -> None:
    page = render(replace(answers, particulars=()), {}, "en")
    assert "write them under record in register.yaml" in page


def test_a_month_is_compared_with_the_one_before(decided: tuple[Site, Warehouse]) -> None:
    site, warehouse = decided
    from assets.policy import Policy
    from assets.publication.analytics import publish

    # on the first of them an earlier version did not count what holds a value
    earlier = [("2026-10-21", None), ("2026-10-20", 3), ("2026-10-19", 5), ("2026-11-01", 7)]
    rows = [(day, "crm", "review", 9, number) for day, number in earlier]
    columns = ["as_of", "source", "disposition", "categories", "with_value"]
    warehouse.insert("publication.standings", columns, rows)
    publish(warehouse, Policy.load(), site)
    compared = {row[1:3]: row for row in ask(site).rows["history"]}
    day, _, _, before, now, difference = compared["crm", "review"]
    assert (day, before, difference) == (date(2026, 10, 20), 3, now - 3)
    assert warehouse.value("select count(*) from publication.standings where as_of > date '2026-11-01'") < 30
    warehouse.run("delete from publication.standings where as_of < date '2026-11-22'")
    publish(warehouse, Policy.load(), site)


def test_before_the_first_run_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="gallring run"):
        build_report(Site(tmp_path))


@pytest.mark.parametrize("asked", [build_report, forecast])
def test_what_an_earlier_version_published_is_to_be_published_anew(
    site: Site, tmp_path: Path, asked: Callable[[Site], object]
) -> None:
    earlier = Site(tmp_path)
    shutil.copy(site.analytics, earlier.analytics)
    with Warehouse.in_memory() as writer, attached(writer, earlier.analytics, "site"):
        writer.run("drop view site.retention.dispositions")
        writer.run("create view site.retention.dispositions as select 'review' as disposition, null as keep_until")
    with pytest.raises(CheckFailed, match=r"An earlier version .* `gallring run --site"):
        asked(earlier)


def test_a_question_that_fails_on_what_this_version_published_is_no_matter_of_versions(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = replace(next(questions()), sql="select nothing from retention.dispositions")
    monkeypatch.setattr(asking, "questions", lambda: iter([wrong]))
    with pytest.raises(WarehouseError, match="nothing"):
        ask(site)


def test_one_of_a_thing_is_told_in_the_singular(answers: Answers) -> None:
    for question in sections()[0].figures:
        for number, title in ((0, question.title), (1, question.one), (2, question.title)):
            page = Page(replace(answers, rows={**answers.rows, question.id: ((number,),)}), {}, "en")
            assert title is not None
            assert page.figure_title(question) == title["en"]
