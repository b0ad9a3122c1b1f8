"""Anyone with the public key sees whether a manifest folder is what was sealed, whoever wrote what is in it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.manifests import documents, verifying
from assets.manifests.signatures import make_key
from assets.manifests.verifying import verify
from tests.manifests.company import DAY, Company, Office, full

OUTCOMES = {
    ("customer", "C1"): full("customer", "erase"),
    ("customer", "C2"): {"phone": "erase", "email": "restrict"},
}


class Sealed:
    """Two manifests of one system, and the key they were signed with."""

    def __init__(self, path: Path) -> None:
        office = Office(path)
        company = Company(threads=1)
        company.add("customer", "C1")
        company.add("customer", "C2")
        company.night(DAY, OUTCOMES, office)
        company.night(DAY + timedelta(days=1), {**OUTCOMES, ("customer", "C2"): full("customer", "erase")}, office)
        self.public = office.public
        self.signer = office.signer
        self.first, self.second = sorted((office.site.outbox / "crm").iterdir())


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    return Sealed(tmp_path_factory.mktemp("sealed") / "site")


@pytest.fixture
def folder(originals: Sealed, tmp_path: Path) -> Path:
    """A copy of the first manifest, to tamper with."""
    return Path(shutil.copytree(originals.first, tmp_path / "crm" / originals.first.name))


def problems(folder: Path, originals: Sealed) -> str:
    found = verify(folder, originals.public)
    assert not found.ok
    return "\n".join(found.problems)


def test_what_was_sealed_verifies(originals: Sealed) -> None:
    first, second = verify(originals.first, originals.public), verify(originals.second, originals.public)
    assert (first.problems, first.chain, first.items, first.system) == ((), "first", 3, "crm")
    assert (second.problems, second.chain, second.manifest_id) == ((), "follows", originals.second.name)


def test_the_chain_is_followed_where_it_can_be(originals: Sealed, tmp_path: Path) -> None:
    alone = Path(shutil.copytree(originals.second, tmp_path / "alone" / originals.second.name))
    assert verify(alone, originals.public).chain == "not_beside_it"
    given_one = verify(alone, originals.public, originals.first)
    assert (given_one.ok, given_one.chain) == (True, "follows")
    wrong = verify(alone, originals.public, originals.second)
    assert wrong.problems == ("`previous` is not the digest of the manifest that was given.",)


def test_a_split_chain_is_seen(originals: Sealed, tmp_path: Path) -> None:
    for name in ("one", "two"):
        shutil.copytree(originals.first, tmp_path / name)
    assert "split" in problems(tmp_path / "one", originals)


def test_another_key_does_not_fit(originals: Sealed, tmp_path: Path) -> None:
    make_key(tmp_path / "other.pem", tmp_path / "other.pub.pem")
    assert not verify(originals.first, tmp_path / "other.pub.pem").ok


@pytest.mark.parametrize("name", ["manifest.json", "manifest.jws", "items.jsonl", "manifest.csv"])
def test_a_missing_file_is_named(originals: Sealed, folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert name in problems(folder, originals)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.jws", "items.jsonl", "manifest.csv"])
def test_a_link_is_not_followed(originals: Sealed, folder: Path, name: str) -> None:
    shutil.move(folder / name, folder.parent / name)
    (folder / name).symlink_to(folder.parent / name)
    assert name in problems(folder, originals)


def test_a_linked_folder_a_pipe_and_a_stranger_are_refused(originals: Sealed, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert "no manifest folder" in problems(tmp_path / "link", originals)
    (folder / "extra.txt").write_text("x")
    assert "belong to no manifest" in problems(folder, originals)
    (folder / "items.jsonl").unlink()
    os.mkfifo(folder / "items.jsonl")
    assert "no plain file" in problems(folder, originals)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"null", b"\xff", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"[" * 100_000, b'{"a": 1e999}',
     b'{"a": "\\ud800"}', b'{"a": 99999999999999999999}', b"{}"],
)  # fmt: skip
def test_a_hostile_document_is_a_problem_and_no_traceback(originals: Sealed, folder: Path, content: bytes) -> None:
    (folder / "manifest.json").write_bytes(content)
    assert "manifest.json" in problems(folder, originals)
    items = (folder / "items.jsonl").read_bytes()
    shutil.copy(originals.first / "manifest.json", folder / "manifest.json")
    (folder / "items.jsonl").write_bytes(content + b"\n" + items)
    assert "items.jsonl" in problems(folder, originals)


def test_sizes_have_limits(originals: Sealed, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "LARGEST_LINE", 100)
    assert "too long" in problems(folder, originals)
    monkeypatch.setattr(verifying, "LARGEST_DOCUMENT", 100)
    assert "larger" in problems(folder, originals)


def change_document(folder: Path, change: Callable[[dict[str, Any]], None], sealed: Sealed | None = None) -> None:
    """Change the document, and sign it again where the tamperer has the key."""
    document = json.loads((folder / "manifest.json").read_text())
    change(document)
    (folder / "manifest.json").write_text(json.dumps(document))
    if sealed is not None:
        (folder / "manifest.jws").write_text(sealed.signer.sign(documents.canonical(document)))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda document: document.update(as_of="2025-01-01"), "manifest_id does not follow"),
        (lambda document: document.update(previous="0" * 64), "manifest_id does not follow"),
        (lambda document: document["counts"].update(erase=0, redact=2), "holds 1 items to erase"),
        (lambda document: document["counts"].update(erase=7), "do not add up"),
        (lambda document: document["items"].update(count=2), "holds more items"),
        (lambda document: document["items"].update(sha256="0" * 64), "digest differs"),
        (lambda document: document.update(respond_by="2026-01-01"), "another respond_by"),
        (lambda document: document.update(name="x"), "does not follow its schema: the document breaks"),
        (lambda document: document["policy"].pop("sha256"), "policy breaks the rule 'required'"),
    ],
)
def test_each_kind_of_tampering_is_named(
    originals: Sealed, folder: Path, change: Callable[[dict[str, Any]], None], expected: str
) -> None:
    change_document(folder, change)
    unsigned = problems(folder, originals)
    assert "The signature does not fit" in unsigned or "schema" in unsigned
    shutil.copy(originals.first / "manifest.json", folder / "manifest.json")
    change_document(folder, change, originals)
    found = problems(folder, originals)
    assert expected in found
    assert "signature" not in found


def test_the_instant_of_issue_is_signed_though_no_id_follows_from_it(originals: Sealed, folder: Path) -> None:
    change_document(folder, lambda document: document.update(issued_at="2020-01-01T00:00:00Z"))
    assert verify(folder, originals.public).problems == (
        "The signature does not fit: manifest.json was changed, or another key signed it.",
    )


def change_items(folder: Path, change: Callable[[list[str]], list[str]], sealed: Sealed) -> None:
    """Change the items as someone who has the key and knows how digests and ids are made would."""
    lines = change((folder / "items.jsonl").read_text().splitlines(keepends=True))
    (folder / "items.jsonl").write_text("".join(lines))

    def follow(document: dict[str, Any]) -> None:
        document["items"].update(count=len(lines), sha256=hashlib.sha256("".join(lines).encode()).hexdigest())
        document["manifest_id"] = documents.manifest_id(document)

    change_document(folder, follow, sealed)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda lines: [*lines[1:], lines[0]], "out of order"),
        (lambda lines: [lines[0], *lines], "there twice"),
        (lambda lines: lines[1:], "holds 0 items to erase, the manifest says 1"),
        (lambda lines: [lines[0].replace("C1", "C0"), *lines[1:]], "item_id that does not follow"),
        (lambda lines: [lines[0].replace("{", "{ ", 1), *lines[1:]], "item_id that does not follow"),
        (lambda lines: [lines[0].replace('"fields":[]', '"fields":["x"]'), *lines[1:]], "item schema"),
        (lambda lines: [lines[0].replace('"kept"', '"name":"x","kept"'), *lines[1:]], "item schema"),
        (lambda lines: [*lines[:-1], lines[-1].removesuffix("\n")], "does not end"),
    ],
)
def test_tampering_with_items_is_named(
    originals: Sealed, folder: Path, change: Callable[[list[str]], list[str]], expected: str
) -> None:
    change_items(folder, change, originals)
    assert expected in problems(folder, originals)


def test_problems_quote_nothing_of_what_they_read(originals: Sealed, folder: Path) -> None:
    change_document(folder, lambda document: document.update(system=["Test Person"], controller="Test Person" * 99))
    assert "Test Person" not in problems(folder, originals)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["items.jsonl", "manifest.csv", "manifest.json"]), st.integers(0, 10_000), st.integers(1, 255))
def test_no_byte_can_be_changed_unseen(originals: Sealed, name: str, place: int, flip: int) -> None:
    original = (originals.first / name).read_bytes()
    place %= len(original)
    changed = original[:place] + bytes([original[place] ^ flip]) + original[place + 1 :]
    folder = originals.first.parents[2] / "flipped" / "one"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(originals.first, folder)
    (folder / name).write_bytes(changed)
    same = name == "manifest.json" and _says(changed) == _says(original)
    assert verify(folder, originals.public).ok == same  # signed is what the document says, not its white space


def _says(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
