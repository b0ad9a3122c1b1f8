"""What an entry may say: the schema of the log, which has no place for a field's value or a record's own key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA = Path(__file__).resolve().parent / "schemas" / "evidence-entry-1.json"


def entry_fits(entry: Mapping[str, Any]) -> bool:
    """Whether an entry follows the schema."""
    return _validator().is_valid(entry)


def facts_fit(kind: str, facts: Mapping[str, Any]) -> bool:
    """Whether facts are what an entry of their kind may say."""
    entry = {"schema": "gallring-evidence/1", "sequence": 1, "previous": None, "recorded_at": "2000-01-01T00:00:00Z",
             "kind": kind, "subject": "", "facts": facts}  # fmt: skip
    return entry_fits(entry)


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
