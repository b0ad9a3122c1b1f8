"""Puts the browser tests' screenshots that README and docs show into docs/images.

`python -m tests.browser.pictures`, after the browser tests have run: they leave every screenshot in artifacts/.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.browser.conftest import ARTIFACTS

IMAGES = ARTIFACTS.parent / "docs" / "images"
#: Picture of the documentation: the screenshot that it is.
PICTURES = {
    "asset-graph.png": "ui-asset-graph.png",
    "asset.png": "ui-asset.png",
    "check-that-blocks.png": "ui-check-blocked.png",
    "approval.png": "ui-approval.png",
    "retention-report.png": "report-top.png",
}


def take_over(images: Path = IMAGES, artifacts: Path = ARTIFACTS) -> list[str]:
    """Copy the pictures; returns the screenshots that are not there."""
    missing = [source for source in PICTURES.values() if not (artifacts / source).is_file()]
    images.mkdir(exist_ok=True)
    for name, source in PICTURES.items():
        if source not in missing:
            shutil.copyfile(artifacts / source, images / name)
    return missing


if __name__ == "__main__":
    if gone := take_over():
        sys.exit(f"Not there: {', '.join(gone)}. Run the browser tests first: pytest tests/browser")
