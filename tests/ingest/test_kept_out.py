"""Whoever mends a source is told which rows were kept out, and sees what they hold only when asked for."""

from __future__ import annotations

from assets.ingest.kept_out import RULES, KeptOut, kept_out
from tests.ingest.company import Company

PARTNERS = "partner_id,name,role,system\nP1,Frakt AB,processor,\n,Test AB,processor,\nP3,Test AB,martian,\n"


def test_every_row_is_told_with_its_line_and_rule_and_without_its_values(company: Company) -> None:
    assert kept_out(company.warehouse) == []
    company.send("office", {"partners": PARTNERS})
    company.ingest()
    found = kept_out(company.warehouse)
    assert found == [
        KeptOut("office", "2026-11-25-full", "partners", "partners.csv", 3, "required", "partner_id", None),
        KeptOut("office", "2026-11-25-full", "partners", "partners.csv", 4, "not_in_enum", "role", None),
    ]
    assert [each.means for each in found] == [RULES["required"], RULES["not_in_enum"]]
    assert kept_out(company.warehouse, "orders") == []


def test_a_text_over_several_lines_is_one_row_whatever_rule_is_broken(company: Company) -> None:
    """What is told as its line is the record's number, the heading counted, as a spreadsheet shows it."""
    company.send("office", {"partners": PARTNERS.replace("Frakt AB", '"Frakt\n\nAB"') + "P4\nP5,,martian,\n"}, rows=5)
    company.ingest()
    assert [(each.line, each.rule) for each in kept_out(company.warehouse)] == [
        (3, "required"), (4, "not_in_enum"), (5, "missing_columns"), (6, "not_in_enum"),
    ]  # fmt: skip


def test_the_text_is_there_for_who_asks(company: Company) -> None:
    company.send("office", {"partners": PARTNERS})
    company.ingest()
    (first, _) = kept_out(company.warehouse, "office", texts=True)
    assert "Test AB" in (first.text or "")
    assert len(kept_out(company.warehouse, most=1)) == 1


def test_a_whole_delivery_later_leaves_nothing_to_mend_but_what_is_asked_for(company: Company) -> None:
    company.send("office", {"partners": PARTNERS}, day="2026-11-24")
    company.send("office", {"partners": PARTNERS.partition("\n,")[0]})
    company.ingest()
    assert kept_out(company.warehouse) == []
    assert len(kept_out(company.warehouse, every=True)) == 2
