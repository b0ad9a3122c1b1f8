"""The log on disk: entries one a line, each with the digest of the one before, under a signed head.

`evidence/entries/entries-NNNNNNNN.jsonl` are the entries in RFC 8785 form, named by the first entry's number;
`evidence/head.json` signs how many there are and the last one's digest. Entries are appended and made durable first,
the head follows: what stands after the head was cut short by a crash, or put there by somebody without the key, so it
counts as never written. Knows nothing of what entries say.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assets.errors import CheckFailed
from assets.evidence.verify_bundle import ENTRIES, HEAD, KEY, LARGEST, canonical, chain_problems, lines_of
from assets.manifests.signatures import PublicKey, Signer, key_id_of
from assets.site import Site
from assets.writing import discard_half_written, flush, write_whole

ENTRY_SCHEMA = "gallring-evidence/1"
HEAD_SCHEMA = "gallring-evidence-head/1"
ENTRIES_A_FILE = 50_000
_FOLDER = "entries"
_LARGEST_HEAD = 65_536


class EvidenceBroken(CheckFailed):
    """The log is not what was signed."""


@dataclass(frozen=True)
class Chain:
    """A log that holds. `surplus` counts the bytes after the signed head, of entries that were never finished."""

    entries: tuple[dict[str, Any], ...]
    digest: str | None
    surplus: int


def read_chain(site: Site, key: PublicKey) -> Chain:
    """The site's log, checked against its signed head.

    Raises:
        EvidenceBroken: an entry was changed, dropped, added or moved, or the head is missing or not signed by `key`.
    """
    return _checked(site, evidence_files(site), key)


def signed_files(site: Site, key: PublicKey) -> dict[str, bytes]:
    """The log's files by their names in a bundle, checked, without what a crash or a run at work left after the head.

    Raises:
        EvidenceBroken: as `read_chain`.
    """
    files = evidence_files(site)
    chain = _checked(site, files, key)
    left = _size_of(chain)
    for name in sorted(name for name in files if name.startswith(ENTRIES)):
        files[name], left = files[name][:left], max(left - len(files[name]), 0)
    return {name: content for name, content in files.items() if content}


def _checked(site: Site, files: dict[str, bytes], key: PublicKey) -> Chain:
    if HEAD not in files:
        if any(files.values()):
            raise EvidenceBroken(f"{site.evidence / HEAD} is missing beside entries: restore it from the last export.")
        return Chain((), None, 0)
    head = _head(files[HEAD], key)
    lines = lines_of(files)
    whole, rest = lines[: head["entries"]], lines[head["entries"] :]
    if len(lines) - 1 < head["entries"]:
        raise EvidenceBroken(
            f"The evidence log holds {len(lines) - 1} whole entries where its signed head says {head['entries']}: it "
            "was cut off. Restore evidence/ from the last export or backup."
        )
    found = next(chain_problems(whole), None)
    digest = hashlib.sha256(whole[-1]).hexdigest() if whole else None
    if found or digest != head["digest"]:
        raise EvidenceBroken(
            f"The evidence log was changed. {found or 'Its last entry is not the one that was signed.'}"
        )
    return Chain(tuple(json.loads(line) for line in whole), digest, len(b"\n".join(rest)))


def signed_with(site: Site) -> str | None:
    """The id of the key that the head of the site's log says it was signed with; None without a head that says one."""
    try:
        with (site.evidence / HEAD).open("rb") as file:
            return key_id_of(json.loads(file.read(_LARGEST_HEAD))["signature"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # left to who checks the log


def append(
    site: Site, signer: Signer, chain: Chain, entries: Sequence[Mapping[str, Any]], recorded_at: datetime
) -> Chain:
    """Write `entries` (kind, subject, facts) after `chain`, durably, and sign the new head; returns it all."""
    _begin(site, signer, chain, recorded_at)
    at, digest, written = _instant(recorded_at), chain.digest, list(chain.entries)
    blocks: dict[Path, list[bytes]] = {}
    for entry in entries:
        sequence = len(written) + 1
        whole = {"schema": ENTRY_SCHEMA, "sequence": sequence, "previous": digest, "recorded_at": at, **entry}
        line = canonical(whole)
        digest = hashlib.sha256(line).hexdigest()
        written.append(whole)
        blocks.setdefault(_file_of(site, sequence), []).append(line)
    for path, lines in blocks.items():
        _add(path, b"".join(line + b"\n" for line in lines))
    if entries:
        write_head(site, signer, len(written), digest, recorded_at)
    return Chain(tuple(written), digest, 0)


def write_head(site: Site, signer: Signer, entries: int, digest: str | None, recorded_at: datetime) -> None:
    """Sign how many entries there are and which is the last."""
    said = {"schema": HEAD_SCHEMA, "entries": entries, "digest": digest, "recorded_at": _instant(recorded_at)}
    write_whole(site.evidence / HEAD, signed_document(said, signer))


def signed_document(said: Mapping[str, Any], signer: Signer) -> bytes:
    """A document with the detached JWS over the RFC 8785 form of what it says."""
    return canonical({"signed": said, "signature": signer.sign(canonical(said))}) + b"\n"


def evidence_files(site: Site) -> dict[str, bytes]:
    """The log's files by their names in a bundle; a link is no part of it."""
    return {name: path.read_bytes() for name, path in _parts(site)}


def _parts(site: Site) -> Iterator[tuple[str, Path]]:
    paths = [site.evidence / HEAD, *_logs(site)]
    total = 0
    for path in paths:
        if path.is_symlink():
            raise EvidenceBroken(f"{path} is a link: the evidence log is plain files.")
        if path.is_file():
            total += path.stat().st_size
            if total > LARGEST:
                raise EvidenceBroken(f"{site.evidence} is larger than any log of this site.")
            yield path.relative_to(site.evidence).as_posix(), path


def _logs(site: Site) -> list[Path]:
    """The files of entries. They are listed, since a pattern finds none in a folder that is closed."""
    folder = site.evidence / _FOLDER
    return sorted(path for path in folder.iterdir() if path.match("entries-*.jsonl")) if folder.is_dir() else []


def _head(content: bytes, key: PublicKey) -> dict[str, Any]:
    try:
        document = json.loads(content[:_LARGEST_HEAD])
        said: dict[str, Any] = document["signed"]
        fits = key.fits(document["signature"], canonical(said)) and said["schema"] == HEAD_SCHEMA
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        fits = False
    if not fits:
        raise EvidenceBroken(
            f"{HEAD} of the evidence log does not carry this site's signature ({KEY}): it was changed."
        )
    return said


def _begin(site: Site, signer: Signer, chain: Chain, recorded_at: datetime) -> None:
    """Make the folder and the first head; take away what a crash left after the signed one."""
    folder = site.evidence / _FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    discard_half_written(site.evidence / HEAD)
    if not (site.evidence / HEAD).exists():
        write_head(site, signer, 0, None, recorded_at)
    if chain.surplus:
        _cut(site, chain)


def _cut(site: Site, chain: Chain) -> None:
    left = _size_of(chain)
    for path in _logs(site):
        size = path.stat().st_size
        if size > left:
            os.truncate(path, left)
        left = max(left - size, 0)


def _size_of(chain: Chain) -> int:
    return sum(len(canonical(entry)) + 1 for entry in chain.entries)


def _file_of(site: Site, sequence: int) -> Path:
    first = (sequence - 1) // ENTRIES_A_FILE * ENTRIES_A_FILE + 1
    return site.evidence / _FOLDER / f"entries-{first:08}.jsonl"


def _add(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    flush(path.parent)


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
