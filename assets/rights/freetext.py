"""Scanning free text for what should not stand there; findings are counts and record keys, never the text.

The scan is `sql/rights/free_text.sql`; the words are `health_words.txt`. Decides nothing about the records.
"""

from __future__ import annotations

import re
from pathlib import Path

from assets.models import SQL, Model
from assets.warehouse import Warehouse

HEALTH_WORDS = Path(__file__).with_name("health_words.txt")
FREE_TEXT = Model("rights", SQL / "rights" / "free_text.sql")


def health_words() -> str:
    """A pattern for the words, over text in lower case."""
    lines = HEALTH_WORDS.read_text(encoding="utf-8").splitlines()
    stems = [re.escape(line.strip()) for line in lines if line.strip() and not line.startswith("#")]
    return "(?:^|[^a-zåäöé])(?:" + "|".join(stems) + ")[a-zåäöé]*"


def scan(warehouse: Warehouse) -> None:
    """(Re)make `rights.free_text` over the records in the sources now. `retention.records` must be built."""
    warehouse.run("create schema if not exists rights")
    FREE_TEXT.build(warehouse, {"health_words": health_words()})
