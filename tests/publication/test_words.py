"""What a company's own purpose calls its claims by is looked at before it is evaluated, and before it is published."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from assets.core.building import build
from assets.errors import BadInput
from assets.ingest.loading import load_rows
from assets.ledger import issued
from assets.models import SQL
from assets.policy import SHIPPED_REGISTER, Policy
from assets.policy_check import check, require_words_that_name_nobody
from assets.publication.analytics import publish
from assets.retention.evaluation import evaluate
from assets.site import Site
from assets.warehouse import Warehouse

AS_OF = date(2026, 11, 25)
EVENTS = (
    "select 'web_event' as record_type, e.row_id, 'log' as clock, e.occurred_at as starts_on, "
    "e.occurred_at as ends_on, {} as ended_by, cast(null as varchar) as missing from raw.web_events as e"
)
NAMING = EVENTS.format("e.ip")
#: Words that are refused, and what says no to them.
REFUSED = {
    "an address": (NAMING, "web_security.sql: ended_by carries raw.web_events.ip, which could name somebody"),
    "what cannot be traced": (
        EVENTS.format("(select max(o.ip) from raw.web_events as o)"),
        "web_security.sql: what its clock, ended_by, missing are made of cannot be traced",
    ),
    "a form that a name has": (
        EVENTS.format("case when regexp_full_match(e.ip, '[^0-9]{1,60}') then e.ip end"),
        "web_security.sql: ended_by carries raw.web_events.ip, which could name somebody",
    ),
    "a sum of one": (
        EVENTS.format("cast(sum(cast(replace(e.ip, '.', '') as hugeint)) as varchar)")
        + " group by e.row_id, e.occurred_at",
        "web_security.sql: ended_by carries raw.web_events.ip, which could name somebody",
    ),
    "digits as a year": (
        EVENTS.format("cast(year(make_date(cast(substr(e.ip, 1, 6) as integer), 1, 1)) as varchar)"),
        "web_security.sql: ended_by carries raw.web_events.ip, which could name somebody",
    ),
    "what a group is said to share": (
        EVENTS.format("e.ip") + " group by e.row_id, e.occurred_at, e.ip having count(distinct e.occurred_at) >= 10",
        "web_security.sql: ended_by carries raw.web_events.ip, which could name somebody",
    ),
    "a column of nobody knows which table": (
        EVENTS.replace("from raw.web_events as e", "from raw.web_events as e left join core.people as p on false")
        .format("ip"),
        "web_security.sql: what its clock, ended_by, missing are made of cannot be traced",
    ),
}  # fmt: skip

MakePolicy = Callable[[str], Policy]


@pytest.fixture
def policy_with(tmp_path: Path) -> MakePolicy:
    """Makes the policy of a new site, with another SELECT as the SQL of `web_security`; empty: the shipped one."""

    def make(statement: str) -> Policy:
        folder = tmp_path / "policy"
        shutil.copytree(SQL / "purposes", folder / "purposes", dirs_exist_ok=True)
        shutil.copy(SHIPPED_REGISTER, folder / "register.yaml")
        if statement:
            (folder / "purposes" / "web_security.sql").write_text(statement, encoding="utf-8")
        return Policy.load(folder)

    return make


@pytest.mark.parametrize("words", REFUSED)
def test_words_that_could_name_somebody_are_refused_as_the_check_says(words: str, policy_with: MakePolicy) -> None:
    statement, said = REFUSED[words]
    policy = policy_with(statement)
    with pytest.raises(BadInput) as refused:
        require_words_that_name_nobody(policy)
    assert refused.value.message.startswith(said)
    assert ("error", refused.value.message) in [(each.severity, each.message) for each in check(policy)]


def test_where_several_words_are_refused_the_first_is_told_and_how_many_there_are(policy_with: MakePolicy) -> None:
    policy = policy_with(NAMING.replace("cast(null as varchar)", "e.user_agent"))
    with pytest.raises(BadInput, match=r"raw\.web_events\.ip.* with 1 more: `gallring policy check` tells them all"):
        require_words_that_name_nobody(policy)


@pytest.mark.parametrize(
    "word",
    [
        "'moved_out'",
        "case when e.ip is not null then 'seen' end",
        "case when regexp_full_match(e.ip, '[A-Z]{3}') then e.ip end",
        "case when e.ip in ('local', 'none') then e.ip end",
    ],
)
def test_words_of_the_companys_own_pass(word: str, policy_with: MakePolicy) -> None:
    require_words_that_name_nobody(policy_with(EVENTS.format(word)))


def test_of_the_shipped_purposes_nothing_is_traced(policy_with: MakePolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    def traced(*_: object) -> None:
        raise AssertionError("a shipped purpose was traced")

    monkeypatch.setattr("assets.catalogue.published_lineage.column_lineage", traced)
    require_words_that_name_nobody(Policy.load())
    require_words_that_name_nobody(policy_with(""))
    with pytest.raises(AssertionError, match="was traced"):
        require_words_that_name_nobody(policy_with(EVENTS.format("'never_seen_before'")))


def test_nothing_is_published_of_claims_whose_words_could_name_somebody(
    policy_with: MakePolicy, tmp_path: Path
) -> None:
    site, event = Site(tmp_path / "site"), {"event_id": "E1", "ip": "192.0.2.7", "occurred_at": "2026-11-20"}
    site.make()
    policy = policy_with(NAMING)
    with Warehouse.in_memory(pseudonym_key=b"k" * 32) as warehouse:
        policy.publish(warehouse)
        load_rows(warehouse, policy, {"web/events": [event]})
        issued.prepare(warehouse)
        build(warehouse)
        evaluate(warehouse, policy, AS_OF)
        assert warehouse.rows("select distinct ended_by from purposes.web_security") == [("192.0.2.7",)]
        with pytest.raises(BadInput, match=r"ended_by carries raw\.web_events\.ip"):
            publish(warehouse, policy, site)
    assert not site.analytics.exists()
