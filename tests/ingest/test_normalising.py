"""The quick ways of the normalising macros: what they give is what the plain ways give, for any text."""

from __future__ import annotations

import random
from unicodedata import normalize

import pytest

from assets.warehouse import Warehouse

#: Letters that fold in SQL and some that do not, blanks of all kinds, and what stands in names and addresses.
_PIECES = (
    *"aZåÄéØ09.-_@'&", " ", "  ", "\t", "\n", "\r", "\v", "\f", "\xa0", "\ufeff", "\x01", "\x7f", "ß", "Ł", "İ",
    "A\u030a",
)  # fmt: skip


def _texts() -> list[str]:
    chance = random.Random(20261126)
    return ["", *_PIECES] + ["".join(chance.choices(_PIECES, k=chance.randint(1, 6))) for _ in range(3000)]


@pytest.mark.parametrize(
    ("macro", "plain"),
    [
        ("normalised_email", "nullif(lower(trim(x, ' ' || chr(9) || chr(10) || chr(13) || chr(160))), '')"),
        (
            "normalised_name",
            r"nullif(case when regexp_matches(x, '[^\x{20}-\x{7E}ÅÄÖÉÈÜØÆåäöéèüøæ\t\r\n]') "
            r"then unicode_folded_name(x) else trim(regexp_replace(lower(x), '\s+', ' ', 'g')) end, '')",
        ),
    ],
)
def test_a_quick_way_is_the_plain_way(macro: str, plain: str) -> None:
    warehouse = Warehouse.in_memory()
    warehouse.run("create table texts as select unnest($texts) as x", {"texts": [*_texts(), None]})
    assert warehouse.rows(f"select x from texts where {macro}(x) is distinct from {plain}") == []
    assert warehouse.value(f"select count(distinct {macro}(x)) from texts") > 1000


@pytest.mark.parametrize("name", ["Åsa Öberg", "ÅSA  ÖBERG", "Zoë Nguyễn", "Łukasz Żak", "Ǻsta"])
def test_a_name_is_the_same_in_composed_and_decomposed_letters(name: str) -> None:
    """They look alike on every screen; which of them a program writes depends on the machine that it runs on."""
    written = [normalize(form, name) for form in ("NFC", "NFD")]
    assert written[0] != written[1]
    with Warehouse.in_memory() as warehouse:
        rows = warehouse.rows("select normalised_name(name) from (select unnest($names) as name)", {"names": written})
    assert len(set(rows)) == 1
