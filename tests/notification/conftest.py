"""Real receivers of notices: an HTTP server that checks signatures, and a mail server with STARTTLS."""

from __future__ import annotations

import hashlib
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from assets.manifests.signatures import PublicKey, Signer, make_key
from assets.notification.notices import Concern, Notice

NOTICE = Notice(
    run_id="6f1c0b1e-0000-4000-8000-000000000001",
    job="run_cycle",
    as_of=date(2026, 11, 25),
    ended_at=datetime(2026, 11, 25, 3, 31, 7, tzinfo=UTC),
    success=False,
    concerns=(
        Concern("run_failed"),
        Concern("check_failed", "retention.claims: claims_end_after_they_start", "critical", 3),
        Concern("request_overdue", "raw.office_requests: requests_answered_in_time", "critical", 1),
        Concern("source_blocked", "intake.blocks", count=2),
    ),
    url="https://gallring.company.example/runs/6f1c0b1e-0000-4000-8000-000000000001",
)


@pytest.fixture(scope="session")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    folder = tmp_path_factory.mktemp("key")
    make_key(folder / "signing.pem", folder / "signing.pub.pem")
    return Signer.load(folder / "signing.pem")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Receiver:
    """What it was posted, in order; what it answers before it accepts; and what of a signature does not hold."""

    def __init__(self) -> None:
        self.public_key: PublicKey | None = None
        self.statuses: list[int] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.refused: list[str] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.bodies.append(body)
                receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
                status = receiver.statuses.pop(0) if receiver.statuses else 204
                if receiver.public_key is not None and (problem := receiver.problem(self, body)):
                    receiver.refused.append(problem)
                    status = 401
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/notices"

    def problem(self, request: BaseHTTPRequestHandler, body: bytes) -> str | None:
        """What of the request's signature (RFC 9421) does not hold."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
        from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms

        public = self.public_key
        assert public is not None
        key = public._key.public_key

        class Resolver(HTTPSignatureKeyResolver):  # type: ignore[misc]
            def resolve_public_key(self, key_id: str) -> bytes:
                assert key_id == public.key_id
                return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

        class Message:
            method = "POST"
            url = self.url
            headers = request.headers

        expected = f"sha-256=:{b64encode(hashlib.sha256(body).digest()).decode()}:"
        if request.headers["Content-Digest"] != expected:
            return "digest"
        try:
            verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=Resolver())
            (found,) = verifier.verify(Message(), expect_tag="gallring")
        except Exception as error:
            return type(error).__name__
        covered = {component.strip('"') for component in found.covered_components}
        return None if {"@method", "@target-uri", "content-digest", "idempotency-key"} <= covered else "too little"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@dataclass
class Mailbox:
    """A mail server: what it took, the answer that it gives first instead of taking it, and whom it does not know."""

    messages: list[Any] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    port: int = 0
    certificate: Path = Path()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if address in self.unknown:
            return self.unknown[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answers:
            return self.answers.pop(0)
        self.messages.append((envelope, session.ssl is not None, session.authenticated))
        return "250 OK"


def login(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    right = (data.login, data.password) == (b"gallring", b"correct horse")
    return AuthResult(success=right, handled=right)


@pytest.fixture(scope="session")
def _authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    import trustme

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    path = tmp_path_factory.mktemp("authority") / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return context, path


@pytest.fixture
def mailbox(_authority: tuple[ssl.SSLContext, Path]) -> Iterator[Mailbox]:
    """A mail server that takes mail after STARTTLS and a login alone."""
    context, certificate = _authority
    box = Mailbox(certificate=certificate)
    controller = Controller(
        box, hostname="127.0.0.1", port=free_port(), tls_context=context, require_starttls=True, auth_required=True,
        authenticator=login, ready_timeout=30,
    )  # fmt: skip
    yield from _serving(controller, box)


@pytest.fixture
def open_mailbox() -> Iterator[Mailbox]:
    """A mail server without TLS, as one on this machine may be."""
    box = Mailbox()
    yield from _serving(Controller(box, hostname="127.0.0.1", port=free_port(), ready_timeout=30), box)


def _serving(controller: Controller, box: Mailbox) -> Iterator[Mailbox]:
    controller.start()
    try:
        box.port = controller.port
        yield box
    finally:
        controller.stop()
