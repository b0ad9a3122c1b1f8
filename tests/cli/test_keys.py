"""A key that is pasted with blanks around it is the key: no source's key begins or ends with one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from assets.ingest.loading import load_rows
from assets.ingest.projecting import BLANKS
from assets.policy import Policy
from assets.warehouse import Warehouse
from orchestration.cli.options import trimmed
from orchestration.cli.people import _field_named
from orchestration.cli.verbs import app

POLICY = Policy.load()
#: What names an entry that somebody else wrote: such options and arguments are trimmed.
NAMING = ("KEY", "RECORD KEY", "PAIR", "ID", "[ID]", "ID\u2026")
#: A name that is given, and not looked for.
GIVEN = {("deliver", "delivery_id")}


def parameters(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    for verb, each in getattr(command, "commands", {}).items():
        yield from parameters(each, f"{name} {verb}".strip())
    yield from ((name, each) for each in command.params)


def test_every_verb_that_takes_a_key_takes_it_without_blanks() -> None:
    found = [
        (verb, each.name, each) for verb, each in parameters(get_command(app))
        if each.metavar in NAMING and (verb, each.name) not in GIVEN
    ]  # fmt: skip
    assert {verb for verb, _, _ in found} >= {
        "explain", "access-report", "hold place", "hold release", "hold review", "request add", "request verify",
        "request extend", "request answer", "people review", "manifest approve", "manifest cancel", "manifest show",
        "manifest recipients",
    }  # fmt: skip
    for verb, name, each in found:
        context = get_command(app).make_context("gallring", ["--help"], resilient_parsing=True)
        given: Any = (" customer", "K1\n") if each.nargs == 2 else [" K1\t", "K2"] if each.nargs == -1 else "\u00a0K1 "
        wanted: Any = ("customer", "K1") if each.nargs == 2 else ["K1", "K2"] if each.nargs == -1 else "K1"
        assert each.callback is not None, (verb, name)
        assert each.callback(context, each, given) == wanted, (verb, name)


def test_blanks_within_a_key_and_a_key_that_was_not_given_stay() -> None:
    assert (trimmed("K 1"), trimmed(None), trimmed(""), trimmed(["a ", " b"])) == ("K 1", None, "", ["a", "b"])
    assert _field_named(" interaction/ I 7 /body\n") == ("interaction", "I 7", "body")


def test_keys_are_delivered_without_the_blanks_that_are_taken_off_here() -> None:
    keys = [f"{blank}K{number}{blank}" for number, blank in enumerate(BLANKS)]
    with Warehouse.in_memory() as warehouse:
        POLICY.publish(warehouse)
        rows = [{"customer_id": key, "customer_type": "private"} for key in keys]
        load_rows(warehouse, POLICY, {"crm/customers": rows})
        stored = [key for (key,) in warehouse.rows("select customer_id from raw.crm_customers order by customer_id")]
    assert stored == [trimmed(key) for key in keys]
