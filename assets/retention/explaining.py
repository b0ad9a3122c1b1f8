"""Why each field of one record is kept or not: the claims that hold it, those that ended and why, what is missing.

Reads what the evaluation has decided and puts it into plain sentences (`sentences.yaml`); decides nothing. Speaks of
fields, purposes and days alone: no field's value is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from assets.errors import BadInput, CheckFailed
from assets.ingest.kept_out import set_aside
from assets.warehouse import Warehouse

if TYPE_CHECKING:
    from assets.policy import Policy

Language = Literal["sv", "en"]
Standing = Literal["active", "missing", "later", "ended"]

SENTENCES = Path(__file__).with_name("sentences.yaml")
#: Reasons of `retention.dispositions` that are no missing trigger of a purpose.
RESTRICTION = "restriction (Art 18)"
ORPHAN = "orphan"
_ARTICLE = re.compile(r"^eu-gdpr:A(?P<article>[0-9]+)-(?P<paragraph>[0-9]+)-(?P<letter>[a-z])(?:-|$)")


@dataclass(frozen=True)
class ExplainedClaim:
    """One purpose's hold on a field. `title` is in the explanation's language; days are local days."""

    purpose: str
    title: str
    purpose_class: str
    legal_basis: tuple[str, ...]
    law: str
    standing: Standing
    starts_on: date | None
    keep_until: date | None
    open_ended: bool
    ended_by: str | None
    missing: str | None


@dataclass(frozen=True)
class ExplainedField:
    """One field's disposition with the claims behind it, in the register's order."""

    field: str
    data_category: str
    disposition: str
    keep_until: date | None
    reasons: tuple[str, ...]
    claims: tuple[ExplainedClaim, ...]

    def standing(self, standing: Standing) -> tuple[ExplainedClaim, ...]:
        """The claims that stand so on the day of evaluation."""
        return tuple(claim for claim in self.claims if claim.standing == standing)


@dataclass(frozen=True)
class Explanation:
    """Why every field of one record is kept or not on a day. Holds no field's value."""

    source: str
    record_type: str
    record_key: str
    as_of: date
    policy: str
    policy_version: str
    language: Language
    holds: tuple[str, ...]
    fields: tuple[ExplainedField, ...]


def require_evaluation(warehouse: Warehouse, policy: Policy) -> date:
    """The day on which the warehouse was evaluated under `policy`.

    Raises:
        CheckFailed: it has not been evaluated, or under another policy.
    """
    as_of = evaluated_on(warehouse)
    if warehouse.value("select sha256 from policy.about") != policy.sha256:
        raise CheckFailed(
            "The warehouse was evaluated under another policy: run `gallring run` with this policy first."
        )
    return as_of


def evaluated_on(warehouse: Warehouse) -> date:
    """The day on which the warehouse was evaluated, under whichever policy.

    Raises:
        CheckFailed: it has not been evaluated.
    """
    if not (warehouse.exists("retention", "evaluation") and warehouse.exists("policy", "about")):
        raise CheckFailed(
            "Nothing has been decided yet: the warehouse has not been evaluated. Run `gallring run` first."
        )
    as_of: date = warehouse.value("select as_of from retention.evaluation")
    return as_of


def explain(
    warehouse: Warehouse, policy: Policy, record_type: str, record_key: str, language: Language = "sv"
) -> Explanation:
    """Why each field of the record with `record_key` has its disposition, as the warehouse was last evaluated.

    Raises:
        BadInput: no contract knows the record type, or no such record is in the sources now.
        CheckFailed: the warehouse has not been evaluated under this policy.
    """
    as_of = require_evaluation(warehouse, policy)
    source, row_id = find_record(warehouse, record_type, record_key, as_of)
    claims = _claims(warehouse, record_type, row_id, as_of, language)
    fields = tuple(
        ExplainedField(field, category, disposition, keep_until, tuple(reasons or ()), tuple(claims.get(category, ())))
        for field, category, disposition, keep_until, reasons in warehouse.rows(
            """
            select fields.field, fields.data_category, dispositions.disposition, dispositions.keep_until,
                dispositions.reasons
            from policy.fields as fields
            inner join retention.dispositions as dispositions
                on fields.record_type = dispositions.record_type
                and fields.data_category = dispositions.data_category
            where dispositions.record_type = $record_type and dispositions.row_id = $row_id
                and fields.source = $source
            order by fields.position
            """,
            {"record_type": record_type, "row_id": row_id, "source": source},
        )
    )
    name, version = warehouse.rows("select policy, version from policy.about")[0]
    holds = _holds(warehouse, record_type, record_key, as_of)
    return Explanation(source, record_type, record_key, as_of, name, version, language, holds, fields)


def render(explanation: Explanation, language: Language | None = None) -> str:
    """The explanation as plain sentences, one block per data category.

    `language` chooses the sentences; the purposes' titles are in the language that `explain` was asked for.
    """
    words = sentences(language or explanation.language)
    heading = words["heading"].format(
        record_type=explanation.record_type,
        record_key=explanation.record_key,
        source=explanation.source,
        as_of=explanation.as_of,
        policy=explanation.policy,
        version=explanation.policy_version,
    )
    lines = [heading]
    if explanation.holds:
        lines.append(words["held_by"].format(holds=", ".join(explanation.holds)))
    ordered = sorted(explanation.fields, key=lambda field: field.data_category)
    first = {field.data_category: index for index, field in reversed(list(enumerate(explanation.fields)))}
    ordered.sort(key=lambda field: first[field.data_category])
    for category, group in groupby(ordered, key=lambda field: field.data_category):
        fields = list(group)
        lines += ["", f"{', '.join(field.field for field in fields)} ({category})"]
        lines += [f"  {sentence}" for sentence in _about_field(fields[0], words)]
    return "\n".join(lines)


@cache
def sentences(language: Language) -> Mapping[str, Any]:
    """The sentences of a language.

    Raises:
        BadInput: there are none in that language.
    """
    everything = yaml.safe_load(SENTENCES.read_text(encoding="utf-8"))
    if language not in everything:
        raise BadInput(f"There is no explanation in {language!r}: choose one of {', '.join(sorted(everything))}.")
    found: Mapping[str, Any] = everything[language]
    return found


# -- reading ------------------------------------------------------------------------------------------------------


def find_record(warehouse: Warehouse, record_type: str, record_key: str, as_of: date) -> tuple[str, int]:
    """The source and surrogate of a record, as evaluated on `as_of`.

    Raises:
        BadInput: no contract knows the record type, or no such record is in the sources now.
    """
    known = [name for (name,) in warehouse.rows("select distinct record_type from policy.records order by record_type")]
    if record_type not in known:
        raise BadInput(f"{record_type!r} is no record type: choose one of {', '.join(known)}.")
    found = warehouse.rows(
        "select source, row_id from retention.records where record_type = ? and record_key = ?",
        [record_type, record_key],
    )
    if not found:
        aside = set_aside(warehouse, record_type, record_key)
        why = f"has been taken in: {aside}" if aside else (
            f"is in the sources on {as_of}: check the key as the source system writes it"
        )  # fmt: skip
        raise BadInput(f"No {record_type} with the key {record_key!r} {why}.")
    source, row_id = found[0]
    return source, row_id


def _claims(
    warehouse: Warehouse, record_type: str, row_id: int, as_of: date, language: Language
) -> dict[str, list[ExplainedClaim]]:
    """The record's claims by data category, in the register's order."""
    found: dict[str, list[ExplainedClaim]] = {}
    for row in warehouse.records(
        """
        select claims.*, purposes.class, purposes.legal_basis, purposes.law, purposes.title_sv, purposes.title_en
        from retention.claims as claims
        inner join policy.purposes as purposes on claims.purpose = purposes.purpose
        where claims.record_type = ? and claims.row_id = ?
        order by purposes.position
        """,
        [record_type, row_id],
    ):
        claim = ExplainedClaim(
            purpose=row["purpose"],
            title=row["title_sv"] if language == "sv" else row["title_en"],
            purpose_class=row["class"],
            legal_basis=tuple(row["legal_basis"].split(" | ")),
            law=row["law"],
            standing=_standing(row, as_of),
            starts_on=row["starts_on"],
            keep_until=row["keep_until"],
            open_ended=bool(row["open_ended"]),
            ended_by=row["ended_by"],
            missing=row["missing"],
        )
        found.setdefault(row["data_category"], []).append(claim)
    return found


def _standing(row: Mapping[str, Any], as_of: date) -> Standing:
    if row["is_active"]:
        return "active"
    if row["missing"] is not None:
        return "missing"
    if row["starts_on"] is not None and row["starts_on"] > as_of:
        return "later"
    return "ended"


def _holds(warehouse: Warehouse, record_type: str, record_key: str, as_of: date) -> tuple[str, ...]:
    """The numbers of the holds that name the record and stand on the day."""
    if not warehouse.exists("raw", "office_holds"):
        return ()
    found = warehouse.rows(
        """
        select hold_id
        from raw.office_holds
        where lower(record_type) = $record_type and record_key = $record_key
            and coalesce(placed_at <= $as_of, true)
            and coalesce(released_at >= $as_of or released_at < placed_at, released_at is null)
        order by hold_id
        """,
        {"record_type": record_type, "record_key": record_key, "as_of": as_of},
    )
    return tuple(hold_id for (hold_id,) in found)


# -- telling ------------------------------------------------------------------------------------------------------


def _about_field(field: ExplainedField, words: Mapping[str, Any]) -> Iterator[str]:
    """The sentences about one field: what is decided, what holds it, what is unclear, what has ended."""
    yield _disposition(field, words)
    if field.disposition == "not_personal":
        return
    if ORPHAN in field.reasons:
        yield words["orphan"]
    for claim in field.standing("active"):
        since = words["since"].format(day=claim.starts_on) if claim.starts_on else ""
        until = _until(claim.keep_until, words)
        yield words["active"].format(title=claim.title, until=until, since=since, ground=_ground(claim, words))
    for claim in field.claims:
        if claim.missing is None:
            continue
        yield words["missing"].format(title=claim.title, why=_coded(claim.missing, "missing_codes", words))
    for claim in field.standing("later"):
        yield words["later"].format(title=claim.title, day=claim.starts_on)
    for claim in field.standing("ended"):
        yield _ending(claim, words)
    if not field.claims and field.disposition == "erase":
        yield words["no_purpose"]


def _disposition(field: ExplainedField, words: Mapping[str, Any]) -> str:
    if RESTRICTION in field.reasons:
        return str(words["restricted_by_request"])
    return str(words["disposition"][field.disposition].format(until=_until(field.keep_until, words)))


def _ending(claim: ExplainedClaim, words: Mapping[str, Any]) -> str:
    why = words["by"].format(what=_coded(claim.ended_by, "words", words)) if claim.ended_by else words["clock"]
    if claim.keep_until is None:
        return str(words["ended_unknown"].format(title=claim.title, why=why if claim.ended_by else ""))
    return str(words["ended"].format(title=claim.title, day=claim.keep_until, why=why))


def _until(day: date | None, words: Mapping[str, Any]) -> str:
    return str(words["open_ended"] if day is None else words["until"].format(day=day))


def _coded(code: str | None, group: str, words: Mapping[str, Any]) -> str:
    """The words for a code; the code itself where there are none yet."""
    return str(words.get(group, {}).get(code, code))


def _ground(claim: ExplainedClaim, words: Mapping[str, Any]) -> str:
    """The legal basis and the law; an article that both name is told once."""
    basis = words["or"].join(_article(article, words) for article in claim.legal_basis)
    match = _ARTICLE.match(claim.legal_basis[-1])
    if match is None:
        return f"{basis}; {claim.law}"
    named = "GDPR Art {article}({paragraph})({letter})".format(**match.groupdict())
    rest = claim.law.removeprefix(named)
    told = len(claim.legal_basis) == 1 and rest != claim.law and rest[:1] in ("", ",", ";")
    return basis + rest if told else f"{basis}; {claim.law}"


def _article(basis: str, words: Mapping[str, Any]) -> str:
    match = _ARTICLE.match(basis)
    return words["article"].format(**match.groupdict()) if match else basis
