"""The purpose register as its file has it: purposes and their periods, and what Art 30 asks beside them.

Reads and checks that one file; what follows from it together with SQL and contracts is `assets.policy`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from assets.errors import BadInput
from assets.yaml_files import UNQUOTED, read_yaml, wrong_with

#: The EU's member states, Iceland, Liechtenstein and Norway: anything else is a third country (Chapter V).
EEA = frozenset({
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT",
    "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
})  # fmt: skip

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
#: A longer period leads out of the calendar, whose last year is 9999, from days that people write.
_MOST_YEARS = 1_000
_TOO_LONG = f"{{!r}} is longer than {_MOST_YEARS} years: no calendar bears it"


def months_and_days(period: str) -> tuple[int, int]:
    """An ISO 8601 period of whole years, months, weeks and days as (months, days).

    Raises:
        ValueError: not a period, one with a time part or fractions, or one of more than a thousand years.
    """
    import isodate

    try:
        parsed = isodate.parse_duration(period, as_timedelta_if_possible=False)
    except OverflowError:
        raise ValueError(_TOO_LONG.format(period)) from None
    except (isodate.ISO8601Error, TypeError) as error:
        raise ValueError(f"{period!r} is not an ISO 8601 period such as P1Y or P30D") from error
    months = parsed.years * 12 + parsed.months
    if "T" in period:
        raise ValueError(
            f"{period!r} must be whole days and no hours. A day counts through its end: what may be kept for 72 hours "
            "at most is kept for P2D"
        )
    if months != int(months) or parsed.tdelta.seconds or parsed.tdelta.microseconds or period.startswith("-"):
        raise ValueError(f"{period!r} must be whole years, months and days")
    if months > _MOST_YEARS * 12 or parsed.tdelta.days > _MOST_YEARS * 366:
        raise ValueError(_TOO_LONG.format(period))
    return int(months), parsed.tdelta.days


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Title(_Strict):
    """What a purpose is called, to people."""

    sv: str = Field(min_length=1)
    en: str = Field(min_length=1)


class SharedClock(_Strict):
    """A period that several purposes read."""

    period: str
    why: str

    @field_validator("period")
    @classmethod
    def _is_a_period(cls, period: str) -> str:
        months_and_days(period)
        return period


Categories = Literal["all"] | list[Name]


class Purpose(_Strict):
    """One documented reason to hold personal data (Art 30(1)(b), Art 5(1)(b))."""

    title: Title
    purpose_class: Literal["use", "duty"] = Field(alias="class")
    legal_basis: list[Annotated[str, Field(pattern=r"^eu-gdpr:A[0-9]+(-[a-z0-9-]+)*$")]] = Field(min_length=1)
    dpv_purpose: str = Field(pattern=r"^dpv:[A-Za-z]+$")
    covers: Literal["every_category"] | dict[Name, dict[Name, Categories]]
    periods: dict[Name, str] = Field(min_length=1)
    law: str = Field(min_length=1)
    decided_by: str = Field(min_length=1)
    register_entry: str = Field(alias="register", default="")
    erasure_exception: str = ""

    @field_validator("periods")
    @classmethod
    def _are_periods(cls, periods: dict[str, str]) -> dict[str, str]:
        for period in periods.values():
            months_and_days(period)
        return periods


class Contact(_Strict):
    """Who can be reached, and how: an office or a role rather than a person, since the register is handed out."""

    name: str = ""
    address: str = ""
    email: str = ""
    phone: str = ""

    @model_validator(mode="after")
    def _can_be_reached(self) -> Contact:
        if not (self.address or self.email or self.phone):
            raise ValueError("a contact needs an address, an email or a phone")
        return self

    @property
    def ways(self) -> str:
        """How to reach them, in one line."""
        return " · ".join(way for way in (self.address, self.email, self.phone) if way)


class Recipient(_Strict):
    """A category of recipients (Art 30(1)(d)), and on what it rests where they are in a third country (e)."""

    title: Title
    role: Literal["processor", "controller", "joint_controller", "authority"]
    purposes: list[Name] = []
    country: str = Field(default="SE", pattern=r"^[A-Z]{2}$")
    safeguard: str = ""

    @field_validator("country", mode="before")
    @classmethod
    def _is_no_truth(cls, country: object) -> object:
        if isinstance(country, bool):
            raise ValueError(UNQUOTED)
        return country

    @model_validator(mode="after")
    def _third_country_has_a_safeguard(self) -> Recipient:
        if self.country not in EEA and not self.safeguard:
            raise ValueError(f"{self.country} is outside the EU and EEA: say in safeguard what the transfer rests on")
        return self


class RecordOfProcessing(_Strict):
    """What Art 30(1) asks beside the purposes: (a) contacts, (d) recipients, (e) transfers, (g) security measures."""

    controller: Contact
    representative: Contact | None = None
    joint_controllers: list[Contact] = []
    data_protection_officer: Contact | None = None
    recipients: dict[Name, Recipient] = {}
    security: list[Title] = Field(min_length=1)


class Register(_Strict):
    """The purpose register of one company."""

    policy: str
    version: str
    controller: str
    record: RecordOfProcessing | None = None
    clocks: dict[Name, SharedClock] = {}
    purposes: dict[Name, Purpose] = Field(min_length=1)

    @model_validator(mode="after")
    def _recipients_serve_known_purposes(self) -> Register:
        for name, recipient in (self.record.recipients if self.record else {}).items():
            unknown = sorted(set(recipient.purposes) - set(self.purposes))
            if unknown:
                raise ValueError(f"recipient {name} names purposes that are not here: {', '.join(unknown)}")
        return self


def read_register(path: Path) -> Register:
    """The register of a policy folder.

    Raises:
        BadInput: it is missing, no YAML, or not what a register is; the message names the entry.
    """
    try:
        content = read_yaml(path)
    except FileNotFoundError:
        raise BadInput(f"{path} is missing: a policy folder holds a register.yaml.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not YAML in UTF-8: {wrong_with(error)}.") from None
    try:
        return Register.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = " → ".join(str(part) for part in first["loc"]) or "the whole file"
        raise BadInput(f"{path}: {where}: {first['msg'].removeprefix('Value error, ')}.") from None
