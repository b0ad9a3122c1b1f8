"""The way to each system, as a site's settings choose it. Reads no settings: it is told them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from assets.delivery.transports.contract import TerminalTransportError, Transport
from assets.manifests.folders import folder_name
from assets.manifests.signatures import Signer
from assets.site import Site


@dataclass(frozen=True)
class Route:
    """How one system is reached. Paths are absolute, empty text is what was not set.

    Attributes:
        kind: `folder`, `sftp`, `s3` or `https`.
        to: the folder or address; empty for the outbox itself.
        password: of an SFTP user, or of `key_file`.
        token: a bearer token for HTTPS.
    """

    kind: str = "folder"
    to: str = ""
    host_key: str = ""
    key_file: Path | None = None
    certificate: Path | None = None
    endpoint: str = ""
    region: str = ""
    password: str | None = field(default=None, repr=False)
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ChosenTransports:
    """The ways to all systems of a site; one without a route of its own is served from the outbox.

    Attributes:
        signer: signs HTTPS requests.
        clock: tells when they are made.
    """

    site: Site
    routes: Mapping[str, Route]
    signer: Callable[[], Signer]
    clock: Callable[[], datetime]

    def of(self, system: str) -> Transport:
        """The way to `system`.

        Raises:
            TerminalTransportError: its settings cannot be used.
        """
        route = self.routes.get(system, Route())
        if route.kind == "folder":
            return self._folder(system, route)
        if not route.to:
            raise TerminalTransportError("settings", f"Transport {route.kind} of {system} needs an address: set `to`.")
        return {"sftp": self._sftp, "s3": self._s3, "https": self._https}[route.kind](route)

    def _folder(self, system: str, route: Route) -> Transport:
        from assets.delivery.transports.folder import FolderTransport, OutboxTransport

        if not route.to:
            return OutboxTransport(self.site.outbox / folder_name(system))
        return FolderTransport(self.site.path / route.to)

    def _sftp(self, route: Route) -> Transport:
        from assets.delivery.transports.sftp import SftpAccess, SftpTransport

        return SftpTransport(SftpAccess(route.to, route.host_key, route.key_file, route.password))

    def _s3(self, route: Route) -> Transport:
        from assets.delivery.transports.s3 import S3Access, S3Transport

        access = S3Access(route.to, route.endpoint or None, route.region or None, route.access_key, route.secret_key,
                          route.certificate)  # fmt: skip
        return S3Transport(access)

    def _https(self, route: Route) -> Transport:
        from assets.delivery.transports.https import HttpsAccess, HttpsTransport

        access = HttpsAccess(route.to, self.signer(), self.clock, certificate=route.certificate, token=route.token)
        return HttpsTransport(access)
