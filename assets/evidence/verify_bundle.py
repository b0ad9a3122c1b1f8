"""Checks an evidence bundle offline: `python verify_bundle.py BUNDLE [PUBLIC_KEY.pem]`, a folder or a zip.

Stands alone, so that nobody has to trust or install Gallring: Python 3.11, and the package `cryptography` for the
signatures. A line of `entries/` is one entry in RFC 8785 form; the entry after it names its SHA-256 as `previous`.
`head.json` signs the number and the last digest, `contents.json` the digest of every file. Without PUBLIC_KEY the key
in the bundle is used, which proves no more than that the bundle fits itself: compare the key with one that you got
another way. Exit code 0: all holds. 1: something does not. 2: it could not be checked in full.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

HEAD, CONTENTS, KEY, ENTRIES = "head.json", "contents.json", "signing.pub.pem", "entries/"
LARGEST, MOST_FILES = 1 << 28, 10_000


def read(path: Path) -> dict[str, bytes]:
    """Every file of a bundle by its name; nothing is unpacked and no link followed."""
    if path.is_file():
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len({each.filename for each in members}) != len(members):
                raise ValueError("a name stands twice in it")
            if len(members) > MOST_FILES or sum(each.file_size for each in members) > LARGEST:
                raise ValueError("it is larger than any bundle")
            return {each.filename: archive.read(each) for each in members}
    found = [each for each in sorted(path.rglob("*")) if each.is_symlink() or not each.is_dir()]
    if any(each.is_symlink() or not each.is_file() for each in found):
        raise ValueError("it holds a link, or what is no file")
    if not found or len(found) > MOST_FILES or sum(each.stat().st_size for each in found) > LARGEST:
        raise ValueError("it is empty, or larger than any bundle")
    return {each.relative_to(path).as_posix(): each.read_bytes() for each in found}


def canonical(value: Any) -> bytes:
    """RFC 8785 of what bundles hold: ASCII names, texts, whole numbers, true, false and null."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def lines_of(files: dict[str, bytes]) -> list[bytes]:
    """The entries' lines in their order; the last one is empty where the last line is whole."""
    return b"".join(files[name] for name in sorted(files) if name.startswith(ENTRIES)).split(b"\n")


def chain_problems(lines: Sequence[bytes]) -> Iterator[str]:
    """What is wrong with the chain of whole `lines`."""
    previous = None
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            whole = isinstance(entry, dict) and canonical(entry) == line
        except (ValueError, RecursionError):
            whole = False
        if not whole:
            yield f"Entry {number} is no JSON object in canonical form."
            return
        if entry.get("sequence") != number or entry.get("previous") != previous:
            yield f"Entry {number} does not follow the one before it: one was changed, dropped, added or moved."
            return
        previous = hashlib.sha256(line).hexdigest()


def signature_fits(signature: str, payload: bytes, pem: bytes) -> bool:
    """Whether the detached JWS (Ed25519) was made over `payload` by the key's other half."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        header, middle, mark = signature.split(".")
        content = f"{header}.{base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}".encode()
        load_pem_public_key(pem).verify(base64.urlsafe_b64decode(mark + "=="), content)  # type: ignore[union-attr,call-arg]
    except (ValueError, TypeError, AttributeError, InvalidSignature):
        return False
    return not middle


def signed(files: dict[str, bytes], name: str, pem: bytes) -> dict[str, Any]:
    """What a signed file says, once its signature fits."""
    document = json.loads(files[name])
    said: dict[str, Any] = document["signed"]
    if not signature_fits(document["signature"], canonical(said), pem):
        raise ValueError(f"the signature of {name} does not fit: it was changed, or another key signed it")
    return said


def problems(files: dict[str, bytes], pem: bytes) -> Iterator[str]:
    """Everything that is wrong with a bundle."""
    contents, head, lines = signed(files, CONTENTS, pem), signed(files, HEAD, pem), lines_of(files)
    listed = {each["path"]: each["sha256"] for each in contents["files"]}
    if listed != {name: hashlib.sha256(files[name]).hexdigest() for name in files if name != CONTENTS}:
        yield "The files are not those of contents.json: one was changed, taken out or put in."
    if lines[-1] or len(lines) - 1 != head["entries"]:
        yield f"The log holds {len(lines) - 1} whole entries where its signed head says {head['entries']}."
    yield from chain_problems(lines[:-1])
    if head["digest"] != (hashlib.sha256(lines[-2]).hexdigest() if len(lines) > 1 else None):
        yield "The last entry is not the one that the signed head names."


def main(arguments: Sequence[str]) -> int:
    """Check the bundle that is named, say what was found, and return the exit code."""
    try:
        files = read(Path(arguments[0]))
        pem = Path(arguments[1]).read_bytes() if len(arguments) > 1 else files[KEY]
        found = list(problems(files, pem))
    except ImportError:
        sys.stderr.write("Signatures need the package `cryptography`; without it nothing is proven.\n")
        return 2
    except (
        ValueError,
        LookupError,
        TypeError,
        OSError,
        RecursionError,
        RuntimeError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        kind = str(error) if type(error) is ValueError else f"it lacks a part of a bundle ({type(error).__name__})"
        sys.stderr.write(f"No evidence: {kind}.\n")
        return 1
    print_key = hashlib.sha256(pem).hexdigest()
    sys.stdout.write("".join(f"{each}\n" for each in found) or f"All holds. SHA-256 of the key's file: {print_key}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if len(sys.argv) > 1 else 2)
