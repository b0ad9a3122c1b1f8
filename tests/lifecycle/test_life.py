"""The life of orders over many days of random companies: whatever happens, after each night it is as the rules say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assets.policy import SHIPPED_REGISTER, Policy
from tests.lifecycle.life import Life, clear

LIVES = int(os.environ.get("GALLRING_TEST_SEEDS", "1"))
FIRST = int(os.environ.get("GALLRING_TEST_FIRST_SEED", "0"))
NIGHTS = int(os.environ.get("GALLRING_TEST_NIGHTS", "4"))
Policies = list[tuple[Policy, dict[str, dict[str, int]]]]


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Policies:
    """The shipped policy, one that keeps newsletters and notes longer, and one shorter."""
    made: Policies = [(Policy.load(), {})]
    text = SHIPPED_REGISTER.read_text(encoding="utf-8")
    for months in (6, 48):
        folder = tmp_path_factory.mktemp("policy")
        changed = text.replace("periods: {subscription: P2Y}", f"periods: {{subscription: P{months}M}}")
        changed = changed.replace("periods: {care: P1Y}", f"periods: {{care: P{months}M}}")
        assert changed.count(f"P{months}M") == 2
        (folder / "register.yaml").write_text(changed, encoding="utf-8")
        made.append((Policy.load(folder), {"newsletter": {"months": months}, "customer_care": {"months": months}}))
    return made


@pytest.mark.parametrize("seed", range(FIRST, FIRST + LIVES))
def test_orders_live_as_the_rules_say(policies: Policies, tmp_path: Path, seed: int) -> None:
    """Days, exports, words, holds, policies, answers, kills, backups: nothing is ordered, kept or lost wrongly."""
    life = Life(tmp_path / "life", policies, seed)
    try:
        for _ in range(NIGHTS):
            life.live()
    finally:
        life.close()
    clear(tmp_path / "life")
