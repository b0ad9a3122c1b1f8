"""A receiver of manifests over HTTPS, written as docs/manifest-format.md says: it checks every request's signature."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Receiver:
    """What it got (by path), what it answers, and what it was sent that does not verify."""

    def __init__(self, certificate: Path) -> None:
        self.certificate = certificate
        self.public_key: Any = None
        self.files: dict[str, bytes] = {}
        self.order: list[str] = []
        self.requests: list[tuple[str, str]] = []
        self.refused: list[str] = []
        self.known: list[str | None] = []
        self.statuses: list[int] = []
        self.receipts = b""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                receiver.answer(self, self.rfile.read(int(self.headers["Content-Length"])))

            def do_GET(self) -> None:
                receiver.answer(self, b"")

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"https://localhost:{self.server.server_address[1]}/gallring"

    def answer(self, request: BaseHTTPRequestHandler, content: bytes) -> None:
        self.requests.append((request.command, request.path))
        status, body, headers = self.judge(request, content)
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def judge(self, request: BaseHTTPRequestHandler, content: bytes) -> tuple[int, bytes, dict[str, str]]:
        if self.statuses:
            return self.statuses.pop(0), b"Anna Testsson", {"Location": "https://localhost/elsewhere"}
        if (problem := self.problem(request, content)) is not None:
            self.refused.append(problem)
            return 401, b"", {}
        if request.command == "GET":
            self.known.append(request.headers.get("If-None-Match"))
            tag = f'"{hashlib.sha256(self.receipts).hexdigest()[:16]}"'
            if tag in request.headers.get("If-None-Match", ""):
                return 304, b"", {"ETag": tag}
            return 200, self.receipts, {"ETag": tag}
        if self.files.get(request.path, content) != content:
            return 409, b"", {}
        if request.path not in self.files:
            self.order.append(request.path.rpartition("/")[2])
        self.files[request.path] = content
        return 201, b"", {}

    def problem(self, request: BaseHTTPRequestHandler, content: bytes) -> str | None:
        """What is wrong with a request's digest or signature, checked with the sender's public key alone."""
        from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms

        class Message:
            method = request.command
            url = f"https://localhost:{self.server.server_address[1]}{request.path}"
            headers = request.headers

        class Resolver(HTTPSignatureKeyResolver):
            def resolve_public_key(_, key_id: str) -> Any:
                return self.public_key

        if request.headers["Content-Digest"] != f"sha-256=:{b64encode(hashlib.sha256(content).digest()).decode()}:":
            return "digest"
        verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=Resolver())
        try:
            found = verifier.verify(Message(), expect_tag="gallring")
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        covered = {name.strip('"') for name in found[0].covered_components}
        needed = {"@method", "@target-uri", "content-digest"}
        if request.command == "PUT":
            needed |= {"idempotency-key", "content-length"}
        return None if needed <= covered else f"covers {sorted(covered)}"
