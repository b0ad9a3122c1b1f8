"""Pages and letters from Jinja templates, in Swedish and English.

A company's own template of the same name in `templates/` of its policy folder goes before the shipped one. Templates
run in a sandbox, know only what they are given, and fail on what they are not. Pages hold their style in themselves
and ask for nothing from anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from assets.errors import BadInput

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

    from assets.contracts.contract import Contract

Language = Literal["sv", "en"]
LANGUAGES: tuple[Language, ...] = ("sv", "en")
TEMPLATES = Path(__file__).with_name("templates")
WORDS = Path(__file__).with_name("words.yaml")
#: Fields whose values are codes of the contracts.
CODED = frozenset({"customer_type", "purchase_capacity", "status", "channel", "kind", "purpose", "event"})
_HYPHENED = re.compile(r"\b[0-9]+(?:-[0-9]+)+")
_ARTICLE = re.compile(r"^eu-gdpr:A(?P<article>[0-9]+)-(?P<paragraph>[0-9]+)-(?P<letter>[a-z])(?:-|$)")


@cache
def words(language: Language) -> Mapping[str, Any]:
    """What things are called in a language."""
    found: Mapping[str, Any] = yaml.safe_load(WORDS.read_text(encoding="utf-8"))[language]
    return found


def own_names(contracts: Mapping[Any, Contract]) -> dict[str, str]:
    """What a company's contracts call the records of a type (`businessName`), in whichever language it says them."""
    return {each.record_type: each.label for each in contracts.values() if each.record_type and each.label}


def render(
    template: str, language: Language, policy_folder: Path | None, names: Mapping[str, str] | None = None, **given: Any
) -> str:
    """A template with what is `given`; `policy_folder` is where a company's own templates may be.

    `names`: what the company calls the records of a type, where it has a word of its own.

    Raises:
        BadInput: a template of the company's own does not work; the message names it and the line.
    """
    from jinja2 import TemplateError

    environment = _environment(language, policy_folder, names or {})
    css = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    drawn = {"drawing": _Markup(given.pop("drawing"))} if "drawing" in given else {}
    try:
        return environment.get_template(template).render(language=language, css=_Markup(css), **drawn, **given)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        where = f", line {line}" if line else ""
        raise BadInput(f"The template {template}{where} cannot be used: {type(error).__name__}.") from None


class _Markup(str):
    """Our own style sheet or drawing, which is no text to escape."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


def _environment(language: Language, policy_folder: Path | None, names: Mapping[str, str]) -> SandboxedEnvironment:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    folders = [policy_folder / "templates"] if policy_folder is not None else []
    environment = SandboxedEnvironment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=lambda name: name is None or ".html" in name,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters.update({**_filters(language), "record": partial(_word, record_words(language, names))})
    return environment


def _filters(language: Language) -> dict[str, Callable[..., Any]]:
    known = words(language)
    named = {"system": "systems", "category": "categories", "field": "fields",
             "held": "held_back", "role": "roles", "kind": "kinds", "action": "actions", "state": "states"}  # fmt: skip
    return {
        **{name: partial(_word, known[group]) for name, group in named.items()},
        "until": lambda day: known["until"].format(day=day) if day else known["open_ended"],
        "article": partial(_article, known),
        "groupby_record": _by_record_type,
        "listed": partial(_listed, {"sv": "och", "en": "and"}[language]),
        "whole_days": _whole_days,
        "shown": lambda field: _shown(field, known, language),
    }


def record_words(language: Language, names: Mapping[str, str]) -> Mapping[str, str]:
    """What records of each type are called: by the company's own word before everybody's."""
    return {**words(language)["record_types"], **names}


def _word(group: Mapping[str, str], code: Any) -> str:
    return "" if code is None else group.get(str(code), str(code).replace("_", " "))


def _article(known: Mapping[str, Any], basis: str) -> str:
    match = _ARTICLE.match(basis)
    if match is None:
        return basis.replace("eu-gdpr:A", "").replace("-", ".")
    return str(known["article"].format(**match.groupdict()))


def _by_record_type(records: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    return [(kind, list(found)) for kind, found in groupby(records, key=lambda record: record["record_type"])]


def _listed(last: str, words: Iterable[str]) -> str:
    """Words as a sentence lists them: `a, b and c`."""
    found = list(words)
    return f" {last} ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)


def _whole_days(text: str) -> _Markup:
    """Text for a page, in which no line ends within a day or another number with hyphens."""
    from markupsafe import escape

    return _Markup(_HYPHENED.sub(r'<span class="day">\g<0></span>', str(escape(text))))


def _shown(field: Mapping[str, Any], known: Mapping[str, Any], language: Language) -> str:
    value = field["value"]
    if field["field"] in CODED:
        return _word(known["values"], value)
    if isinstance(value, bool):
        return {"sv": ("nej", "ja"), "en": ("no", "yes")}[language][value]
    return str(value)
