"""The policy itself: `policy check` and `policy register`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from assets.errors import CheckFailed
from orchestration.cli.options import JsonOption, PolicyOption, SiteOption, chosen_policy
from orchestration.cli.printing import as_json, heading, say, table

if TYPE_CHECKING:
    from assets.policy import Policy

verbs = typer.Typer(help="Check a policy, print its register.", no_args_is_help=True, rich_markup_mode=None)
Language = Annotated[Literal["sv", "en"], typer.Option("--language", help="Swedish or English titles.")]


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.add_typer(verbs, name="policy")


@verbs.command()
def check(policy: PolicyOption = None, site: SiteOption = None, json: JsonOption = False) -> None:
    """Whether a policy is whole.

    Every personal field has a purpose, and every purpose its SQL, scenario and legal basis; else exit code 1.
    """
    rules = chosen_policy(site, policy)
    from assets.policy_check import check as findings_of

    findings = findings_of(rules)
    errors = [finding for finding in findings if finding.severity == "error"]
    if json:
        as_json(findings)
    else:
        for finding in findings:
            say(f"{finding.severity}: {finding.rule}: {finding.message}")
        say(f"{rules.register.policy} {rules.version}: {len(rules.register.purposes)} purposes, "
            f"{len(errors)} errors, {len(findings) - len(errors)} warnings.")  # fmt: skip
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
                 "purposes": entries})  # fmt: skip
        return
    say(f"{rules.register.policy} {rules.version}, controller {rules.register.controller}")
    for entry in entries:
        heading(f"{entry['title']} ({entry['purpose']})")
        table(["", ""], [[name, _text(entry[name])] for name in list(entry)[2:]])


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
