"""`policy check` finds what a policy lacks, `policy register` prints it, `scenario` and `deliver` do their work."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from assets.models import SQL
from orchestration.cli import main

ROOT = Path(__file__).resolve().parents[2]

#: A scenario in which an interaction's year has gone.
SCENARIO = """
name: a note lives one year
exports:
  crm/customers: [{customer_id: C1, customer_type: private, name: Test Person}]
  crm/interactions: [{interaction_id: N1, customer_id: C1, occurred_at: 2024-02-29T10:00:00+01:00, body: note}]
expect:
  - as_of: 2025-02-28
    dispositions: [[interaction, N1, body, retain, 2025-02-28]]
  - as_of: 2025-03-01
    dispositions: [[interaction, N1, body, %s]]
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new site, where the command is run."""
    for name in ("GALLRING_SITE", "GALLRING_POLICY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["init", "site"]) == 0
    return tmp_path / "site"


def rewritten(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_shipped_policy_and_a_new_sites_are_whole(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "check"]) == 0
    assert main(["policy", "check", "--site", str(site)]) == 0
    assert capsys.readouterr().out.count("17 purposes, 0 errors") == 2


def own_sql(policy: Path, purpose: str) -> Path:
    """A shipped purpose's SQL as the policy's own."""
    return Path(shutil.copy(SQL / "purposes" / f"{purpose}.sql", policy / "purposes"))


def in_register(old: str, new: str) -> Callable[[Path], None]:
    return lambda policy: rewritten(policy / "register.yaml", old, new)


#: The claims of a purpose whose word is to be filled in.
EVENTS = (
    "select 'web_event' as record_type, e.row_id, 'log' as clock, e.occurred_at as starts_on, "
    "e.occurred_at as ends_on, {} as ended_by, cast(null as varchar) as missing from raw.web_events as e"
)

BREAKS: dict[str, Callable[[Path], None]] = {
    "purpose_without_scenario": lambda policy: (policy / "scenarios" / "newsletter.yaml").unlink(),
    "claims_shape": lambda policy: rewritten(own_sql(policy, "customer_care"), "as ended_by", "as ended"),
    "sql_not_readable": lambda policy: (policy / "purposes" / "newsletter.sql").write_text("delete from core.people"),
    "claims_name_somebody": lambda policy: (policy / "purposes" / "web_security.sql").write_text(EVENTS.format("e.ip")),
    "claims_untraced": lambda policy: (policy / "purposes" / "web_security.sql").write_text(
        EVENTS.format("(select max(o.ip) from raw.web_events as o)")
    ),
    "legal_basis": in_register("legal_basis: [eu-gdpr:A6-1-c]", "legal_basis: [eu-gdpr:A6-1-a-consent]"),
    "erasure_exception": in_register("erasure_exception: Art 17(3)(e)", ""),
    "period_missing": in_register("periods: {archive: P7Y}", "periods: {vault: P7Y}"),
    "unknown_category": in_register("order_line: [transaction]", "order_line: [device]"),
}


@pytest.mark.parametrize("rule", BREAKS)
def test_a_policy_that_lacks_something_is_told_what(rule: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    BREAKS[rule](site / "policy")
    capsys.readouterr()
    code = main(["policy", "check", "--site", str(site), "--json"])
    findings = json.loads(capsys.readouterr().out)
    found = {finding["rule"]: finding["severity"] for finding in findings}
    assert rule in found
    assert code == (1 if "error" in found.values() else 0)


def test_a_personal_field_without_a_purpose_is_a_finding(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewritten(site / "policy" / "register.yaml", "web_event: [device]", "web_event: [behaviour]")
    capsys.readouterr()
    assert main(["policy", "check", "--policy", "site/policy"]) == 0
    assert "field_without_purpose: web_event: ip, user_agent (device)" in capsys.readouterr().out


def test_what_no_contract_reads_needs_no_purpose(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewritten(site / "policy" / "register.yaml", "web_event: [device]", "web_event: [behaviour]")
    contract = site / "policy" / "contracts" / "web_events.yaml"
    declared = yaml.safe_load(contract.read_text(encoding="utf-8"))
    properties = declared["schema"][0]["properties"]
    declared["schema"][0]["properties"] = [each for each in properties if each["name"] != "user_agent"]
    contract.write_text(yaml.safe_dump(declared), encoding="utf-8")
    capsys.readouterr()
    assert main(["policy", "check", "--policy", "site/policy"]) == 0
    assert "field_without_purpose: web_event: ip (device)" in capsys.readouterr().out
    declared["schema"][0]["properties"] = [each for each in properties if each["name"] not in ("user_agent", "ip")]
    contract.write_text(yaml.safe_dump(declared), encoding="utf-8")
    assert main(["policy", "check", "--policy", "site/policy"]) == 0
    assert "field_without_purpose" not in capsys.readouterr().out


def test_what_purposes_cover_and_no_contract_delivers_is_noted(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A note, since a register may be ahead of the exports; `legal_hold` covers whatever there is."""
    capsys.readouterr()
    main(["policy", "check", "--policy", "site/policy"])
    assert "note" not in capsys.readouterr().out
    contracts = site / "policy" / "contracts"
    for name in ("mailing_subscribers", "mailing_sends", "orders_deliveries"):
        (contracts / f"{name}.yaml").unlink()
    events = yaml.safe_load((contracts / "web_events.yaml").read_text(encoding="utf-8"))
    events["schema"][0]["properties"] = [
        each for each in events["schema"][0]["properties"] if each["name"] not in ("cookie_id", "url")
    ]
    (contracts / "web_events.yaml").write_text(yaml.safe_dump(events), encoding="utf-8")
    assert main(["policy", "check", "--policy", "site/policy"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[-4:-1] == [
        f"note: not_delivered: register: {purpose} covers {what}, which no contract delivers, and keeps nothing of it. "
        "Add the contract, or let the entry wait for one."
        for purpose, what in (("newsletter", "subscriber, send"), ("order_fulfilment", "delivery"),
                              ("web_statistics", "web_event.behaviour"))
    ]  # fmt: skip
    assert told[-1] == "Familjefilm 2026-11-22: 17 purposes, 0 errors, 0 warnings, 3 notes."
    assert main(["policy", "check", "--policy", "site/policy", "--json"]) == 0
    assert {finding["severity"] for finding in json.loads(capsys.readouterr().out)} == {"note"}


def test_a_register_that_is_no_register_exits_with_3(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewritten(site / "policy" / "register.yaml", "{archive: P7Y}", "{archive: seven years}")
    assert main(["policy", "check", "--policy", "site/policy"]) == 3
    assert "accounting" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "{archive: P7Y}",
            "{archive: PT72H}",
            "purposes → accounting → periods: 'PT72H' must be whole days and no hours",
        ),
        (
            "{archive: P7Y}",
            "{archive: P9000Y}",
            "purposes → accounting → periods: 'P9000Y' is longer than 1000 years: no calendar bears it",
        ),
        ("{archive: P7Y}", "{archive: P99999999999D}", "'P99999999999D' is longer than 1000 years"),
        (
            "      role: processor\n",
            "      role: processor\n      country: NO\n",
            'country: YAML reads NO, no, off, yes and on as true or false: put the word in quotes, such as "NO".\n',
        ),
    ],
)
def test_what_the_register_cannot_mean_is_told_with_what_to_write(
    old: str, new: str, said: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rewritten(site / "policy" / "register.yaml", old, new)
    assert main(["policy", "check", "--policy", "site/policy"]) == 3
    assert said in capsys.readouterr().err


#: Claims whose day is made of a birth, or whose period is that of the row's own country.
OF_A_ROW = (
    "select 'web_event' as record_type, e.row_id, 'security' as clock, e.occurred_at as starts_on, "
    "add_months(c.birth_date, p.months) + p.days as ends_on, cast(null as varchar) as ended_by, "
    "cast(null as varchar) as missing from raw.web_events as e "
    "inner join raw.crm_customers as c on e.customer_id = c.customer_id "
    "inner join policy.periods as p on p.purpose = 'web_security' and p.clock = {}"
)


@pytest.mark.parametrize(
    ("clock", "unused"), [("case c.country when 'NO' then 'norway' else 'security' end", False), ("'security'", True)]
)
def test_a_claim_may_end_by_a_birth_and_take_the_period_that_its_row_says(
    clock: str, unused: bool, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rewritten(site / "policy" / "register.yaml", "periods: {security: P90D}", "periods: {security: P90D, norway: P30D}")
    (site / "policy" / "purposes" / "web_security.sql").write_text(OF_A_ROW.format(clock))
    capsys.readouterr()
    assert main(["policy", "check", "--site", str(site)]) == 0
    assert ("web_security → norway: no SQL reads this period" in capsys.readouterr().out) is unused


#: Ways to ask for a period that the register lacks: a purpose that joined it would keep nothing.
LACKED = {
    "p.purpose = 'web_security' and p.clock = 'lamps'": "purposes → web_security → periods: add lamps",
    "p.clock = 'lamps' and p.purpose = 'web_security'": "purposes → web_security → periods: add lamps",
    "p.purpose = 'web_security' AND p.clock IN ('security', 'lamps')": "purposes → web_security → periods: add lamps",
    "p.purpose = 'web_securty' and p.clock = 'security'": "purposes → web_securty → periods: add security",
    "p.purpose = 'legal_basis' and p.clock = e.kind": "purposes → legal_basis → periods: add the clocks",
}


#: The same in other shapes: what is joined instead of the periods, and how.
SHAPES = {
    "(select * from policy.periods where purpose = 'web_security') as p on p.clock = 'lamps'",
    "(select clock as word, purpose as why, months, days from policy.periods) as p "
    "on p.word = 'lamps' and p.why = 'web_security'",
    "(select 'web_security' as purpose, 'lamps' as clock) as w on true "
    "inner join policy.periods as p using (purpose, clock)",
    "(values ('web_security', 'security'), ('web_security', 'lamps')) as w(purpose, clock) on true "
    "inner join policy.periods as p on p.purpose = w.purpose and p.clock = w.clock",
    "policy.periods as p on (p.purpose, p.clock) = ('web_security', 'lamps')",
    "policy.periods as p on p.purpose = 'web_security' "
    "and p.clock = case c.country when 'NO' then 'lamps' else 'security' end",
}
#: Shapes in which every period that is asked for is there.
WHOLE = {
    "(values ('web_security', 'security'), ('customer_care', 'care')) as w(purpose, clock) on true "
    "inner join policy.periods as p on p.purpose = w.purpose and p.clock = w.clock",
    "policy.periods as p on (p.purpose = 'web_security' and p.clock = 'security') "
    "or (p.purpose = 'customer_care' and p.clock = 'care')",
    "policy.periods as p on p.purpose in ('web_security', 'customer_care') and p.clock in ('security', 'care')",
    "(select 'web_security' as purpose) as w on true inner join policy.periods as p "
    "on p.purpose = w.purpose and p.clock = 'security' and p.clock <> 'lamps'",
    # the engine refuses it
    "(values ('web_security', 'security'), ('web_security')) as w(purpose, clock) on true "
    "inner join policy.periods as p using (purpose, clock)",
}


@pytest.mark.parametrize("shape", sorted(SHAPES | WHOLE))
def test_a_period_is_missed_in_whatever_shape_a_purpose_joins_it(
    shape: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, _ = OF_A_ROW.split("policy.periods")
    (site / "policy" / "purposes" / "web_security.sql").write_text(before + shape)
    capsys.readouterr()
    main(["policy", "check", "--site", str(site)])
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("error: period_missing")]
    assert len(told) == (shape in SHAPES)
    assert all("web_security → periods: add lamps; web_security.sql reads it, and keeps" in line for line in told)


@pytest.mark.parametrize("joined", LACKED)
def test_nothing_is_decided_by_a_purpose_that_reads_a_period_which_is_not_there(
    joined: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    statement = OF_A_ROW.replace("p.purpose = 'web_security' and p.clock = {}", joined)
    (site / "policy" / "purposes" / "web_security.sql").write_text(statement)
    trial = site / "policy" / "scenarios" / "customer_care.yaml"
    for verb in (["scenario", str(trial)], ["run"]):
        capsys.readouterr()
        assert main([*verb, "--site", str(site)]) == 3
        said = capsys.readouterr().err
        assert f"register: {LACKED[joined]}" in said
        assert "web_security.sql reads" in said


def test_sql_whose_entry_was_lost_from_the_register_is_told(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register = site / "policy" / "register.yaml"
    text = register.read_text(encoding="utf-8")
    own_sql(site / "policy", "product_development")
    start, end = text.index("  product_development:\n"), text.index("  web_security:\n")
    register.write_text(text[:start] + text[end:], encoding="utf-8")
    capsys.readouterr()
    assert main(["policy", "check", "--policy", "site/policy"]) == 0
    told = capsys.readouterr().out
    assert "sql_without_purpose: purposes/product_development.sql: the register has no purpose" in told
    (site / "policy" / "purposes" / "product_development.sql").unlink()
    main(["policy", "check", "--policy", "site/policy"])
    assert "sql_without_purpose" not in capsys.readouterr().out


#: A company's own column of subscribers, and a purpose of web events that reads it.
OWN_COLUMN = """      - name: unsubscribed_at
        logicalType: timestamp
      - name: tier
        logicalType: string
        enum: [{value: gold}, {value: tin}]
        customProperties:
          - {property: dataCategory, value: identity}
"""
REMEMBERED = "          - {property: remembered, value: true}\n"
LOOKUP = """  - name: artiklar
    customProperties: [{property: role, value: lookup}]
    properties: [{name: nr, physicalName: Art.nr}, {name: namn}, {name: Benämning, physicalName: Benämning}]
"""
BY_TIER = (
    "with tiers as (select s.customer_id, {} as tier from raw.mailing_subscribers as s) "
    "select 'web_event' as record_type, e.row_id, 'security' as clock, e.occurred_at as starts_on, "
    "add_months(e.occurred_at, p.months) + p.days as ends_on, cast(null as varchar) as ended_by, "
    "cast(null as varchar) as missing from raw.web_events as e "
    "inner join tiers on e.customer_id = tiers.customer_id "
    "inner join policy.periods as p on p.purpose = 'web_security' and p.clock = 'security' where tiers.tier = 'gold'"
)


@pytest.mark.parametrize(
    ("properties", "read", "covers", "told"),
    [
        ("", "s.tier", "", "say `remembered` of it in the contract and read known_tier instead, or cover that"),
        ("", "tier", "", "say `remembered` of it in the contract and read known_tier instead, or cover that"),
        (REMEMBERED, "s.tier", "", "So read known_tier instead, or cover that category"),
        (REMEMBERED, "s.known_tier", "", None),
        ("", "s.tier", ", subscriber: [identity]", None),
        ("", "s.name", "", "raw.mailing_subscribers.name, which is empty from the night after identity of the "
         "subscriber was ordered erased, and may then decide otherwise. So cover that category too"),
        ("", "s.list", "", None),
    ],
)  # fmt: skip
def test_a_purpose_that_reads_what_an_erasure_empties_is_told(
    properties: str, read: str, covers: str, told: str | None, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = site / "policy"
    old = "      - name: unsubscribed_at\n        logicalType: timestamp\n"
    rewritten(policy / "contracts" / "mailing_subscribers.yaml", old, OWN_COLUMN + properties)
    rewritten(policy / "register.yaml", "web_event: [device]", f"web_event: [device]{covers}")
    (policy / "purposes" / "web_security.sql").write_text(BY_TIER.format(read))
    capsys.readouterr()
    assert main(["policy", "check", "--policy", "site/policy"]) == 0
    out = capsys.readouterr().out
    assert ("column_forgotten: web_security.sql reads raw.mailing_subscribers." in out) is (told is not None)
    assert told is None or told in out


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("\"'1'\"", True),
        ("\"case when price is not null then '1' end\"", False),
        ('"null"', False),
    ],
)
def test_a_personal_column_that_reads_nothing_of_the_file_is_told(
    made: str, told: bool, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = site / "policy" / "contracts" / "orders_order_lines.yaml"
    rewritten(lines, "      - name: quantity\n", f"      - name: quantity\n        transformLogic: {made}\n")
    capsys.readouterr()
    main(["policy", "check", "--policy", "site/policy"])
    assert ("constant_field: contracts/orders_order_lines: quantity (transaction)" in capsys.readouterr().out) is told


@pytest.mark.parametrize(
    ("looked_up", "lacks"),
    [
        ("select max(a.namn) from artiklar as a where a.nr = this.product_id", None),
        ('select max(A.Benämning) from artiklar as a where a."Art.nr" = this.product_id', None),
        ("select max(benämning) from artiklar where nr = this.product_id and unit_price > '1'", None),
        ("select max(text) from (select namn as text from artiklar) as d where length(text) > 1", None),
        ("select max(a.name) from artiklar as a where a.nr = this.product_id", "name"),
        ("select max(a.namn) from artiklar as a where artikel = this.product_id", "artikel"),
        ("select 1 where exists (select 1 from artiklar as b where b.pris > (select max(nr) from artiklar))", "pris"),
    ],
)
def test_a_column_that_a_lookup_lacks_is_told(
    looked_up: str, lacks: str | None, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = site / "policy" / "contracts" / "orders_order_lines.yaml"
    made = f"      - name: description\n        transformLogic: {json.dumps(f'({looked_up})')}\n"
    rewritten(lines, "      - name: description\n", made)
    rewritten(lines, "slaProperties:", LOOKUP + "slaProperties:")
    capsys.readouterr()
    assert main(["policy", "check", "--policy", "site/policy"]) == (0 if lacks is None else 1)
    said = (
        "error: lookup_column: contracts/orders_order_lines: transformLogic of description reads "
        f"{lacks}, which the lookup artiklar does not list (Art.nr, Benämning, namn, nr)."
    )
    assert (said in capsys.readouterr().out) is (lacks is not None)


@pytest.mark.parametrize(("read", "told"), [("s.tier", True), ("s.known_tier", True), ("s.list", False)])
def test_a_purpose_that_reads_what_no_contract_declares_is_told(
    read: str, told: bool, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / "policy" / "purposes" / "web_security.sql").write_text(BY_TIER.format(read))
    capsys.readouterr()
    main(["policy", "check", "--policy", "site/policy"])
    said = f"column_undeclared: web_security.sql reads raw.mailing_subscribers.{read.removeprefix('s.')}, which no"
    assert (said in capsys.readouterr().out) is told


def test_a_register_without_contacts_recipients_and_measures_is_a_finding(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register = site / "policy" / "register.yaml"
    before, _, rest = register.read_text(encoding="utf-8").partition("\nrecord:\n")
    after = rest[rest.index("\nclocks:\n") :]
    register.write_text(before + after, encoding="utf-8")
    assert main(["policy", "check", "--policy", "site/policy"]) == 0
    assert "record_missing: register.yaml has no record" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('en: "Debt collectors"}\n', 'en: "Debt collectors"}\n      country: US\n', "safeguard"),
        ("purposes: [debt_collection]", "purposes: [debts]", "debts"),
        ("{name: Dataskyddsombudet, email: dataskydd@familjefilm.example}", "{name: Dataskyddsombudet}", "address"),
    ],
)
def test_a_record_that_cannot_stand_is_refused(
    old: str, new: str, said: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rewritten(site / "policy" / "register.yaml", old, new)
    assert main(["policy", "check", "--policy", "site/policy"]) == 3
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("language", "title"), [("sv", "Nyhetsbrev"), ("en", "Newsletter")])
def test_the_register_is_printed_in_both_languages(
    language: str, title: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["policy", "register", "--language", language]) == 0
    plain = capsys.readouterr().out
    assert title in plain
    assert main(["policy", "register", "--language", language, "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)["purposes"]
    assert len(entries) == 17
    assert all(entry["title"] in plain and entry["law"] in plain for entry in entries)


@pytest.mark.parametrize(("disposition", "code", "verdict"), [("erase", 0, "ok"), ("retain", 1, "DIFFERS")])
def test_scenario_tells_ok_from_different(
    disposition: str, code: int, verdict: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "note.yaml"
    path.write_text(SCENARIO % disposition, encoding="utf-8")
    assert main(["scenario", str(path)]) == code
    assert capsys.readouterr().out.startswith(verdict)
    assert main(["scenario", str(path), "--json"]) == code
    (outcome,) = json.loads(capsys.readouterr().out)
    assert outcome["passed"] is (code == 0)
    assert len(outcome["differences"]) == code


def test_a_file_that_is_no_scenario_keeps_the_others_from_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = {"first": "expect: [", "right": SCENARIO % "erase", "wrong": SCENARIO % "retain", "last": "exports: 1"}
    paths = [tmp_path / f"{name}.yaml" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_text(text, encoding="utf-8")
    assert main(["scenario", *map(str, paths)]) == 3
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.out.splitlines()] == ["ok", "DIFFERS"]
    assert "first.yaml: not a YAML file" in said.err
    assert "last.yaml: a scenario has a name" in said.err
    assert said.err.endswith("1 of 2 scenario files differ.\n")


def test_another_policy_decides_otherwise_without_any_python(site: Path, tmp_path: Path) -> None:
    path = tmp_path / "note.yaml"
    path.write_text(SCENARIO % "retain", encoding="utf-8")
    assert main(["scenario", str(path)]) == 1
    register = site / "policy" / "register.yaml"
    rewritten(register, "periods: {care: P1Y}", "periods: {care: P2Y}")
    path.write_text((SCENARIO % "retain").replace(", retain, 2025-02-28", ", retain, 2026-02-28"), encoding="utf-8")
    assert main(["scenario", str(path), "--policy", str(site / "policy")]) == 0


def test_plain_files_are_delivered_and_seen_waiting(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = site.parent / "fiscal_years.csv"
    file.write_text("starts_on,ends_on\n2025-09-01,2026-08-31\n", encoding="utf-8")
    at = ["--extracted-at", "2026-11-22T02:00:00Z"]
    assert main(["deliver", "office", str(file), *at, "--delivery-id", "first", "--site", str(site)]) == 0
    note = json.loads((site / "inbox" / "office" / "first" / "delivery.json").read_text(encoding="utf-8"))
    assert note["files"][0]["rows"] == 1
    capsys.readouterr()
    assert main(["status", "--site", str(site)]) == 0
    assert "office/first" in capsys.readouterr().out
    assert main(["deliver", "nowhere", str(file), *at, "--site", str(site)]) in (2, 3)
    assert main(["deliver", "office", str(site.parent / "none.csv"), "--site", str(site)]) == 3


def test_generate_fills_the_inbox_once(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "site", "--customers", "5", "--seed", "3"]) == 0
    assert "gallring run" in capsys.readouterr().out
    assert len(list((site / "inbox").glob("*/*/delivery.json"))) == 5
    assert main(["generate", "site", "--customers", "5"]) == 3
    capsys.readouterr()
    assert main(["generate", "site", "--customers", "5", "--seed", "3", "--change", "100", "--mode", "delta"]) == 0
    assert "--as-of 2026-11-23" in capsys.readouterr().out
    assert (site / "inbox" / "crm" / "2026-11-23T02-00" / "delivery.json").is_file()
