"""What a manifest says, byte for byte: its document, its item lines, and how ids and digests follow from them.

Pure: no warehouse, no files, no keys. `sealing` writes by these rules, `verifying` checks by them, anyone else can too:

- canonical form: RFC 8785 (JCS) of `manifest.json`.
- `digest` of a manifest: SHA-256, in hexadecimal, of the canonical form without `issued_at`. A manifest's `previous`
  is the digest of the same system's manifest before it, null for the first.
- `manifest_id`: the day, a hyphen, and the first 32 digits of the SHA-256 of the canonical form without `manifest_id`
  and `issued_at`.
- `item_id`: the first 32 digits of the SHA-256 over four lines: the system, the day, `previous` (empty for none), and
  the item's line as it stands in `items.jsonl` without its `item_id` member. `previous` makes an order that was
  recalled and given again another item.
- `manifest.csv` holds nothing of its own: it follows from `items.jsonl`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import rfc8785

SCHEMA = "retention-manifest/1"
DOCUMENT = "manifest.json"
SIGNATURE = "manifest.jws"
ITEMS = "items.jsonl"
TABLE = "manifest.csv"

CSV_HEADER = "item_id,record_type,key,action,fields,because,respond_by\n"
_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def canonical(document: Mapping[str, Any]) -> bytes:
    """The RFC 8785 form, which is what gets signed."""
    return rfc8785.dumps(dict(document))


def digest(document: Mapping[str, Any]) -> str:
    """The digest that the system's next manifest names as `previous`."""
    return _sha256(document, without=("issued_at",))


def manifest_id(document: Mapping[str, Any]) -> str:
    """The id that follows from everything the manifest says but its id and when it was issued."""
    return f"{document['as_of']}-{_sha256(document, without=('manifest_id', 'issued_at'))[:32]}"


def item_id(system: str, as_of: str, previous: str | None, body: str) -> str:
    """The id of the item whose line, without `item_id`, is `body`."""
    return hashlib.sha256("\n".join((system, as_of, previous or "", body)).encode()).hexdigest()[:32]


def _sha256(document: Mapping[str, Any], without: tuple[str, ...]) -> str:
    kept = {name: value for name, value in document.items() if name not in without}
    return hashlib.sha256(canonical(kept)).hexdigest()


def csv_line(item: Mapping[str, Any]) -> str:
    """An item as `manifest.csv` shows it to people; no cell can be taken for a formula."""
    reasons = "; ".join(
        " ".join(part for part in (entry["purpose"] or entry["reason"], entry["ended_on"]) if part)
        for entry in item["because"]
    )
    cells = (
        item["item_id"], item["record_type"], next(iter(item["key"].values())), item["action"],
        " ".join(item["fields"]), reasons, item["respond_by"],
    )  # fmt: skip
    return ",".join(csv_cell(cell) for cell in cells) + "\n"


def csv_cell(text: str) -> str:
    """A quoted cell that no spreadsheet takes for a formula."""
    guard = "'" if text.lstrip(" \t\r\n").startswith(_FORMULA_STARTS) or text[:1] in ("\t", "\r", "\n") else ""
    return '"' + guard + text.replace('"', '""') + '"'


# -- the same in SQL, so that a million items need no loop --------------------------------------------------------

_PIECES = (
    """'"record_type":'""", "cast(to_json(record_type) as varchar)",
    """',"key":{'""", "cast(to_json(key_field) as varchar)", "':'", "cast(to_json(record_key) as varchar)",
    """'},"action":'""", "cast(to_json(action) as varchar)", """',"fields":'""", "cast(to_json(fields) as varchar)",
    """',"because":'""", "cast(because as varchar)", """',"kept":'""", "cast(kept as varchar)",
    """',"respond_by":"'""", "cast(respond_by as varchar)", """'"}'""",
)  # fmt: skip
#: What every item has, by the names of the columns of `manifest.items`.
MEMBERS = ("record_type", "key_field", "record_key", "action", "fields", "because", "kept", "respond_by")


def _sql_text(*before: str, columns: tuple[str, ...] = ()) -> str:
    """Pieces as one text, glued at once: `concat` skips what is null, so an item that lacks anything has no text."""
    lacking = " or ".join(f"{column} is null" for column in (*columns, *MEMBERS))
    return f"case when not ({lacking}) then concat({', '.join((*before, *_PIECES))}) end"


#: An item's line without its `item_id` member, over the columns of `manifest.items`.
SQL_BODY = _sql_text("'{'")

#: `item_id` over SQL_BODY named `body`; parameters $system, $as_of (a date) and $previous.
SQL_ITEM_ID = (
    "substr(sha256($system || chr(10) || cast($as_of as varchar) || chr(10) || coalesce($previous, '') || chr(10) "
    "|| body), 1, 32)"
)


#: An item's line of `items.jsonl`, over the columns of `manifest.items`.
SQL_LINE = _sql_text("""'{"item_id":"'""", "item_id", """'",'""", columns=("item_id",))


def _sql_guarded(expression: str) -> str:
    starts = "".join(_FORMULA_STARTS).replace("-", "\\-")
    risky = f"regexp_matches({expression}, '^([ \\t\\r\\n]*[{starts}]|[\\t\\r\\n])')"
    return f"case when {risky} then '''' || {expression} else {expression} end"


_SQL_REASONS = """array_to_string(list_transform(
    cast(because as struct(purpose varchar, ended_on varchar, reason varchar)[]),
    lambda entry: concat_ws(' ', coalesce(entry.purpose, entry.reason), entry.ended_on)
), '; ')"""

#: The cells of `manifest.csv`, every one to be quoted: what a system or a policy could have named is guarded.
SQL_CELLS = ", ".join(
    f"{expression} as {name}"
    for name, expression in {
        "item_id": "item_id",
        "record_type": _sql_guarded("record_type"),
        '"key"': _sql_guarded("record_key"),
        "action": "action",
        "fields": _sql_guarded("array_to_string(fields, ' ')"),
        "because": _sql_guarded(_SQL_REASONS),
        "respond_by": "respond_by",
    }.items()
)

#: The order of the lines in both.
LINE_ORDER = "record_type, record_key, action"
