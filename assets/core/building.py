"""Builds `core.*` from `raw.*`, people included. Joins and identity only; no rule about keeping or erasing."""

from __future__ import annotations

from assets.models import Models, drop_others
from assets.warehouse import Warehouse


def build(warehouse: Warehouse) -> None:
    """(Re)make every core table and `core.people(node_id, node_type, row_id, person_id)`; drop all others."""
    forget(warehouse, "core", "evaluated")
    models = Models.of("core")
    models.build(warehouse)
    resolve_people(warehouse)
    drop_others(warehouse, "core", {"core.people", "core.person_edges", *(model.table for model in models.ordered)})


def forget(warehouse: Warehouse, *states: str) -> None:
    """Forget up to where the nights had come: what is made anew from here is no part of what they remember."""
    for state in states:
        if warehouse.exists("nights", state):
            warehouse.run(f"delete from nights.{state}")


def resolve_people(warehouse: Warehouse) -> int:
    """Find the connected components of rows that share a link (rules.md, *Same person*).

    Every row takes the least label it can see through a shared link, then the label of that label, until nothing
    changes; each person is called by its least node. Returns the number of rounds.
    """
    warehouse.run(
        """
        create or replace table core.person_edges as
        with hubs as (
            select link, min(node_id) as hub_id
            from core.person_links
            group by link
            having count(*) > 1
        )
        select distinct person_links.node_id, hubs.hub_id
        from core.person_links
        inner join hubs on person_links.link = hubs.link
        """
    )
    warehouse.run(
        "create or replace table core.person_labels as select distinct node_id, node_id as label from core.person_edges"
    )
    rounds = 0
    while _spread_labels(warehouse):
        rounds += 1
    warehouse.run(
        """
        create or replace table core.people as
        select
            person_nodes.node_id,
            person_nodes.node_type,
            person_nodes.row_id,
            coalesce(person_labels.label, person_nodes.node_id) as person_id
        from core.person_nodes
        left join core.person_labels on person_nodes.node_id = person_labels.node_id
        """
    )
    warehouse.run("drop table core.person_labels")
    return rounds


def _spread_labels(warehouse: Warehouse) -> bool:
    """One round of spreading the least label; whether any label changed."""
    warehouse.run(
        """
        create or replace table core.person_labels_next as
        with hub_labels as (
            select person_edges.hub_id, min(person_labels.label) as label
            from core.person_edges
            inner join core.person_labels on person_edges.node_id = person_labels.node_id
            group by person_edges.hub_id
        ),

        spread as (
            select person_edges.node_id, min(hub_labels.label) as label
            from core.person_edges
            inner join hub_labels on person_edges.hub_id = hub_labels.hub_id
            group by person_edges.node_id
        )

        select spread.node_id, least(spread.label, jumped.label) as label
        from spread
        inner join spread as jumped on spread.label = jumped.node_id
        """
    )
    changed = warehouse.value(
        """
        select count(*)
        from core.person_labels_next
        inner join core.person_labels on person_labels_next.node_id = person_labels.node_id
        where person_labels_next.label <> person_labels.label
        """
    )
    warehouse.run("drop table core.person_labels")
    warehouse.run("alter table core.person_labels_next rename to person_labels")
    return bool(changed)
