"""The date patterns of contracts, which are Java's as the standard has it, as the engine reads them. Reads no date."""

from __future__ import annotations

import re

from assets.errors import BadInput

_JAVA_TO_STRPTIME = {
    "yyyy": "%Y", "uuuu": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%m", "dd": "%d", "d": "%d",
    "HH": "%H", "H": "%H", "hh": "%I", "h": "%I", "mm": "%M", "ss": "%S", "SSS": "%g", "SSSSSS": "%f", "a": "%p",
    "XXX": "%z", "XX": "%z", "Z": "%z", "EEEE": "%A", "EEE": "%a",
}  # fmt: skip
#: What a directive tells; a day needs the first three of them.
_TELLS = {
    "%Y": "year", "%y": "year", "%B": "month", "%b": "month", "%m": "month", "%d": "day", "%H": "hour", "%I": "hour",
    "%M": "minute", "%S": "second",
}  # fmt: skip
_LETTERS = {"year": "yyyy", "month": "MM", "day": "dd"}
#: Two quotes are one that stands for itself, within quotes or without (Unicode LDML). A lone one is never closed.
_PATTERN_PARTS = re.compile(
    r"'(?P<quoted>(?:[^']|'')++)'|(?P<letters>([A-Za-z])\3*)|(?P<other>[^A-Za-z']|'')|(?P<lone>')"
)


def strptime_pattern(where: str, pattern: str) -> str:
    """A pattern such as `yyyy-MM-dd HH:mm` as strptime's; what stands in quotes in it stands for itself.

    Args:
        where: the contract and the column, for the complaint.
        pattern: as the contract states it.

    Raises:
        BadInput: the pattern has a letter that is not known, a quote that is not closed, hours of which nobody can
            tell whether they are before noon, or cannot say a day.
    """
    found: list[str] = []
    told: list[str] = []
    halves: list[str] = []
    for match in _PATTERN_PARTS.finditer(pattern):
        letters, itself = match["letters"], (match["quoted"] or match["other"] or "").replace("''", "'")
        if match["lone"]:
            raise BadInput(f"{where}: the date format {pattern} has a quote that is not closed.")
        if letters and letters not in _JAVA_TO_STRPTIME:
            raise BadInput(
                f"{where}: the date format's {letters} is not known. Use yyyy, MM, dd, HH, mm, ss and the like."
            )
        found.append(_JAVA_TO_STRPTIME[letters] if letters else itself.replace("%", "%%"))
        told.append(_TELLS.get(found[-1], "") if letters else "")
        halves += [letters] if letters in ("h", "hh") else []
    if halves and "%p" not in found:
        raise BadInput(
            f"{where}: the date format {pattern}: {halves[0]} is an hour of half a day, and a, which half it is, is "
            "missing: HH was probably meant."
        )
    _check_says_a_day(f"{where}: the date format {pattern}", [part for part in told if part])
    return "".join(found)


def _check_says_a_day(pattern: str, told: list[str]) -> None:
    """Minutes that stand for the month are the common mistake: the engine makes January of every month."""
    twice = next((part for part in told if told.count(part) > 1), None)
    if twice:
        meant = ": MM is the month, mm the minute" if twice in ("month", "minute") else ""
        raise BadInput(f"{pattern} has the {twice} twice{meant}.")
    for part, letters in _LETTERS.items():
        if part not in told:
            mixed_up = part == "month" and "minute" in told
            hint = "mm is the minute, MM was probably meant" if mixed_up else f"use {letters}"
            raise BadInput(f"{pattern} has no {part}: {hint}.")
    if "minute" in told and "hour" not in told:
        raise BadInput(f"{pattern} has minutes and no hour: use HH.")
