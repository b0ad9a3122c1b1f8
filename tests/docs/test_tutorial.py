"""The tutorial, followed literally in an empty folder: each command in order, as a reader would type it."""

from __future__ import annotations

import re

import pytest

from tests.docs.conftest import Followed
from tests.docs.pages import DOCS, blocks

pytestmark = pytest.mark.slow
ROOT = DOCS.parent


def test_it_ends_with_one_item_verified(followed: Followed) -> None:
    assert followed.said.rstrip().splitlines()[-1].endswith("1 delivered, 1 verified")


def test_what_it_tells_of_is_there(followed: Followed) -> None:
    assert (followed.folder / "demo" / "reports" / "index.html").is_file()
    assert (followed.folder / "site" / "reports" / "index.html").is_file()
    assert list(followed.folder.glob("site/outbox/crm/*/manifest.csv"))
    assert "To be erased: no purpose needs it any more." in followed.said
    assert "0 errors" in followed.said


def test_setting_up_is_a_target_of_make() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert blocks("tutorial.md", "console")[0].splitlines()[0].removeprefix("make ") in targets
