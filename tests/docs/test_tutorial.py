"""The tutorial, followed literally in an empty folder: each command in order, as a reader would type it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, blocks

pytestmark = pytest.mark.slow
ROOT = DOCS.parent


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which the tutorial was followed, and what was said."""
    folder = tmp_path_factory.mktemp("tutorial")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GALLRING_", "DAGSTER_"))}
    script = "\n".join(["set -euo pipefail", *blocks("tutorial.md", "bash")])
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env={**kept, "PATH": path}, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder, done.stdout


def test_it_ends_with_one_item_verified(followed: tuple[Path, str]) -> None:
    _, said = followed
    assert said.rstrip().splitlines()[-1].endswith("1 delivered, 1 verified")


def test_what_it_tells_of_is_there(followed: tuple[Path, str]) -> None:
    folder, said = followed
    assert (folder / "demo" / "reports" / "index.html").is_file()
    assert (folder / "site" / "reports" / "index.html").is_file()
    assert list(folder.glob("site/outbox/crm/*/manifest.csv"))
    assert "To be erased: no purpose needs it any more." in said
    assert "0 errors" in said


def test_setting_up_is_a_target_of_make() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert blocks("tutorial.md", "console")[0].splitlines()[0].removeprefix("make ") in targets
