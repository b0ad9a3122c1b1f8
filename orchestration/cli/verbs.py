"""Every verb of the `gallring` command: a module a group of verbs, each of which imports what it needs when it runs."""

from __future__ import annotations

import typer

from orchestration.cli import (
    cycle,
    deliveries,
    evidence,
    holds,
    keeping,
    manifests,
    people,
    policies,
    receiving,
    records,
    reporting,
    requests,
    serving,
    sites,
)
from orchestration.cli.examples import add_examples
from orchestration.cli.once import refuse_repetition

app = typer.Typer(
    name="gallring",
    help="Retention orchestration: exports in, signed deletion manifests out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (
    sites,
    deliveries,
    cycle,
    records,
    policies,
    manifests,
    evidence,
    reporting,
    holds,
    requests,
    people,
    keeping,
    receiving,
    serving,
):
    group.add_to(app)
add_examples(app)
refuse_repetition(app)
