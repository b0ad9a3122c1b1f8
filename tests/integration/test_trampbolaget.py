"""A company that looks nothing like the shipped one, through the functions of the cycle in order.

Another register, other columns, dates, marks and keys, no contacts, and two systems that both write orders.
Its contracts and register are `tests/examples/trampbolaget`; everybody in it is invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from assets.core.building import build
from assets.errors import BadInput
from assets.ingest.delivering import deliver
from assets.ingest.loading import ingest
from assets.manifests.changes import propose
from assets.manifests.sealing import seal
from assets.manifests.signatures import Signer, make_key
from assets.policy import Policy
from assets.policy_check import check
from assets.rehearsal import scenarios
from assets.retention.evaluation import evaluate
from assets.site import Site
from assets.warehouse import Warehouse
from expectations.validation import validate
from orchestration.opening import PUBLIC_KEY, SIGNING_KEY
from tests.examples.real import EXAMPLES, accounting, decisions, explained, purposes, verified_items

FOLDER = EXAMPLES / "trampbolaget"
DAY = date(2026, 11, 25)
EXTRACTED = datetime(2026, 11, 25, 2, tzinfo=UTC)
CUSTOMERS = """\
Nr;Kategori;Förnamn;Efternamn;Firma;PersNr;Mejl;Mobil;Gata;Postnr;Ort;Född;Medlem sedan;Avslutat;Sadelhöjd\r
10017;P;Åsa;Exempel;-;20000229-2399;asa@kund.example;070-1740605;Gata 1;123 45;Ort;29.02.2000;01.04.2015;31.01.2021;74\r
10018;P;Bo;Exempel;-;NULL;bo@kund.example;070-1740606;Gatan 2;123 45;Ort;;12.05.2024;;-\r
10019;F;-;-;Exempel & Co AB;-;info@foretag.example;-;;;;;03.02.2023;;-\r
10020;P;Cia;Exempel;-;-;cia@kund.example;-;;;;;31.02.2024;;-\r
"""
SHOP = """\
{"nr": 501, "kund": {"nr": 10018, "namn": "Bo Exempel"}, "lagd": "2024-05-12T23:30:00Z", "läge": "klar", "hämtad": "2024-05-20"}
{"nr": 7, "kund": {"nr": 10017, "namn": "Åsa Exempel", "epost": null}, "lagd": "2018-05-12", "läge": "klar", "hämtad": "2018-05-20"}
"""  # noqa: E501
WORKSHOP = """\
Arbetsorder;Kund;Inlämnad;Hämtad;Ramnummer;Åtgärd;Pris
7;10017;02/03/2020 09:15;04/03/2020;WTU-1;Växlar;1 450,50
8;10018;20/11/2026 14:02;;WTU-2;Slang;90,00
"""
LEDGER = """\
Löpnr;Fakturanr;Typ;Order;Kund;Datum;Belopp;Köpare
1;F1;D;V7;10017;20200304;1 450,50;Åsa Exempel
2;F2;D;N501;10018;20240520;3 000,00;Bo Exempel
"""


@dataclass(frozen=True)
class Company:
    """Its site, its files, and what was taken in."""

    site: Site
    warehouse: Warehouse
    policy: Policy
    files: dict[str, Path]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    folder = tmp_path_factory.mktemp("trampbolaget")
    texts = {
        "kunder-1.csv": CUSTOMERS.encode("cp1252"), "natbutik-1.jsonl": SHOP.encode(),
        "verkstad-1.csv": WORKSHOP.encode("utf-8-sig"), "fakturor-1.csv": LEDGER.encode(),
    }  # fmt: skip
    files = {name: folder / name for name in texts}
    for name, content in texts.items():
        files[name].write_bytes(content)
    site, policy = Site(folder / "site"), Policy.load(FOLDER)
    site.make()
    make_key(site.keys / SIGNING_KEY, site.keys / PUBLIC_KEY)
    deliver(site, policy, "crm", [files["kunder-1.csv"]], mode="full", extracted_at=EXTRACTED)
    orders = [files[name] for name in ("natbutik-1.jsonl", "verkstad-1.csv", "fakturor-1.csv")]
    deliver(site, policy, "orders", orders, mode="full", extracted_at=EXTRACTED)
    with Warehouse.in_memory(pseudonym_key=b"trampbolaget") as warehouse:
        policy.publish(warehouse)
        assert ingest(warehouse, policy, site, as_of=DAY).rejected == ()
        build(warehouse)
        evaluate(warehouse, policy, DAY)
        yield Company(site, warehouse, policy, files)


def test_the_policy_is_whole_and_its_scenario_holds() -> None:
    policy = Policy.load(FOLDER)
    assert check(policy) == []
    outcome = scenarios.run(FOLDER / "scenarios" / "reparation.yaml", policy)
    assert outcome.expectations > 5
    assert outcome.differences == []


def test_two_systems_become_one_table_and_every_row_is_accounted_for(company: Company) -> None:
    assert accounting(company.warehouse) == {
        ("crm", "customers", "kunder-1.csv"): (4, 3, 1, 0),
        ("orders", "orders", "natbutik-1.jsonl"): (2, 2, 0, 0),
        ("orders", "orders", "verkstad-1.csv"): (2, 2, 0, 0),
        ("orders", "order_lines", "verkstad-1.csv"): (2, 2, 0, 0),
        ("orders", "invoices", "fakturor-1.csv"): (2, 2, 0, 0),
    }
    assert company.warehouse.rows(
        "select order_id, customer_id, placed_at, closed_at, status, buyer_name, frame_number "
        "from raw.orders_orders order by order_id"
    ) == [
        ("N501", "10018", date(2024, 5, 13), date(2024, 5, 20), "closed", "Bo Exempel", None),
        ("N7", "10017", date(2018, 5, 12), date(2018, 5, 20), "closed", "Åsa Exempel", None),
        ("V7", "10017", date(2020, 3, 2), date(2020, 3, 4), "closed", None, "WTU-1"),
        ("V8", "10018", date(2026, 11, 20), None, "open", None, "WTU-2"),
    ]
    assert company.warehouse.value(
        "select unit_price from raw.orders_order_lines where order_line_id = '7'"
    ) == Decimal("1450.50")
    assert company.warehouse.rows("select line, rule, column_name from intake.quarantined") == [
        (5, "not_a_date", "customer_since")
    ]
    assert [verdict.name for verdict in validate(company.warehouse, "raw") if not verdict.passed] == []


def test_its_own_purposes_decide(company: Company) -> None:
    """Åsa's bicycle was repaired on 2020-03-04: history through 2025-03-04; her invoice stays through 2027."""
    gone = decisions(company.warehouse, "customer", "10017")
    assert set(gone.values()) == {("erase", None)}
    assert decisions(company.warehouse, "invoice", "1")["identity"] == ("restrict", date(2027, 12, 31))
    kept = decisions(company.warehouse, "customer", "10018")
    assert kept["identity"] == ("retain", None)  # V8 is open
    assert set(decisions(company.warehouse, "customer", "10019").values()) == {("not_personal", None)}
    name = explained(company.warehouse, company.policy, "customer", "10017", "sv")["name"]
    assert purposes(name) == {
        "kop": ("ended", date(2020, 3, 4)), "servicehistorik": ("ended", date(2025, 3, 4)),
        "reklamation": ("ended", date(2023, 3, 4)), "medlemskap": ("ended", date(2021, 1, 31)),
    }  # fmt: skip


def test_manifests_name_the_records_of_both_systems(company: Company) -> None:
    propose(company.warehouse, company.policy, DAY)
    signer = Signer.load(company.site.keys / SIGNING_KEY)
    assert seal(
        company.warehouse, company.policy, company.site, signer, as_of=DAY, issued_at=EXTRACTED
    ).refusals == ()  # fmt: skip
    items = verified_items(company.site)
    assert {key for record, key, _ in items["orders"] if record == "order"} >= {"N7", "V7"}
    assert ("customer", "10017", "erase") in items["crm"]


def test_a_full_delivery_without_one_of_the_systems_is_refused(company: Company, tmp_path: Path) -> None:
    """It would take all that system's records for gone, and prove erasures that nobody made."""
    with pytest.raises(BadInput, match=r"orders comes in several layouts, and no file is one of natbutik-\*\.jsonl"):
        deliver(
            company.site, company.policy, "orders", [company.files["verkstad-1.csv"]], mode="full",
            extracted_at=datetime(2026, 11, 25, 3, tzinfo=UTC),
        )  # fmt: skip
