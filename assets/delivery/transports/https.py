"""Delivery over HTTPS (httpx): each request is signed with the site's key (RFC 9421) and bears its content's digest.

`PUT ADDRESS/manifests/MANIFEST_ID/FILE` for each file, the document last; `GET ADDRESS/receipts` for the answers, as
JSON Lines. Redirects are not followed, proxies of the environment are not asked, nothing is sent in the clear.
"""

from __future__ import annotations

import hashlib
import ssl
from base64 import b64encode
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from assets.delivery.transports.contract import (
    CANCELLED,
    LARGEST_RECEIPT_FILE,
    RECEIPTS,
    TIMEOUT,
    Parcel,
    ReceiptFile,
    RetryableTransportError,
    TerminalTransportError,
    TransportError,
    parts_of,
)
from assets.manifests.signatures import Signer

if TYPE_CHECKING:
    import httpx

#: What each signature covers; a content also its digest and length.
COVERED = ("@method", "@target-uri", "content-digest")
IDEMPOTENCY_KEY = "idempotency-key"
LABEL, TAG = "gallring", "gallring"
#: How long a receiver may take a request for a fresh one.
VALID_FOR = timedelta(minutes=5)

_DONE = (200, 201, 202, 204)
_PASSES = (408, 423, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class HttpsAccess:
    """Where the receiver is and what it is known by.

    Attributes:
        address: `https://HOST/PATH`.
        certificate: the authorities to trust, in PEM, instead of this machine's.
        token: sent as a bearer token beside the signature, where the receiver wants one.
    """

    address: str
    signer: Signer
    clock: Callable[[], datetime]
    certificate: Path | None = None
    token: str | None = field(default=None, repr=False)
    timeout: float = TIMEOUT


class HttpsTransport:
    """Puts the files one by one; the receiver has the manifest whole once its document has come."""

    def __init__(self, access: HttpsAccess) -> None:
        """Check what can be checked without the server.

        Raises:
            TerminalTransportError: the address is none, or not HTTPS.
        """
        url = parts_of(access.address)
        if url.scheme != "https" or not url.hostname or url.query or url.fragment or url.username:
            raise TerminalTransportError("settings", "An HTTPS address is written https://HOST/PATH.")
        self._access = access
        self._address = access.address.rstrip("/")

    def put(self, manifest_folder: Path, manifest_id: str) -> None:
        """Put the manifest's files, its document last."""
        self._put(Parcel(manifest_folder, manifest_id))

    def put_cancelled(self, manifest_folder: Path, manifest_id: str) -> None:
        """Put the document and signature of a manifest that will never come."""
        self._put(Parcel(manifest_folder, manifest_id, CANCELLED))

    def fetch_receipts(self, seen: Collection[tuple[str, str]]) -> list[ReceiptFile]:
        """All answers of the receiver as one file, if they have changed since the version in `seen` fetched last.

        The others are not named: a header that grew with every change would be refused one day.
        """
        versions = [version for name, version in seen if name == RECEIPTS and '"' in version]
        headers = {"Accept": "application/x-ndjson", **({"If-None-Match": versions[-1]} if versions else {})}
        with self._client() as client:
            request = client.build_request("GET", f"{self._address}/{RECEIPTS}", headers=headers)
            self._sign(request, hashlib.sha256(), ())
            response = client.send(request, stream=True)
            try:
                if response.status_code in (204, 304, 404):
                    return []
                _judge(response.status_code)
                content = _read(response)
            finally:
                response.close()
        version = response.headers.get("ETag", "")
        return [ReceiptFile(RECEIPTS, version if '"' in version else hashlib.sha256(content).hexdigest(), content)]

    def _put(self, parcel: Parcel) -> None:
        with self._client() as client:
            for name in parcel.names:
                self._put_file(client, parcel, name)

    def _put_file(self, client: httpx.Client, parcel: Parcel, name: str) -> None:
        path = parcel.folder / name
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256")
            content.seek(0)
            request = client.build_request(
                "PUT",
                f"{self._address}/{parcel.place}/{quote(parcel.manifest_id)}/{name}",
                content=content,
                headers={
                    "Idempotency-Key": f'"{parcel.manifest_id}"',
                    "Content-Type": "application/octet-stream",
                    "Content-Length": str(path.stat().st_size),
                },
            )
            self._sign(request, digest, (IDEMPOTENCY_KEY, "content-length"))
            response = client.send(request, stream=True)
            response.close()  # what it says is not read: it may quote what it was sent
        _judge(response.status_code)

    def _sign(self, request: httpx.Request, digest: Any, more: tuple[str, ...]) -> None:
        request.headers["Content-Digest"] = f"sha-256=:{b64encode(digest.digest()).decode()}:"
        sign_request(request, self._access.signer, self._access.clock(), (*COVERED, *more))

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        """A client; what the line or the certificate does comes out as ours."""
        import httpx

        access = self._access
        headers = {"Authorization": f"Bearer {access.token}"} if access.token else {}
        try:
            trusted = ssl.create_default_context(cafile=access.certificate)
        except (OSError, ssl.SSLError):
            raise TerminalTransportError("settings", "The certificate file cannot be read, or is none.") from None
        try:
            with httpx.Client(verify=trusted, trust_env=False, timeout=access.timeout, headers=headers) as client:
                yield client
        except (httpx.InvalidURL, UnicodeError):  # a name that no server can have, a token that no header can hold
            raise TerminalTransportError(
                "settings", "The receiver's address or token is none: an address is written https://HOST/PATH."
            ) from None
        except httpx.TransportError as error:
            raise _line_failure(error) from None


def sign_request(message: Any, signer: Signer, created: datetime, covered: tuple[str, ...]) -> None:
    """Add `Signature-Input` and `Signature` (RFC 9421, Ed25519) over the `covered` components of a request."""
    from http_message_signatures import HTTPMessageSigner, algorithms

    signing = HTTPMessageSigner(signature_algorithm=algorithms.ED25519)
    prepared = signing.prepare(
        message,
        key_id=signer.public.key_id,
        created=created,
        expires=created + VALID_FOR,
        label=LABEL,
        tag=TAG,
        covered_component_ids=covered,
        use_existing_digest="content-digest" in covered,
    )
    signing.apply(message, prepared, signer.sign_bytes(prepared.signature_base))


def _judge(status: int) -> None:
    """Whether the receiver's status says that it is done.

    Raises:
        TransportError: it does not, as something that passes or that somebody has to mend.
    """
    if status in _DONE:
        return
    if status in _PASSES:
        raise RetryableTransportError(f"http_{status}", f"The receiver is busy or broken (HTTP {status}).")
    raise TerminalTransportError(
        "other_content" if status == 409 else f"http_{status}", f"The receiver refuses the request (HTTP {status})."
    )


def _read(response: httpx.Response) -> bytes:
    content = bytearray()
    for block in response.iter_bytes():
        content += block
        if len(content) > LARGEST_RECEIPT_FILE:
            raise TerminalTransportError("too_large", "The receiver's answers are larger than any answers should be.")
    return bytes(content)


def _line_failure(error: Exception) -> TransportError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return TerminalTransportError(
                "certificate", "The receiver's certificate is not trusted, is for another name, or has run out."
            )
        cause = cause.__cause__ or cause.__context__
    return RetryableTransportError("unreachable", "The receiver does not answer, or broke off.")
