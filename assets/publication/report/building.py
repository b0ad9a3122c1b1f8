"""Makes `reports/`: the retention report in both languages, and the register of processing activities beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from assets.publication.report.asking import Language, ask
from assets.publication.report.register import CSV_NAME, JSON_LD_NAME, as_csv, as_json_ld
from assets.publication.report.rendering import PAGES, drawn, render
from assets.site import Site
from assets.warehouse import Warehouse
from assets.writing import write_whole


@dataclass(frozen=True)
class Report:
    """The report that was written: the English page, and every file."""

    page: Path
    as_of: date
    files: tuple[Path, ...]


def build_report(site: Site, reader: Warehouse | None = None) -> Report:
    """Write the report of the site's published file, read by `reader`. The same file gives the same bytes.

    Raises:
        CheckFailed: nothing has been published yet, or not by this version.
    """
    answers = ask(site, reader)
    charts = drawn(answers)
    contents = {CSV_NAME: as_csv(answers), JSON_LD_NAME: as_json_ld(answers)}
    order: tuple[Language, Language] = ("sv", "en")
    for language in order:
        contents[PAGES[language]] = render(answers, charts, language).encode()
    site.reports.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in contents.items():
        write_whole(site.reports / name, content)
    return Report(site.reports / PAGES["en"], answers.as_of, tuple(site.reports / name for name in contents))
