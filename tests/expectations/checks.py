"""The checks of every stop, for tests that look at all of them."""

from __future__ import annotations

from expectations.specs import STOPS, specs

EVERY_CHECK = [spec for stop in STOPS for spec in specs(stop)]
