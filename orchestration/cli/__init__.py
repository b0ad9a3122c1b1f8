"""The `gallring` command: a thin face over the Dagster definitions and the modules behind them.

A module a group of verbs; each verb imports what it needs when it runs, so that `gallring --help` answers at once.
Decides nothing: it calls, prints, and turns an error that is someone's to mend into a sentence and an exit code.
"""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Sequence

import typer

from assets.errors import STOPPED, GallringError, told_by_the_system
from orchestration.cli import (
    cycle,
    deliveries,
    evidence,
    keeping,
    manifests,
    policies,
    receiving,
    records,
    reporting,
    rights,
    serving,
    sites,
)
from orchestration.cli.examples import add_examples
from orchestration.cli.printing import complain

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
    rights,
    keeping,
    receiving,
    serving,
):
    group.add_to(app)
add_examples(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 0, 1, 2, 3 or 4 as `docs/` and `assets/errors.py` say."""
    atexit.register(gc.freeze)  # what is left at the end goes with the process: to look through it takes a second
    try:
        app(args=list(sys.argv[1:] if arguments is None else arguments), prog_name="gallring")
    except GallringError as error:
        complain(error.message)
        return error.exit_code
    except OSError as error:
        complain(told_by_the_system(error))
        return GallringError.exit_code
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        if code == STOPPED:
            complain("Stopped. What was finished stays; the same command, given again, does the rest.")
        return code
    return 0
