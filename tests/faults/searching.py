"""A byte search that is hard to hide from: any file, any case, UTF-8 and UTF-16, base64 and hex, packed or not."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

_LARGEST = 1 << 26
_CHUNK = 1 << 14
_DEPTH = 3
#: Where packed bytes may begin: zlib, gzip, a zip's member.
_PACKED = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08|PK\x03\x04")


def places_of(needle: str, *roots: Path) -> list[str]:
    """The files below `roots` (or the roots themselves) that hold `needle` in some form, by path."""
    found = []
    for root in roots:
        files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
        for path in files:
            name = path.relative_to(root).as_posix() if root.is_dir() else path.name
            if holds(path.read_bytes(), needle) or needle.lower() in name.lower():
                found.append(name)
    return found


def holds(content: bytes, needle: str, depth: int = 0) -> bool:
    """Whether `content` holds `needle` as it stands, in another encoding or case, or packed inside it."""
    lowered = content.lower()
    if any(form in lowered for form in _forms(needle)) or any(form in content for form in _encoded(needle)):
        return True
    return depth < _DEPTH and any(holds(inner, needle, depth + 1) for inner in _unpacked(content))


def _forms(needle: str) -> list[bytes]:
    low = needle.lower()
    return [low.encode(), low.encode("utf-16-le"), low.encode("utf-16-be"), low.encode().hex().encode()]


def _encoded(needle: str) -> Iterator[bytes]:
    """Base64 at its three alignments, without the ends that depend on what stands beside it."""
    for case in {needle, needle.lower(), needle.upper()}:
        for shift in range(3):
            text = base64.b64encode(b"\0" * shift + case.encode())
            yield text[4 if shift else 0 : -4]
            yield text[4 if shift else 0 : -4].translate(bytes.maketrans(b"+/", b"-_"))


def _unpacked(content: bytes) -> Iterator[bytes]:
    view = memoryview(content)
    for match in _PACKED.finditer(content):
        start, bits = match.start(), 15
        if match.group().startswith(b"PK"):
            start += 30 + int.from_bytes(content[start + 26 : start + 28], "little")
            start += int.from_bytes(content[match.start() + 28 : match.start() + 30], "little")
            bits = -15
        elif match.group().startswith(b"\x1f"):
            bits = 31
        inner = _inflated(view[start:], bits)
        if inner:
            yield inner


def _inflated(packed: memoryview, bits: int) -> bytes:
    """What unpacks, up to where it is no packed stream any more."""
    stream, found = zlib.decompressobj(bits), bytearray()
    for at in range(0, len(packed), _CHUNK):
        try:
            found += stream.decompress(packed[at : at + _CHUNK])
        except zlib.error:
            break
        if stream.eof or len(found) > _LARGEST:
            break
    return bytes(found)
