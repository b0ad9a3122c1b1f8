"""Whether a manifest folder is what was sealed: for anyone who has the folder and the public key.

Reads the folder alone, never the warehouse, and trusts nothing in it: no link is followed, nothing is read without a
limit, and no parser's complaint, which may quote what it read, is passed on.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import IO, Any

from jsonschema import Draft202012Validator
from rfc8785 import CanonicalizationError

from assets.errors import CheckFailed
from assets.manifests import documents
from assets.manifests.signatures import PublicKey

SCHEMAS = Path(__file__).resolve().parent / "schemas"
DOCUMENT_SCHEMA = "retention-manifest-1.json"
ITEM_SCHEMA = "retention-manifest-item-1.json"

LARGEST_DOCUMENT = 1_000_000
LARGEST_LINE = 100_000
LARGEST_FILE = 50_000_000_000
MOST_NEIGHBOURS = 10_000

FIRST, FOLLOWS, NOT_BESIDE = "first", "follows", "not_beside_it"


@dataclass(frozen=True)
class Verification:
    """What was found. `chain` tells how far the chain could be followed: the first manifest of its system, one that
    follows the manifest beside it, or one whose predecessor is not beside it.
    """  # noqa: D205

    folder: Path
    manifest_id: str | None
    system: str | None
    items: int
    chain: str | None
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


class _Unreadable(Exception):
    """A file of the folder cannot be taken as it is; the message says why, and quotes nothing."""


def verify(folder: Path, public_key: Path | PublicKey, previous: Path | None = None) -> Verification:
    """Check a manifest folder: signature, ids, digests, counts, schema, and the chain.

    Args:
        folder: holds `manifest.json`, `manifest.jws`, `items.jsonl` and `manifest.csv`.
        public_key: of the controller, or the file it is in.
        previous: the folder of the manifest before, where it is not beside this one.

    Raises:
        BadInput: `public_key` is a file without a public key.
    """
    key = public_key if isinstance(public_key, PublicKey) else PublicKey.load(public_key)
    try:
        _expect_folder(folder)
        document = _document(folder)
    except _Unreadable as problem:
        return Verification(folder, None, None, 0, None, (str(problem),))
    problems = [*_document_problems(folder, document, key)]
    items = 0
    if not problems or _fits(document, DOCUMENT_SCHEMA):
        check = _ItemCheck(document)
        problems += check.run(folder)
        items = check.count
    chain, chain_problems = _chain(folder, document, previous)
    return Verification(
        folder, _text(document, "manifest_id"), _text(document, "system"), items, chain,
        (*problems, *chain_problems),
    )  # fmt: skip


def read_document(folder: Path) -> dict[str, Any]:
    """The document of a manifest folder, read with the same care but not verified.

    Raises:
        CheckFailed: it cannot be taken as it is.
    """
    try:
        _expect_folder(folder)
        return _document(folder)
    except _Unreadable as problem:
        raise CheckFailed(f"{folder}: {problem}") from None


def _text(document: dict[str, Any], name: str) -> str | None:
    value = document.get(name)
    return value if isinstance(value, str) else None


# -- the document -------------------------------------------------------------------------------------------------


def _document_problems(folder: Path, document: dict[str, Any], key: PublicKey) -> Iterator[str]:
    if not _fits(document, DOCUMENT_SCHEMA):
        yield f"{documents.DOCUMENT} does not follow its schema: {_misfit(document, DOCUMENT_SCHEMA)}."
        return
    yield from _signature_problems(folder, document, key)
    if document["manifest_id"] != documents.manifest_id(document):
        yield "manifest_id does not follow from the content: the document was changed after it was sealed."
    if sum(document["counts"].values()) != document["items"]["count"]:
        yield "The counts by action do not add up to the number of items."
    known = {documents.DOCUMENT, documents.SIGNATURE, documents.ITEMS, documents.TABLE}
    if unknown := sum(1 for entry in os.scandir(folder) if entry.name not in known):
        yield f"The folder holds {unknown} file(s) that belong to no manifest."


def _signature_problems(folder: Path, document: dict[str, Any], key: PublicKey) -> Iterator[str]:
    try:
        signature = _small_file(folder / documents.SIGNATURE).decode("ascii")
    except (_Unreadable, UnicodeDecodeError):
        yield f"{documents.SIGNATURE} is missing, or is no signature."
        return
    if not key.fits(signature, documents.canonical(document)):
        yield f"The signature does not fit: {documents.DOCUMENT} was changed, or another key signed it."


def _chain(folder: Path, document: dict[str, Any], previous: Path | None) -> tuple[str | None, list[str]]:
    """How the manifest stands in its chain, and what is wrong with that."""
    named = document.get("previous")
    if previous is not None:
        try:
            _expect_folder(previous)
            matches = named == documents.digest(_document(previous))
        except _Unreadable as problem:
            return None, [f"The previous manifest: {problem}"]
        return (FOLLOWS, []) if matches else (None, ["`previous` is not the digest of the manifest that was given."])
    neighbours = list(_neighbours(folder, document.get("system")))
    if any(neighbour.get("previous") == named for neighbour in neighbours):
        return None, ["Another manifest beside this one has the same `previous`: the chain is split."]
    if named is None:
        return FIRST, []
    return (FOLLOWS if named in [documents.digest(neighbour) for neighbour in neighbours] else NOT_BESIDE), []


def _neighbours(folder: Path, system: Any) -> Iterator[dict[str, Any]]:
    """The readable manifests of the same system in the folders beside this one."""
    with os.scandir(folder.resolve().parent) as entries:
        beside = sorted(
            entry.path for _, entry in zip(range(MOST_NEIGHBOURS), entries, strict=False)
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
        )  # fmt: skip
    for path in beside:
        if Path(path) == folder.resolve():
            continue
        try:
            neighbour = _document(Path(path))
        except _Unreadable:
            continue
        if neighbour.get("system") == system:
            yield neighbour


# -- the items ----------------------------------------------------------------------------------------------------


@dataclass
class _ItemCheck:
    """One pass over `items.jsonl`, with `manifest.csv` beside it."""

    document: dict[str, Any]
    count: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    found: dict[str, tuple[int, int]] = field(default_factory=dict)
    last: tuple[bytes, bytes, bytes] = (b"", b"", b"")

    def run(self, folder: Path) -> list[str]:
        """Everything that is wrong with the items, one sentence a kind."""
        digest, table = hashlib.sha256(), hashlib.sha256(documents.CSV_HEADER.encode())
        try:
            with _opened(folder / documents.ITEMS, LARGEST_FILE) as file:
                for line in _lines(file, documents.ITEMS):
                    digest.update(line)
                    self.count += 1
                    if self.count > self.document["items"]["count"]:
                        break
                    if (item := self._item(line)) is not None:
                        table.update(documents.csv_line(item).encode())
        except _Unreadable as problem:
            return [str(problem)]
        return [*self._said(), *self._total_problems(digest.hexdigest()), *_table_problems(folder, table.hexdigest())]

    def _item(self, line: bytes) -> dict[str, Any] | None:
        """Check one line; None when it is no item at all."""
        try:
            item = _parsed(line)
            text = line.decode().removesuffix("\n")
        except (_Unreadable, UnicodeDecodeError):
            self._note("is no JSON object")
            return None
        if not _item_fits(item):
            self._note("does not follow the item schema")
            return None
        head = f'{{"item_id":"{item["item_id"]}",'
        expected = documents.item_id(self.document["system"], self.document["as_of"], self.document["previous"],
                                     "{" + text.removeprefix(head))  # fmt: skip
        if not text.startswith(head) or item["item_id"] != expected:
            self._note("has an item_id that does not follow from its content")
        if item["respond_by"] != self.document["respond_by"]:
            self._note("has another respond_by than the manifest")
        place = (item["record_type"].encode(), next(iter(item["key"].values())).encode(), item["action"].encode())
        if place <= self.last:
            self._note("is out of order, or there twice")
        self.last = place
        self.actions[item["action"]] += 1
        return item

    def _note(self, kind: str) -> None:
        times, first = self.found.get(kind, (0, self.count))
        self.found[kind] = (times + 1, first)

    def _said(self) -> Iterator[str]:
        for kind, (times, first) in self.found.items():
            yield f"{documents.ITEMS}, line {first} {kind}" + (f" (and {times - 1} more)." if times > 1 else ".")

    def _total_problems(self, sha256: str) -> Iterator[str]:
        items = self.document["items"]
        if self.count != items["count"]:
            seen = "more" if self.count > items["count"] else str(self.count)
            yield f"{documents.ITEMS} holds {seen} items where the manifest says {items['count']}."
        if sha256 != items["sha256"]:
            yield f"{documents.ITEMS} is not the file that was sealed: its digest differs."
        for action, number in sorted(self.document["counts"].items()):
            if self.actions[action] != number:
                yield f"{documents.ITEMS} holds {self.actions[action]} items to {action}, the manifest says {number}."


def _table_problems(folder: Path, expected: str) -> Iterator[str]:
    """`manifest.csv` is not signed, so it must be what follows from the items, to the byte."""
    digest = hashlib.sha256()
    try:
        with _opened(folder / documents.TABLE, LARGEST_FILE) as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except _Unreadable as problem:
        yield str(problem)
        return
    if digest.hexdigest() != expected:
        yield f"{documents.TABLE} does not say what {documents.ITEMS} says: do not work from it."


# -- reading what others may have written ---------------------------------------------------------------------------


def _expect_folder(folder: Path) -> None:
    if folder.is_symlink() or not folder.is_dir():
        raise _Unreadable(f"{folder.name or folder} is no manifest folder (a link is not followed).")


@contextmanager
def _opened(path: Path, largest: int) -> Iterator[IO[bytes]]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        raise _Unreadable(f"{path.name} is missing, cannot be read, or is a link.") from None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > largest:
            raise _Unreadable(f"{path.name} is no plain file, or is larger than any manifest's.")
        yield file


def _small_file(path: Path) -> bytes:
    with _opened(path, LARGEST_DOCUMENT) as file:
        return file.read(LARGEST_DOCUMENT)


def _lines(file: IO[bytes], name: str) -> Iterator[bytes]:
    while line := file.readline(LARGEST_LINE):
        if not line.endswith(b"\n"):
            raise _Unreadable(f"{name} holds a line that is too long, or does not end.")
        yield line


def _document(folder: Path) -> dict[str, Any]:
    document = _parsed(_small_file(folder / documents.DOCUMENT))
    try:
        documents.canonical(document)
    except (CanonicalizationError, ValueError, RecursionError):
        raise _Unreadable(f"{documents.DOCUMENT} has no canonical form.") from None
    return document


def _parsed(content: bytes) -> dict[str, Any]:
    """One JSON object in UTF-8, no name twice in it, no number that is none."""
    try:
        parsed = json.loads(content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number)
        json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise _Unreadable(f"{documents.DOCUMENT} is no JSON object in UTF-8.") from None
    if not isinstance(parsed, dict):
        raise _Unreadable(f"{documents.DOCUMENT} is no JSON object in UTF-8.")
    return parsed


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice")
    return members


def _no_number(_: str) -> None:
    raise ValueError("no JSON number")


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((SCHEMAS / schema).read_text(encoding="utf-8")))


def _fits(instance: dict[str, Any], schema: str) -> bool:
    return _validator(schema).is_valid(instance)


def _item_fits(item: dict[str, Any]) -> bool:
    """Whether an item follows its schema. A million items have few shapes: all but their ids and keys is remembered."""
    own = {name: item.get(name) for name in ("item_id", "key")}
    if not all(_part_validator(name).is_valid(value) for name, value in own.items()):
        return False
    return _shape_fits(json.dumps({**item, "item_id": "0" * 32, "key": {"key": "0"}}))


@lru_cache(maxsize=1_000)
def _shape_fits(shape: str) -> bool:
    return _fits(json.loads(shape), ITEM_SCHEMA)


@cache
def _part_validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((SCHEMAS / ITEM_SCHEMA).read_text(encoding="utf-8"))["properties"][name])


def _misfit(instance: dict[str, Any], schema: str) -> str:
    """Where a document leaves its schema, by place and rule; the value stays out of it."""
    error = min(_validator(schema).iter_errors(instance), key=lambda error: (len(error.path), str(error.validator)))
    place = ".".join(str(part) for part in error.path) or "the document"
    return f"{place} breaks the rule {error.validator!r}"
