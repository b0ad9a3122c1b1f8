"""How many threads work on a proposal and a sealing: one where little was decided, all where it is much."""

from __future__ import annotations

import pytest

from assets.manifests import assets
from assets.warehouse import Warehouse


@pytest.mark.parametrize(("decided", "threads"), [(0, 1), (2, 1), (3, 2)])
def test_little_is_left_to_one_thread(monkeypatch: pytest.MonkeyPatch, decided: int, threads: int) -> None:
    monkeypatch.setattr(assets, "_WORTH_SHARING", 3)
    warehouse = Warehouse.in_memory(threads=2)
    warehouse.run("create schema retention")
    warehouse.run("create table retention.dispositions as select * from range($decided)", {"decided": decided})
    asked = "select current_setting('threads')"
    with assets._as_many_threads_as_pay(warehouse):
        assert warehouse.value(asked) == threads
    assert warehouse.value(asked) == 2
