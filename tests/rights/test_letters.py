"""The answer's draft: where, who was told, what stays and why, in both languages, with the company's own words."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from assets.contracts.contract import Contracts
from assets.errors import BadInput, NeedsPerson
from assets.ingest.loading import load_rows
from assets.ledger import told
from assets.manifests.fields import number_fields
from assets.rights import requests
from assets.rights.access import gather
from assets.rights.letters import draft, gather_answer, records_about
from assets.rights.matches import decide
from assets.rights.people import people_of
from assets.rights.rendering import own_names
from assets.rights.reports import write_report
from assets.rights.requests import KINDS
from assets.rights.timeline import as_text, timeline
from assets.site import Site
from assets.warehouse import Warehouse
from tests.rights.company import DAY, EXPORTS, NOW, company, disposition, evaluated, policy

RECEIVED = date(2026, 11, 20)
#: A private person whom no purpose reaches any longer.
LONG_GONE = {"customer_id": "C4", "customer_type": "private", "name": "Frans Provsson", "email": "frans@hem.example",
             "customer_since": "2015-01-01"}  # fmt: skip
ENDED = "Direkt marknadsföring till dig har upphört"
ENDED_BUT_FOR = (
    "Direkt marknadsföring till dig upphörde med din invändning; det som du har anmält dig till därefter fortsätter"
)
NOTHING_STAYS = "Inget ändamål kräver att vi behåller något om dig."
#: Of each kind: what its letter says once the evaluation has seen the request, and what it says before.
SAID = {
    "erasure": ("Vad som finns kvar, varför och hur länge", "Ingenting har raderats ännu."),
    "access": ("Utdraget över dina uppgifter bifogas.", "Utdraget över dina uppgifter bifogas."),
    "portability": ("bifogas som JSON.", "bifogas som JSON."),
    "objection": ("Direkt marknadsföring till dig har upphört", "Direkt marknadsföring till dig ska upphöra"),
    "withdrawal": ("Ditt samtycke är återkallat.", "Ditt samtycke är återkallat."),
    "restriction": ("Dina uppgifter har varit begränsade.", "Dina uppgifter ska begränsas."),
    "rectification": ("Medan vi gjorde det var uppgifterna begränsade.", "Vi har prövat vad du har begärt rättat."),
    "termination": ("Relationen är avslutad hos oss.", "Relationen ska avslutas hos oss."),
}
#: What it may not say: once seen, and before.
UNSAID = {
    **{kind: (NOTHING_STAYS, NOTHING_STAYS) for kind in KINDS},
    "objection": ("ska upphöra", "har upphört"),
    "restriction": ("Begränsningen upphör nu", "har varit begränsade"),
    "rectification": ("Begränsningen upphör nu", "var uppgifterna begränsade"),
    "termination": ("ska avslutas", "är avslutad"),
}


def asked(warehouse: Warehouse, kind: str, **who: str) -> str:
    number = requests.add(warehouse, kind, received_on=RECEIVED, at=NOW, verified_on=RECEIVED,
                          **(who or {"customer": "C1"}))  # type: ignore[arg-type]  # fmt: skip
    evaluated(warehouse)
    return number


def entered(warehouse: Warehouse, kind: str, customer: str, verified_on: date = RECEIVED) -> str:
    return requests.add(warehouse, kind, received_on=RECEIVED, at=NOW, verified_on=verified_on, customer=customer)


def letter(warehouse: Warehouse, number: str, folder: Path, today: date = DAY) -> tuple[str, str]:
    """The Swedish text, and what speaks against sending it."""
    written = draft(warehouse, policy(), Site(folder), number, today, None)
    for name in written.files:
        text = (written.folder / name).read_text(encoding="utf-8")
        assert "Familjefilm AB" in text
        assert "None" not in text
        assert "\n\n\n" not in text or name.endswith("html")
    return (written.folder / "answer.sv.txt").read_text(encoding="utf-8"), " ".join(written.warnings)


def ordered(warehouse: Warehouse, system: str, kind: str, key: str, action: str, state: str, field: str,
            as_of: str = "2026-11-21") -> None:  # fmt: skip
    """A sealed item and what became of it."""
    item = f"{system}-{key}-{action}"
    warehouse.run(
        "insert into manifest.items (manifest_id, item_id, system, record_type, record_key, action, fields, as_of, "
        "respond_by) values ('M', ?, ?, ?, ?, ?, [?], cast(? as date), date '2026-12-21')",
        [item, system, kind, key, action, field, as_of],
    )
    for sequence, each in enumerate(("issued", state)):
        warehouse.run(
            "insert into manifest.events (item_id, manifest_id, state, on_day, sequence) "
            "values (?, 'M', ?, cast(? as date) + 1, ?)", [item, each, as_of, sequence],
        )  # fmt: skip


def test_an_erasure_is_answered_in_full(tmp_path: Path) -> None:
    warehouse = company()
    number = asked(warehouse, "erasure")
    ordered(warehouse, "crm", "customer", "C1", "redact", "verified", "phone")
    ordered(warehouse, "mailing", "subscriber", "N1", "erase", "done", "email")
    ordered(warehouse, "partner:P1", "delivery", "D1", "notify", "delivered", "contact_name")
    ordered(warehouse, "crm", "customer", "C2", "erase", "done", "phone")  # somebody else's
    gone(warehouse)
    assert "customer/C1+customer/C3" in letter(warehouse, number, tmp_path)[1]
    decide(warehouse, "customer/C1+customer/C3", same=False, on=DAY, at=NOW)
    written = draft(warehouse, policy(), Site(tmp_path), number, DAY, None)
    assert written.warnings == ()
    swedish = (written.folder / "answer.sv.txt").read_text(encoding="utf-8")
    assert "Kunduppgifter (1) i kundregistret: telefon. Läge: kontrollerat" in swedish
    assert "Prenumerationer på nyhetsbrev (1) i nyhetsbrevssystemet. Läge: systemet svarar att det är gjort" in swedish
    assert "Fraktbolaget AB: Leveranser (1). Svar: överlämnat, inget svar ännu" in swedish
    assert "t.o.m. 2032-12-31. Grund: GDPR artikel 6.1 c" in swedish
    assert "Art 17(3)(b)" in swedish
    assert "Art 17(3)(e)" in swedish
    assert "imy@imy.se" in swedish
    english = (written.folder / "answer.en.html").read_text(encoding="utf-8")
    assert "<h2>What stays, why and for how long</h2>" in english
    assert "Egil" not in swedish + english


def gone(warehouse: Warehouse) -> None:
    """The product's own copies of what is ordered erased go when the order is sealed."""
    warehouse.run("update raw.crm_interactions set subject = null, body = null where customer_id = 'C1'")
    warehouse.run("update raw.crm_consents set email = null")
    warehouse.run("update raw.mailing_subscribers set name = null, email = null")
    warehouse.run("update raw.crm_customers set name = null, email = null where customer_id = 'C4'")


@pytest.fixture(scope="module")
def seen() -> tuple[Warehouse, dict[str, str]]:
    """The company with a request of each kind, evaluated after it; and a company's own termination."""
    restricted = {**LONG_GONE, "customer_id": "C6", "name": "Signe Provsson", "email": "signe@hem.example"}
    warehouse = company({"crm/customers": [*EXPORTS["crm/customers"], LONG_GONE, restricted]})
    numbers = {kind: entered(warehouse, kind, "C2" if kind in requests.LIFTS_RESTRICTION else "C1") for kind in KINDS}
    numbers |= {"company": entered(warehouse, "termination", "F"), "long gone": entered(warehouse, "erasure", "C4")}
    entered(warehouse, "restriction", "C6")
    numbers["restricted"] = entered(warehouse, "erasure", "C6")
    numbers["late"] = entered(warehouse, "erasure", "C3", verified_on=date(2026, 11, 26))
    return evaluated(warehouse), numbers


@pytest.fixture(scope="module")
def unseen() -> Warehouse:
    return evaluated(company({"crm/customers": [*EXPORTS["crm/customers"], LONG_GONE]}))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_what_is_true(
    kind: str, seen: tuple[Warehouse, dict[str, str]], unseen: Warehouse, tmp_path: Path
) -> None:
    after, warnings = letter(seen[0], seen[1][kind], tmp_path / "seen")
    before, warnings_before = letter(unseen, entered(unseen, kind, "C1"), tmp_path / "unseen")
    assert (SAID[kind][0] in after, UNSAID[kind][0] in after) == (True, False)
    assert (SAID[kind][1] in before, UNSAID[kind][1] in before) == (True, False)
    assert ("has not seen" in warnings, "has not seen" in warnings_before) == (False, True)


def test_what_was_verified_or_changed_after_the_evaluation_has_not_been_seen(
    seen: tuple[Warehouse, dict[str, str]], tmp_path: Path
) -> None:
    warehouse, numbers = seen
    tomorrow = date(2026, 11, 26)
    assert "has not seen" in letter(warehouse, numbers["late"], tmp_path, tomorrow)[1]
    number = numbers["withdrawal"]
    warehouse.run("update raw.office_requests set scope = 'web_statistics' where request_id = ?", [number])
    assert "has not seen" in letter(warehouse, number, tmp_path)[1]
    warehouse.run("update raw.office_requests set scope = null where request_id = ?", [number])


def test_nothing_stays_is_said_when_it_is_known_alone(
    seen: tuple[Warehouse, dict[str, str]], unseen: Warehouse, tmp_path: Path
) -> None:
    warehouse, numbers = seen
    number = numbers["long gone"]
    text, warnings = letter(warehouse, number, tmp_path)
    assert NOTHING_STAYS not in text
    assert "2 data categories of records are to be erased and no manifest orders it yet" in warnings
    gone(warehouse)
    text, warnings = letter(warehouse, number, tmp_path)
    assert (NOTHING_STAYS in text, "Ingenting har raderats ännu" in text) == (True, False)
    assert warnings == ""

    # sealed before the request, and the CRM holds it still
    ordered(warehouse, "crm", "customer", "C4", "erase", "issued", "name", as_of="2026-11-10")
    text, warnings = letter(warehouse, number, tmp_path)
    assert "Kunduppgifter (1) i kundregistret. Läge: beslutat, ännu inte överlämnat (2026-11-10)" in text
    assert not any(each in text for each in (NOTHING_STAYS, "Ingenting har raderats ännu"))
    assert "still open at a system" in warnings

    gone(unseen)
    assert NOTHING_STAYS not in letter(unseen, entered(unseen, "erasure", "C4"), tmp_path)[0]


def test_while_data_is_restricted_it_is_not_said_that_nothing_stays(
    seen: tuple[Warehouse, dict[str, str]], tmp_path: Path
) -> None:
    text, _ = letter(seen[0], seen[1]["restricted"], tmp_path)
    assert "Uppgifter om dig är begränsade medan en begäran prövas (artikel 18)" in text
    assert NOTHING_STAYS not in text
    assert "Vad som finns kvar" not in text


def test_what_is_for_review_is_not_said_to_rest_meanwhile(tmp_path: Path) -> None:
    """A review orders nothing of the source, which goes on using the record."""
    warehouse = company({
        "crm/customers": [{"customer_id": "C7", "customer_type": "sole_trader", "name": "Siv Testman"}],
        "orders/orders": [{"order_id": "O7", "customer_id": "C7", "placed_at": "2026-01-05", "status": "closed",
                           "closed_at": "2026-02-01", "buyer_name": "Siv Testman"}],
        "orders/deliveries": [{"delivery_id": "D7", "order_id": "O7", "delivered_at": "2026-01-20"}],
    })  # fmt: skip
    number = asked(warehouse, "erasure", customer="C7")
    assert disposition(warehouse, "order", "O7", "identity") == "review"
    assert "oklart om de får raderas.\n" in letter(warehouse, number, tmp_path)[0]
    english = (tmp_path / "reports" / "access-answers" / number / "answer.en.txt").read_text(encoding="utf-8")
    assert "unclear whether it may be erased.\n" in english
    warehouse.run("update raw.orders_orders set buyer_name = null")
    text = letter(warehouse, number, tmp_path)[0]
    assert "oklart om de får raderas" not in text, "nothing is held of what is for review"
    assert NOTHING_STAYS not in text


def test_what_may_be_used_again_is_not_told_as_restricted(tmp_path: Path) -> None:
    warehouse = company()
    number = asked(warehouse, "access")
    ordered(warehouse, "crm", "customer", "C1", "lift", "done", "phone")
    text = letter(warehouse, number, tmp_path)[0]
    assert "\nVad som får användas igen\n- Kunduppgifter (1) i kundregistret. Läge: systemet svarar" in text
    assert "Vad som är begränsat" not in text
    ordered(warehouse, "orders", "order", "O1", "restrict", "done", "buyer_name")
    text = letter(warehouse, number, tmp_path)[0]
    assert "\n\nVad som är begränsat\n- Beställningar (1) i ordersystemet: begränsas. Läge: " in text


def test_what_was_told_otherwise_since_is_told_as_it_is_now(tmp_path: Path) -> None:
    """Of each field the last word counts: a restriction that was lifted is over, and a lift that was taken back."""
    warehouse = company()
    number = asked(warehouse, "access")
    number_fields(warehouse)
    for action, day, fields in (
        ("restrict", "2026-11-21", ["phone", "email"]), ("lift", "2026-11-22", ["phone"]),
        ("lift", "2026-11-23", ["email"]), ("restrict", "2026-11-24", ["phone", "email"]),
    ):  # fmt: skip
        told_of(warehouse, "customer", "C1", action, day, fields)
        text = letter(warehouse, number, tmp_path)[0]
        is_restricted = day in ("2026-11-21", "2026-11-22", "2026-11-24")
        assert ("Vad som är begränsat\n- Kunduppgifter" in text) == is_restricted
        assert ("Vad som får användas igen\n- Kunduppgifter" in text) == (action == "lift")


def told_of(warehouse: Warehouse, kind: str, key: str, action: str, day: str, fields: list[str]) -> None:
    """An acknowledged item that is the last word on its fields."""
    item_id = f"{action}-{day}"
    ordered(warehouse, "crm", kind, key, action, "done", fields[0], as_of=day)
    warehouse.run("update manifest.items set item_id = ?, fields = ? where item_id = ?",
                  [item_id, fields, f"crm-{key}-{action}"])  # fmt: skip
    warehouse.run("update manifest.events set item_id = ? where item_id = ?", [item_id, f"crm-{key}-{action}"])
    warehouse.run(
        "create or replace temp table last_words as select ? as record_type, ? as record_key, ? as state, "
        "bit_or(bit) as named, ? as item_id, cast(? as date) as as_of, ? as action from manifest.field_numbers "
        "where record_type = ? and list_contains(?, field)",
        [kind, key, {"restrict": "restrict", "lift": "retain"}[action], item_id, day, action, kind, fields],
    )
    told.tell(warehouse, "from last_words")


def test_the_suppression_list_is_told_of_where_the_address_stands_on_it(
    seen: tuple[Warehouse, dict[str, str]], unseen: Warehouse, tmp_path: Path
) -> None:
    nobodys = {"customer_id": "C8", "customer_type": "private", "name": "Alva Provsson"}
    back = nobodys | {"customer_id": "C9", "name": "Nils Provsson", "email": "nils@hem.example"}
    warehouse = company({
        "crm/customers": [nobodys, back],
        "mailing/subscribers": [{"subscriber_id": "N9", "customer_id": "C9", "email": "nils@hem.example",
                                 "subscribed_at": "2026-11-22"}],
    })  # fmt: skip
    numbers = [entered(warehouse, "objection", customer) for customer in ("C8", "C9")]
    evaluated(warehouse)
    for number, said in zip(numbers, (ENDED, ENDED_BUT_FOR), strict=True):
        text = letter(warehouse, number, tmp_path)[0]
        assert f"{said}.\n" in text
        assert "spärrlista" not in text
    english = (tmp_path / "reports" / "access-answers" / number / "answer.en.txt").read_text(encoding="utf-8")
    assert "Direct marketing to you ended with your objection; what you have signed up for since goes on.\n" in english
    warehouse.run("update raw.mailing_subscribers set in_source = false")
    assert f"{ENDED}.\n" in letter(warehouse, number, tmp_path)[0]
    assert "din adress står på vår spärrlista" in letter(seen[0], seen[1]["objection"], tmp_path / "seen")[0]
    number = entered(unseen, "objection", "C2")
    assert "din adress ska föras in på vår spärrlista" in letter(unseen, number, tmp_path / "unseen")[0]


def test_what_stays_is_told_of_where_there_is_something(tmp_path: Path) -> None:
    order = {"order_id": "O8", "purchase_capacity": "private", "placed_at": "2026-09-01", "status": "open",
             "customer_id": "C8"}  # fmt: skip
    warehouse = company({
        "crm/customers": [{"customer_id": "C8", "customer_type": "private", "name": "Alva Provsson"}],
        "orders/orders": [order],
    })  # fmt: skip
    number = asked(warehouse, "erasure", customer="C8")
    assert "namn och identitet (kunduppgifter), så länge ändamålet gäller" in letter(warehouse, number, tmp_path)[0]
    # its source holds the telephone number still, in spite of an earlier order
    warehouse.run("update raw.crm_customers set withheld = ['phone']")
    text = letter(warehouse, number, tmp_path)[0]
    assert "namn och identitet, telefonnummer (kunduppgifter), så länge ändamålet gäller" in text
    warehouse.run("update raw.crm_customers set withheld = null, name = null")
    assert "Vad som finns kvar" not in letter(warehouse, number, tmp_path)[0]


def test_an_order_that_was_over_before_the_request_is_no_part_of_the_answer(
    seen: tuple[Warehouse, dict[str, str]], tmp_path: Path
) -> None:
    ordered(seen[0], "crm", "consent", "S1", "erase", "verified", "email", as_of="2026-11-10")
    assert "Samtycken (1)" not in letter(seen[0], seen[1]["erasure"], tmp_path)[0]


def test_a_company_that_ends_a_relation_is_told_what_stays(
    seen: tuple[Warehouse, dict[str, str]], tmp_path: Path
) -> None:
    text, warnings = letter(seen[0], seen[1]["company"], tmp_path)
    assert "kontaktperson" in text
    assert "beställningar" in text
    assert NOTHING_STAYS not in text
    assert "Nobody is known" not in warnings


def test_a_termination_by_a_contact_or_by_nobodys_customer_ends_no_relation(tmp_path: Path) -> None:
    warehouse = company()
    asked_by = ({"contact": "K1"}, {"email": "walter@skolan.example"})
    numbers = [requests.add(warehouse, "termination", received_on=RECEIVED, at=NOW, **who) for who in asked_by]  # type: ignore[arg-type]
    evaluated(warehouse)
    assert warehouse.value("select count(*) from triggers.exits") == 0
    for number in numbers:
        text, warnings = letter(warehouse, number, tmp_path)
        assert (UNSAID["termination"][1] in text, UNSAID["termination"][0] in text) == (False, True)
        assert "ends no relation" in warnings


def test_a_termination_by_address_is_answered_of_every_customer_that_has_it(tmp_path: Path) -> None:
    shared = {"email": "kontor@skolan.example"}
    for people in (0, 1):
        customers = [each | shared if each["customer_id"] in ("F", "C2")[: people + 1] else each
                     for each in EXPORTS["crm/customers"]]  # fmt: skip
        warehouse = company({"crm/customers": customers})
        number = asked(warehouse, "termination", **shared)
        assert warehouse.value("select count(*) from triggers.exits") == people + 1
        text, warnings = letter(warehouse, number, tmp_path)
        assert UNSAID["termination"][1] in text
        assert "kontaktperson" in text
        assert "Nobody is known" not in warnings
        assert ("2 people and companies" in warnings) == bool(people)
        told = set(records_about(warehouse, number))
        ended = warehouse.rows("select 'order', row_id from raw.orders_orders where customer_id = 'F' or "
                               "(customer_id = 'C2' and $people = 1)", {"people": people})  # fmt: skip
        assert {record for record in told if record[0] == "order"} == set(ended)


def test_the_notice_before_a_restriction_ends_is_told_of_when_it_was_given(
    seen: tuple[Warehouse, dict[str, str]], tmp_path: Path
) -> None:
    warehouse, numbers = seen
    assert "--notice-given" in letter(warehouse, numbers["restriction"], tmp_path)[1]
    requests.answered(warehouse, numbers["restriction"], DAY, NOW, notice_given_on=date(2026, 11, 24))
    text, warnings = letter(warehouse, numbers["restriction"], tmp_path)
    assert "efter den underrättelse som du fick 2026-11-24" in text
    assert "--notice-given" not in warnings


def test_what_was_never_verified_restricted_nothing_and_its_answer_lifts_nothing(tmp_path: Path) -> None:
    """No notice has to be made up for it (Art 18(3)); a restriction counts at once, and its end is told of."""
    warehouse = company()
    number = requests.add(warehouse, "rectification", received_on=RECEIVED, at=NOW, customer="C1")
    evaluated(warehouse)
    text, warnings = letter(warehouse, number, tmp_path)
    assert ("egränsning" in text, "--notice-given" in warnings) == (False, False)
    assert requests.answered(warehouse, number, DAY, NOW).is_answered
    for kind, verified in (("rectification", RECEIVED), ("restriction", None)):
        another = requests.add(warehouse, kind, received_on=RECEIVED, at=NOW, customer="C1", verified_on=verified)
        with pytest.raises(NeedsPerson, match="lifts a restriction"):
            requests.answered(warehouse, another, DAY, NOW)


def test_a_companys_own_template_goes_before_the_shipped_one(tmp_path: Path) -> None:
    warehouse = company()
    number = asked(warehouse, "objection")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "answer.txt.j2").write_text("Hej! {{ answer.request_id }}")
    written = draft(warehouse, policy(), Site(tmp_path), number, DAY, tmp_path)
    assert (written.folder / "answer.sv.txt").read_text(encoding="utf-8") == f"Hej! {number}"
    (tmp_path / "templates" / "answer.txt.j2").write_text("Hej! {{ answer.nickname }}")
    with pytest.raises(BadInput, match=r"answer\.txt\.j2"):
        draft(warehouse, policy(), Site(tmp_path), number, DAY, tmp_path)


def test_a_number_that_is_a_path_names_one_folder_among_the_drafts(tmp_path: Path) -> None:
    numbers = ("2026", "2026/14", "../..", "/x", ".")
    rows = [{"request_id": number, "customer_id": "C2", "kind": "objection", "received_at": str(RECEIVED)}
            for number in numbers]  # fmt: skip
    warehouse = evaluated(company({"office/requests": rows}))
    site = Site(tmp_path / "a" / "site")
    folders = [draft(warehouse, policy(), site, number, DAY, None).folder for number in (*numbers[1:], "2026")]
    assert {folder.parent for folder in folders} == {site.reports / "access-answers"}
    assert len({folder for folder in folders if (folder / "answer.sv.txt").is_file()}) == len(numbers)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_speaks_against_sending_is_said() -> None:
    warehouse = company()
    number = requests.add(warehouse, "erasure", received_on=DAY, at=NOW, email="disa@hem.example")
    evaluated(warehouse)
    warnings = " ".join(gather_answer(warehouse, policy(), number, DAY)["warnings"])
    assert "not been verified" in warnings
    assert "day after it came" in warnings
    assert "2 people" in warnings


@pytest.mark.parametrize("kind", ["access", "erasure"])
def test_rows_that_were_set_aside_are_told_of(kind: str, tmp_path: Path) -> None:
    paid = {"payment_id": "B1", "invoice_id": "I1", "payer_name": "Disa Testman"}  # no amount
    warehouse = company({"orders/payments": [paid]})
    warehouse.run("update intake.deliveries set extracted_at = timestamp '2026-11-24 12:00:00'")
    number = asked(warehouse, kind)
    text, warnings = letter(warehouse, number, tmp_path)
    kept = (
        "Rader som gäller eller kan gälla dig (1) kunde inte läsas in. De används inte till något och förvaras hos oss "
        "t.o.m. 2026-12-24."
    )
    assert kept in text
    assert ("lämnar vi ut för sig" in text, "set aside" in warnings) == (kind == "access", kind == "access")
    assert "Rader som gäller" not in letter(warehouse, entered(warehouse, kind, "C2"), tmp_path)[0]
    load_rows(warehouse, policy(), {"orders/payments": [{**paid, "amount": "1", "paid_at": "2026-10-01"}]})
    text, warnings = letter(evaluated(warehouse), number, tmp_path)
    assert (kept in text, "lämnar vi ut för sig" in text, "set aside" in warnings) == (True, False, False)


@pytest.mark.parametrize("kind", ["access", "erasure", "objection"])
def test_what_may_be_missing_because_a_source_blocks_is_told_of(kind: str, tmp_path: Path) -> None:
    warehouse = company()
    warehouse.insert("intake.blocks", ("source", "table_name", "reason"), [("crm", "customers", "shrunk")])
    number = asked(warehouse, kind)
    gone(warehouse)
    text, warnings = letter(warehouse, number, tmp_path)
    concerned = kind != "objection"
    assert ("är just nu inte fullständiga hos oss" in text, "crm/customers: shrunk" in warnings) == (concerned,) * 2
    assert "lämnar vi ut för sig" in text or kind != "access"
    assert "Inget ändamål kräver" not in text


def test_a_request_that_asks_nobody_knows_what_is_not_answered_before_the_office_completes_it(tmp_path: Path) -> None:
    asks = {"request_id": "J3", "customer_id": "C1", "received_at": str(RECEIVED)}
    warehouse = evaluated(company({"office/requests": [asks]}))
    assert "J3 has no kind that is known" in letter(warehouse, "J3", tmp_path)[1]


def test_whose_restriction_is_open_and_who_has_left_every_source_is_told_of(tmp_path: Path) -> None:
    warehouse = company()
    number = requests.add(warehouse, "restriction", received_on=RECEIVED, at=NOW, customer="C2")
    assert "left every source" not in letter(evaluated(warehouse), number, tmp_path)[1]
    load_rows(warehouse, policy(), {"crm/customers": [{"customer_id": "C2", "_deleted": "true"}]}, mode="delta")
    assert "left every source" in letter(evaluated(warehouse), number, tmp_path)[1]


def test_whoever_is_known_from_the_quarantine_alone_is_told_so(tmp_path: Path) -> None:
    broken = {"subscriber_id": "N9", "email": "nova@hem.example", "subscribed_at": "i maj"}
    warehouse = company({"mailing/subscribers": [*EXPORTS["mailing/subscribers"], broken]})
    text, warnings = letter(warehouse, asked(warehouse, "access", email="nova@hem.example"), tmp_path)
    assert "Rader som gäller eller kan gälla dig (1)" in text
    assert "were set aside" in warnings


def test_what_a_company_keeps_as_web_events_is_called_by_its_own_word_or_by_none_of_ours(tmp_path: Path) -> None:
    """Logins and openings of a door are no visits to a website."""
    event = {"event_id": "W1", "customer_id": "C1", "ip": "192.0.2.1", "occurred_at": "2026-11-01"}
    warehouse = company({"web/events": [event]})
    number = asked(warehouse, "erasure")
    ordered(warehouse, "web", "web_event", "W1", "erase", "done", "ip")
    own = replace(policy(), contracts=Contracts([
        replace(each, label="Inloggningar" if each.table == "events" else "") for each in policy().contracts.values()
    ]))  # fmt: skip
    report = gather(warehouse, own, people_of(warehouse, number)[0], made_at=NOW, expires_on=DAY)
    for used, said in ((policy(), "Registrerade händelser"), (own, "Inloggningar")):
        written = draft(warehouse, used, Site(tmp_path), number, DAY, None)
        assert f"- {said} (1) i webbplatsen" in (written.folder / "answer.sv.txt").read_text(encoding="utf-8")
        page = write_report(Site(tmp_path), report, None, own_names(used.contracts)).folder / "access-report.sv.html"
        assert f"<h3>{said}</h3>" in page.read_text(encoding="utf-8")
        assert said.lower() in as_text(timeline(warehouse, used, "C1")).lower()


def test_a_row_that_may_be_about_two_people_of_a_request_is_one_row(tmp_path: Path) -> None:
    broken = {"subscriber_id": "N9", "email": "disa@hem.example", "subscribed_at": "i maj"}
    warehouse = company({"mailing/subscribers": [*EXPORTS["mailing/subscribers"], broken]})
    number = asked(warehouse, "access", email="disa@hem.example")
    assert len(people_of(warehouse, number)) == 2
    assert "Rader som gäller eller kan gälla dig (1)" in letter(warehouse, number, tmp_path)[0]
