"""The date patterns of contracts, which are Java's as the standard has it, as the engine reads them. Reads no date."""

from __future__ import annotations

import re

from assets.errors import BadInput

_JAVA_TO_STRPTIME = {
    "yyyy": "%Y", "uuuu": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%m", "dd": "%d", "d": "%d",
    "HH": "%H", "H": "%H", "hh": "%I", "h": "%I", "mm": "%M", "ss": "%S", "SSS": "%g", "SSSSSS": "%f", "a": "%p",
    "XXX": "%z", "XX": "%z", "Z": "%z", "EEEE": "%A", "EEE": "%a",
}  # fmt: skip
_PATTERN_PARTS = re.compile(r"'(?P<quoted>[^']*)'|(?P<letters>([A-Za-z])\3*)|(?P<other>[^A-Za-z'])")


def strptime_pattern(where: str, pattern: str) -> str:
    """A pattern such as `yyyy-MM-dd HH:mm` as strptime's; what stands in quotes in it stands for itself.

    Args:
        where: the contract and the column, for the complaint.
        pattern: as the contract states it.

    Raises:
        BadInput: the pattern has a letter that is not known.
    """
    found = []
    for match in _PATTERN_PARTS.finditer(pattern):
        quoted, letters, other = match["quoted"], match["letters"], match["other"]
        if letters and letters not in _JAVA_TO_STRPTIME:
            raise BadInput(
                f"{where}: the date format's {letters} is not known. Use yyyy, MM, dd, HH, mm, ss and the like."
            )
        found.append(_JAVA_TO_STRPTIME[letters] if letters else (quoted or other or "'").replace("%", "%%"))
    return "".join(found)
