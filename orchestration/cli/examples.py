"""The examples that stand under each verb's `--help`: its full name to command lines as somebody would type them."""

from __future__ import annotations

import typer

EXAMPLES: dict[str, tuple[str, ...]] = {
    "init": ("gallring init site",),
    "demo": ("gallring demo", "gallring demo /tmp/demo --json"),
    "generate": ("gallring generate site --customers 100000 --seed 7",),
    "deliver": (
        "gallring deliver crm customers.csv contacts.csv --site site",
        "gallring deliver crm interactions.csv --mode delta --extracted-at 2026-11-23T02:00:00Z",
    ),
    "quarantine": ("gallring quarantine", "gallring quarantine orders --show"),
    "accept": ('gallring accept crm interactions --by "Dana Exempel" --reason "the archive was moved out"',),
    "run": ("gallring run", 'gallring run --as-of 2026-11-25 --by "Dana Exempel" --json'),
    "ui": ("gallring ui --site site --port 3000",),
    "status": ("gallring status", "gallring status --as-of 2026-12-24 --json"),
    "explain": (
        "gallring explain customer K1005",
        "gallring explain order O2001 --as-of 2027-01-01 --language sv",
        "gallring explain customer K1005 --whole",
    ),
    "scenario": ("gallring scenario site/policy/scenarios/newsletter.yaml",),
    "simulate": (
        "gallring simulate --policy proposed",
        "gallring simulate --policy proposed --examples 0 --chart rehearsal.html",
    ),
    "forecast": ("gallring forecast --months 24", "gallring forecast --json"),
    "report": ("gallring report --site site",),
    "doctor": ("gallring doctor", "gallring doctor --json"),
    "access-report": (
        "gallring access-report --customer K1005",
        "gallring access-report --email anna@hem.example --checked interaction/I7/subject",
    ),
    "backup": ("gallring backup",),
    "restore": (
        "gallring restore site/backups/warehouse-2026-11-25T05-00-00-until-2026-12-30.duckdb",
        "gallring restore --replay",
    ),
    "rotate-key": ("gallring rotate-key",),
    "copies": ("gallring copies", "gallring copies --json"),
    "receive": (
        "gallring receive exchange/crm/2026-11-22-4ea34 --key signing.pub.pem",
        "gallring receive exchange/crm/2026-11-22-4ea34 --key signing.pub.pem --answers answers.csv",
    ),
    "serve-analytics": ("gallring serve-analytics", "gallring serve-analytics --port 9500 --memory-limit 4GB"),
    "policy check": ("gallring policy check", "gallring policy check --policy proposed --json"),
    "policy register": ("gallring policy register --language sv", "gallring policy register --json"),
    "policy diff": ("gallring policy diff site/policy proposed",),
    "manifest list": ("gallring manifest list --system crm",),
    "manifest show": ("gallring manifest show 2026-11-22-4ea34 --items 50",),
    "manifest approve": (
        'gallring manifest approve 2026-11-22-4ea34 --by "Dana Exempel" --reason "looked at ten"',
        'gallring manifest approve 2026-11-22-4ea34 2026-11-22-b07c1 --by "Dana Exempel" --reason "looked at both"',
    ),
    "manifest cancel": ('gallring manifest cancel 2026-11-22-4ea34 --by "Dana Exempel" --reason "exported twice"',),
    "manifest recipients": ("gallring manifest recipients delivery L9001",),
    "manifest verify": ("gallring manifest verify site/outbox/crm/2026-11-22-4ea34 --key signing.pub.pem",),
    "evidence export": ("gallring evidence export evidence.zip",),
    "evidence verify": ("gallring evidence verify", "gallring evidence verify evidence.zip --key signing.pub.pem"),
    "hold place": (
        "gallring hold place --customer K1005 --reason dispute --reviewer jurist",
        "gallring hold place --record invoice F5001 --field buyer_name --reason court --reviewer jurist",
    ),
    "hold release": ("gallring hold release site-h1 --on 2026-11-25",),
    "hold list": ("gallring hold list --all",),
    "hold review": ("gallring hold review", "gallring hold review site-h1 --next 2027-05-25"),
    "request add": (
        "gallring request add --kind erasure --customer K1005 --verified 2026-11-25",
        "gallring request add --kind withdrawal --email anna@hem.example --scope newsletter",
    ),
    "request verify": ("gallring request verify site-r1 --asked", "gallring request verify site-r1"),
    "request extend": ("gallring request extend site-r1",),
    "request list": ("gallring request list --all",),
    "request answer": ("gallring request answer site-r1", "gallring request answer site-r1 --sent 2026-12-01"),
    "people review": ("gallring people review",),
}


def add_examples(app: typer.Typer) -> None:
    """Put each verb's examples under its help."""
    groups = [("", app), *((f"{group.name} ", group.typer_instance) for group in app.registered_groups)]
    for before, each in groups:
        for command in each.registered_commands if each is not None else ():
            name = command.name or getattr(command.callback, "__name__", "").replace("_", "-")
            lines = EXAMPLES.get(before + name, ())
            if lines:
                # \b keeps the lines as they are
                command.epilog = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
