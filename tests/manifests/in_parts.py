"""The gate and sealing by parts, though there is little to look at and memory for all of it."""

from __future__ import annotations

import pytest

from assets.manifests import gate, lines
from expectations import parts


def in_small_parts(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Let them take so many records, items or ids at once."""
    monkeypatch.setattr(parts, "ALWAYS_THERE", 0)
    monkeypatch.setattr(parts, "FEWEST_AT_ONCE", at_once)
    monkeypatch.setattr(gate, "BYTES_EACH", 2**62)
    monkeypatch.setattr(lines, "BYTES_EACH", 2**62)
    monkeypatch.setattr(lines, "BYTES_EACH_ID", 2**62)
