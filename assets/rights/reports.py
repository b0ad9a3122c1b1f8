"""Writing what was found on a person as files that they can be given: JSON, a page in each language, portability.

Files stand in `reports/access/`, readable by the site's own account alone, under a number that says nothing of the
person. The copy register (`assets.erasure.copies`) lists them and destroys them after their last day.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from assets.rights.access import portable
from assets.rights.incomplete import named
from assets.rights.rendering import LANGUAGES, render
from assets.site import Site
from assets.writing import flush, write_whole

SCHEMAS = Path(__file__).with_name("schemas")
FOLDER = "access"
LETTERS = "access-answers"
TIMELINES = "access-timelines"


@dataclass(frozen=True)
class WrittenReport:
    """Where a report stands. Counts alone are told of it, and the tables that block (`incomplete`)."""

    folder: Path
    files: tuple[str, ...]
    records: int
    held_back: int
    expires_on: str
    incomplete: tuple[str, ...] = ()


def write_report(
    site: Site, report: Mapping[str, Any], policy_folder: Path | None, names: Mapping[str, str] | None = None
) -> WrittenReport:
    """Write an access report with its pages and its portable part; the folder gets its name when it is whole.

    `names`: what the company calls the records of a type, where it has a word of its own.
    """
    portability = portable(report)
    require_form(report, "access-report-1.json")
    require_form(portability, "portability-1.json")
    files = {
        "access-report.json": _json(report),
        "portability.json": _json(portability),
        **{
            f"access-report.{language}.html": render(
                "access.html.j2", language, policy_folder, names, report=report
            ).encode()
            for language in LANGUAGES
        },
    }
    folder = write_folder(site.reports / FOLDER / report_name(report), files)
    return WrittenReport(folder, tuple(files), len(report["records"]), len(report["held_back"]), report["expires_on"],
                         tuple(named(report["incomplete"])))  # fmt: skip


def report_name(report: Mapping[str, Any]) -> str:
    """What the folder of an access report is called, known before it stands: the note of it is written first."""
    return f"{report['as_of']}-{hashlib.sha256(_json(report)).hexdigest()[:12]}"


def write_folder(final: Path, files: Mapping[str, bytes]) -> Path:
    """A folder with `files`, in the place of one that was there; mode 0700, its files 0600."""
    final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = final.parent / f".{final.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    for name, content in files.items():
        write_whole(partial / name, content)
    if final.exists():
        retired = final.parent / f".{final.name}.retired"
        shutil.rmtree(retired, ignore_errors=True)
        os.rename(final, retired)  # noqa: PTH104
        partial.rename(final)
        shutil.rmtree(retired)
    else:
        partial.rename(final)
    flush(final.parent)
    return final


def require_form(document: Mapping[str, Any], schema: str) -> None:
    """Check a document against its shipped schema before anybody gets it; a difference is a defect of the program."""
    _validator(schema).validate(document)


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((SCHEMAS / schema).read_text(encoding="utf-8")))


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"
