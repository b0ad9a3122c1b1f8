"""Whether a CSV file ends within a quoted text.

DuckDB 1.5.5 gives neither a row nor a reject for such an end when it reads a file in one piece, however many lines
stand in it. What it takes for an opening and a closing quote was found by reading many short texts with it.
"""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

from assets.contracts.contract import Format

_CHUNK = 1 << 20
_MARK = "\ufeff".encode()


def unclosed_quote(path: Path, file_format: Format) -> int | None:
    """About the line of the quote within whose text a CSV file in UTF-8 ends; None: no text is open there.

    Where several quoted texts follow each other in a row, it is the line of the first. Where a quote stands that means
    none, all that come after it close what they were to open, and the last one is told. Reads the file once, and holds
    no more of it than a chunk.
    """
    delimiter, quote = file_format.delimiter.encode(), file_format.quote.encode()
    if len(quote) != 1:  # none, or one that the reader refuses
        return None
    closed, begun = _patterns(delimiter, quote)
    text, start, ends, line = b"\n", 1, 0, None
    with path.open("rb") as content:
        first = content.read(_CHUNK).removeprefix(_MARK)
        end_of_line = b"\n" if b"\n" in first else b"\r"
        for chunk in chain((first,), iter(lambda: content.read(_CHUNK), b""), (end_of_line,)):
            text += chunk
            ends += chunk.count(end_of_line)
            if line is None and quote not in chunk:  # of most files no chunk has any
                text = text[-len(delimiter) - 1 :]
                start = len(text)
                continue
            until = _end(closed, text, start)
            if until == len(text):
                text, line = text[-len(delimiter) - 1 :], None  # what a quote that comes next is judged by
                start = len(text)
                continue
            if line is None or until > 1:
                line = 1 + ends - text.count(end_of_line, until)
            # Of the open text its quote is kept, and a last quote with a blank: what comes next says what that is.
            left = _end(begun, text, until)
            text, start = b"\n" + quote + text[left : left + 2], 1
    return line


def _end(pattern: re.Pattern[bytes], text: bytes, start: int) -> int:
    found = pattern.match(text, start)
    return start if found is None else found.end()


def _patterns(delimiter: bytes, quote: bytes) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """What goes on to the first quoted text that is not closed; such a text up to where it may be closed.

    A quote opens a text where a field begins, or behind one blank there; elsewhere it stands for itself. A second one
    right behind a closing one, or behind blanks, opens the text again. No groups that capture: in repetitions that give
    nothing back, Python's own count of them goes wrong.
    """
    blank, blanks = (b"", b"") if delimiter.startswith(b" ") else (b" ", b" *+")
    between, mark = re.escape(delimiter), re.escape(quote)
    before = [edge + each for each in dict.fromkeys((b"", blank)) for edge in (b"[\r\n]", between)]
    opening = b"(?:" + b"|".join(b"(?<=%s)" % each for each in before) + b")"
    for_itself = b"".join(b"(?<!%s)" % each for each in before)
    other = b"[^%s]*+" % mark
    # Texts that follow each other in a line are one step: a file in which all are quoted takes half the time.
    begun = b"%s%s(?:%s(?:%s|%s)%s%s)*+" % (mark, other, mark, between, blanks, mark, other)
    closed = b"%s%s(?!%s\\Z)" % (begun, mark, blanks)
    whole = b"%s(?:(?:%s%s|%s%s)%s)*+" % (other, opening, closed, for_itself, mark, other)
    return re.compile(whole), re.compile(begun)
