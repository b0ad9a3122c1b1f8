"""Everything that is held on one person (Art 15), and of it what they gave on consent or contract (Art 20).

Gathers: the person's records with their fields, why each is held and until when, who has got it, what is held back
because it is someone else's, what was ordered erased that its source holds still, what was set aside, and which tables
block, so that something may be missing. Decides nothing that the evaluation has not decided; writes no file (`reports`
does).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from assets.contracts.contract import Column, Contract
from assets.ledger import issued
from assets.retention.explaining import RESTRICTION, require_evaluation
from assets.rights.incomplete import incomplete_tables
from assets.rights.others import Own, digits, folded, known_names, names_another
from assets.rights.people import Person, records_of, requests_of
from assets.rights.recipients import recipients
from assets.rights.set_aside import rows_about
from assets.warehouse import Warehouse, identifier

if TYPE_CHECKING:
    from assets.policy import Policy

SCHEMA = "gallring-access-report/1"
PORTABILITY_SCHEMA = "gallring-portability/1"
FIELDS = Path(__file__).with_name("fields.yaml")
#: Record types whose rows are people: their own names, addresses and numbers.
_PEOPLE = ("customer", "contact", "subscriber")
_FOLLOW_THE_NAME = frozenset({"identity", "email", "phone", "address", "national_id"})
_SOMEONE_ELSE = "someone_else"
_MAY_NAME_SOMEONE = "may_name_someone_else"


@dataclass(frozen=True)
class _Row:
    """A record of the person's with its values; `contract` says what they are."""

    contract: Contract
    row_id: int
    values: Mapping[str, Any]

    @property
    def record_type(self) -> str:
        """The rules' word for it."""
        return self.contract.record_type or ""

    @property
    def record_key(self) -> str:
        """The source's own key."""
        return str(self.values[self.contract.key])


@cache
def field_meanings() -> Mapping[str, Any]:
    """`fields.yaml`: names, prose, labels, keys, given."""
    found: Mapping[str, Any] = yaml.safe_load(FIELDS.read_text(encoding="utf-8"))
    return found


def gather(
    warehouse: Warehouse,
    policy: Policy,
    person: Person,
    *,
    made_at: datetime,
    expires_on: date,
    checked: frozenset[tuple[str, str, str]] = frozenset(),
    quarantine: str = "P30D",
) -> dict[str, Any]:
    """The access report of a person, as plain values for JSON (`schemas/access-report-1.json`).

    Args:
        warehouse: evaluated under `policy`.
        policy: whose purposes and contracts apply.
        person: whose data.
        made_at: when the report is made, UTC.
        expires_on: its last day.
        checked: fields (record type, key, field) that a person has looked at and found to be the person's own.
        quarantine: how long rows that were set aside are kept after their extract, as ISO 8601.

    Raises:
        CheckFailed: the warehouse has not been evaluated under this policy.
    """
    as_of = require_evaluation(warehouse, policy)
    _choose_records(warehouse, person)
    rows = list(_rows(warehouse, policy))
    own = _own(warehouse, person, rows)
    claims = _claims(warehouse)
    decided = _dispositions(warehouse)
    others = _Others(warehouse, person, rows, own, checked)
    records = [_record(row, others, claims, decided) for row in rows]
    about = warehouse.rows("select policy, version, controller from policy.about")[0]
    aside = rows_about(warehouse, [person], "persons_records", quarantine)
    report: dict[str, Any] = _plain({
        "schema": SCHEMA, "controller": about[2], "policy": {"name": about[0], "version": about[1]}, "as_of": as_of,
        "made_at": f"{made_at:%Y-%m-%dT%H:%M:%SZ}", "expires_on": expires_on,
        "person": [{"record_type": row.record_type, "record_key": row.record_key} for row in person.rows],
        "sources": sorted({row.contract.source for row in rows}),
        "records": records,
        "purposes": list(_purposes(warehouse, claims)),
        "recipients": recipients(warehouse, "persons_records"),
        "recipient_categories": list(_recipient_categories(warehouse, policy)),
        "requests": _requests(warehouse, person),
        "held_back": list(_held_back(records)),
        "ordered_erased": list(_ordered_erased(warehouse, policy)),
        "set_aside": aside.rows, "orphans": aside.orphans, "incomplete": incomplete_tables(warehouse),
    })  # fmt: skip
    return report


def portable(report: Mapping[str, Any]) -> dict[str, Any]:
    """Of an access report, what the person gave on consent or contract and what is held on that ground still."""
    given = field_meanings()["given"]
    own = _bought_by_the_person(report)
    records = []
    for record in report["records"]:
        categories = {
            claim["data_category"] for claim in record["claims"]
            if claim["active"] and _is_portable(claim["legal_basis"], of_company=not own(record))
        }  # fmt: skip
        wanted = given.get(record["record_type"], ())
        fields = {
            field["field"]: field["value"] for field in record["fields"]
            if field["field"] in wanted and not field["held_back"]
            and (field["data_category"] in categories or (field["data_category"] is None and categories))
        }  # fmt: skip
        if fields:
            records.append({name: record[name] for name in ("source", "record_type", "record_key")} | {"data": fields})
    kept = ("controller", "as_of", "made_at", "expires_on")
    return {"schema": PORTABILITY_SCHEMA, **{name: report[name] for name in kept}, "records": records}


def _is_portable(legal_basis: list[str], *, of_company: bool) -> bool:
    """Consent or contract; a company's contact is no party to its contract (Art 6(1)(f) then)."""
    return any("A6-1-a" in basis or ("A6-1-b" in basis and not of_company) for basis in legal_basis)


def _bought_by_the_person(report: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], bool]:
    """Says of a record whether it hangs on a customer that is the person, by what it names in the report itself.

    What names nobody that is there goes by whether the person is a customer at all.
    """
    customers = {row["record_key"] for row in report["person"] if row["record_type"] == "customer"}
    known = {(record["record_type"], record["record_key"]): record for record in report["records"]}

    def own(record: Mapping[str, Any]) -> bool:
        named = {field["field"]: field["value"] for field in record["fields"]}
        if record["record_type"] in ("customer", "contact"):
            return bool(record["record_type"] == "customer")
        if "customer_id" in named or "contact_id" in named:
            return named.get("customer_id") in customers
        parents = (known.get((kind, named.get(f"{kind}_id"))) for kind in ("order", "quote", "subscriber"))
        return next((own(parent) for parent in parents if parent is not None), bool(customers))

    return own


# -- reading ---------------------------------------------------------------------------------------------------------


def _choose_records(warehouse: Warehouse, person: Person) -> None:
    """The person's records as the temporary table `persons_records`."""
    records = records_of(warehouse, person)
    warehouse.run("create or replace temp table persons_records (record_type varchar, row_id bigint)")
    warehouse.insert("persons_records", ("record_type", "row_id"), records)


def _rows(warehouse: Warehouse, policy: Policy) -> Iterator[_Row]:
    for contract in policy.contracts.values():
        if contract.record_type is None:
            continue
        names = [column.name for column in contract.columns]
        for row in warehouse.records(
            f"select known.row_id, {', '.join(f'known.{identifier(name)}' for name in names)} "
            f"from raw.{identifier(contract.raw_table)} as known inner join persons_records as chosen "
            f"on chosen.record_type = ? and chosen.row_id = known.row_id where known.in_source "
            f"order by known.{identifier(contract.key)}",
            [contract.record_type],
        ):
            yield _Row(contract, row.pop("row_id"), row)


def _own(warehouse: Warehouse, person: Person, rows: list[_Row]) -> Own:
    own = Own()
    for row in rows:
        if row.record_type not in _PEOPLE:
            continue
        for column in row.contract.columns:
            value = row.values[column.name]
            if value is not None and column.name == "name":
                own.add_name(str(value))
            elif value is not None and column.category == "email":
                own.emails.add(str(value).strip().casefold())
            elif value is not None and column.category in ("phone", "national_id"):
                own.numbers.add(digits(str(value)))
            elif value is not None and column.category in ("address", "identity"):
                own.add_words(str(value))
                own.places.update([folded(str(value))] if column.category == "address" else [])
    for (company,) in warehouse.rows(
        "select distinct company.name from raw.crm_contacts as contact inner join raw.crm_customers as company "
        "on contact.customer_id = company.customer_id where company.customer_type = 'company' "
        "and company.name is not null and list_contains($keys, contact.contact_id)",
        {"keys": sorted(person.keys("contact"))},
    ):
        own.add_words(company)
    _recognise(warehouse, person, rows, own)
    return own


#: How a value of a category is compared with the keyed hashes of the person's own rows.
_HASHED = {"name": "normalised_name", "email": "normalised_email", "phone": "normalised_phone"}
#: Tables of people, and which hashes they have.
_KEYED = (
    ("customer", "raw.crm_customers", ("name", "email", "phone")),
    ("contact", "raw.crm_contacts", ("name", "email", "phone")),
    ("subscriber", "raw.mailing_subscribers", ("name", "email")),
)


def _recognise(warehouse: Warehouse, person: Person, rows: list[_Row], own: Own) -> None:
    """Know the person's name, address and number by their keyed hashes, which stay when the values were erased."""
    for kind, normalised in _HASHED.items():
        keys = " union all ".join(
            f"select known.{kind}_key from {table} as known inner join core.people as person "
            f"on person.node_type = '{record_type}' and person.row_id = known.row_id where person.person_id = $person"
            for record_type, table, kinds in _KEYED if kind in kinds
        )  # fmt: skip
        found = warehouse.rows(
            "select value from (select unnest(cast($values as varchar[])) as value) "
            f"where pseudonym({normalised}(value)) in ({keys})",
            {"values": sorted({str(value) for row in rows for value in _values_of(row, kind)}),
             "person": person.person_id},
        )  # fmt: skip
        for (value,) in found:
            if kind == "name":
                own.add_name(value)
            elif kind == "email":
                own.emails.add(value.strip().casefold())
            else:
                own.numbers.add(digits(value))


def _values_of(row: _Row, kind: str) -> Iterator[Any]:
    """The values of a record that are a name, an e-mail address or a telephone number."""
    for column in row.contract.columns:
        is_name = column.name == field_meanings()["names"].get(row.record_type)
        if row.values[column.name] is not None and (is_name if kind == "name" else column.category == kind):
            yield row.values[column.name]


_CLAIMS = """
    select claims.record_type, claims.row_id, claims.data_category, claims.purpose, claims.starts_on, claims.keep_until,
        claims.open_ended, claims.is_active, claims.missing, purposes.class, purposes.legal_basis, purposes.title_sv,
        purposes.title_en, purposes.law, purposes.position
    from retention.claims as claims
    inner join persons_records as chosen
        on claims.record_type = chosen.record_type and claims.row_id = chosen.row_id
    inner join retention.records as records
        on claims.record_type = records.record_type and claims.row_id = records.row_id
    inner join policy.purposes as purposes on claims.purpose = purposes.purpose
    where claims.is_active or claims.missing is not null
    order by purposes.position, claims.record_type, claims.row_id, claims.data_category
"""

Claims = dict[tuple[str, int], list[dict[str, Any]]]


def _claims(warehouse: Warehouse) -> Claims:
    found: Claims = {}
    for row in warehouse.records(_CLAIMS):
        row["legal_basis"] = row["legal_basis"].split(" | ")
        found.setdefault((row["record_type"], row["row_id"]), []).append(row)
    return found


#: Of a record's data category: what is decided of it, its last day, and whether that is an open request's (Art 18).
Decided = Mapping[tuple[str, int, str], tuple[str | None, date | None, bool]]


def _dispositions(warehouse: Warehouse) -> Decided:
    return {
        (record_type, row_id, category): (disposition, keep_until, is_frozen)
        for record_type, row_id, category, disposition, keep_until, is_frozen in warehouse.rows(
            "select decided.record_type, decided.row_id, decided.data_category, decided.disposition, "
            "decided.keep_until, coalesce(list_contains(decided.reasons, ?), false) "
            "from retention.dispositions as decided inner join persons_records as chosen "
            "on decided.record_type = chosen.record_type and decided.row_id = chosen.row_id",
            [RESTRICTION],
        )
    }


def _recipient_categories(warehouse: Warehouse, policy: Policy) -> Iterator[dict[str, Any]]:
    """The register's recipients, for the purposes that hold or held something of the person's (Art 15(1)(c), 15(2))."""
    held = {purpose for (purpose,) in warehouse.rows(
        "select distinct claims.purpose from retention.claims as claims inner join persons_records as chosen "
        "on claims.record_type = chosen.record_type and claims.row_id = chosen.row_id"
    )}  # fmt: skip
    for each in policy.register.record.recipients.values() if policy.register.record else ():
        # one that names no purpose serves them all
        if not each.purposes or held.intersection(each.purposes):
            yield {
                "title_sv": each.title.sv, "title_en": each.title.en, "role": each.role, "country": each.country,
                "safeguard": each.safeguard, "purposes": each.purposes,
            }  # fmt: skip


def _ordered_erased(warehouse: Warehouse, policy: Policy) -> Iterator[dict[str, Any]]:
    """The fields that were ordered erased and that the source's last export still held; their values are not here.

    `ordered_on` and `state` are null where the order has been taken back and the source has not delivered since.
    """
    issued.prepare(warehouse)
    chosen_types = {kind for (kind,) in warehouse.rows("select distinct record_type from persons_records")}
    for contract in policy.contracts.values():
        if contract.record_type not in chosen_types:
            continue
        for row in warehouse.records(
            _ORDERED_ERASED.format(key=identifier(contract.key), table=identifier(contract.raw_table)),
            {"record_type": contract.record_type},
        ):
            yield {"source": contract.source, "record_type": contract.record_type, **row}


#: `withheld` names what the source delivered still, in spite of the order, and intake did not let in.
_ORDERED_ERASED = """
    with held as (
        select cast(known.{key} as varchar) as record_key, unnest(known.withheld) as field
        from raw.{table} as known
        inner join persons_records as chosen on chosen.record_type = $record_type and chosen.row_id = known.row_id
        where known.in_source
    )
    select held.record_key, held.field, ordered.as_of as ordered_on, states.state
    from held
    left join manifest.ordered_fields as ordered on ordered.record_type = $record_type
        and ordered.record_key = held.record_key and ordered.field = held.field
    left join manifest.item_states as states on ordered.item_id = states.item_id
    order by all
"""


def _requests(warehouse: Warehouse, person: Person) -> list[dict[str, Any]]:
    """What the person has asked for before; what has left the office's export too."""
    return warehouse.records(
        "select request_id, kind, scope, received_at as received_on, "
        "case when coalesce(answered_at >= received_at, true) then answered_at end as answered_on "
        "from raw.office_requests where list_contains($asked, request_id) order by received_on, request_id",
        {"asked": requests_of(warehouse, person)},
    )


# -- what is held back -----------------------------------------------------------------------------------------------


def _held_back(records: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each field that is held back, with why, for the list of them in one place."""
    for record in records:
        for field in record["fields"]:
            if field["held_back"]:
                yield {"source": record["source"], "record_type": record["record_type"],
                       "record_key": record["record_key"], "field": field["field"],
                       "reason": field["held_back"]}  # fmt: skip


class _Others:
    """Which of the person's fields are, or may be, someone else's."""

    def __init__(
        self, warehouse: Warehouse, person: Person, rows: list[_Row], own: Own, checked: frozenset[tuple[str, str, str]]
    ) -> None:
        meanings = field_meanings()
        self._person, self._own, self._checked = person, own, checked
        self._names, self._keys = meanings["names"], meanings["keys"]
        self._prose, self._labels = meanings["prose"], meanings["labels"]
        texts = [
            str(row.values[column.name]) for row in rows for column in row.contract.columns
            if row.values[column.name] is not None and self._kind(row, column) is not None
        ]  # fmt: skip
        self._full, self._first = known_names(warehouse, texts)

    def reason(self, row: _Row, column: Column) -> str | None:
        """Why a field is held back, or None."""
        value = row.values[column.name]
        if value is None or (row.record_type, row.record_key, column.name) in self._checked:
            return None
        if column.name in self._keys and column.name != row.contract.key:
            return self._foreign_key(column.name, str(value))
        if row.record_type in _PEOPLE:
            return None
        if column.category in _FOLLOW_THE_NAME and self._is_about_someone_else(row, column):
            return _SOMEONE_ELSE
        kind = self._kind(row, column)
        if kind and names_another(str(value), self._own, self._full, self._first, prose=kind == "prose"):
            return _MAY_NAME_SOMEONE
        return None

    def _foreign_key(self, name: str, value: str) -> str | None:
        kind = self._keys[name]
        # the company that a contact works for is no person
        return None if kind == "customer" or value in self._person.keys(kind) else _SOMEONE_ELSE

    def _is_about_someone_else(self, row: _Row, column: Column) -> bool:
        value = str(row.values[column.name])
        if column.category == "email":
            return value.strip().casefold() not in self._own.emails
        if column.category in ("phone", "national_id") and digits(value) in self._own.numbers:
            return False
        name = row.values.get(self._names.get(row.record_type, ""))
        if name is not None:
            return not self._own.is_name(str(name))
        return column.category != "address" or not self._is_own_address(row)

    def _is_own_address(self, row: _Row) -> bool:
        """Whether every part of a record's address stands in the person's own too: a neighbour's has the same town."""
        parts = (row.values[column.name] for column in row.contract.columns if column.category == "address")
        return all(folded(str(part)) in self._own.places for part in parts if part is not None)

    def _kind(self, row: _Row, column: Column) -> str | None:
        """`prose`, `label`, or None: what sort of free text a field is. Text that nobody has classed is prose."""
        if column.type != "text" or row.record_type in _PEOPLE:
            return None
        if column.name in self._labels.get(row.record_type, ()):
            return "label"
        if column.name in self._prose.get(row.record_type, ()) or column.category == "content":
            return "prose"
        return None


# -- telling ---------------------------------------------------------------------------------------------------------


def _record(row: _Row, others: _Others, claims: Claims, decided: Decided) -> dict[str, Any]:
    fields = []
    for column in row.contract.columns:
        value = row.values[column.name]
        if value is None or column.name == row.contract.key:
            continue
        reason = others.reason(row, column)
        disposition, until, is_frozen = decided.get(
            (row.record_type, row.row_id, column.category or ""), (None, None, False)
        )
        fields.append({
            "field": column.name, "data_category": column.category, "value": None if reason else value,
            "held_back": reason, "disposition": disposition, "keep_until": until, "until_answered": is_frozen,
        })  # fmt: skip
    return {
        "source": row.contract.source, "record_type": row.record_type, "record_key": row.record_key, "fields": fields,
        "claims": [
            {"purpose": claim["purpose"], "data_category": claim["data_category"], "legal_basis": claim["legal_basis"],
             "starts_on": claim["starts_on"], "keep_until": claim["keep_until"], "open_ended": claim["open_ended"],
             "active": claim["is_active"], "unclear": claim["missing"]}
            for claim in claims.get((row.record_type, row.row_id), ())
        ],
    }  # fmt: skip


def _purposes(warehouse: Warehouse, claims: Claims) -> Iterator[dict[str, Any]]:
    """The purposes that hold something of the person's now, in the register's order."""
    active = [claim for found in claims.values() for claim in found if claim["is_active"]]
    for purpose in sorted({(claim["position"], claim["purpose"]) for claim in active}):
        held = [claim for claim in active if claim["purpose"] == purpose[1]]
        open_ended = any(claim["open_ended"] or claim["keep_until"] is None for claim in held)
        yield {
            "purpose": purpose[1], "title_sv": held[0]["title_sv"], "title_en": held[0]["title_en"],
            "class": held[0]["class"], "legal_basis": held[0]["legal_basis"], "law": held[0]["law"],
            "keep_until": None if open_ended else max(claim["keep_until"] for claim in held), "open_ended": open_ended,
            "data_categories": sorted({claim["data_category"] for claim in held}),
            "record_types": sorted({claim["record_type"] for claim in held}),
        }  # fmt: skip


def _plain(value: Any) -> Any:
    """Plain values for JSON: days in ISO 8601, amounts as they are written."""
    if isinstance(value, Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, Decimal):
        return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
    return value.isoformat() if isinstance(value, date) else value
