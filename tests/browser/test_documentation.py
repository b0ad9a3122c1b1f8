"""The documentation as people see it: on a telephone, on a screen, in the light and in the dark."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config
from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[2]
#: Pages with wide tables, long names and long lines of code.
WIDE = ("performance", "security", "architecture", "contracts", "reference/published-tables")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("documentation")
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(target))
    config.plugins.on_startup(command="build", dirty=False)
    build(config)
    return target


@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_is_wider_than_the_screen(browser: Browser, built: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    for name in WIDE:
        page.goto((built / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_follows_the_readers_light(browser: Browser, built: Path, scheme: Literal["light", "dark"]) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.goto((built / "index.html").as_uri())
    red, green, blue = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)")[:3]
    assert (red + green + blue > 3 * 128) == (scheme == "light")
    page.close()
