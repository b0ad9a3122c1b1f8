"""The reference part of the documentation, made from what the program itself declares: it cannot be out of date.

One function a page, each giving Markdown: commands from the command line, exports from the shipped contracts, published
tables from the headers of `sql/analytics/`, purposes from the shipped register, settings from their own template.
Writes nothing and reads no site; `docs/hooks.py` puts the pages into the built documentation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, get_args, get_origin


def pages() -> dict[str, str]:
    """Every page of the reference: its path below `docs/` and its text."""
    makers: dict[str, Callable[[], str]] = {
        "commands": commands,
        "evaluation-tables": evaluation_tables,
        "exports": exports,
        "published-tables": published_tables,
        "purposes": purposes,
        "settings": settings,
    }
    return {f"reference/{name}.md": make() for name, make in makers.items()}


# -- commands ----------------------------------------------------------------------------------------------------------


def commands() -> str:
    """Every verb with what it does, its arguments, options and examples."""
    from typer.main import get_command

    from orchestration.cli.verbs import app

    parts = [
        "# Commands",
        "What `gallring --help` and each verb's `--help` say. Exit codes: 0 done · 1 the check it ran says no · 2 bad "
        "usage · 3 bad input, rejected or blocked, and the message says which file, row or rule · 4 a person has to "
        "decide · 130 stopped with Ctrl+C. `gallring --show-completion` prints the completion for your shell, "
        "`--install-completion` puts it in.",
    ]
    for name, command in _verbs(get_command(app)):
        parts += [f"## gallring {name}", str(command.help or "").strip()]
        parts += _parameters(command)
        if command.epilog:
            parts.append(_fenced("console", command.epilog.replace("\b\n", "").removeprefix("Examples:\n")))
    return _page(parts)


def _verbs(command: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every verb that does something, by its full name, in alphabetical order."""
    for name, each in sorted(command.commands.items()):
        if hasattr(each, "commands"):
            yield from _verbs(each, f"{before}{name} ")
        else:
            yield before + name, each


def _parameters(command: Any) -> list[str]:
    shown = [each for each in command.params if not each.hidden]
    if not shown:
        return []
    rows = [(_written(each), "yes" if each.required else "", _said(each)) for each in shown]
    return [_table(("argument or option", "needed", "meaning"), rows)]


def _written(parameter: Any) -> str:
    """How a parameter is written on the command line."""
    if not parameter.opts[0].startswith("-"):
        return _code(parameter.metavar or parameter.name.upper())
    value = "" if parameter.is_flag else " " + (parameter.metavar or _values(parameter))
    return ", ".join(_code(option + value) for option in (*parameter.opts, *parameter.secondary_opts))


def _values(parameter: Any) -> str:
    annotation = parameter.type_descriptor.annotation
    if get_origin(annotation) is Literal:
        return "|".join(get_args(annotation))
    return str({int: "NUMBER", float: "NUMBER"}.get(annotation, "TEXT"))


def _said(parameter: Any) -> str:
    default = parameter.default
    told = default is not None and not isinstance(default, bool) and "[default:" not in (parameter.help or "")
    return (parameter.help or "") + (f" [default: {default}]" if told else "")


# -- exports -----------------------------------------------------------------------------------------------------------


def exports() -> str:
    """Every export table that the shipped contracts take in, with its columns."""
    from assets.policy import Policy

    parts = [
        "# Exports",
        "What the shipped contracts read: UTF-8, comma, header; dates `YYYY-MM-DD`, instants RFC 3339, decimals with a "
        "point, an empty field is null. A company's own contracts map other files onto the same columns: "
        "[Take in another system's exports](../how-to/add-a-source.md).",
    ]
    for contract in Policy.load().contracts.values():
        fresh = f"stale after {contract.freshness_days} days" if contract.freshness_days else "never stale"
        parts += [
            f"## {contract.name}",
            contract.description,
            f"Files {_code(contract.file_pattern)}; record type {_code(contract.record_type or 'none')}; "
            f"{'optional' if contract.optional else 'required'}; {fresh}.",
            _table(
                ("column", "type", "needed", "personal data", "values"),
                [
                    (_code(column.name) + (" (key)" if column.name == contract.key else ""), column.type,
                     "yes" if column.required else "", column.category or "", ", ".join(map(_code, column.enum)))
                    for column in contract.columns
                ],
            ),
        ]  # fmt: skip
    return _page(parts)


# -- published tables --------------------------------------------------------------------------------------------------


def published_tables() -> str:
    """Every table and macro of `analytics.duckdb`, with the comments that stand in the file itself."""
    from assets.catalogue.published import published_tables
    from assets.publication.analytics import MACROS

    parts = [
        "# Published tables",
        "`analytics.duckdb`, as every run publishes it. The same words stand in the file, as comments on tables and "
        "columns. [For analysts](../analysts.md) shows how to ask.",
    ]
    for table in sorted(published_tables(), key=lambda each: each.name):
        rows = [(_code(column.name), column.type, column.comment) for column in table.columns]
        parts += [f"## {table.name}", table.comment, _table(("column", "type", "meaning"), rows)]
    found = re.findall(r"^-- - (\w+): (.+)$", MACROS.read_text(encoding="utf-8"), re.MULTILINE)
    parts += ["## Questions to call", _table(("macro", "answers"), [(_code(name), said) for name, said in found])]
    return _page(parts)


# -- what a purpose may read -------------------------------------------------------------------------------------------


def evaluation_tables() -> str:
    """Every table that a purpose's SELECT may read, from the SQL that makes it."""
    import sqlglot

    from assets.models import Models

    parts = [
        "# Tables that a purpose reads",
        "What a purpose's SELECT joins ([Add a purpose](../how-to/add-a-purpose.md)): `core.*`, the records as the "
        "rules read them, and `triggers.*`, what starts and ends clocks as of the day. Keys are numbers "
        "(`core.records` has the source's own beside them), days are dates. `$as_of` is the day of evaluation.",
        "`policy.periods(purpose, clock, months, days)` holds the register's periods; `*` is the purpose of the shared "
        "clocks.",
    ]
    for model in sorted(Models.of("core", "triggers").ordered, key=lambda model: model.table):
        query = sqlglot.parse_one(model.statement, read="duckdb")
        columns = ", ".join(map(_code, query.named_selects))  # type: ignore[attr-defined]
        parts += [f"## {model.table}", re.sub(r"\s*Closed words:.*", "", model.header), f"Columns: {columns}."]
    return _page(parts)


# -- purposes ----------------------------------------------------------------------------------------------------------


def purposes() -> str:
    """The shipped purpose register: what is held, why, on what ground, for how long."""
    from assets.policy import Policy

    policy = Policy.load()
    register = policy.register
    shared = [(_code(name), _code(clock.period), clock.why) for name, clock in register.clocks.items()]
    parts = [
        "# Purposes",
        f"The shipped register, {register.policy} {register.version}, controller {register.controller}. "
        "`gallring policy register` prints that of a site. Class *use* keeps data in ordinary use, class *duty* for a "
        "legal duty or claim alone.",
        _table(("shared clock", "period", "why"), shared),
    ]
    for name, purpose in register.purposes.items():
        covered: dict[str, list[str]] = {}
        for each in policy.coverage():
            if each.purpose == name and each.data_category not in covered.setdefault(each.record_type, []):
                covered[each.record_type].append(each.data_category)
        rows = [
            ("class", purpose.purpose_class),
            ("legal basis", ", ".join(map(_code, purpose.legal_basis))),
            ("law", purpose.law),
            ("periods", ", ".join(f"{clock}: {_code(period)}" for clock, period in purpose.periods.items())),
            ("decided by", purpose.decided_by),
            ("covers", "; ".join(f"{record}: {', '.join(found)}" for record, found in covered.items())),
            ("DPV purpose", _code(purpose.dpv_purpose)),
        ]
        parts += [f"## {name}", f"{purpose.title.en} · {purpose.title.sv}", _table(("", ""), rows)]
    return _page(parts)


# -- settings ----------------------------------------------------------------------------------------------------------


def settings() -> str:
    """What may stand in `gallring.toml`, as a new site has it."""
    from orchestration.settings import SECRETS, default_settings, variable_of

    secrets = ", ".join(_code(variable_of(name)) for name in SECRETS)
    return _page([
        "# Settings",
        "A new site's `gallring.toml`, which shows every setting with its default. Each can also come from the "
        "environment, which goes first: `GALLRING_` and the name in capitals, two underscores between a section and "
        "its setting, such as `GALLRING_WAREHOUSE__MEMORY_LIMIT`; a list as JSON, such as "
        "`GALLRING_AUTOMATION__RUNNING='[\"nightly_cycle\"]'`.",
        _fenced("toml", default_settings()),
        f"Secrets never stand there. From the environment alone: {secrets}.",
    ])  # fmt: skip


# -- Markdown ----------------------------------------------------------------------------------------------------------


def _page(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("*", "\\*").replace("[", "\\[")


def _code(text: str) -> str:
    return f"`{text}`"


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text.strip()}\n```"
