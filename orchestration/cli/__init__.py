"""The `gallring` command: a thin face over the Dagster definitions and the modules behind them.

The verbs stand in the modules beside this one (`verbs` puts them together), and nothing of them is imported before the
command runs: `gallring --help` answers at once, and Ctrl+C is a sentence from the first moment on. Decides nothing: it
calls, prints, and turns an error that is someone's to mend into a sentence and an exit code.
"""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Sequence

from assets.errors import STOPPED, GallringError, told_by_the_system

_STOPPED = "gallring: Stopped. What was finished stays; the same command, given again, does the rest.\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 0, 1, 2, 3 or 4 as `docs/` and `assets/errors.py` say."""
    atexit.register(gc.freeze)  # what is left at the end goes with the process: to look through it takes a second
    try:
        code = _run(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:  # while the verbs were imported: from there on typer has it
        code = STOPPED
    if code == STOPPED and sys.stderr is not None:  # which the shell may have closed
        sys.stderr.write(_STOPPED)
    return code


def _run(arguments: list[str]) -> int:
    from orchestration.cli.printing import complain
    from orchestration.cli.verbs import app

    try:
        app(args=arguments, prog_name="gallring")
    except GallringError as error:
        complain(error.message)
        return error.exit_code
    except OSError as error:
        complain(told_by_the_system(error))
        return GallringError.exit_code
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    return 0
