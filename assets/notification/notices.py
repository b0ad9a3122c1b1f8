"""What a notice says: which run, which day, which checks and steps, how many. Never a value, a key or a person's name.

A notice is made of what the run history tells; how it is told (log line, JSON, mail) is written here, how it travels is
`webhook`'s and `mail`'s. The same run always gives the same notice, so that a repeated one can be recognised.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Literal

SCHEMA = "gallring-notice/1"

Kind = Literal["run_failed", "step_failed", "check_failed", "request_overdue", "source_blocked", "review_due"]

_SENTENCES: dict[Kind, str] = {
    "run_failed": "The run failed.",
    "step_failed": "Step {subject} failed ({reason}).",
    "check_failed": "Check {subject} says no: {count} unexpected ({reason}).",
    "request_overdue": "{count} requests of people are overdue (check {subject}).",
    "review_due": "To be reviewed: {count} {subject} (reports/register-review.md).",
    "source_blocked": "{count} tables block the manifests that depend on them: `gallring status` names them.",
}


@dataclass(frozen=True)
class Concern:
    """One thing that needs a person.

    Attributes:
        subject: the check, as `schema.table: name`; the step; the table of what blocks. Names of this product alone.
        reason: a word of ours: a severity, or the kind of an error.
        count: how many rows, requests or tables; None where nothing is counted.
    """

    kind: Kind
    subject: str = ""
    reason: str = ""
    count: int | None = None

    @property
    def sentence(self) -> str:
        """It, for people."""
        return _SENTENCES[self.kind].format(subject=self.subject, reason=self.reason, count=self.count)


@dataclass(frozen=True)
class Notice:
    """What one run leaves for people to look at.

    Attributes:
        as_of: the run's day; None where it failed before it had one.
        ended_at: when the run ended, in UTC.
        url: where the run stands in the web UI; empty where the settings do not say.
    """

    run_id: str
    job: str
    as_of: date | None
    ended_at: datetime
    success: bool
    concerns: tuple[Concern, ...]
    url: str = ""

    @property
    def notice_id(self) -> str:
        """The same for the same run."""
        return f"run-{self.run_id}"

    @property
    def headline(self) -> str:
        """One line for people."""
        kinds = [each.kind for each in self.concerns]
        counted = [
            f"{kinds.count(kind)} {word}"
            for kind, word in (("check_failed", "checks say no"), ("step_failed", "steps failed"))
            if kind in kinds
        ]
        told = [
            *(["run failed"] if not self.success else []),
            *counted,
            *(["requests overdue"] if "request_overdue" in kinds else []),
            *(["sources block"] if "source_blocked" in kinds else []),
            *(["register to be reviewed"] if "review_due" in kinds else []),
        ]
        day = f" as of {self.as_of}" if self.as_of is not None else ""
        return f"Gallring {self.job}{day}: {', '.join(told)}"


def as_json(notice: Notice) -> bytes:
    """The notice for machines (`gallring-notice/1`): the same notice always gives the same bytes."""
    said = {
        "schema": SCHEMA,
        "notice_id": notice.notice_id,
        "run_id": notice.run_id,
        "job": notice.job,
        "as_of": notice.as_of.isoformat() if notice.as_of is not None else None,
        "ended_at": notice.ended_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "status": "success" if notice.success else "failure",
        "headline": notice.headline,
        "concerns": [asdict(concern) for concern in notice.concerns],
        "url": notice.url or None,
    }
    return json.dumps(said, sort_keys=True, ensure_ascii=False).encode()


def as_text(notice: Notice) -> str:
    """The notice for people: the headline, each concern, and where to look."""
    where = notice.url or "the web UI (`gallring ui`, Runs)"
    lines = [
        notice.headline,
        "",
        *(f"- {concern.sentence}" for concern in notice.concerns),
        "",
        f"Run {notice.run_id}, ended {notice.ended_at:%Y-%m-%d %H:%M} UTC: {where}",
        "`gallring status` tells what is late and whose turn it is.",
    ]
    return "\n".join(lines) + "\n"
