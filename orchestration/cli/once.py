"""An option that is given twice is refused, unless it takes several: the first would be dropped without a word."""

from __future__ import annotations

from collections import Counter
from typing import Any

import typer
from typer.core import TyperCommand, TyperOption

from assets.errors import BadUsage


class _OnceCommand(TyperCommand):
    """A verb each of whose options has one value, but for those that take several."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments.

        Raises:
            BadUsage: an option is given twice. A flag says the same however often.
        """
        if not ctx.resilient_parsing:  # as while a shell completes a line
            given = Counter(self.make_parser(ctx).parse_args(args=list(args))[2])
            for option, times in given.items():
                if times > 1 and isinstance(option, TyperOption) and not (option.multiple or option.is_flag):
                    name = max(option.opts, key=len)
                    raise BadUsage(f"{name} is given {times} times, and one alone counts: give it once.")
        return super().parse_args(ctx, args)


def refuse_repetition(app: typer.Typer) -> None:
    """Let every verb refuse an option that is given twice."""
    for each in (app, *(group.typer_instance for group in app.registered_groups)):
        for command in each.registered_commands if each is not None else ():
            command.cls = _OnceCommand
