"""What the published views give is row for row what the warehouse has decided, told as one wide SELECT each.

The SELECTs below are the definitions; the files of `sql/analytics/` store what repeats itself once and join it back.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from assets.assurance.register_review import review
from assets.attaching import attached
from assets.catalogue.published import published_tables
from assets.core.building import build
from assets.evidence.recording import _decided
from assets.ingest.loading import load_rows
from assets.manifests.fields import find_held_fields
from assets.policy import Policy
from assets.publication.analytics import VIEW_ROWS, publish
from assets.publication.report.asking import ask
from assets.publication.standings import standing
from assets.retention.evaluation import evaluate
from assets.sample.generating import SAMPLE_DAY
from assets.site import Site
from assets.warehouse import Warehouse
from orchestration.cli.summary import read_summary
from tests.publication.reported import decided_site

WIDE = {
    "retention.claims": """
        select records.source, records.record_type, records.record_key, claims.data_category, claims.purpose,
            purposes.class, purposes.legal_basis, claims.starts_on, claims.keep_until, claims.ended_by,
            claims.open_ended, claims.is_active, claims.missing
        from retention.claims
        inner join retention.records
            on claims.record_type = records.record_type and claims.row_id = records.row_id
        inner join policy.purposes as purposes on claims.purpose = purposes.purpose
        where not records.not_personal
    """,
    "retention.dispositions": """
        with active as (
            select record_type, row_id, data_category, list_sort(list(distinct purpose)) as purposes
            from retention.claims where is_active group by all
        )
        select records.source, records.record_type, records.record_key, decided.data_category,
            cast(decided.disposition as varchar) as disposition,
            (decided.record_type, decided.row_id, decided.data_category) in (
                select (held.record_type, held.row_id, held.data_category) from held_plainly as held
            ) as has_value,
            decided.keep_until,
            case when records.not_personal then [] else coalesce(active.purposes, []) end as purposes,
            coalesce(decided.reasons, []) as reasons, evaluation.as_of
        from retention.dispositions as decided
        inner join retention.records
            on decided.record_type = records.record_type and decided.row_id = records.row_id
        left join active
            on decided.record_type = active.record_type and decided.row_id = active.row_id
            and decided.data_category = active.data_category
        cross join retention.evaluation
    """,
    "manifest.items": """
        select items.manifest_id, items.item_id, items.system, items.record_type, items.record_key, items.action,
            coalesce(items.fields, []) as fields, items.as_of, items.respond_by, states.state, states.since,
            states.due_on, states.reason, states.owner, states.next_en as next_step
        from manifest.items
        inner join manifest.item_states as states
            on items.manifest_id = states.manifest_id and items.item_id = states.item_id
    """,
}
WIDE["retention.field_dispositions"] = f"""
    select decided.source, decided.record_type, decided.record_key, fields.field, decided.data_category,
        decided.disposition, decided.keep_until, decided.purposes, decided.as_of
    from ({WIDE["retention.dispositions"]}) as decided
    inner join policy.fields
        on decided.source = fields.source and decided.record_type = fields.record_type
        and decided.data_category = fields.data_category
"""
#: What is stored as counts, so that the report asks few rows: counted here from the views that they stand for.
COUNTED = {
    "retention.disposition_counts": """
        select source, record_type, data_category, list_sort(list(distinct field)) as fields, disposition,
            keep_until is not null as has_end, count(distinct record_key) as categories,
            count(distinct record_key) filter (where has_value) as with_value
        from a.retention.field_dispositions
        inner join (select source, record_type, record_key, data_category, has_value from a.retention.dispositions)
            using (source, record_type, record_key, data_category)
        group by all
    """,
    "retention.purpose_counts": """
        select purpose, source, record_type, count(distinct record_key) as records, count(*) as categories
        from a.retention.claims where is_active group by all
    """,
}
#: Of each manifest's items, by their place: what they are told to do, and what is recorded of them by themselves; of
#: two manifests also what is recorded of all the others at once.
STEPS = (
    """
    update manifest.items
    set action = (['erase', 'restrict', 'lift', 'notify'])[cast(placed.nth // 6 % 4 + 1 as integer)]
    from (select item_id, row_number() over (partition by manifest_id order by item_id) as nth
          from manifest.items) as placed
    where placed.item_id = items.item_id
    """,
    """
    insert into manifest.events by name
    select manifest_id, item_id, 10000 + nth as sequence, date '2026-12-01' as on_day,
        timestamp '2026-12-01 08:00:00' as happened_at,
        (['done', 'refused', 'withheld', 'discrepancy', 'partly_retained', 'already_absent'])[
            cast(nth % 6 + 1 as integer)
        ] as state,
        case nth % 6 when 1 then 'legal_duty' when 3 then 'merged_into_another' end as reason,
        case when nth % 6 in (2, 4) then date '2027-02-01' end as until
    from (select manifest_id, item_id, row_number() over (partition by manifest_id order by item_id) as nth
          from manifest.items)
    where nth <= 24 and nth % 2 = nth // 12
    """,
    """
    insert into manifest.events by name
    select manifest_id, 9000 as sequence, date '2026-12-02' as on_day, (['done', 'refused'])[nth] as state
    from (select manifest_id, row_number() over (order by count(*) desc, manifest_id) as nth
          from manifest.items group by manifest_id)
    where nth <= 2
    """,
)


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Warehouse]]:
    site, warehouse = decided_site(tmp_path_factory, "views")
    with warehouse:
        yield site, warehouse


def require_the_same(site: Site, warehouse: Warehouse) -> None:
    find_held_fields(warehouse, "retention.records", "held_plainly")
    published = publish(warehouse, Policy.load(), site)
    with attached(warehouse, site.analytics, "a", read_only=True):
        for name, wide in (WIDE | COUNTED).items():
            found, expected = f"select * from a.{name}", f"select * from ({wide})"
            for more, fewer in ((found, expected), (expected, found)):
                assert warehouse.rows(f"({more}) except all ({fewer}) limit 3") == [], name
            assert warehouse.value(f"select count(*) from a.{name}") == published.rows[name] > 0, name


def test_every_view_is_told_in_full() -> None:
    assert WIDE.keys() == VIEW_ROWS.keys() == {table.name for table in published_tables() if table.is_view}


def test_views_give_what_was_decided_on_each_day(decided: tuple[Site, Warehouse]) -> None:
    site, warehouse = decided
    for day in (date(2028, 3, 1), date(2034, 1, 1)):
        evaluate(warehouse, Policy.load(), day)
        require_the_same(site, warehouse)


def test_items_stand_where_their_own_events_and_those_of_their_manifest_put_them(
    decided: tuple[Site, Warehouse],
) -> None:
    site, warehouse = decided
    for step in STEPS:
        warehouse.run(step)
    require_the_same(site, warehouse)
    with attached(warehouse, site.analytics, "a", read_only=True):
        found = "select distinct {} from a.manifest.items where manifest_id || item_id {} in ({})"
        own = "select manifest_id || item_id from manifest.events where item_id is not null"
        states = {state for (state,) in warehouse.rows(found.format("state", "", own))}
        ends = [
            set(
                warehouse.rows(
                    found.format("state, owner", which, own) + " and action in ('restrict', 'lift', 'notify')"
                )
            )
            for which in ("", "not")
        ]
    assert states >= {"done", "refused", "withheld", "discrepancy", "partly_retained", "already_absent"}
    assert all({("done", "nobody")} <= each for each in ends)
    assert ("refused", "privacy") in ends[1]


def test_a_record_that_has_left_is_in_no_stored_table(decided: tuple[Site, Warehouse]) -> None:
    site, warehouse = decided
    raw = "raw.orders_order_lines"
    gone = warehouse.value(f"select min(row_id) from {raw} where in_source")
    number = "select {} * types + type from a.stored.record_types where record_type = 'order_line'"
    with attached(warehouse, site.analytics, "a", read_only=True):
        (record,) = warehouse.rows(number.format(gone))[0]
        assert warehouse.value(f"select count(*) from a.stored.claims where record = {record}") > 0
    warehouse.run(f"update {raw} set in_source = false where row_id = $row", {"row": gone})
    warehouse.run(
        "delete from retention.dispositions where record_type = 'order_line' and row_id = $row", {"row": gone}
    )
    require_the_same(site, warehouse)
    with attached(warehouse, site.analytics, "a", read_only=True):
        for table in ("claims", "dispositions", "records"):
            assert warehouse.value(f"select count(*) from a.stored.{table} where record = {record}") == 0, table


def test_what_a_purpose_holds_is_one_number_wherever_it_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No purpose holds anything of a record that has left, or of a company's own: published, logged, reviewed, told."""
    site, warehouse = decided_site(tmp_path_factory, "counted")
    policy = Policy.load()
    with warehouse:
        warehouse.run("update raw.orders_invoices set in_source = false where row_id % 2 = 0")
        company = warehouse.value("select min(customer_id) from raw.crm_customers where customer_type = 'company'")
        hold = {"hold_id": "H1", "record_type": "customer", "record_key": company, "placed_at": "2026-01-01"}
        load_rows(warehouse, policy, {"office/holds": [hold]})
        build(warehouse)
        evaluate(warehouse, policy, SAMPLE_DAY)
        claimed = "claims.is_active and claims.record_type = known.record_type and claims.row_id = known.row_id"
        for of_nobody in ("not in_source", "in_source and not_personal"):
            assert warehouse.value(
                f"select count(*) from core.records as known where {of_nobody} "
                f"and exists (select 1 from retention.claims where {claimed})"
            )
        publish(warehouse, policy, site)
        with attached(warehouse, site.analytics, "a", read_only=True):
            published = warehouse.rows(
                "select purpose, source, cast(sum(categories) as bigint), cast(sum(records) as bigint) "
                "from a.retention.purpose_counts group by all order by all"
            )
        logged = next(facts for kind, _, facts in _decided(warehouse) if kind == "decided")["purposes"]
        told = [(each.purpose, each.system, each.holds) for each in read_summary(warehouse).purposes if each.holds]
        reviewed = review(warehouse, policy, SAMPLE_DAY, period="P1Y").purposes
    held = [row[:3] for row in published]
    assert sorted((each["purpose"], each["system"], each["categories"]) for each in logged) == held
    assert sorted(told) == held
    records: dict[str, int] = {}
    for purpose, _, _, number in published:
        records[purpose] = records.get(purpose, 0) + number
    assert {each.purpose: each.records for each in reviewed if each.records} == records


def test_what_is_due_is_one_number_wherever_it_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is to be erased and holds something, here or, kept out, at its source: in the report, its history, a run."""
    site, warehouse = decided_site(tmp_path_factory, "due")
    with warehouse:
        warehouse.run("update raw.mailing_subscribers set name = null, email = null where row_id % 2 = 0")
        warehouse.run("update raw.mailing_subscribers set withheld = ['email'] where row_id % 4 = 0")
        warehouse.run("update raw.orders_payments set payer_name = null")
        publish(warehouse, Policy.load(), site)
        find_held_fields(warehouse, "retention.records", "held_plainly")
        plainly = warehouse.rows(
            "select records.source, count(distinct (held.row_id, held.record_type, held.data_category)) "
            "from held_plainly as held inner join policy.records using (record_type) inner join retention.dispositions "
            "using (record_type, row_id, data_category) where disposition = 'erase' group by all order by all"
        )
        told = [(each.system, each.due, each.erase) for each in read_summary(warehouse).systems if each.due]
        counted = [(each.source, each.with_value) for each in standing(warehouse) if each.disposition == "erase"]
        warehouse.run("update publication.standings set with_value = null")  # an earlier version's
        assert {each.due for each in read_summary(warehouse).systems} == {None}
    asked = ask(site).rows
    assert asked["glance_due"] == ((sum(number for _, number in plainly),),)
    assert [row[:2] for row in asked["due_by_system"] if row[1]] == counted == plainly
    assert [(row[0], row[4]) for row in asked["dispositions_by_system"] if row[4]] == plainly
    assert [(system, due) for system, due, _ in told] == plainly
    assert [system for system, due, erase in told if due < erase] == ["crm", "mailing", "orders"]
