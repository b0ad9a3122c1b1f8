"""Signing keys and signatures: Ed25519, as detached JSON Web Signatures (RFC 7515 appendix F, RFC 9864).

Makes, reads and guards keys, signs bytes and checks signatures. What the bytes mean is `sealing`'s and `verifying`'s.
"""

from __future__ import annotations

import json
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from assets.errors import BadInput
from assets.writing import write_whole

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALGORITHM = "Ed25519"
_CURVE: Literal["Ed25519"] = "Ed25519"
_LARGEST_KEY = 16_384


class PublicKey:
    """A public key: all that it takes to check a signature."""

    def __init__(self, key: OKPKey) -> None:
        """Wrap an Ed25519 key; `load` reads one from a file."""
        self._key = key

    @classmethod
    def load(cls, path: Path) -> PublicKey:
        """Read a public key in PEM (SubjectPublicKeyInfo).

        Raises:
            BadInput: there is no such file, or it is no Ed25519 public key.
        """
        key = _imported(path, _read_regular(path, "public key"))
        if key.is_private:
            raise BadInput(f"{path} is a private key: give the public one, signing.pub.pem, to those who verify.")
        return cls(key)

    @property
    def key_id(self) -> str:
        """The key's thumbprint (RFC 7638)."""
        return self._key.thumbprint()

    def fits(self, signature: str, payload: bytes) -> bool:
        """Whether the detached `signature` was made over `payload` with this key's other half."""
        parts = signature.strip().split(".")
        if len(parts) != 3 or parts[1]:
            return False
        whole = f"{parts[0]}.{urlsafe_b64encode(payload).rstrip(b'=').decode()}.{parts[2]}"
        try:
            return jws.deserialize_compact(whole, self._key, algorithms=[ALGORITHM]).payload == payload
        except (JoseError, ValueError, TypeError, AttributeError):  # the last two of headers that are no headers
            return False


class Signer:
    """A private key that signs manifests."""

    def __init__(self, key: OKPKey) -> None:
        """Wrap a private Ed25519 key; `load` reads one from a file."""
        self._key = key

    @classmethod
    def load(cls, path: Path) -> Signer:
        """Read the private key at `path`, a PEM that nobody but its owner may read.

        Raises:
            BadInput: the file is missing, readable for others, or no Ed25519 private key.
        """
        content = _read_regular(path, "signing key")
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise BadInput(f"{path} can be read by others than its owner: run `chmod 600 {path}`, and if they could "
                           "have read it, make a new key.")  # fmt: skip
        key = _imported(path, content)
        if not key.is_private:
            raise BadInput(f"{path} holds no private key: sealing needs one to sign with.")
        return cls(key)

    @property
    def public(self) -> PublicKey:
        """The key's other half."""
        return PublicKey(OKPKey.import_key(self._key.as_dict(private=False)))

    def sign(self, payload: bytes) -> str:
        """A detached JWS over `payload`. The same key and payload always give the same text."""
        header = {"alg": ALGORITHM, "kid": self.public.key_id}
        protected, _, signature = jws.serialize_compact(header, payload, self._key, algorithms=[ALGORITHM]).split(".")
        return f"{protected}..{signature}"

    def sign_bytes(self, payload: bytes) -> bytes:
        """The bare Ed25519 signature over `payload` (64 bytes), for formats that are no JWS."""
        return cast("Ed25519PrivateKey", self._key.private_key).sign(payload)


def make_key(private: Path, public: Path) -> None:
    """Make a key pair: the private key at `private` (PEM, mode 0600), the public one at `public`.

    Raises:
        BadInput: the private key is there already; a key is never overwritten.
    """
    if private.exists():
        raise BadInput(f"{private} is there already: a signing key is never overwritten. Move it away first.")
    write_whole(private, OKPKey.generate_key(_CURVE, private=True).as_pem(private=True))
    write_public_key(private, public)


def write_public_key(private: Path, public: Path) -> None:
    """Write the other half of the private key at `private` to `public`, for everybody to read."""
    write_whole(public, _imported(private, _read_regular(private, "signing key")).as_pem(private=False), mode=0o644)


def key_id_in(path: Path) -> str:
    """The thumbprint of the key at `path`, the same of both halves of a pair.

    Raises:
        BadInput: there is no such file, or it is no Ed25519 key.
    """
    return _imported(path, _read_regular(path, "signing key")).thumbprint()


def key_id_of(signature: str) -> str | None:
    """The thumbprint of the key that a detached `signature` says it was made with; None where it says none."""
    protected = signature.partition(".")[0]
    try:
        said = json.loads(urlsafe_b64decode(protected + "=" * (-len(protected) % 4)))["kid"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return said if isinstance(said, str) else None


def _read_regular(path: Path, what: str) -> bytes:
    try:
        if not path.exists():
            raise BadInput(f"The {what} {path} is missing: restore it from the backup of the keys, or name its file.")
        if not path.is_file() or path.stat().st_size > _LARGEST_KEY:
            raise BadInput(f"{path} is no {what}: expected a PEM file.")
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"The {what} {path} cannot be read: {error.strerror}.") from None


def _imported(path: Path, content: bytes) -> OKPKey:
    try:
        key = OKPKey.import_key(content)
    except (JoseError, ValueError, TypeError, AttributeError):
        raise BadInput(f"{path} is no Ed25519 key in PEM.") from None
    if key.curve_name != _CURVE:
        raise BadInput(f"{path} is a key of another kind: Ed25519 is needed.")
    return key
