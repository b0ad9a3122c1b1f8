"""A notice as a signed POST of JSON, to a chat, a pager or a ticket system's bridge.

Signed with the site's key as deliveries over HTTPS are (RFC 9421, docs/manifest-format.md), over the method, address,
type and digest of the content. Redirects are not followed, the answer is not read, nothing is sent in the clear.
"""

from __future__ import annotations

import hashlib
import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from assets.addresses import is_private_address
from assets.delivery.sending import Retry
from assets.delivery.transports.contract import RetryableTransportError, TerminalTransportError
from assets.delivery.transports.https import sign_request
from assets.manifests.signatures import Signer
from assets.notification.channels import RETRY, TIMEOUT
from assets.notification.notices import Notice, as_json

_COVERED = ("@method", "@target-uri", "content-digest", "content-type", "idempotency-key")
_PASSES = (408, 423, 425, 429)


@dataclass(frozen=True)
class Webhook:
    """Posts notices.

    Attributes:
        url: `https://…`, or `http://` on this machine.
        clock: dates the signature.
        certificate: the authorities to trust, in PEM, instead of this machine's.
        token: sent as a bearer token beside the signature, where the receiver wants one.
    """

    url: str
    signer: Signer
    clock: Callable[[], datetime]
    certificate: Path | None = None
    token: str | None = field(default=None, repr=False)
    retry: Retry = RETRY

    @property
    def name(self) -> str:
        """As the settings call it."""
        return "webhook"

    def tell(self, notice: Notice) -> None:
        """Post the notice, trying again what may pass."""
        if not is_private_address(self.url):
            raise TerminalTransportError("settings", "A webhook is written https://HOST/PATH.")
        content = as_json(notice)
        self.retry.call(lambda: self._post(content, notice.notice_id))

    def _post(self, content: bytes, notice_id: str) -> None:
        import httpx

        headers = {
            "Content-Type": "application/json",
            "Content-Digest": f"sha-256=:{b64encode(hashlib.sha256(content).digest()).decode()}:",
            "Idempotency-Key": f'"{notice_id}"',
            **({"Authorization": f"Bearer {self.token}"} if self.token else {}),
        }
        try:
            with httpx.Client(verify=self._trusted(), trust_env=False, timeout=TIMEOUT) as client:
                request = client.build_request("POST", self.url, content=content, headers=headers)
                sign_request(request, self.signer, self.clock(), _COVERED)
                response = client.send(request, stream=True)
                response.close()  # what it says is not read
        except httpx.TransportError:
            raise RetryableTransportError("unreachable", "The webhook does not answer, or is not trusted.") from None
        _judge(response.status_code)

    def _trusted(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.certificate)
        except (OSError, ssl.SSLError):
            raise TerminalTransportError("settings", "The webhook's certificate file cannot be read.") from None


def _judge(status: int) -> None:
    if 200 <= status < 300:
        return
    if status in _PASSES or status >= 500:
        raise RetryableTransportError(f"http_{status}", f"The webhook is busy or broken (HTTP {status}).")
    raise TerminalTransportError(f"http_{status}", f"The webhook refuses the notice (HTTP {status}).")
