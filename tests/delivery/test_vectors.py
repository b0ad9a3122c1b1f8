"""The test vectors say what docs/manifest-format.md says, to us and to a receiver written from that page alone."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from assets.delivery.answers import Answers
from assets.delivery.receiving import read_answers, receive, write_receipt, write_template
from assets.errors import CheckFailed
from assets.manifests.signatures import PublicKey
from tests.delivery.sealed import NOW
from tests.delivery.vectors import EXPECTED, VECTORS, make

KEY = VECTORS / "TEST-KEY.pub.pem"
LISTED: list[dict[str, Any]] = json.loads((VECTORS / "vectors.json").read_text())
BY_NAME = {each["vector"]: each for each in LISTED}


def folder(name: str) -> Path:
    return VECTORS / BY_NAME[name]["manifest"]


def test_the_script_makes_the_committed_bytes(tmp_path: Path) -> None:
    make(tmp_path)

    def bytes_of(root: Path) -> dict[str, bytes]:
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in root.rglob("*") if path.is_file() and path.name != "README.md"
        }  # fmt: skip

    assert bytes_of(tmp_path) == bytes_of(VECTORS)
    assert {each["vector"] for each in EXPECTED} == {path.name for path in VECTORS.iterdir() if path.is_dir()}


@pytest.mark.parametrize("vector", LISTED, ids=[each["vector"] for each in LISTED])
def test_the_product_finds_what_each_vector_shows(vector: dict[str, Any], tmp_path: Path) -> None:
    key = PublicKey.load(KEY)
    for name in vector.get("before", []):
        received = receive(folder(name), key, tmp_path)
        if vector.get("answered"):
            write_template(received, tmp_path / "answers.csv")
            text = (
                (tmp_path / "answers.csv").read_text(encoding="utf-8-sig").replace(',"","","",""', ',"done","","",""')
            )
            (tmp_path / "answers.csv").write_text(text)
            write_receipt(received, read_answers(received, tmp_path / "answers.csv", at=NOW), tmp_path)
    if vector["accept"]:
        assert receive(folder(vector["vector"]), key, tmp_path).manifest_id == folder(vector["vector"]).name
    else:
        with pytest.raises(CheckFailed):
            receive(folder(vector["vector"]), key, tmp_path)


def test_the_vectors_are_refused_for_their_own_reasons(tmp_path: Path) -> None:
    key, said = PublicKey.load(KEY), {}
    receive(folder("valid"), key, tmp_path)
    for name in ("tampered-item", "tampered-header", "tampered-table", "wrong-key", "missing-link", "cancelled"):
        with pytest.raises(CheckFailed) as caught:
            receive(folder(name), key, tmp_path)
        said[name] = str(caught.value)
    assert "digest differs" in said["tampered-item"]
    assert "item_id that does not follow" in said["tampered-item"]
    assert "signature does not fit" in said["tampered-header"]
    assert "manifest.csv does not say" in said["tampered-table"]
    assert "signature does not fit" in said["wrong-key"]
    assert "missing" in said["missing-link"]
    assert "was cancelled" in said["cancelled"]


def test_the_receipt_of_the_vectors_is_well_formed() -> None:
    answers = Answers()
    with (VECTORS / "valid" / "receipt.jsonl").open("rb") as file:
        assert len(list(answers.read(file))) == 3
    assert answers.dropped == 0


# -- a receiver of its own: json, hashlib, base64 and Ed25519, by the page ------------------------------------------


class Independent:
    """Reads docs/manifest-format.md's steps in their order; knows nothing of the product."""

    def __init__(self) -> None:
        key = load_pem_public_key(KEY.read_bytes())
        assert isinstance(key, Ed25519PublicKey)
        self.key = key
        self.last: str | None = None
        self.answered: set[str] = set()

    def accept(self, place: Path) -> bool:
        try:
            document = self.signed(place)
            assert document["manifest_id"] == place.name not in self.answered
            self.items(place, document)
        except (AssertionError, InvalidSignature):
            return False
        links = {
            self.digest(link): link["previous"]
            for path in (place.parent.parent / "cancelled").glob("*") for link in (self.signed(path),)
        }  # fmt: skip
        if self.digest(document) in links:
            return False
        previous = document["previous"]
        while previous != self.last and previous in links:
            previous = links[previous]
        if previous != self.last:
            return False
        self.last = self.digest(document)
        return True

    def signed(self, place: Path) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
        header, empty, signature = (place / "manifest.jws").read_text().strip().split(".")
        assert json.loads(decoded(header))["alg"] == "Ed25519"
        assert empty == ""
        payload = base64.urlsafe_b64encode(canonical(document)).rstrip(b"=").decode()
        self.key.verify(decoded(signature), f"{header}.{payload}".encode())
        without = {name: value for name, value in document.items() if name not in ("manifest_id", "issued_at")}
        identifier = f"{document['as_of']}-{hashlib.sha256(canonical(without)).hexdigest()[:32]}"
        assert document["manifest_id"] == identifier
        return document

    def digest(self, document: dict[str, Any]) -> str:
        return hashlib.sha256(
            canonical({name: value for name, value in document.items() if name != "issued_at"})
        ).hexdigest()  # fmt: skip

    def items(self, place: Path, document: dict[str, Any]) -> None:
        content = (place / "items.jsonl").read_bytes()
        lines = content.decode().splitlines()
        assert hashlib.sha256(content).hexdigest() == document["items"]["sha256"]
        assert len(lines) == document["items"]["count"]
        for line in lines:
            item = json.loads(line)
            body = "{" + line.removeprefix(f'{{"item_id":"{item["item_id"]}",')
            whole = "\n".join((document["system"], document["as_of"], document["previous"] or "", body))
            assert item["item_id"] == hashlib.sha256(whole.encode()).hexdigest()[:32]


def canonical(document: dict[str, Any]) -> bytes:
    """RFC 8785 for what manifests hold: text, whole numbers, null, and member names in ASCII."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# The table beside the items is for people; a receiver that reads items.jsonl has no need to check it.
@pytest.mark.parametrize(
    "vector", [each for each in LISTED if each["vector"] != "tampered-table"], ids=lambda vector: str(vector["vector"])
)
def test_a_receiver_written_from_the_page_finds_the_same(vector: dict[str, Any]) -> None:
    receiver = Independent()
    for name in vector.get("before", []):
        assert receiver.accept(folder(name))
        if vector.get("answered"):
            receiver.answered.add(folder(name).name)
    assert receiver.accept(folder(vector["vector"])) is vector["accept"]


def test_the_canonical_form_is_the_vectors() -> None:
    (document,) = (VECTORS / "valid" / "manifests").glob("*/manifest.json")
    assert canonical(json.loads(document.read_text(encoding="utf-8"))) == (
        VECTORS / "valid" / "canonical.json"
    ).read_bytes()  # fmt: skip
