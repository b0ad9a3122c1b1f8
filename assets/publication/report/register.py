"""The register of processing activities (Art 30) as files: CSV for people, JSON-LD in DPV's terms for machines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from assets.publication.report.asking import Answers

CSV_NAME = "register.csv"
JSON_LD_NAME = "register.jsonld"
_COLUMNS = (
    "purpose", "title_sv", "title_en", "class", "legal_basis", "dpv_purpose", "covers", "periods", "law", "decided_by"
)  # fmt: skip
_CONTEXT = {
    "dpv": "https://w3id.org/dpv#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "dct": "http://purl.org/dc/terms/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "title": {"@id": "dct:title", "@container": "@language"},
}


def as_csv(answers: Answers) -> bytes:
    """One line a purpose; lists separated by semicolons. UTF-8 with a byte order mark, for spreadsheets."""
    lines = io.StringIO(newline="")
    writer = csv.writer(lines)
    writer.writerow(("controller", "policy", "policy_version", "as_of", *_COLUMNS))
    head = (answers.controller, answers.policy, answers.policy_version, answers.as_of.isoformat())
    for purpose in answers.purposes:
        writer.writerow([_harmless(cell) for cell in (*head, *(_cell(purpose, name) for name in _COLUMNS))])
    return lines.getvalue().encode("utf-8-sig")


def as_json_ld(answers: Answers) -> bytes:
    """The register as one JSON-LD document."""
    document = {
        "@context": _CONTEXT,
        "@type": "dpv:RecordsOfActivities",
        "dct:title": f"{answers.policy} {answers.policy_version}",
        "dct:valid": {"@value": answers.as_of.isoformat(), "@type": "xsd:date"},
        "dpv:hasDataController": {"@type": "dpv:DataController", "dct:title": answers.controller},
        "dpv:hasProcess": [_process(purpose) for purpose in answers.purposes],
    }
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def _process(purpose: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@type": "dpv:Process",
        "dct:identifier": purpose["purpose"],
        "title": {"sv": purpose["title_sv"], "en": purpose["title_en"]},
        "dpv:hasPurpose": {"@id": purpose["dpv_purpose"]},
        "dpv:hasLegalBasis": [{"@id": basis} for basis in bases(purpose)],
        "dpv:hasPersonalData": list(purpose["covers"]),
        "dpv:hasStorageCondition": [
            {
                "@type": "dpv:StorageDuration",
                "dct:identifier": clock,
                "dpv:hasDuration": {"@value": _duration(months, days), "@type": "xsd:duration"},
            }
            for clock, months, days in periods(purpose)
        ],
        "dct:source": purpose["law"],
        "dct:provenance": purpose["decided_by"],
    }


def bases(purpose: Mapping[str, Any]) -> list[str]:
    """The legal bases, as DPV writes them."""
    return str(purpose["legal_basis"]).split(" | ")


def periods(purpose: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """The clocks of a purpose: name, whole months, days."""
    found = []
    for period in purpose["periods"]:
        clock, _, length = period.partition("=P")
        months, _, days = length.rstrip("D").partition("M")
        found.append((clock, int(months), int(days)))
    return found


def _duration(months: int, days: int) -> str:
    parts = (f"{months}M" if months else "") + (f"{days}D" if days else "")
    return "P" + (parts or "0D")


def _cell(purpose: Mapping[str, Any], name: str) -> str:
    if name == "periods":
        return "; ".join(f"{clock}: {_duration(months, days)}" for clock, months, days in periods(purpose))
    value = purpose[name]
    return "; ".join(value) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)


def _harmless(cell: str) -> str:
    """A spreadsheet reads a cell that begins so as a formula."""
    return "'" + cell if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
