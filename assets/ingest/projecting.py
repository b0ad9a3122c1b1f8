"""From the text of a file to typed columns: the SELECT that reads, maps, types and judges the rows of one file.

Builds SQL out of a contract and a scan; runs nothing and holds no values. Every row comes out, with the number of the
first rule that it breaks: 0 for none, -1 for a row that the contract leaves out of scope.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from assets.contracts.contract import DELETED, Column, Contract, Format
from assets.warehouse import identifier, literal

LOCAL_ZONE = "Europe/Stockholm"
#: To be raised whenever the same text under the same contract becomes other values, or is judged in another way.
DIGEST_VERSION = 4
#: Digests have 63 bits; the highest one is set in the mark that stands for a digest where fields are ordered erased.
LARGEST_DIGEST = f"cast({(1 << 63) - 1} as ubigint)"
OUT_OF_SCOPE = -1
#: The parameter of a scan that says whether threads may share its file out among them.
SHARED_OUT = "parallel"
#: Nothing that a record tells of happened before; what programs write for "no day" (0001-01-01, 1753-01-01, 1899-12-30,
#: 1900-01-01) did not either, and an exit or a withdrawal on such a day would erase. People were born earlier.
EARLIEST, EARLIEST_BIRTH = "date '1901-01-01'", "date '1800-01-01'"

#: Columns of a staged row beside the contract's own; a contract's column cannot begin with an underscore.
STAGED = {
    "_key": "varchar", "_deleted": "boolean", "_failure": "integer", "_row": "varchar", "_line": "bigint",
    "_file": "integer", "_digest": "ubigint",
}  # fmt: skip

#: Beside those, where a contract says by what the last row of a key is told.
LAST = "_last"
_LAST_TYPES = {"text": "varchar", "date": "date", "instant": "timestamptz", "decimal": "decimal(38, 9)"}

#: What is taken off both ends of every text.
BLANKS = "".join(chr(code) for code in (32, 10, 13, 9, 11, 12, 160, 65279))
# As literals: a call of chr() is looked up for every column of every statement that cleans.
_BLANKS = tuple(f"'{blank}'" for blank in BLANKS)
_BLANK = f"'{''.join(blank[1] for blank in _BLANKS)}'"
#: Blanks that nearly every file holds, and the bytes of which one stands in every other blank.
_COMMON_BLANKS = _BLANKS[:3]
ODD_BYTES = (b"\t", b"\v", b"\f", b"\xc2", b"\xef")
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]+)?"
_NAIVE = f"{_DATE}[Tt ]{_TIME}"
_BEFORE_22_UTC = f"{_DATE}[Tt ](?:[01][0-9]|2[01]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{{1,6}})?[Zz]"
_OFFSET = f"{_NAIVE}(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
#: The most digits of a day's number in a worksheet, and how many digits a date format's parts have.
_SERIAL_DIGITS = 6
_CELL = f"[0-9]{{1,{_SERIAL_DIGITS}}}(?:[.][0-9]+)?"
_WIDTHS = {"%Y": 4, "%y": 2, "%m": 2, "%d": 2, "%H": 2, "%I": 2, "%M": 2, "%S": 2, "%g": 3, "%f": 6}
_DELETED_TEXT, _LAST_TEXT = "_deleted_text", "_last_text"
_TRUE_OR_FALSE = (
    f"case lower({_DELETED_TEXT}) when 'true' then true when '1' then true "
    "when 'false' then false when '0' then false end"
)
_NOT_IN_SCOPE = "not _in_scope"
_NOT_OF_TYPE = {
    "date": "not_a_date", "instant": "not_an_instant", "decimal": "not_a_number", "boolean": "not_true_or_false",
}  # fmt: skip


@dataclass(frozen=True)
class Scan:
    """One file as something to select from.

    Attributes:
        relation: what stands behind `from`.
        params: values of its named parameters.
        columns: the file's columns and the SQL that gives each as text.
        rejects: the temporary table that the reader fills with lines it cannot read, if it has one.
        heading: lines before the first row.
        unknown: columns that no contract reads.
        malformed: a condition that holds for a line that is no row at all.
        line_text: the SQL of such a line as it stands.
        oddly_blank: whether a value may have other blanks at its ends than spaces and line ends.
        place: the SQL of a row's place in the file, where the relation is not the file itself.
        layout: how the file is written, where its table's contract knows several layouts.
        rowless: whether the file is known to end with its heading, so that nothing of it has to be read.
    """

    relation: str
    params: dict[str, Any]
    columns: dict[str, str]
    rejects: str | None = None
    heading: int = 0
    unknown: tuple[str, ...] = ()
    malformed: str = "false"
    line_text: str = "cast(null as varchar)"
    oddly_blank: bool = True
    place: str | None = None
    layout: Contract | None = None
    rowless: bool = False

    @property
    def is_shared_out(self) -> bool:
        """Whether threads may share the file out among them."""
        return bool(self.params.get(SHARED_OUT))

    def in_one_piece(self) -> Scan:
        """The same file, read by one thread from its beginning to its end."""
        return replace(self, params=self.params | {SHARED_OUT: False}) if self.is_shared_out else self


@dataclass(frozen=True)
class Projection:
    """The SELECT over one file and the rules it judges by; rule n stands at `rules[n - 1]`."""

    select: str
    rules: tuple[tuple[str, str], ...]


def projection(
    contract: Contract, scan: Scan, *, file_number: int, deletions: bool, ordered: bool = True
) -> Projection:
    """The rows of `scan`, typed and judged as `contract` says.

    Args:
        contract: what the columns mean, unless the scan has a layout of its own.
        scan: the file.
        file_number: stands in `_file` of every row.
        deletions: whether a column `_deleted`, or what the contract says in its place, counts.
        ordered: whether a sealed manifest has ordered any field of such records erased.
    """
    contract = scan.layout or contract
    branches = _judgements(contract, deletions, ordered)
    rules = tuple((rule, column) for _, rule, column in branches if rule)
    numbers = iter(range(1, len(rules) + 1))
    cases = " ".join(
        f"when {condition} then {next(numbers) if rule else OUT_OF_SCOPE if condition == _NOT_IN_SCOPE else 0}"
        for condition, rule, _ in branches
    )
    joined = ordered or bool(contract.lookups)
    select = f"""
        with {_lookups(contract)} this as (select {_cleaned(contract, scan, joined=joined)} from {scan.relation}),
        mapped as (select {_mapped(contract, scan, _deletion(contract, scan) if deletions else None)} from this),
        tried as (select *{_tried(contract)} from mapped),
        bare as (select *{_bare(contract)} from tried),
        typed as (select *, {_typed(contract)}{_last(contract)} from bare),
        judged as (select *, case {cases} else 0 end as _failure from typed)
        select {_staged(contract)}, _key, _deleted, _failure,
            case when _failure > 0 then coalesce(_text, {_row_text(contract)}) end as _row,
            _line, {file_number} as _file, _digest{f", {LAST}" if contract.last_by else ""}
        from judged
    """
    return Projection(select, rules)


def staged_beside(contract: Contract) -> dict[str, str]:
    """The columns of a staged row beside the contract's own, with their types."""
    return STAGED | ({LAST: _LAST_TYPES[contract.last_by.type]} if contract.last_by else {})


def expressions(contract: Contract, scan: Scan) -> Iterator[tuple[str, str, str]]:
    """What somebody wrote in a contract, to find what fails: its name, and two SELECTs over the rows of `scan`.

    The first gives the place of the first row on which the expression fails (it cannot look into other files); the
    second fails where the expression does.
    """
    contract = scan.layout or contract
    cleaned_rows = _cleaned(contract, scan, joined=True)
    rows = f"with {_lookups(contract)} this as (select {cleaned_rows} from {scan.relation}) select"
    written = {
        f"transformLogic of {column.name}": f"cast((\n{column.transform.sql}\n) as varchar)"
        for column in contract.columns if column.transform is not None
    }  # fmt: skip
    for column in (contract.deletion, contract.last_by):
        made = column.transform if column else None
        if column and made and scan.columns.keys() >= set(made.columns):  # a full delivery need not have them
            written[f"transformLogic of {column.name}"] = f"cast((\n{made.sql}\n) as varchar)"
    if contract.row_filter is not None:
        written["rowFilter"] = f"cast((\n{contract.row_filter.sql}\n) as boolean)"
    for name, sql in written.items():
        fails = f"try({{'value': {sql}}}) is null"  # a value that is null is none that fails
        yield (
            name,
            f"{rows} min(_line) from (select _line, {fails} as fails from this) where fails",
            f"{rows} count({sql}) from this",
        )


# -- the columns of each step ------------------------------------------------------------------------------------------


def _lookups(contract: Contract) -> str:
    return "".join(
        f"{identifier(lookup.name)} as (select * from temp.{identifier('lookup_' + lookup.name)}), "
        for lookup in contract.lookups
    )


def cleaned(sql: str, file_format: Format, oddly_blank: bool = True) -> str:
    """Text without blanks around it; an empty text and the contract's words for nothing are null."""
    tokens = ", ".join(literal(token) for token in file_format.null_tokens)
    trimmed = _trimmed(sql, oddly_blank)
    return f"case when {trimmed} not in ({tokens}) then {trimmed} end" if tokens else trimmed


def _trimmed(text: str, oddly_blank: bool = True) -> str:
    """Text without blanks at its ends. Trimming costs many times what it costs to see that there is nothing to trim."""
    edges = " or ".join(
        [
            f"{text} < '!'",
            *(f"suffix({text}, {blank})" for blank in (_BLANKS if oddly_blank else _COMMON_BLANKS)),
            *(f"prefix({text}, {blank})" for blank in (_BLANKS[-2:] if oddly_blank else ())),
        ]
    )
    return f"case when {edges} then nullif(trim({text}, {_BLANK}), '') else {text} end"


def _cleaned(contract: Contract, scan: Scan, *, joined: bool) -> str:
    """The file's columns as text. Where something is joined to them the order is lost, so that places are counted."""
    wanted = [name for name in scan.columns if name in (*contract.reads_in_delta, DELETED)]
    late = _cleaned_late(contract)
    texts = [
        f"{text if name in late else cleaned(text, contract.format, scan.oddly_blank)} as {identifier(name)}"
        for name, text in ((name, scan.columns[name]) for name in wanted)
    ]
    malformed = f"{scan.malformed} as _malformed, case when {scan.malformed} then {scan.line_text} end as _text"
    place = scan.place or ("row_number() over ()" if joined else "cast(null as bigint)")
    return ", ".join([*texts, malformed, f"{place} as _line", f"{digest(contract, scan)} as _digest"])


def digest(contract: Contract, scan: Scan) -> str:
    """A row's digest: equal for a row that is delivered again as it was, under the same contract and key.

    It recognises rows and proves nothing about them. Null where other files decide about a row too, and in the office's
    registers, which the site lays its own entries over.
    """
    if not has_digest(contract):
        return "cast(null as ubigint)"
    salt = hashlib.sha256(repr((DIGEST_VERSION, contract)).encode()).hexdigest()
    texts = ", ".join(scan.columns[name] for name in contract.reads)
    return f"hash(pseudonym({literal(salt)}), {texts}) & {LARGEST_DIGEST}"


def has_digest(contract: Contract) -> bool:
    """Whether the rows of a table can be recognised."""
    return contract.record_type is not None and not contract.lookups


def _cleaned_late(contract: Contract) -> frozenset[str]:
    """The file's columns whose values are tried as they stand, and cleaned where they are none of their type.

    Nearly all are, and then nobody needs to look for blanks around them.
    """
    if contract.format.null_tokens:
        return frozenset()
    strict = {column.physical for column in contract.columns if column.physical and _is_strict(column)}
    loose = {name for column in contract.columns if not _is_strict(column) for name in column.reads}
    loose |= {name for column in (contract.deletion, contract.last_by) if column for name in column.reads}
    return frozenset(strict - loose - set(contract.row_filter.columns if contract.row_filter else ()))


def _is_strict(column: Column) -> bool:
    """Whether a text with blanks around it is no value of the column."""
    if column.transform is not None or column.date_format:
        return False
    return column.type != "text" or bool(column.enum)


def _deletion(contract: Contract, scan: Scan) -> str | None:
    """The text that says whether a row of a delta has left; None where nothing does."""
    if contract.deletion is not None:
        return _text(contract.deletion)
    return identifier(DELETED) if DELETED in scan.columns else None


def _mapped(contract: Contract, scan: Scan, deletion: str | None) -> str:
    """Each canonical column as text, the file's own columns for the row's text, and what decides about the row."""
    parts = [f"{_text(column)} as {identifier('text ' + column.name)}" for column in contract.columns]
    parts += [f"{identifier(name)} as {identifier('file ' + name)}" for name in contract.reads]
    deleted = deletion or "cast(null as varchar)"
    # a row that only tells a deletion is often empty but for its key, and the filter cannot say
    unknown = f"coalesce(lower({deleted}) not in ('false', '0'), false)" if deletion else "false"
    scope = f"coalesce(cast((\n{contract.row_filter.sql}\n) as boolean), {unknown})" if contract.row_filter else "true"
    beside = ["_malformed", "_text", "_line", "_digest"]
    if contract.last_by is not None:
        is_there = scan.columns.keys() >= set(contract.last_by.reads)  # a full delivery need not have it
        beside.append(f"{_text(contract.last_by) if is_there else 'cast(null as varchar)'} as {_LAST_TEXT}")
    return ", ".join([*parts, f"{scope} as _in_scope", f"{deleted} as {_DELETED_TEXT}", *beside])


def _text(column: Column) -> str:
    if column.transform is not None:
        return f"nullif(trim(cast((\n{column.transform.sql}\n) as varchar), {_BLANK}), '')"
    return "cast(null as varchar)" if column.physical is None else identifier(column.physical)


def _tried(contract: Contract) -> str:
    """What is made of the texts that are cleaned late, as they stand."""
    return "".join(
        f", {_word(column) if column.type == 'text' else typed(_named('text', column), column, contract.format)} "
        f"as {_named('tried', column)}"
        for column in contract.columns if _is_late(contract, column)
    )  # fmt: skip


def _word(column: Column) -> str:
    return f"case when {_named('text', column)} in ({_words(column)}) then {_named('text', column)} end"


def _bare(contract: Contract) -> str:
    """Those texts of which nothing was made, without the blanks around them."""
    return "".join(
        f", case when {_named('tried', column)} is null then nullif(trim({_named('text', column)}, {_BLANK}), '') end "
        f"as {_named('bare', column)}"
        for column in contract.columns if _is_late(contract, column)
    )  # fmt: skip


def _typed(contract: Contract) -> str:
    parts = [
        f"{_made(contract, column)} as {_named('value', column)}"
        for column in contract.columns
        if _has_value(contract, column)
    ]
    key = contract.key_column
    made = _made(contract, key) if _has_value(contract, key) else _named("text", key)
    return ", ".join([*parts, f"cast({made} as varchar) as _key", f"coalesce({_TRUE_OR_FALSE}, false) as _deleted"])


def _last(contract: Contract) -> str:
    """What tells the last row of a key; null where the text is none of its type, so that nobody knows."""
    column = contract.last_by
    return "" if column is None else f", {sortable(_LAST_TEXT, column, contract.format)} as {LAST}"


def _is_late(contract: Contract, column: Column) -> bool:
    return column.transform is None and column.physical in _cleaned_late(contract)


def _has_value(contract: Contract, column: Column) -> bool:
    """Whether the value is made of the text, instead of being it."""
    return column.type != "text" or _is_late(contract, column)


def _made(contract: Contract, column: Column) -> str:
    if not _is_late(contract, column):
        return typed(_named("text", column), column, contract.format)
    return f"coalesce({_named('tried', column)}, {typed(_named('bare', column), column, contract.format)})"


def _value(contract: Contract, column: Column) -> str:
    return _named("value" if _has_value(contract, column) else "text", column)


def _named(what: str, column: Column) -> str:
    return identifier(f"{what} {column.name}")


def _words(column: Column) -> str:
    return ", ".join(literal(word) for word in column.enum)


def _staged(contract: Contract) -> str:
    return ", ".join(f"{_value(contract, column)} as {identifier(column.name)}" for column in contract.columns)


def _row_text(contract: Contract) -> str:
    late = _cleaned_late(contract)
    texts = {name: identifier("file " + name) for name in contract.reads}
    texts = {name: f"nullif(trim({text}, {_BLANK}), '')" if name in late else text for name, text in texts.items()}
    fields = ", ".join(f"{literal(name)}: {text}" for name, text in texts.items())
    return f"cast(to_json({{{fields}}}) as varchar)"


# -- judging -----------------------------------------------------------------------------------------------------------


def _judgements(contract: Contract, deletions: bool, ordered: bool) -> list[tuple[str, str, str]]:
    """(condition, rule, column) in the order in which they are asked; one without a rule settles a row that is fine."""
    branches = [("_malformed", "malformed_line", ""), (_NOT_IN_SCOPE, "", "")]
    branches += _column_judgements(contract, contract.key_column, ordered)
    if deletions:
        unclear = f"{_DELETED_TEXT} is not null and {_TRUE_OR_FALSE} is null"
        branches += [(unclear, _NOT_OF_TYPE["boolean"], DELETED), ("_deleted", "", "")]
    for column in contract.columns:
        if column.name != contract.key:
            branches += _column_judgements(contract, column, ordered)
    return branches


def _column_judgements(contract: Contract, column: Column, ordered: bool) -> list[tuple[str, str, str]]:
    value, text, found = _value(contract, column), _named("text", column), []
    if _is_late(contract, column):
        text = value if column.type == "text" else _named("bare", column)
    if column.required:
        unless = _unless_ordered(contract, column) if ordered else ""
        found.append((f"{value} is null and {text} is null{unless}", "required", column.name))
    if column.type != "text":
        found.append((f"{value} is null and {text} is not null", _NOT_OF_TYPE[column.type], column.name))
    if column.type in ("date", "instant"):
        earliest = EARLIEST_BIRTH if column.category == "identity" else EARLIEST
        found.append((f"{value} < {earliest}", "too_early", column.name))
    if column.enum:
        found.append((f"{text} not in ({_words(column)})", "not_in_enum", column.name))
    return found


def _unless_ordered(contract: Contract, column: Column) -> str:
    """A required value may be gone where a sealed manifest ordered exactly that."""
    if column.category is None or contract.record_type is None or column.name == contract.key:
        return ""
    return (
        " and not coalesce(_key in (select record_key from manifest.ordered_fields "
        f"where record_type = {literal(contract.record_type)} and field = {literal(column.name)}), false)"
    )


# -- types -------------------------------------------------------------------------------------------------------------


def typed(text: str, column: Column, file_format: Format) -> str:
    """The SQL that makes a value of `text`, null where it is none of its type."""
    match column.type:
        case "decimal":
            return _decimal(text, column, file_format)
        case "boolean":
            return _boolean(text, file_format)
        case "date":
            return f"case {_serial(text, column, file_format)} {_date_case(text, column)} end"
        case "instant":
            zone = column.time_zone or file_format.time_zone
            return f"case {_serial(text, column, file_format)} {_instant_cases(text, column, zone)} end"
        case _:
            return text


def sortable(text: str, column: Column, file_format: Format) -> str:
    """As `typed`, but to tell rows apart: an instant to its microsecond, a number with all its digits."""
    if column.type == "decimal":
        return _decimal(text, column, file_format, _LAST_TYPES["decimal"])
    if column.type != "instant":
        return typed(text, column, file_format)
    zone = literal(column.time_zone or file_format.time_zone)
    cells = ""
    if _serial(text, column, file_format):
        days = f"to_milliseconds(cast(round(cast({text} as double) * 86400000) as bigint))"
        cells = f"when regexp_full_match({text}, '{_CELL}') then timezone({zone}, timestamp '1899-12-30' + {days})"
    if column.date_format:
        parsed = f"try_strptime({text}, {literal(column.date_format)})"
        moment = parsed if "%z" in column.date_format else f"timezone({zone}, {parsed})"
        return f"case {cells} when {_fits(text, column)} then {moment} end"
    return (
        f"case {cells} when regexp_full_match({text}, '{_OFFSET}') then try_cast(upper({text}) as timestamptz) "
        f"when regexp_full_match({text}, '{_DATE}') or regexp_full_match({text}, '{_NAIVE}') "
        f"then timezone({zone}, try_cast(upper({text}) as timestamp)) end"
    )


def _decimal(text: str, column: Column, file_format: Format, kind: str = "decimal(18, 4)") -> str:
    """A contract's own expression answers in the canonical notation; the file's notation is the format's."""
    mark, thousands = (".", "") if column.transform else (file_format.decimal_mark, file_format.thousands)
    digits = "[0-9]+"
    if thousands:
        group = "[" + "".join(re.escape(character) for character in thousands) + "]"
        digits = f"(?:[0-9]+|[0-9]{{1,3}}(?:{group}[0-9]{{3}})+)"
    plain = f"translate({text}, {literal(mark + thousands)}, '.')" if mark != "." or thousands else text
    pattern = literal(f"[+-]?{digits}(?:[{mark}][0-9]+)?")
    return f"case when regexp_full_match({text}, {pattern}) then try_cast({plain} as {kind}) end"


def _boolean(text: str, file_format: Format) -> str:
    number = " when '1' then true when '0' then false" if file_format.kind == "excel" else ""
    return f"case lower({text}) when 'true' then true when 'false' then false{number} end"


def _serial(text: str, column: Column, file_format: Format) -> str:
    """A worksheet keeps a date as days since 1899-12-30: up to six digits, unless the contract's format is that too."""
    if file_format.kind != "excel" or _digits(column) == _SERIAL_DIGITS:
        return ""
    return (
        f"when regexp_full_match({text}, '{_CELL}') "
        f"then date '1899-12-30' + cast(floor(cast({text} as double)) as integer)"
    )


def _digits(column: Column) -> int:
    """How many digits a date format has that is of digits alone (`yyMMdd`); 0 for every other."""
    parts = re.findall("%.|.", column.date_format or "")
    return sum(_WIDTHS[part] for part in parts) if all(part in _WIDTHS for part in parts) else 0


def _fits(text: str, column: Column) -> str:
    """The engine reads 41121 as 2041-12-1 by `yyMMdd`, whoever lost the zero of 041121."""
    digits = _digits(column)
    return f"length({text}) = {digits}" if digits else f"{text} is not null"


def _date_case(text: str, column: Column) -> str:
    if column.date_format:
        return f"when {_fits(text, column)} then cast(try_strptime({text}, {literal(column.date_format)}) as date)"
    return f"when regexp_full_match({text}, '{_DATE}') then try_cast({text} as date)"


def _instant_cases(text: str, column: Column, zone: str) -> str:
    if column.date_format:
        return f"when {_fits(text, column)} then {_formatted_instant(text, column.date_format, zone)}"
    offset = _day_of_instant(text)
    naive = _local_day(f"try_cast(upper({text}) as timestamp)", zone)
    return (
        f"when regexp_full_match({text}, '{_BEFORE_22_UTC}') then try_cast({text} as date) "
        f"when length({text}) = 10 and regexp_full_match({text}, '{_DATE}') then try_cast({text} as date) "
        f"when regexp_full_match({text}, '{_OFFSET}') then {offset} "
        f"when regexp_full_match({text}, '{_NAIVE}') then {naive}"
    )


def _day_of_instant(text: str) -> str:
    """The local day of an instant with its offset.

    The local clock is one or two hours ahead of UTC: before 22 o'clock UTC it is the same day there, and the time
    zone's history need not be asked. Most instants are written in UTC and so early: their day is read off the text.
    """
    aware = f"try_cast(upper({text}) as timestamptz)"
    utc = f"make_timestamp(epoch_us({aware}))"
    late = _within_the_calendar(f"cast(timezone('{LOCAL_ZONE}', {aware}) as date)")
    return f"case when extract(hour from {utc}) < 22 then cast({utc} as date) else {late} end"


def _formatted_instant(text: str, pattern: str, zone: str) -> str:
    parsed = f"try_strptime({text}, {literal(pattern)})"
    if "%z" in pattern:
        return _within_the_calendar(f"cast(timezone('{LOCAL_ZONE}', {parsed}) as date)")
    has_time = "%H" in pattern or "%I" in pattern
    return _local_day(parsed, zone) if has_time else f"cast({parsed} as date)"


def _local_day(naive: str, zone: str) -> str:
    """The local day of a timestamp that was written in `zone`."""
    if zone == LOCAL_ZONE:
        return f"cast({naive} as date)"
    return _within_the_calendar(f"cast(timezone('{LOCAL_ZONE}', timezone({literal(zone)}, {naive})) as date)")


def _within_the_calendar(day: str) -> str:
    """The last instant that a program knows (`9999-12-31T23:59:59Z`, for "no end") is a day later here: that day."""
    return f"(case when {day} > date '9999-12-31' then date '9999-12-31' else {day} end)"
