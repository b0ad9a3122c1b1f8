"""The register of processing activities (Art 30) as files: CSV for people, JSON-LD in DPV's terms for machines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from assets.publication.report.asking import Answers
from assets.purpose_register import EEA

CSV_NAME = "register.csv"
JSON_LD_NAME = "register.jsonld"
_COLUMNS = (
    "purpose", "title_sv", "title_en", "class", "legal_basis", "dpv_purpose", "covers", "periods", "law", "decided_by"
)  # fmt: skip
#: What Art 30(1)(a), (d), (e) and (g) ask: the same in every line, but for the recipients and transfers.
_PARTICULARS = ("controller_contact", "data_protection_officer", "recipients", "transfers", "security_measures")
_ROLES = {
    "processor": "dpv:DataProcessor", "controller": "dpv:DataController",
    "joint_controller": "dpv:JointDataControllers", "authority": "dpv:Authority",
}  # fmt: skip
_CONTEXT = {
    "loc": "https://w3id.org/dpv/loc#",
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
    writer.writerow(("controller", "policy", "policy_version", "as_of", *_COLUMNS, *_PARTICULARS))
    head = (answers.controller, answers.policy, answers.policy_version, answers.as_of.isoformat())
    for purpose in answers.purposes:
        cells = [_cell(purpose, name) for name in _COLUMNS]
        writer.writerow([_harmless(cell) for cell in (*head, *cells, *_particulars(answers, purpose["purpose"]))])
    return lines.getvalue().encode("utf-8-sig")


def as_json_ld(answers: Answers) -> bytes:
    """The register as one JSON-LD document."""
    document = {
        "@context": _CONTEXT,
        "@type": "dpv:RecordsOfActivities",
        "dct:title": f"{answers.policy} {answers.policy_version}",
        "dct:valid": {"@value": answers.as_of.isoformat(), "@type": "xsd:date"},
        "dpv:hasDataController": _controller(answers),
        "dpv:hasTechnicalOrganisationalMeasure": [
            {"@type": "dpv:TechnicalOrganisationalMeasure", "title": _titled(each)}
            for each in part(answers, "security")
        ],
        "dpv:hasProcess": [_process(answers, purpose) for purpose in answers.purposes],
    }
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def part(answers: Answers, name: str) -> list[Mapping[str, Any]]:
    """The register's particulars of one kind, in its order."""
    return [each for each in answers.particulars if each["part"] == name]


def recipients(answers: Answers, purpose: str) -> list[Mapping[str, Any]]:
    """The recipients that serve a purpose."""
    return [each for each in part(answers, "recipient") if purpose in str(each["purposes"]).split("; ")]


def transfers(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of the recipients that are in a third country."""
    return [each for each in found if each["country"] not in EEA]


def _particulars(answers: Answers, purpose: str) -> list[str]:
    receiving = recipients(answers, purpose)
    return [
        "; ".join(each["contact"] for each in part(answers, "controller")),
        "; ".join(f"{each['name']} {each['contact']}".strip() for each in part(answers, "data_protection_officer")),
        "; ".join(each["title_en"] for each in receiving),
        "; ".join(f"{each['country']}: {each['title_en']} ({each['safeguard']})" for each in transfers(receiving)),
        "; ".join(each["title_en"] for each in part(answers, "security")),
    ]


def _controller(answers: Answers) -> dict[str, Any]:
    told: dict[str, Any] = {"@type": "dpv:DataController", "dct:title": answers.controller}
    own = part(answers, "controller")
    if own:
        told["dpv:hasContact"] = own[0]["contact"]
    for name, term in (("representative", "Representative"), ("data_protection_officer", "DataProtectionOfficer"),
                       ("joint_controller", "JointDataControllers")):  # fmt: skip
        found = part(answers, name)
        if found:
            told[f"dpv:has{term}"] = [
                {"@type": f"dpv:{term}", "dct:title": each["name"], "dpv:hasContact": each["contact"]} for each in found
            ]
    return told


def _recipient(each: Mapping[str, Any]) -> dict[str, Any]:
    told = {"@type": _ROLES[each["role"]], "title": _titled(each), "dpv:hasLocation": {"@id": f"loc:{each['country']}"}}
    return {**told, "dct:description": each["safeguard"]} if each["safeguard"] else told


def _titled(each: Mapping[str, Any]) -> dict[str, str]:
    return {"sv": each["title_sv"], "en": each["title_en"]}


def _process(answers: Answers, purpose: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@type": "dpv:Process",
        "dct:identifier": purpose["purpose"],
        "title": _titled(purpose),
        "dpv:hasPurpose": {"@id": purpose["dpv_purpose"]},
        "dpv:hasLegalBasis": [{"@id": basis} for basis in bases(purpose)],
        "dpv:hasPersonalData": list(purpose["covers"]),
        "dpv:hasRecipient": [_recipient(each) for each in recipients(answers, purpose["purpose"])],
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
    """The period as a register would have it: in years where its months are whole ones."""
    count, unit = (months, "M") if months % 12 else (months // 12, "Y")
    parts = (f"{count}{unit}" if count else "") + (f"{days}D" if days else "")
    return "P" + (parts or "0D")


def _cell(purpose: Mapping[str, Any], name: str) -> str:
    if name == "periods":
        return "; ".join(f"{clock}: {_duration(months, days)}" for clock, months, days in periods(purpose))
    value = purpose[name]
    return "; ".join(value) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)


def _harmless(cell: str) -> str:
    """A spreadsheet reads a cell that begins so as a formula."""
    return "'" + cell if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
