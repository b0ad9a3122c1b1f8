"""The policy itself: `policy check`, `policy register`, `policy diff`; and `simulate`, which rehearses another one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from assets.errors import BadUsage, CheckFailed, NeedsPerson
from orchestration.cli.options import (
    MOST,
    JsonOption,
    PolicyOption,
    SiteOption,
    chosen_policy,
    existing_site,
    warehouse_of,
)
from orchestration.cli.printing import as_json, complain, heading, say, table

if TYPE_CHECKING:
    from assets.policy import Policy
    from assets.rehearsal.simulating import Simulation

verbs = typer.Typer(help="Check a policy, print its register.", no_args_is_help=True, rich_markup_mode=None)
Language = Annotated[Literal["sv", "en"], typer.Option("--language", help="Swedish or English titles.")]


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.add_typer(verbs, name="policy")
    app.command("simulate")(simulate)


@verbs.command()
def check(policy: PolicyOption = None, site: SiteOption = None, json: JsonOption = False) -> None:
    """Whether a policy is whole.

    Every personal field has a purpose, and every purpose its SQL, scenario and legal basis; else exit code 1.
    """
    rules = chosen_policy(site, policy)
    from assets.policy_check import check as findings_of

    findings = findings_of(rules)
    errors, warnings, notes = (
        [finding for finding in findings if finding.severity == severity] for severity in ("error", "warning", "note")
    )
    if json:
        as_json(findings)
    else:
        for finding in findings:
            say(f"{finding.severity}: {finding.rule}: {finding.message}")
        say(f"{rules.register.policy} {rules.version}: {len(rules.register.purposes)} purposes, "
            f"{len(errors)} errors, {len(warnings)} warnings{f', {len(notes)} notes' if notes else ''}.")  # fmt: skip
    if errors:
        raise CheckFailed("The policy cannot be trusted to run: mend the errors above.")


@verbs.command()
def register(
    policy: PolicyOption = None, site: SiteOption = None, language: Language = "en", json: JsonOption = False
) -> None:
    """Print the purpose register (Art 30).

    What is held, why, on what ground and for how long.
    """
    rules = chosen_policy(site, policy)
    entries = [_entry(rules, name, language) for name in rules.register.purposes]
    if json:
        as_json({"policy": rules.register.policy, "version": rules.version, "controller": rules.register.controller,
                 "record": rules.register.record.model_dump() if rules.register.record else None,
                 "purposes": entries})  # fmt: skip
        return
    say(f"{rules.register.policy} {rules.version}, controller {rules.register.controller}")
    _tell_record(rules, language)
    for entry in entries:
        heading(f"{entry['title']} ({entry['purpose']})")
        table(["", ""], [[name, _text(entry[name])] for name in list(entry)[2:]])


def _tell_record(rules: Policy, language: str) -> None:
    """What Art 30(1) asks beside the purposes."""
    record = rules.register.record
    if record is None:
        return
    heading("Record of processing (Art 30(1)(a), (d), (e), (g))")
    officer = record.data_protection_officer
    lines = [["controller", record.controller.ways]]
    lines += [["data protection officer", f"{officer.name} {officer.ways}".strip()]] if officer else []
    lines += [
        [f"recipient ({each.role}, {each.country})", f"{getattr(each.title, language)} {each.safeguard}".strip()]
        for each in record.recipients.values()
    ]
    lines += [["security measure", getattr(measure, language)] for measure in record.security]
    table(["", ""], lines)


@verbs.command("diff")
def difference(
    before: Annotated[Path, typer.Argument(metavar="DIR_A", help="A policy folder.")],
    after: Annotated[Path, typer.Argument(metavar="DIR_B", help="Another one.")],
    json: JsonOption = False,
) -> None:
    """What differs between two policies, in words.

    Purposes, periods, grounds, coverage, rules and contracts. Exit code 0 whatever it finds.
    """
    from assets.policy import Policy
    from assets.policy_diff import diff

    found = diff(Policy.load(before), Policy.load(after))
    if json:
        as_json(found)
        return
    for each in found:
        say(each.sentence)
    if not found:
        say("The two policies are the same.")


def simulate(
    policy: Annotated[Path, typer.Option("--policy", metavar="DIR", help="The policy folder to rehearse.")],
    site: SiteOption = None,
    examples: Annotated[
        int, typer.Option("--examples", min=0, max=MOST, help="How many examples of each direction.")
    ] = 3,
    chart: Annotated[
        Path | None, typer.Option("--chart", metavar="FILE", help="Also write it as a page, in one file of its own.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Rehearse another policy over the site's data.

    What it would decide otherwise than the last run did: by system, purpose, direction and the year in which it falls
    due, with examples. Nothing of the site is changed.

    Exit codes: 0 nothing would be erased at once; 4 something would, and a person has to decide.
    """
    from assets.policy import Policy
    from assets.rehearsal.simulating import simulate as rehearse

    chosen, settings = existing_site(site)
    from orchestration.opening import load_policy

    other = Policy.load(policy)
    with warehouse_of(chosen, settings) as warehouse:
        found = rehearse(warehouse, load_policy(settings), other, examples=examples)
    if chart is not None:
        _draw(found, chart)
    if json:
        as_json(found)
    else:
        _tell_simulation(found)
    if found.erased_at_once:
        raise NeedsPerson(f"THIS POLICY WOULD ERASE {found.erased_at_once} FIELDS AT ONCE. Decide before it is merged.")


def _draw(found: Simulation, page: Path) -> None:
    """Write the simulation as a page."""
    from assets.rehearsal.page import write_page

    if not page.parent.is_dir():
        raise BadUsage(f"{page.parent} is no folder: name a file in one that is there.")
    write_page(found, page)


def _tell_simulation(found: Simulation) -> None:
    say(f"{found.other} instead of {found.policy}, on {found.as_of}: {found.fields} fields decided otherwise.")
    if found.erased_at_once:
        complain(f"!!! {found.erased_at_once} FIELDS WOULD BE ERASED AT ONCE !!!")
    if not found.flips:
        return
    heading("What changes, by direction, system, purpose and the year in which it falls due")
    table(
        ["direction", "system", "purpose", "year", "fields"],
        [[flip.direction.replace("_", " "), flip.system, flip.purpose, flip.year, flip.fields] for flip in found.flips],
    )
    heading("Examples")
    table(
        ["direction", "record", "key", "category", "today", "until", "then", "until", "why"],
        [
            [each.direction.replace("_", " "), each.record_type, each.record_key, each.data_category, each.before,
             each.before_until, each.after, each.after_until, each.reason]
            for each in found.examples
        ],
    )  # fmt: skip


def _entry(rules: Policy, name: str, language: str) -> dict[str, Any]:
    """One purpose's entry: what a person reads, and a machine."""
    purpose = rules.register.purposes[name]
    covers: dict[str, list[str]] = {}
    for each in rules.coverage():
        if each.purpose == name:
            held = covers.setdefault(each.record_type, [])
            held += [each.data_category] if each.data_category not in held else []
    return {
        "purpose": name,
        "title": purpose.title.sv if language == "sv" else purpose.title.en,
        "class": purpose.purpose_class,
        "legal basis": list(purpose.legal_basis),
        "DPV purpose": purpose.dpv_purpose,
        "covers": covers,
        "periods": dict(purpose.periods),
        "law": purpose.law,
        "decided by": purpose.decided_by,
    }


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_text(entry)}" for name, entry in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)
