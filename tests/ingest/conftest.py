"""Companies to deliver to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assets.contracts.declarations import load_contracts
from tests.ingest.company import Company


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """A company that delivers under the shipped contracts."""
    made = Company(tmp_path)
    yield made
    made.warehouse.close()


@pytest.fixture
def company_with(tmp_path: Path) -> Iterator[Any]:
    """A company with contracts of its own: call it with file name → YAML."""
    made: list[Company] = []

    def make(**contracts: str) -> Company:
        folder = tmp_path / "contracts"
        folder.mkdir()
        for name, text in contracts.items():
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        made.append(Company(tmp_path, load_contracts(folder)))
        return made[-1]

    yield make
    for each in made:
        each.warehouse.close()
