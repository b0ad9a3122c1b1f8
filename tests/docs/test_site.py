"""The documentation as a site: strict, asking nobody else for anything, with a reference that the code wrote."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.main import get_command

from assets.catalogue.published import published_tables
from assets.policy import Policy
from orchestration.cli.verbs import app
from tests.docs.pages import DOCS

#: Attributes by which a page fetches something as soon as it is shown.
FETCHED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src"), ("img", "srcset")}


class Fetches(HTMLParser):
    """What a page fetches, and the words it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if (tag, name) in FETCHED]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    target = tmp_path_factory.mktemp("docs")
    config = load_config(str(DOCS.parent / "mkdocs.yml"), site_dir=str(target))
    config.plugins.on_startup(command="build", dirty=False)
    build(config)
    return target


def test_every_page_is_built(built: Path) -> None:
    pages = {
        path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md") if "deploying/" not in str(path)
    }
    assert pages <= {path.relative_to(built) for path in built.rglob("*.html")}


def test_the_pages_ask_no_other_server(built: Path) -> None:
    for page in built.rglob("*.html"):
        reader = Fetches()
        reader.feed(page.read_text(encoding="utf-8"))
        assert not [each for each in reader.found if re.match(r"(?:[a-z]+:)?//", each)], page
    for sheet in built.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"(?:url\(|@import\s)\s*[\"']?(?:https?:)?//", text), sheet


def test_every_link_to_a_page_or_its_part_leads_there(built: Path) -> None:
    missing = []
    for page in built.rglob("*.html"):
        if page.name == "404.html":  # may be shown at any depth: its links begin at the server's root
            continue
        for target in re.findall(r'<a [^>]*href="([^"]+)"', page.read_text(encoding="utf-8")):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, part = target.partition("#")
            there = (page.parent / file).resolve() if file else page
            if not there.is_file() or (part and f'id="{part}"' not in there.read_text(encoding="utf-8")):
                missing.append(f"{page.name}: {target}")
    assert missing == []


def test_the_reference_names_everything(built: Path) -> None:
    def text(name: str) -> str:
        return (built / "reference" / f"{name}.html").read_text(encoding="utf-8")

    commands = text("commands")
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        for verb in [f"{name} {inner}" for inner in command.commands] if hasattr(command, "commands") else [name]:
            assert f"gallring {verb}</h2>" in commands
    assert all(f"<code>{column.name}</code>" in text("published-tables")
               for table in published_tables() for column in table.columns)  # fmt: skip
    assert all(f">{name}</h2>" in text("purposes") for name in Policy.load().register.purposes)
    assert all(f">{contract.name}</h2>" in text("exports") for contract in Policy.load().contracts.values())
    assert "smallest_group" in text("settings")


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    from mkdocs.commands.build import build
    from mkdocs.config import load_config
    from mkdocs.exceptions import Abort

    pages = tmp_path / "docs"
    pages.mkdir()
    (pages / "index.md").write_text("# A\n\n[gone](gone.md), [no part](#nowhere)\n", encoding="utf-8")
    text = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    config_file = tmp_path / "mkdocs.yml"
    config_file.write_text(re.sub(r"^hooks:.*$", "", text.partition("\nnav:")[0], flags=re.MULTILINE), encoding="utf-8")
    config = load_config(str(config_file), site_dir=str(tmp_path / "built"))
    config.plugins.on_startup(command="build", dirty=False)
    with pytest.raises(Abort, match="2 warnings"):
        build(config)
