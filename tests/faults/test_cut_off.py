"""Commands that make things and are cut off: the same command, given again, does the rest."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from assets.errors import BadInput
from assets.sample import generating
from assets.sample.generating import generate
from assets.site import Site
from orchestration.cli.sites import DEMO_MARK, _clear_demo
from orchestration.initialising import make_site


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


class CutOff(BaseException):
    """As kill -9: nobody catches it."""


def test_a_demo_that_was_cut_off_at_any_point_of_its_making_or_removal_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "demo"
    for point in range(1, 12):
        with monkeypatch.context() as patched:
            cut_off_at(point, patched)
            with pytest.raises(CutOff):
                remade(folder)
    assert remade(folder).settings.is_file()
    _clear_demo(folder)
    assert list(folder.iterdir()) == []


def remade(folder: Path) -> Site:
    """What `gallring demo` begins with."""
    _clear_demo(folder)
    return make_site(folder, mark=DEMO_MARK)


def cut_off_at(point: int, patched: pytest.MonkeyPatch) -> None:
    """End whoever makes or removes a file or folder for the `point`th time, just before it."""
    done: list[int] = []
    for module, name in ((os, "mkdir"), (os, "unlink"), (os, "rmdir"), (shutil, "copyfile"), (tempfile, "mkstemp")):
        patched.setattr(module, name, counted(getattr(module, name), point, done))


def counted(does: Callable[..., object], point: int, done: list[int]) -> Callable[..., object]:
    def counting(*given: object, **named: object) -> object:
        done.append(point)
        if len(done) == point:
            raise CutOff
        return does(*given, **named)

    return counting


def test_what_is_no_demo_is_never_emptied(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    before = files_below(site.path)
    with pytest.raises(BadInput, match="no earlier demo"):
        _clear_demo(site.path)
    assert files_below(site.path) == before


def test_a_demo_behind_a_link_is_made_anew_there(tmp_path: Path) -> None:
    make_site(tmp_path / "disk", mark=DEMO_MARK)
    (tmp_path / "demo").symlink_to(tmp_path / "disk")
    assert remade(tmp_path / "demo").settings.is_file()
    assert (tmp_path / "disk" / DEMO_MARK).is_file()
