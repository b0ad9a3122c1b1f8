"""Makes the test vectors of docs/manifest-format.md: `python -m tests.delivery.vectors` writes tests/data/vectors.

The same bytes every time. The keys follow from a seed that stands here for all to read: TEST KEYS, never to be trusted
outside tests. The people's records are keys of nobody.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from joserfc.jwk import OKPKey

from assets.manifests import documents
from assets.manifests.folders import document_text
from assets.manifests.signatures import Signer

VECTORS = Path(__file__).resolve().parents[1] / "data" / "vectors"

#: What each vector shows: the folder, the key to check with, and what a receiver has to find, in this order, beginning
#: with an empty memory. `before` names what was received (and, for a replay, answered) before it.
EXPECTED: tuple[dict[str, Any], ...] = (
    {"vector": "valid", "accept": True, "finds": "the first manifest of its system"},
    {"vector": "follows", "accept": True, "before": ["valid"], "finds": "follows the one before"},
    {"vector": "after-cancelled", "accept": True, "before": ["valid"],
     "finds": "follows the one before, but for a cancelled one that cancelled/ tells of"},
    {"vector": "after-recalled", "accept": True, "before": ["valid", "follows"],
     "finds": "follows the last one received, which cancelled/ tells of: it had come before it was recalled"},
    {"vector": "cancelled", "accept": False, "before": ["valid"],
     "finds": "follows the one before, but cancelled/ tells of it: its delivery was cut off, and it was recalled"},
    {"vector": "tampered-item", "accept": False, "finds": "an item's key was changed: digest and item_id differ"},
    {"vector": "tampered-header", "accept": False, "finds": "respond_by was changed: signature and manifest_id differ"},
    {"vector": "tampered-table", "accept": False, "finds": "manifest.csv does not follow from items.jsonl"},
    {"vector": "wrong-key", "accept": False, "finds": "signed with another key"},
    {"vector": "missing-link", "accept": False, "before": ["valid"], "finds": "a manifest in between never came"},
    {"vector": "replayed", "accept": False, "before": ["valid"], "answered": True,
     "finds": "a manifest that was answered, sent again with another issued_at: the same id"},
)  # fmt: skip


def test_key(name: str) -> OKPKey:
    """A key that anyone can make: its private half is the SHA-256 of a public sentence."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    seed = hashlib.sha256(f"Gallring TEST KEY, never to be trusted: {name}".encode()).digest()
    return OKPKey.import_key(Ed25519PrivateKey.from_private_bytes(seed))


def item(record_type: str, key_field: str, key: str, action: str, fields: list[str]) -> dict[str, Any]:
    kept = [] if action == "erase" else [{"fields": ["name"], "purpose": "accounting", "until": "2033-12-31"}]
    reason = {"purpose": "direct_marketing", "ended_on": "2026-10-01", "reason": "eu-gdpr:JustificationA17NonNecessity"}
    return {"record_type": record_type, "key": {key_field: key}, "action": action, "fields": fields,
            "because": [reason], "kept": kept, "respond_by": "2026-12-22"}  # fmt: skip


FIRST = [
    item("contact", "contact_id", "K-1005", "erase", []),
    item("customer", "customer_id", '=1+1 "Å"; 17', "restrict", ["name"]),
    item("customer", "customer_id", "K1005", "redact", ["email", "phone"]),
]
SECOND = [item("customer", "customer_id", "K1006", "erase", [])]
THIRD = [item("customer", "customer_id", "K1007", "erase", [])]


def write(folder: Path, items: list[dict[str, Any]], as_of: str, previous: str | None, key: OKPKey) -> dict[str, Any]:
    """Write one manifest folder by the rules of `documents`; its document."""
    lines = []
    for each in items:
        body = json.dumps(each, ensure_ascii=False, separators=(",", ":"))
        lines.append({"item_id": documents.item_id("crm", as_of, previous, body), **each})
    content = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
    actions = [each["action"] for each in items]
    document: dict[str, Any] = {
        "schema": documents.SCHEMA, "system": "crm", "controller": "Exempelbolaget Å & Ö AB", "as_of": as_of,
        "issued_at": f"{as_of}T03:00:00Z", "respond_by": "2026-12-22",
        "policy": {"version": "1", "sha256": "ab" * 32},
        "items": {"file": "items.jsonl", "count": len(items), "sha256": hashlib.sha256(content.encode()).hexdigest()},
        "counts": {action: actions.count(action) for action in ("erase", "redact", "restrict", "lift", "notify")},
        "previous": previous,
        "state_of_inputs": [{"source": "crm", "delivery_id": "2026-11-22T02-00", "digest": "cd" * 32}],
    }  # fmt: skip
    document = {"manifest_id": documents.manifest_id(document), **document}
    place = folder / document["manifest_id"]
    place.mkdir(parents=True)
    (place / documents.ITEMS).write_text(content, encoding="utf-8", newline="")
    table = documents.CSV_HEADER + "".join(documents.csv_line(line) for line in lines)
    (place / documents.TABLE).write_text(table, encoding="utf-8", newline="")
    sign(place, document, key)
    return document


def sign(place: Path, document: dict[str, Any], key: OKPKey) -> None:
    (place / documents.DOCUMENT).write_text(document_text(document), encoding="utf-8", newline="")
    (place / documents.SIGNATURE).write_text(Signer(key).sign(documents.canonical(document)) + "\n", newline="")


def change(place: Path, name: str, old: str, new: str) -> None:
    text = (place / name).read_text(encoding="utf-8")
    assert old in text
    (place / name).write_text(text.replace(old, new, 1), encoding="utf-8", newline="")


def make(folder: Path) -> None:
    """Write every vector below `folder`."""
    key, other = test_key("the sender's"), test_key("somebody else's")
    (folder / "TEST-KEY.pub.pem").write_bytes(key.as_pem(private=False))
    (folder / "OTHER-TEST-KEY.pub.pem").write_bytes(other.as_pem(private=False))
    first = write(folder / "valid" / "manifests", FIRST, "2026-11-22", None, key)
    (folder / "valid" / "canonical.json").write_bytes(documents.canonical(first))
    second = write(folder / "follows" / "manifests", SECOND, "2026-11-23", documents.digest(first), key)
    after = write(folder / "after-cancelled" / "manifests", THIRD, "2026-11-24", documents.digest(second), key)
    shutil.copytree(folder / "follows" / "manifests", folder / "after-cancelled" / "cancelled")
    for name in (documents.ITEMS, documents.TABLE):
        (folder / "after-cancelled" / "cancelled" / second["manifest_id"] / name).unlink()
    shutil.copytree(folder / "after-cancelled", folder / "after-recalled")
    shutil.copytree(folder / "follows" / "manifests", folder / "cancelled" / "manifests")
    shutil.copytree(folder / "after-cancelled" / "cancelled", folder / "cancelled" / "cancelled")
    write(folder / "wrong-key" / "manifests", FIRST, "2026-11-22", None, other)
    shutil.copytree(folder / "after-cancelled" / "manifests", folder / "missing-link" / "manifests")
    place = Path("manifests") / first["manifest_id"]
    for name in ("tampered-item", "tampered-header", "tampered-table", "replayed"):
        shutil.copytree(folder / "valid" / place, folder / name / place)
    change(folder / "tampered-item" / place, documents.ITEMS, "K1005", "K1009")
    change(
        folder / "tampered-header" / place,
        documents.DOCUMENT,
        '"respond_by": "2026-12-22"',
        '"respond_by": "2029-12-22"',
    )
    change(folder / "tampered-table" / place, documents.TABLE, '"K1005"', '"K1009"')
    sign(folder / "replayed" / place, {**first, "issued_at": "2026-11-29T03:00:00Z"}, key)
    _write_receipt(folder, first)
    expected = [{**each, "manifest": _only(folder / each["vector"] / "manifests", folder)} for each in EXPECTED]
    (folder / "vectors.json").write_text(json.dumps(expected, indent=2) + "\n")
    assert after["previous"] == documents.digest(second)


def _write_receipt(folder: Path, document: dict[str, Any]) -> None:
    """A receipt for the valid vector: one line of each kind that its three items can show."""
    place = folder / "valid" / "manifests" / document["manifest_id"] / documents.ITEMS
    ids = [json.loads(line)["item_id"] for line in place.read_text(encoding="utf-8").splitlines()]
    common = {"manifest_id": document["manifest_id"], "at": "2026-11-25T09:30:00Z"}
    answers = [
        {**common, "item_id": ids[0], "status": "done"},
        {**common, "item_id": ids[1], "status": "withheld", "detail": "order_open", "until": "2027-05-24"},
        {**common, "item_id": ids[2], "status": "refused", "detail": "not_supported"},
    ]
    (folder / "valid" / "receipt.jsonl").write_text("".join(json.dumps(line) + "\n" for line in answers))


def _only(folder: Path, root: Path) -> str:
    (found,) = folder.iterdir()
    return found.relative_to(root).as_posix()


if __name__ == "__main__":
    for old in VECTORS.iterdir() if VECTORS.is_dir() else []:
        if old.name != "README.md":
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    VECTORS.mkdir(parents=True, exist_ok=True)
    make(VECTORS)
    sys.stdout.write(f"{sum(1 for path in VECTORS.rglob('*') if path.is_file())} files\n")
