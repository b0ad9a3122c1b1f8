"""The closed words of the evaluation and the ledger: what a column that is one of a few words holds. Decides nothing.

DuckDB keeps such a column as numbers (ENUM), which it writes three times as fast as text, and everybody still reads
words. In alphabetical order, so that the least and the greatest word are those of the text. A word outside the list
fails the step that would write it.
"""

from __future__ import annotations

from collections.abc import Sequence

RECORD_TYPES = (
    "claim_event", "complaint", "consent", "contact", "customer", "delivery", "interaction", "invoice", "order",
    "order_line", "payment", "proof_approval", "quote", "quote_document", "send", "subscriber", "web_event",
)  # fmt: skip
DATA_CATEGORIES = (
    "address", "behaviour", "consent", "content", "device", "email", "identity", "national_id", "phone", "transaction",
)  # fmt: skip
DISPOSITIONS = ("erase", "not_personal", "restrict", "retain", "review")
#: The clocks that the shipped purposes start; a legal hold's clock is the data category.
CLOCKS = tuple(
    sorted({
        *DATA_CATEGORIES, "after_closing", "archive", "care", "evidence", "followup", "grace", "limitation", "proof",
        "relation", "security", "statistics", "subscription", "until_settled", "while_open",
    })
)  # fmt: skip

#: What a manifest's item asks of a record, and what its own source was told last of a field.
ACTIONS = ("erase", "lift", "notify", "redact", "restrict")
TOLD_STATES = ("erase", "restrict", "retain")

#: Column name to its words, in the evaluation.
CLOSED_WORDS = {
    "clock": CLOCKS,
    "data_category": DATA_CATEGORIES,
    "disposition": DISPOSITIONS,
    "record_type": RECORD_TYPES,
}


def enum_of(words: Sequence[str]) -> str:
    """The DuckDB type of a column that holds one of the words. A word is made of small letters, digits and `_`."""
    return "enum(" + ", ".join(f"'{word}'" for word in words) + ")"
