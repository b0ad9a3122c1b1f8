"""Commands that make things and are cut off: the same command, given again, does the rest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from assets.sample import generating
from assets.sample.generating import generate


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("leaves_all", [False, True])
def test_exports_that_were_cut_off_are_written_again_as_if_they_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaves_all: bool
) -> None:
    whole, inbox = tmp_path / "whole", tmp_path / "inbox"
    whole.mkdir()
    inbox.mkdir()
    generate(whole, customers=3)
    described = generating._describe
    calls = []

    def cut_off(*given: object) -> object:
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return described(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(generating, "_describe", cut_off)
        if leaves_all:  # as kill -9 does
            patched.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            generate(inbox, customers=3)
    assert bool(files_below(inbox)) == leaves_all
    assert not list(inbox.glob("*/[!.]*"))
    (inbox / ".generating-killed").mkdir(exist_ok=True)
    generate(inbox, customers=3)
    assert files_below(inbox) == files_below(whole)
    assert not list(inbox.rglob(".*"))
