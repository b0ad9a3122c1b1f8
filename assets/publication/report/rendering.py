"""Turns the answers into one page a language. Words come from `words.yaml`, looks from `templates/`; counts nothing.

The one computed column is the last day to answer a request, by the Swedish calendar (`assets.rights.clocks`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from assets.ledger.states import MERGED, MERGED_NEXT, STATES
from assets.publication.report.asking import Answers, Language, Question, ShownColumn, sections
from assets.publication.report.charts import Chart, dispositions_chart, months_chart, purposes_chart
from assets.publication.report.register import CSV_NAME, JSON_LD_NAME, bases, part, periods, transfers
from assets.retention.explaining import SENTENCES
from assets.rights.clocks import Clock, standing
from assets.yaml_files import read_yaml

FOLDER = Path(__file__).with_name("templates")
WORDS = Path(__file__).with_name("words.yaml")
PAGES: Mapping[Language, str] = {"en": "index.html", "sv": "index.sv.html"}
_ARTICLE = re.compile(r"^eu-gdpr:A(?P<article>[0-9]+)-(?P<paragraph>[0-9]+)-(?P<letter>[a-z])(?:-|$)")
_NARROW_SPACE = "\u00a0"


@dataclass(frozen=True)
class Cell:
    """A value as it is shown, and as the query gives it."""

    shown: str
    raw: str
    kind: str
    alarm: bool = False


@dataclass(frozen=True)
class Table:
    """A question's answer as the page shows it."""

    question: Question
    titles: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Cell, ...], ...]
    chart: Chart | None


@cache
def words() -> Mapping[str, Mapping[str, Any]]:
    """Every word, by group and code, in both languages; next steps and reasons as the product says them elsewhere."""
    content: dict[str, dict[str, Any]] = read_yaml(WORDS)
    sentences = read_yaml(SENTENCES)
    content["next_step"] = {state.name: {"sv": state.next_sv, "en": state.next_en} for state in STATES}
    content["next_step"][MERGED] = MERGED_NEXT
    for code, swedish in sentences["sv"]["missing_codes"].items():
        content["reason"][code] = {"sv": swedish, "en": sentences["en"]["missing_codes"].get(code, code)}
    return content


def template(name: str) -> Template:
    """A page's template, compiled once for both languages."""
    return _templates().get_template(name)


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(answers: Answers, charts: Mapping[str, Mapping[Language, Chart]], language: Language) -> str:
    """The whole page in a language; nothing in it asks for anything outside it but its other language and files."""
    page = Page(answers, charts, language)
    other: Language = "sv" if language == "en" else "en"
    return template("report.html.j2").render(
        page=page,
        answers=answers,
        sections=sections(),
        ui={name: entry[language] for name, entry in words()["ui"].items()},
        language=language,
        other=other,
        other_page=PAGES[other],
        style=Markup((FOLDER / "report.css").read_text(encoding="utf-8")),  # noqa: S704  our own file
        register_files=(CSV_NAME, JSON_LD_NAME),
    )


def drawn(answers: Answers) -> dict[str, dict[Language, Chart]]:
    """The charts that have something to show, in both languages; drawn once where they hold no words."""
    found: dict[str, dict[Language, Chart]] = {}
    months = [row[:3] for row in answers.rows["forecast_months"]]
    if months:
        chart = months_chart(months)
        found["months"] = {"sv": chart, "en": chart}
    languages: tuple[Language, Language] = ("sv", "en")
    for language in languages:
        page = Page(answers, {}, language)
        ends = [(page.word("purpose", row[0]), row[1], row[2]) for row in answers.rows["forecast_purposes"]]
        if ends:
            names = [page.word("ui", "within_a_year"), page.word("ui", "later")]
            found.setdefault("purposes", {})[language] = purposes_chart(ends, names)
        shares = answers.rows["dispositions_by_system"]
        if shares:
            names = [page.word("disposition", code) for code in ("retain", "restrict", "review", "erase")]
            found.setdefault("dispositions", {})[language] = dispositions_chart(shares, names)
    return found


class Page:
    """What the template asks for: cells, words and dates in one language."""

    def __init__(self, answers: Answers, charts: Mapping[str, Mapping[Language, Chart]], language: Language) -> None:
        """Bind the answers to a language."""
        self._answers = answers
        self._charts = charts
        self.language = language

    def figure(self, question: Question) -> Cell:
        """A number on its own."""
        value = self._answers.rows[question.id][0][0]
        return Cell(self._number(value), str(value), "number", alarm=question.alarm and value > 0)

    def figure_title(self, question: Question) -> str:
        """What a number on its own counts, in the singular where it is 1."""
        is_one = self._answers.rows[question.id][0][0] == 1
        return (question.one if is_one and question.one else question.title)[self.language]

    def table(self, question: Question) -> Table:
        """A table with its column titles, and its chart where it has one."""
        rows = [
            tuple(self._cell(column, value) for column, value in zip(question.columns, row, strict=True))
            for row in self._answers.rows[question.id]
        ]
        titles = [(column.title[self.language], column.kind) for column in question.columns]
        if question.computed == "due_on":
            titles += [(self.word("ui", "due_on"), "date"), (self.word("ui", "days_left"), "number")]
            rows = [
                (*cells, *self._clock(*days))
                for cells, (_, _, *days) in zip(rows, self._answers.rows[question.id], strict=True)
            ]
        chart = self._charts.get(question.chart or "", {}).get(self.language)
        return Table(question, tuple(titles), tuple(rows), chart)

    def chart_series(self, chart: Chart, kind: str) -> list[tuple[int, str]]:
        """The chart's series with the number of their colour."""
        return [(number % (4 if kind == "dispositions" else 6) + 1, name) for number, name in enumerate(chart.series)]

    def drawing(self, chart: Chart, width: str) -> Markup:
        """The SVG of a chart: our own renderer's, with every text in it escaped."""
        return Markup(chart.drawings[width])  # noqa: S704

    def word(self, group: str, code: Any) -> str:
        """The words for a code; the code itself where there are none."""
        if group == "purpose":
            titles = {entry["purpose"]: entry[f"title_{self.language}"] for entry in self._answers.purposes}
            return str(titles.get(code, code))
        if group == "reason" and ": " in str(code):
            purpose, _, reason = str(code).partition(": ")
            return f"{self.word('purpose', purpose)}: {self.word('reason', reason)}"
        entry = words().get(group, {}).get(str(code))
        return str(entry[self.language]) if entry else str(code)

    def long_date(self, day: date) -> str:
        """A day in words."""
        month = words()["month"]["long"][self.language][day.month - 1]
        return f"{day.day} {month} {day.year}"

    def purposes(self) -> list[dict[str, Any]]:
        """The register's entries, ready to be read."""
        return [
            {
                "purpose": entry["purpose"],
                "title": entry[f"title_{self.language}"],
                "class": self.word("class", entry["class"]),
                "legal_basis": "; ".join(self._basis(basis) for basis in bases(entry)),
                "covers": self._covers(entry["covers"]),
                "periods": [
                    (clock.replace("_", " "), self._period(months, days)) for clock, months, days in periods(entry)
                ],
                "law": entry["law"],
                "decided_by": entry["decided_by"],
                "dpv": entry["dpv_purpose"],
            }
            for entry in self._answers.purposes
        ]

    def record(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """What Art 30(1)(a), (d), (e) and (g) ask beside the purposes: titles, each with its terms and their texts."""
        receiving = part(self._answers, "recipient")
        contacts = [
            (self.word("part", each["part"]), f"{each['name']} · {each['contact']}")
            for name in ("controller", "joint_controller", "representative", "data_protection_officer")
            for each in part(self._answers, name)
        ]
        given = [(self._titled(each), self._receives(each)) for each in receiving]
        abroad = [(self._titled(each), f"{each['country']}: {each['safeguard']}") for each in transfers(receiving)]
        measures = [(str(number), self._titled(each)) for number, each in enumerate(part(self._answers, "security"), 1)]
        lines = {"contacts": contacts, "recipients": given, "transfers": abroad, "security": measures}
        return [(self.word("record", name), found) for name, found in lines.items()]

    def _titled(self, each: Mapping[str, Any]) -> str:
        return str(each[f"title_{self.language}"])

    def _receives(self, each: Mapping[str, Any]) -> str:
        """A recipient's role, country and the purposes that it serves."""
        served = [self.word("purpose", name) for name in str(each["purposes"]).split("; ") if name]
        return " · ".join([self.word("recipient_role", each["role"]), each["country"], *served])

    def _cell(self, column: ShownColumn, value: Any) -> Cell:
        if value is None:
            return Cell(self.word("ui", "nothing"), "", column.kind)
        raw = str(value)
        if column.kind == "number":
            return Cell(self._number(value), raw, "number")
        if column.kind == "code":
            return Cell(self.word(column.group, value), raw, "code")
        if column.kind == "month":
            return Cell(raw[:7], raw, "month")
        if column.kind == "due":
            return Cell(raw, raw, "date", alarm=value <= self._answers.as_of)
        if isinstance(value, datetime):
            return Cell(f"{value:%Y-%m-%d %H:%M}", raw, "instant")
        return Cell(raw, raw, column.kind)

    def _clock(
        self, received: date | None, asked: date | None, verified: date | None, extended: date | None
    ) -> tuple[Cell, Cell]:
        """The last day to answer, and how many days are left; neither without a day of receipt, or while paused."""
        nothing = Cell(self.word("ui", "nothing"), "", "date")
        if received is None:
            return nothing, nothing
        last_day = standing(Clock(received, asked, verified, extended), self._answers.as_of).due_on
        if last_day is None:
            return nothing, Cell(self.word("ui", "paused"), "", "number")
        left = (last_day - self._answers.as_of).days
        shown = self._number(left) if left >= 0 else f"{self.word('ui', 'days_late')} {self._number(-left)}"
        return Cell(str(last_day), str(last_day), "date"), Cell(shown, str(left), "number", alarm=left < 0)

    def _number(self, value: int) -> str:
        separator = _NARROW_SPACE if self.language == "sv" else ","
        return f"{value:,}".replace(",", separator).replace("-", "−")

    def _basis(self, basis: str) -> str:
        match = _ARTICLE.match(basis)
        return self.word("ui", "article").format(**match.groupdict()) if match else basis

    def _period(self, months: int, days: int) -> str:
        parts = []
        if months == 12:
            parts.append(self.word("ui", "year"))
        elif months and months % 12 == 0:
            parts.append(self.word("ui", "years").format(number=months // 12))
        elif months:
            parts.append(self.word("ui", "months").format(number=months))
        if days:
            parts.append(self.word("ui", "days").format(number=days))
        return " + ".join(parts) or self.word("ui", "that_day")

    def _covers(self, covers: Sequence[str]) -> list[tuple[str, str]]:
        """Record type -> its data categories, in the register's own order."""
        found: dict[str, list[str]] = {}
        for each in covers:
            record_type, _, category = each.partition(".")
            found.setdefault(record_type, []).append(self.word("data_category", category))
        return [(self.word("record_type", record_type), ", ".join(names)) for record_type, names in found.items()]
