"""Serving the analysts' copy to many at once: `serve-analytics`."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Annotated

import typer

from assets.errors import BadUsage
from orchestration.cli.options import SiteOption, existing_site
from orchestration.cli.printing import say

_SIZE = re.compile(r"[0-9]+(\.[0-9]+)? ?[KMGT]i?B", re.IGNORECASE | re.ASCII)


def add_to(app: typer.Typer) -> None:
    """Add this verb to the command line."""
    app.command("serve-analytics")(serve_analytics)


def serve_analytics(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where it listens, on this machine alone.")]
    = 9494,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help="The token that readers show. [default: the site's own]"),
    ] = None,
    memory_limit: Annotated[
        str, typer.Option("--memory-limit", metavar="SIZE", help="How much memory all readers share.")
    ] = "1GB",
    threads: Annotated[int, typer.Option("--threads", min=0, max=1024, help="How many threads; 0: the machine's.")] = 0,
    site: SiteOption = None,
) -> None:  # fmt: skip
    """Serve analytics.duckdb to many readers.

    Read-only, with a token, on this machine alone, over DuckDB's own protocol (quack). A run that publishes a new copy
    goes on undisturbed; the port then answers from the new copy, and an attached reader attaches again.
    """
    if not _SIZE.fullmatch(memory_limit):
        raise BadUsage(f"--memory-limit {memory_limit!r} is not a size: write it as 1GB or 512MiB.")
    chosen, _ = existing_site(site)
    from orchestration.serving_analytics import Serving, read_token, serve

    token, file = read_token(chosen, token_file)
    say(f"Readers show the token in {file}; docs/analysts.md says how. Stop it with Ctrl+C.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        serve(chosen, Serving(port, token, memory_limit, threads), say)
    except KeyboardInterrupt:
        say("Stopped.")
