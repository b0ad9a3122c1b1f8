"""Whether a text names someone else: what of a person's records is another's, and is held back for a person to check.

Fails closed: a sign is enough. Signs are an address, number or name that is not the person's own, a name that a source
knows, and in prose any capitalised word within a sentence. Looks at one person's records; tells no text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from assets.warehouse import Warehouse

_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_EMAIL = re.compile(r"[\w.%+-]+@[\w-]+(?:\.[\w-]+)+")
_NUMBER = re.compile(r"(?<![\w])\+?\d[\d -]{5,}\d(?![\w])")
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_SENTENCE_END = re.compile(r"(?:^|[.!?:\n\r•–-])\s*[\"'”(]*\Z")
#: A name is looked for in runs of at most so many words.
LONGEST_NAME = 4


def folded(name: str) -> str:
    """A name as names are compared: case folded, white space collapsed."""
    return " ".join(name.casefold().split())


def digits(number: str) -> str:
    """The last nine digits, in which the ways to write a telephone or personal number agree."""
    return re.sub(r"\D", "", number)[-9:]


@dataclass
class Own:
    """What is the person's own: folded names, words and parts of postal addresses (`places`), addresses, numbers."""

    names: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    emails: set[str] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)
    places: set[str] = field(default_factory=set)

    def add_name(self, name: str) -> None:
        """A name of the person's, or of what is theirs: its words are no sign of another."""
        self.names.add(folded(name))
        self.add_words(name)

    def add_words(self, text: str) -> None:
        """Words that point at nobody else: the person's street, town, company."""
        self.words.update(word.casefold() for word in _WORD.findall(text))

    def is_name(self, name: str) -> bool:
        """Whether a name is the person's own, as it is compared."""
        return folded(name) in self.names


def runs(texts: Iterable[str]) -> set[str]:
    """Every run of one to `LONGEST_NAME` words of the texts, folded."""
    found: set[str] = set()
    for text in texts:
        words = [word.casefold() for word in _WORD.findall(text)]
        for length in range(1, LONGEST_NAME + 1):
            found.update(" ".join(words[at : at + length]) for at in range(len(words) - length + 1))
    return found


def known_names(warehouse: Warehouse, texts: Sequence[str]) -> tuple[set[str], set[str]]:
    """Of the words in `texts`, those that are somebody's full name, and those that are somebody's first name."""
    looked_for = sorted(runs(texts))
    full: set[str] = set()
    first: set[str] = set()
    if not looked_for:
        return full, first
    for table, people in (("crm_customers", "customer_type <> 'company'"), ("crm_contacts", "true"),
                          ("mailing_subscribers", "true")):  # fmt: skip
        rows = warehouse.rows(
            f"with names as (select normalised_name(name) as name from raw.{table} "
            f"where name is not null and {people}), runs as (select unnest($runs) as run) "
            "select distinct 'full', run from runs inner join names on names.name = run where contains(run, ' ') "
            "union all "
            "select distinct 'first', run from runs inner join names on split_part(names.name, ' ', 1) = run",
            {"runs": looked_for},
        )
        full |= {run for kind, run in rows if kind == "full"}
        first |= {run for kind, run in rows if kind == "first"}
    return full, first


def names_another(text: str, own: Own, full: set[str], first: set[str], *, prose: bool) -> bool:
    """Whether there is a sign in `text` of someone other than the person."""
    if any(address.casefold() not in own.emails for address in _EMAIL.findall(text)):
        return True
    if any(digits(number) not in own.numbers for number in _NUMBER.findall(_DATE.sub(" ", text))):
        return True
    if (runs([text]) & full) - own.names:
        return True
    return prose and _has_foreign_word(_EMAIL.sub(" ", text), own, first)


def _has_foreign_word(text: str, own: Own, first: set[str]) -> bool:
    """A capitalised word within a sentence, or a known first name at its beginning, that is not the person's own."""
    for match in _WORD.finditer(text):
        word = match.group()
        if not word[0].isupper() or word.casefold() in own.words:
            continue
        begins = _SENTENCE_END.search(text[: match.start()]) is not None
        if not begins or word.casefold() in first:
            return True
    return False
