"""How the command line speaks: tables that are rich on a terminal and plain when piped, JSON, and complaints.

Knows nothing of what it prints. NO_COLOR and dumb terminals are rich's to respect.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any, TextIO

import typer

#: Control characters but for line ends and tabs, and marks that turn the direction of what follows.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def say(text: str = "") -> None:
    """One paragraph on standard output."""
    typer.echo(harmless(text))


def complain(message: str) -> None:
    """What is wrong, on standard error."""
    typer.echo(f"gallring: {harmless(message)}", err=True)


def harmless(text: str) -> str:
    """`text` without what a terminal obeys: a file's name from outside must not clear the screen or fake a line."""
    return _OBEYED.sub("\N{REPLACEMENT CHARACTER}", text)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person sees it; Python has no stream where the shell closed it (`>&-`)."""
    return stream is not None and stream.isatty()


def heading(text: str) -> None:
    """A line above a table: bold on a terminal, underlined by nothing when piped."""
    if is_terminal(sys.stdout):
        from rich.console import Console

        Console().print(f"\n[bold]{text}[/bold]")
    else:
        say(f"\n{text}")


#: A cell that is longer stands whole, and widens no other row: a key may have thousands of characters.
_WIDEST = 120


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Rows under their columns; numbers to the right, nothing for None, sequences with commas."""
    cells = [[harmless(_cell(value)) for value in row] for row in rows]
    numeric = [bool(rows) and all(isinstance(row[at], int | None) for row in rows) for at in range(len(columns))]
    if is_terminal(sys.stdout):
        _rich_table(columns, cells, numeric)
    else:
        _plain_table(columns, cells, numeric)


def as_json(value: Any) -> None:
    """A value as JSON: dataclasses as objects, days and instants in ISO 8601."""
    say(json.dumps(_plain(value), ensure_ascii=False, indent=2))


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_cell(entry) for entry in value)
    return "" if value is None else str(value)


def _rich_table(columns: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name, is_number in zip(columns, numeric, strict=True):
        drawn.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in cells:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


def _plain_table(columns: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool]) -> None:
    lines = [list(columns), *cells]
    widths = [max(min(len(line[at]), _WIDEST) for line in lines) for at in range(len(columns))]
    for line in lines:
        padded = [
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(line, widths, numeric, strict=True)
        ]
        say("  ".join(padded).rstrip())


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(entry) for entry in value]
    if isinstance(value, date):  # an instant is a date too
        return value.isoformat()
    return str(value) if isinstance(value, Path) else value
