"""Opens what a site keeps: its warehouse, its policy, its signing key. Knows where keys are; nothing of Dagster.

Fails closed: a missing key next to an existing warehouse is an error, never a reason to begin a new one.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from assets.errors import BadInput
from assets.manifests.signatures import Signer
from assets.policy import Policy
from assets.site import Site
from assets.warehouse import Warehouse, WarehouseLocked
from orchestration.settings import Settings

WAREHOUSE_KEY = "warehouse.key"
PSEUDONYM_KEY = "pseudonym.key"
SIGNING_KEY = "signing.pem"
PUBLIC_KEY = "signing.pub.pem"
_POLL_SECONDS = 0.2
_KEY = re.compile(r"^[0-9a-f]{64}$")


def require_site(site: Site) -> Site:
    """`site`, if a site has been made there.

    Raises:
        BadInput: it has not.
    """
    if not site.settings.is_file():
        raise BadInput(
            f"{site.path} is not a site: no {site.settings.name} there. Make one with `gallring init {site.path}`."
        )
    return site


def load_policy(settings: Settings) -> Policy:
    """The policy that the settings name, else the shipped one; the settings' controller goes before the register's.

    Raises:
        BadInput: the policy cannot be used.
    """
    policy = Policy.load(settings.policy)
    if not settings.controller:
        return policy
    return replace(policy, register=policy.register.model_copy(update={"controller": settings.controller}))


def load_signer(site: Site) -> Signer:
    """The site's signing key.

    Raises:
        BadInput: it is missing, open to others, or no signing key.
    """
    return Signer.load(site.keys / SIGNING_KEY)


def open_warehouse(site: Site, settings: Settings) -> Warehouse:
    """Open the site's warehouse, waiting for another process to let go of it as long as the settings allow.

    Raises:
        BadInput: the site or one of its keys is missing or malformed.
        WarehouseLocked: another process still has it open.
    """
    require_site(site)
    key = read_key(site, WAREHOUSE_KEY, settings.warehouse_key)
    pseudonym_key = bytes.fromhex(read_key(site, PSEUDONYM_KEY, settings.pseudonym_key))
    deadline = time.monotonic() + settings.warehouse.wait_seconds
    while True:
        try:
            return Warehouse.open(
                site.warehouse,
                key=key,
                pseudonym_key=pseudonym_key,
                memory_limit=settings.warehouse.memory_limit or None,
                threads=settings.warehouse.threads or None,
                temporary=site.temporary,
            )
        except WarehouseLocked:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_POLL_SECONDS)


def read_key(site: Site, name: str, from_environment: SecretStr | None) -> str:
    """A key of 32 bytes in hexadecimal: the environment's, else the site's file.

    Raises:
        BadInput: there is none, or it is not 64 hexadecimal digits. The key itself is not shown.
    """
    path = site.keys / name
    variable = f"GALLRING_{Path(name).stem.upper()}_KEY"
    if from_environment is not None:
        key, where = from_environment.get_secret_value().strip(), f"The environment variable {variable}"
    else:
        key, where = _key_file(site, path, variable), str(path)
    if not _KEY.match(key):
        raise BadInput(f"{where} is not 64 hexadecimal digits: restore it from the backup of the keys.")
    return key


def _key_file(site: Site, path: Path, variable: str) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        mend = f"restore it from the backup of the keys, or set {variable}"
        if not site.warehouse.exists():
            mend = f"run `gallring init {site.path}`, or set {variable}"
        raise BadInput(f"{path} is missing: {mend}.") from None
    except UnicodeDecodeError:
        return ""
