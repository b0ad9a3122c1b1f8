"""Keys that only their owner can read, and signatures that anyone can check."""

from __future__ import annotations

import json
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from assets.errors import BadInput
from assets.manifests.signatures import PublicKey, Signer, make_key


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    private, public = tmp_path / "signing.pem", tmp_path / "signing.pub.pem"
    make_key(private, public)
    return private, public


def test_the_private_key_is_its_owners_alone(keys: tuple[Path, Path]) -> None:
    assert stat.S_IMODE(keys[0].stat().st_mode) == 0o600
    assert b"PRIVATE" not in keys[1].read_bytes()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_that_others_can_reach_is_refused(keys: tuple[Path, Path], mode: int) -> None:
    keys[0].chmod(mode)
    with pytest.raises(BadInput, match="chmod 600"):
        Signer.load(keys[0])


def test_a_key_is_never_overwritten(keys: tuple[Path, Path]) -> None:
    before = keys[0].read_bytes()
    with pytest.raises(BadInput, match="never overwritten"):
        make_key(*keys)
    assert keys[0].read_bytes() == before


@pytest.mark.parametrize("header", [{"alg": "Ed25519", "crit": 1}, {"alg": 7}, {"alg": "Ed25519", "b64": []}, [], 7])
def test_a_signature_whose_header_is_none_does_not_fit(keys: tuple[Path, Path], header: object) -> None:
    _, _, made = Signer.load(keys[0]).sign(b"{}").split(".")
    written = urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    assert not PublicKey.load(keys[1]).fits(f"{written}..{made}", b"{}")


def test_a_signature_fits_its_payload_and_key_alone(keys: tuple[Path, Path], tmp_path: Path) -> None:
    signature = Signer.load(keys[0]).sign(b'{"a":1}')
    assert signature == Signer.load(keys[0]).sign(b'{"a":1}')
    public = PublicKey.load(keys[1])
    assert public.fits(signature, b'{"a":1}')
    assert not public.fits(signature, b'{"a":2}')
    make_key(tmp_path / "other.pem", tmp_path / "other.pub.pem")
    assert not PublicKey.load(tmp_path / "other.pub.pem").fits(signature, b'{"a":1}')


def test_the_signature_is_a_detached_jws_that_plain_ed25519_checks(keys: tuple[Path, Path]) -> None:
    header, payload, signature = Signer.load(keys[0]).sign(b"text").split(".")
    assert payload == ""
    assert json.loads(urlsafe_b64decode(header + "==")) == {
        "alg": "Ed25519",
        "kid": PublicKey.load(keys[1]).key_id,
    }
    signed = f"{header}.dGV4dA".encode()
    load_pem_public_key(keys[1].read_bytes()).verify(urlsafe_b64decode(signature + "=="), signed)  # type: ignore[union-attr, call-arg]


@pytest.mark.parametrize("signature", ["", "..", "a.b.c", "x..y", "eyJhbGciOiJub25lIn0..", "å..ä"])
def test_what_is_no_signature_does_not_fit(keys: tuple[Path, Path], signature: str) -> None:
    assert not PublicKey.load(keys[1]).fits(signature, b"")


def test_wrong_files_are_told_apart(keys: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="private key"):
        PublicKey.load(keys[0])
    keys[1].chmod(0o600)
    with pytest.raises(BadInput, match="no private key"):
        Signer.load(keys[1])
    (tmp_path / "text.pem").write_text("no key")
    with pytest.raises(BadInput, match="no Ed25519 key"):
        PublicKey.load(tmp_path / "text.pem")
    with pytest.raises(BadInput):
        PublicKey.load(tmp_path / "missing.pem")
