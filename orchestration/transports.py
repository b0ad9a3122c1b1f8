"""The way to each system, from a site's settings and the secrets of the environment. Knows no way itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from pydantic import SecretStr

from assets.delivery.transports.choosing import ChosenTransports, Route
from assets.site import Site
from orchestration.opening import load_signer
from orchestration.settings import Credentials, Settings


def load_transports(site: Site, settings: Settings, clock: Callable[[], datetime]) -> ChosenTransports:
    """The way to each system, as the settings choose it; `clock` dates what is signed for HTTPS."""
    routes = {system: _route(site, settings, system) for system in settings.transports}
    return ChosenTransports(site, routes, lambda: load_signer(site), clock)


def _route(site: Site, settings: Settings, system: str) -> Route:
    chosen = settings.transports[system]
    name = chosen.credentials or re.sub(r"[^A-Za-z0-9]", "_", system)
    secrets = settings.credentials.get(name.lower(), Credentials())
    return Route(
        kind=chosen.kind,
        to=chosen.to,
        host_key=chosen.host_key,
        key_file=site.path / chosen.key_file if chosen.key_file else None,
        certificate=site.path / chosen.certificate if chosen.certificate else None,
        endpoint=chosen.endpoint,
        region=chosen.region,
        password=_revealed(secrets.password),
        access_key=_revealed(secrets.access_key),
        secret_key=_revealed(secrets.secret_key),
        token=_revealed(secrets.token),
    )


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
