"""The suites as data: which checks each stop has, read from their JSON.

Needs no Great Expectations, so that loading the Dagster definitions stays quick. Running a suite is `validation`'s.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

Severity = Literal["critical", "warning"]

#: The stops that have a suite, in the order in which the data walks.
STOPS = ("raw", "core", "claims", "dispositions", "manifests")
SUITES = Path(__file__).resolve().parent / "suites"


class SuiteError(Exception):
    """A suite is not there, or is not what the product expects of one: says which file and what to do."""


@dataclass(frozen=True)
class CheckSpec:
    """One check of a stop: a claim about a table that is true when the check is green."""

    name: str
    stop: str
    asset: str
    severity: Severity
    description: str


def suite(stop: str) -> dict[str, Any]:
    """The suite of a stop as Great Expectations reads it (`ExpectationSuite(**suite(stop))`).

    Raises:
        SuiteError: there is no such stop, or its file is not JSON.
    """
    if stop not in STOPS:
        raise SuiteError(f"There is no stop called {stop!r}: choose one of {', '.join(STOPS)}.")
    path = SUITES / f"{stop}.json"
    try:
        return cast(dict[str, Any], json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        raise SuiteError(f"{path.name}: the suite cannot be read as JSON: restore the file.") from None


def specs(stop: str) -> list[CheckSpec]:
    """The checks of a stop, in the order of its suite.

    Raises:
        SuiteError: the suite cannot be read, an expectation lacks a part of its `meta`, or two have the same name.
    """
    return specs_of(stop, suite(stop))


def specs_of(stop: str, definition: Mapping[str, Any]) -> list[CheckSpec]:
    """The checks that a suite holds; `specs` is this for the suite of a stop.

    Raises:
        SuiteError: an expectation lacks a part of its `meta`, or two have the same name.
    """
    found = [_spec(stop, expectation) for expectation in definition["expectations"]]
    names = [spec.name for spec in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SuiteError(f"{stop}.json: more than one check is called {twice[0]}: give each its own name.")
    return found


def _spec(stop: str, expectation: dict[str, Any]) -> CheckSpec:
    meta = expectation.get("meta", {})
    missing = [part for part in ("name", "asset", "severity", "description", "why") if not meta.get(part)]
    if missing or meta["severity"] not in ("critical", "warning"):
        what = f"lacks {', '.join(missing)}" if missing else "has a severity other than critical and warning"
        raise SuiteError(f"{stop}.json: the meta of {meta.get('name') or expectation.get('type')} {what}.")
    return CheckSpec(meta["name"], stop, meta["asset"], meta["severity"], meta["description"])
