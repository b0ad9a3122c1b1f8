"""A file is written whole or not at all, and what the system refuses is told by the file's own name."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from assets.errors import told_by_the_system
from assets.writing import write_whole


@pytest.mark.parametrize("refused", ["fsync", "replace"])
def test_what_the_disk_refuses_is_told_by_the_name_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    (tmp_path / "head.json").write_text("before")

    def fails(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, refused, fails)
    with pytest.raises(OSError) as found:  # noqa: PT011  which one is asserted below
        write_whole(tmp_path / "head.json", b"after")
    assert told_by_the_system(found.value) == "head.json: the disk does not answer as it should."
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("head.json", "before")]
