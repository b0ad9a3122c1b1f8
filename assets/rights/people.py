"""Who asks: the one person behind a customer, a contact or an address, and the records that are that person's.

People are those of `core.people`; their records are what a restriction of that person would reach, found by the same
SQL that the evaluation runs (rules.md, *A person's records*), so that a report never tells of more or less than the
rules act on. Reads; what it builds for the asking is rolled back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assets.errors import BadInput, BadUsage, NeedsPerson
from assets.ingest.kept_out import set_aside
from assets.models import Models
from assets.warehouse import Warehouse

#: What a restriction of a person reaches, and what that is built from.
_REACHED = ("customer_records", "restricted_records")
_KEYS = {"customer": ("crm_customers", "customer_id"), "contact": ("crm_contacts", "contact_id"),
         "subscriber": ("mailing_subscribers", "subscriber_id")}  # fmt: skip


@dataclass(frozen=True)
class PersonRow:
    """A row that is the person: its type (`customer`, `contact`, `subscriber`), surrogate and key."""

    record_type: str
    row_id: int
    record_key: str


@dataclass(frozen=True)
class Person:
    """One natural person: every certain row."""

    person_id: int
    rows: tuple[PersonRow, ...]

    def keys(self, record_type: str) -> set[str]:
        """The keys of the person's rows of a type."""
        return {row.record_key for row in self.rows if row.record_type == record_type}


class NobodyKnown(BadInput):
    """Nobody who has been taken in is named so."""


def find_person(
    warehouse: Warehouse, *, customer: str | None = None, contact: str | None = None, email: str | None = None
) -> Person:
    """The person that a key or an address names. `core.*` must be built.

    Raises:
        BadUsage: not exactly one of the three was given.
        NobodyKnown: nobody is named so.
        BadInput: a company is.
        NeedsPerson: the address is that of several people, who may or may not be one.
    """
    if sum(given is not None for given in (customer, contact, email)) != 1:
        raise BadUsage("Name the person by exactly one of --customer, --contact and --email.")
    if email is not None:
        return _by_address(warehouse, email)
    record_type, key = ("customer", customer) if customer is not None else ("contact", contact)
    table, column = _KEYS[record_type]
    found = warehouse.rows(
        f"select person.person_id from raw.{table} as known left join core.people as person "
        f"on person.node_type = ? and person.row_id = known.row_id where known.{column} = ?",
        [record_type, key],
    )
    if not found:
        why = set_aside(warehouse, record_type, str(key)) or "check the key"
        raise NobodyKnown(f"No {record_type} with the key {key!r} has been taken in: {why}.")
    if found[0][0] is None:
        raise BadInput(f"{record_type} {key!r} is a company: name the --contact who asks.")
    return person_of(warehouse, found[0][0])


def _by_address(warehouse: Warehouse, email: str) -> Person:
    found = [
        person_id
        for (person_id,) in warehouse.rows(
            "select distinct person.person_id from core.person_nodes as node inner join core.people as person "
            "on node.node_id = person.node_id where node.email_key = pseudonym(normalised_email(?)) order by all",
            [email],
        )
    ]
    if not found:
        raise NobodyKnown("Nobody with that address has been taken in: check it, or name a customer or contact.")
    if len(found) > 1:
        people = told([_rows_of(person_of(warehouse, person_id)) for person_id in found[:MOST_TOLD]])
        raise NeedsPerson(
            f"{len(found)} people have that address, and it is not certain that they are one: {people}. Find out who "
            "asks, then name the customer or contact; `gallring people review` decides on the match."
        )
    return person_of(warehouse, found[0])


def person_of(warehouse: Warehouse, person_id: int) -> Person:
    """A person by number, with every row that was ever delivered."""
    rows = []
    for record_type, (table, column) in _KEYS.items():
        rows += [
            PersonRow(record_type, row_id, key)
            for row_id, key in warehouse.rows(
                f"select known.row_id, cast(known.{column} as varchar) from core.people as person "
                f"inner join raw.{table} as known on person.row_id = known.row_id "
                "where person.node_type = ? and person.person_id = ? order by all",
                [record_type, person_id],
            )
        ]
    return Person(person_id, tuple(rows))


def people_of(warehouse: Warehouse, request_id: str) -> list[Person]:
    """The people that a request is about: its customer (no company), else its contact, else whoever has the address."""
    found = warehouse.rows(f"select distinct person_id from ({_asking(warehouse)}) where request_id = $id order by all",
                           {"id": request_id})  # fmt: skip
    return [person_of(warehouse, person_id) for (person_id,) in found]


def requests_of(warehouse: Warehouse, person: Person) -> list[str]:
    """The requests that are about a person, by number: what `people_of` says, the other way round."""
    found = warehouse.rows(
        f"select distinct request_id from ({_asking(warehouse)}) where person_id = $person order by all",
        {"person": person.person_id},
    )
    return [request_id for (request_id,) in found]


def reached_together(warehouse: Warehouse, request_id: str) -> list[str]:
    """Whom a request reaches by an address alone, each by their rows; none where that is one, or it names somebody.

    A termination reaches customers alone, companies too.
    """
    if warehouse.value("select kind from raw.office_requests where request_id = ?", [request_id]) == "termination":
        found = [keys for (keys,) in warehouse.rows(_LEAVING, {"id": request_id})]
    else:
        found = [_rows_of(person) for person in people_of(warehouse, request_id)]
    return found if len(found) > 1 else []


def told(people: Sequence[str]) -> str:
    """People in a message, by their rows."""
    more = f"; and {len(people) - MOST_TOLD} more" if len(people) > MOST_TOLD else ""
    return "; ".join(people[:MOST_TOLD]) + more


def _rows_of(person: Person) -> str:
    return ", ".join(f"{row.record_type} {row.record_key}" for row in person.rows)


#: How many people at one address are named.
MOST_TOLD = 10
#: The customers that a termination by address alone reaches, as `triggers.exits` has it; those of one person together.
_LEAVING = """
    select string_agg('customer ' || customer.customer_id, ', ' order by customer.customer_id) as keys
    from raw.office_requests as request
    left join raw.crm_customers as named on request.customer_id = named.customer_id
    left join raw.crm_contacts as contact on request.contact_id = contact.contact_id
    inner join raw.crm_customers as customer on request.email_key = customer.email_key
    left join core.people as person on person.node_type = 'customer' and person.row_id = customer.row_id
    where request.request_id = $id and named.customer_id is null and contact.contact_id is null
    group by coalesce(person.person_id, -1 - customer.row_id)
    order by keys
"""


def _asking(warehouse: Warehouse) -> str:
    """The SELECT. What an earlier version built knows no former addresses before the next run."""
    is_known = warehouse.exists("core", "former_addresses")
    return _ASKING.replace("{by_former_address}", _BY_FORMER_ADDRESS.strip() if is_known else "")


#: Which request is about whom, as `triggers.request_people` has it, by the register as it is now. Grain: a request and
#: a person, perhaps more than once. A termination by a customer of any kind is about no contact beside.
_ASKING = """
    with asked as (
        select request.request_id, customer.row_id as customer_id, contact.row_id as contact_id, request.email_key,
            request.kind, request.received_at, coalesce(customer.customer_type <> 'company', false) as names_a_person,
            coalesce(request.kind = 'termination' and customer.row_id is not null, false) as is_a_customers
        from raw.office_requests as request
        left join raw.crm_customers as customer on request.customer_id = customer.customer_id
        left join raw.crm_contacts as contact on request.contact_id = contact.contact_id
    ),
    named as (
        select request_id, customer_id * 4 as node_id from asked where names_a_person
        union all
        select request_id, contact_id * 4 + 1 from asked
        where not names_a_person and not is_a_customers and contact_id is not null
        union all
        select asked.request_id, node.node_id from asked
        inner join core.person_nodes as node on asked.email_key = node.email_key
        where not names_a_person and not is_a_customers and contact_id is null
        {by_former_address}
    )
    select named.request_id, person.person_id from named
    inner join core.people as person on named.node_id = person.node_id
"""
_BY_FORMER_ADDRESS = """
        union all
        select asked.request_id, former.node_id from asked
        inner join core.former_addresses as former on asked.email_key = former.email_key
        where not names_a_person and not is_a_customers and asked.contact_id is null
            and asked.kind in ('objection', 'withdrawal', 'restriction', 'rectification')
            and asked.received_at <= coalesce(former.replaced_on, asked.received_at)
"""


def records_of(warehouse: Warehouse, person: Person) -> list[tuple[str, int]]:
    """The person's records as (record type, surrogate), those that have left the sources too.

    `triggers.*` must be built. Nothing that is built here is kept; not to be called inside a transaction that is.
    """
    as_of = warehouse.value("select as_of from retention.evaluation")
    with warehouse.taken_back():
        warehouse.run(
            "create or replace table triggers.restricted_people as select cast(? as bigint) as person_id",
            [person.person_id],
        )
        warehouse.run("delete from triggers.held_customers")
        for model in Models.of("triggers").ordered:
            if model.name in _REACHED:
                model.build(warehouse, {"as_of": as_of})
        found = warehouse.rows("select record_type, row_id from triggers.restricted_records order by all")
    return [(record_type, row_id) for record_type, row_id in found]


def records_hanging_on(warehouse: Warehouse, row_id: int) -> list[tuple[str, int]]:
    """What hangs on a customer, itself among it, as (record type, surrogate); as a hold on the customer reaches it.

    `triggers.*` must be built. Nothing that is built here is kept; not to be called inside a transaction that is.
    """
    as_of = warehouse.value("select as_of from retention.evaluation")
    with warehouse.taken_back():
        warehouse.run("delete from triggers.restricted_people")
        warehouse.run("delete from triggers.held_customers")
        warehouse.run("insert into triggers.held_customers by name select null as hold_id, ? as customer_id", [row_id])
        model = next(each for each in Models.of("triggers").ordered if each.name == "customer_records")
        model.build(warehouse, {"as_of": as_of})
        # what hangs on a customer that no source knows comes with it, where a hold names one: that is not this one's
        found = warehouse.rows(
            "select distinct record_type, row_id from triggers.customer_records where customer_id = ? order by all",
            [row_id],
        )
    return [(record_type, record) for record_type, record in found]
