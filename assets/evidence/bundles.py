"""Evidence for others: one bundle with the log, the policy, the schema, the public key and a script that checks it.

A bundle is a folder or a zip; the same log and policy always give the same bytes. What is checked without Gallring is
`verify_bundle`'s; here is that, and whether each entry follows its schema and the policy is the one it names.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assets.contracts.declarations import CONTRACTS
from assets.errors import BadInput
from assets.evidence import verify_bundle
from assets.evidence.chain import signed_document, signed_files
from assets.evidence.entries import SCHEMA, entry_fits
from assets.evidence.verify_bundle import CONTENTS, ENTRIES, KEY, lines_of
from assets.manifests.signatures import PublicKey, Signer
from assets.policy import Policy
from assets.site import Site
from assets.writing import write_whole

BUNDLE_SCHEMA = "gallring-evidence-bundle/1"
SCRIPT = Path(verify_bundle.__file__)
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class EvidenceCheck:
    """What was found: how many entries, the SHA-256 of the key's file, everything that does not hold."""

    path: Path
    entries: int
    key_sha256: str
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def export(site: Site, policy: Policy, signer: Signer, public_key: Path, target: Path) -> Path:
    """Write the site's evidence to `target`: a zip where the name says so, else a new folder.

    Raises:
        EvidenceBroken: the log is not what was signed; a broken one is not passed on.
        BadInput: the target is there already, or there is no log yet.
    """
    if target.exists():
        raise BadInput(f"{target} is there already: name a file or folder that is not.")
    log = signed_files(site, signer.public)
    if not any(name.startswith(ENTRIES) for name in log):
        raise BadInput(f"{site.evidence} holds no evidence yet: `gallring run --site {site.argument}` writes it.")
    files = {**log, **_policy_files(policy), KEY: public_key.read_bytes(),
             f"schemas/{SCHEMA.name}": SCHEMA.read_bytes(), SCRIPT.name: SCRIPT.read_bytes()}  # fmt: skip
    said = {
        "schema": BUNDLE_SCHEMA,
        "controller": policy.register.controller,
        "policy": {"version": policy.version, "sha256": policy.sha256},
        "files": [
            {"path": name, "sha256": hashlib.sha256(content).hexdigest()} for name, content in sorted(files.items())
        ],
    }
    files[CONTENTS] = signed_document(said, signer)
    if target.suffix == ".zip":
        write_whole(target, _zipped(files))
    else:
        _write_folder(target, files)
    return target


def check(path: Path, key: Path | None = None) -> EvidenceCheck:
    """Check a bundle, offline, with the public key in the file `key`, else with the one that it brings.

    Raises:
        BadInput: there is no such bundle, or `key` is no public key.
    """
    if not path.exists():
        raise BadInput(f"{path} is not there: name an exported bundle, a folder or a zip.")
    pem = b""
    if key is not None:
        PublicKey.load(key)
        pem = key.read_bytes()
    entries, found = 0, []
    try:
        files = verify_bundle.read(path)
        pem = pem or files[KEY]
        entries = len(lines_of(files)) - 1
        found = [*verify_bundle.problems(files, pem), *_misfits(lines_of(files)[:-1])]
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
        kind = str(error) if type(error) is ValueError else "it lacks a part of a bundle, or is none"
        found = [f"No evidence: {kind}."]
    return EvidenceCheck(path, entries, hashlib.sha256(pem).hexdigest(), tuple(found))


def _misfits(lines: list[bytes]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        try:
            fits = entry_fits(json.loads(line))
        except (ValueError, RecursionError):
            fits = False
        if not fits:
            yield f"Entry {number} does not follow {SCHEMA.name}."
            return


def _policy_files(policy: Policy) -> dict[str, bytes]:
    """The register, the purposes and the contracts that apply now, under the names of a policy folder."""
    files = {"policy/register.yaml": policy.register_path.read_bytes()}
    for model in policy.purpose_models:
        files[f"policy/purposes/{model.path.name}"] = model.path.read_bytes()
    own = policy.register_path.parent / "contracts"
    for path in sorted((own if own.is_dir() else CONTRACTS).glob("*.y*ml")):
        files[f"policy/contracts/{path.name}"] = path.read_bytes()
    return files


def _zipped(files: dict[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, date_time=_EPOCH)
            member.external_attr = 0o600 << 16
            archive.writestr(member, files[name], zipfile.ZIP_DEFLATED)
    return whole.getvalue()


def _write_folder(target: Path, files: dict[str, bytes]) -> None:
    """The folder gets its name when it is whole."""
    half = target.with_name(f".{target.name}.{os.getpid()}")
    for name, content in files.items():
        path = half / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, content)
    half.rename(target)
