"""Answers as receivers write them, line by line: what is well formed, and what of it is kept.

Reads bytes that anyone may have written: lines have limits, and nothing of a line is kept but ids, a status, an
instant, a day and a code of a known list. Problems name a rule and a line's number, never what stands there. What an
answer does to its item is `receipts`' to say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import IO, Any

from assets.ledger.states import ANSWERS

#: Reasons that a `detail` may give; anything else in it is free text, and dropped. Compared without regard to case.
CODES = frozenset({
    "already_erased", "bookkeeping", "business_open", "complaint_open", "debt_open", "duplicate", "in_backup",
    "key_unknown", "legal_hold", "litigation", "merged", "no_rights", "not_found", "not_supported", "order_open",
    "other_record", "out_of_scope", "payment_open", "queue_full", "rate_limit", "required_field", "retention_period",
    "schema_changed", "soft_deleted", "temporary_failure", "unsubscribed_only", "warranty",
})  # fmt: skip
#: Besides: HTTP statuses, and error numbers too short to be anybody's.
_NUMBERED = re.compile(r"http_[1-5][0-9]{2}|e[0-9]{1,4}")

LARGEST_LINE = 10_000

_MANIFEST_ID = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9a-f]{32}")
_ITEM_ID = re.compile(r"[0-9a-f]{32}")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})")  # fmt: skip  # noqa: E501
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class _Malformed(Exception):
    """A line is no answer; the message names the rule that it breaks, and nothing of the line."""


@dataclass
class Answers:
    """One pass over a file of answers: its rows, and what is wrong with it.

    Attributes:
        count: lines so far.
        texts: lines with a detail that is no code, or with members that receipts do not have.
        incomplete: the last line seems to be still being written.
        problems: what makes lines malformed: how many, and the first line.
    """

    count: int = 0
    texts: int = 0
    incomplete: bool = False
    problems: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def malformed(self) -> int:
        """How many lines are no answers."""
        return sum(times for times, _ in self.problems.values())

    @property
    def dropped(self) -> int:
        """How many lines hold something that is not kept."""
        return self.texts + self.malformed

    def read(self, file: IO[bytes]) -> Iterator[tuple[Any, ...]]:
        """The well-formed answers as (line, manifest_id, item_id, status, at, detail, until)."""
        while line := file.readline(LARGEST_LINE):
            self.count += 1
            ended = line.endswith(b"\n")
            if not ended and len(line) == LARGEST_LINE:
                self._note("is too long")
                while (more := file.readline(LARGEST_LINE)) and not more.endswith(b"\n"):
                    pass
                continue
            if not line.strip():
                continue
            try:
                answer = _answer(line)
            except _Malformed as problem:
                self.incomplete = self.incomplete or not ended
                self._note(str(problem))
                continue
            yield (self.count, *self._stored(answer))

    def _stored(self, answer: dict[str, Any]) -> tuple[Any, ...]:
        """An answer's values as they are kept."""
        detail = code_of(answer["detail"])
        if (detail is None and answer["detail"] not in (None, "")) or answer["more"]:
            self.texts += 1
        at, until = answer["at"].astimezone(UTC).replace(tzinfo=None), answer["until"]
        return answer["manifest_id"], answer["item_id"], answer["status"], at, detail, until

    def cleaned(self, file: IO[bytes]) -> bytes:
        """The file's well-formed answers as they are kept, and nothing else that it holds."""
        kept = bytearray()
        for _, manifest_id, item_id, status, at, detail, until in self.read(file):
            answer = {"manifest_id": manifest_id, "item_id": item_id, "status": status, "at": at.isoformat() + "Z",
                      "detail": detail, "until": until and until.isoformat()}  # fmt: skip
            kept += json.dumps(answer).encode() + b"\n"
        return bytes(kept)

    def _note(self, kind: str) -> None:
        times, first = self.problems.get(kind, (0, self.count))
        self.problems[kind] = (times + 1, first)


def code_of(detail: object) -> str | None:
    """The reason code that a `detail` is, in lower case; None for free text, which is never kept."""
    if not isinstance(detail, str) or len(detail) > 40:
        return None
    code = detail.strip().lower().replace("-", "_")
    return code if code in CODES or _NUMBERED.fullmatch(code) else None


def _answer(line: bytes) -> dict[str, Any]:
    """One line as an answer; `more` tells whether it holds anything beside."""
    try:
        answer = json.loads(line.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise _Malformed("is no JSON object in UTF-8") from None
    if not isinstance(answer, dict):
        raise _Malformed("is no JSON object in UTF-8")
    manifest_id, item_id = str(answer.get("manifest_id")), str(answer.get("item_id"))
    if not _MANIFEST_ID.fullmatch(manifest_id) or not _ITEM_ID.fullmatch(item_id):
        raise _Malformed("has no manifest_id and item_id as manifests have them")
    if not isinstance(answer.get("status"), str) or answer["status"] not in ANSWERS:
        raise _Malformed("has a status that is none")
    until = _until(answer.get("until"))
    if answer["status"] == "withheld" and until is None:
        raise _Malformed("is withheld without an `until`")
    known = {"manifest_id", "item_id", "status", "at", "detail", "until"}
    return {
        "manifest_id": manifest_id, "item_id": item_id, "status": answer["status"], "at": _at(answer.get("at")),
        "detail": answer.get("detail"), "until": until, "more": bool(set(answer) - known),
    }  # fmt: skip


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice")
    return members


def _at(value: object) -> datetime:
    """An instant with its offset (RFC 3339)."""
    try:
        if not isinstance(value, str) or not _INSTANT.fullmatch(value):
            raise ValueError("no instant")
        at = datetime.fromisoformat(value.upper())
        at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _Malformed("has an `at` that is no instant with a time zone") from None
    return at


def _until(value: object) -> date | None:
    if value in (None, ""):
        return None
    try:
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            raise ValueError("no day")
        return date.fromisoformat(value)
    except ValueError:
        raise _Malformed("has an `until` that is no day") from None
