"""Opens what a site keeps: its warehouse, its policy, its signing key. Knows where keys are; nothing of Dagster.

Fails closed: a missing key next to an existing warehouse is an error, never a reason to begin a new one.
"""

from __future__ import annotations

import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from assets.erasure.periods import Periods
from assets.erasure.restoring import discard_laid_out, require_replayed, restoring_alone, sealed_folders
from assets.errors import BadInput
from assets.evidence.chain import signed_with
from assets.evidence.verify_bundle import HEAD
from assets.ingest.tables import is_keyed_as_before
from assets.manifests import documents
from assets.manifests.signatures import Signer, key_id_in, key_id_of
from assets.policy import Policy
from assets.site import Site
from assets.warehouse import Warehouse, WarehouseKeyError, WarehouseLocked
from assets.writing import flush, put_in_place
from orchestration.settings import Settings

WAREHOUSE_KEY = "warehouse.key"
#: The key that a rotation is moving to; the warehouse's own once its file has been swapped.
NEXT_WAREHOUSE_KEY = "warehouse.key.next"
PSEUDONYM_KEY = "pseudonym.key"
SIGNING_KEY = "signing.pem"
PUBLIC_KEY = "signing.pub.pem"
_POLL_SECONDS = 0.2
#: Below this size, of the warehouse's file and of what is in the inbox together, nearly no table has more rows than a
#: thread takes at once. Two threads then take as long as one, and the one that waits burns what the other works.
_WORTH_SHARING = 64 << 20
_KEY = re.compile(r"[0-9a-f]{64}")
_VARIABLES = {
    WAREHOUSE_KEY: "GALLRING_WAREHOUSE_KEY",
    NEXT_WAREHOUSE_KEY: "GALLRING_NEXT_WAREHOUSE_KEY",
    PSEUDONYM_KEY: "GALLRING_PSEUDONYM_KEY",
}


def require_site(site: Site) -> Site:
    """`site`, if a site has been made there.

    Raises:
        BadInput: it has not, or its path cannot be used.
    """
    require_usable_path(site)
    if not site.settings.is_file():
        raise BadInput(
            f"{site.path} is not a site: no {site.settings.name} there. Make one with `gallring init {site.argument}`."
        )
    return site


def require_usable_path(site: Site) -> None:
    """Refuse a path in which the databases would look elsewhere than the rest of the program.

    Raises:
        BadInput: it holds a question mark, at which a file's name ends to DuckDB and SQLite, or * or [, which make it
            a pattern when files are taken in.
    """
    if "?" in str(site.path):
        raise BadInput(f"{site.path} holds a question mark, at which databases end a path: name a folder without one.")
    if set("*[") & set(str(site.path)):
        raise BadInput(f"{site.path} holds * or [, by which databases look for other files: name a folder without.")


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


def require_own_signing_key(site: Site) -> None:
    """Refuse a signing key, or its public half, that is not the one with which things were signed here.

    What is sealed with another one, receivers refuse, and nothing that was sealed before could be verified. A key that
    is missing, or is none, is left to who needs it; so is a signature that tells no key.

    Raises:
        BadInput: it is another.
    """
    signed = next(_signed(site), None)
    for name in (SIGNING_KEY, PUBLIC_KEY) if signed is not None else ():
        path = site.keys / name
        try:
            is_own = key_id_in(path) == signed
        except BadInput:
            continue
        if not is_own:
            raise BadInput(
                f"{path} is not the key that the site's evidence and manifests were signed with: restore it from the "
                "backup of the keys. What is signed with another one, receivers refuse."
            )


def _signed(site: Site) -> Iterator[str]:
    """With which key things were signed, as they say: the evidence's head, and sealed manifests."""
    head = signed_with(site)
    if head is not None:
        yield head
    for folder in sealed_folders(site):
        with suppress(OSError, UnicodeDecodeError):
            said = key_id_of((folder / documents.SIGNATURE).read_text(encoding="ascii"))
            if said is not None:
                yield said


def signed_things(site: Site) -> list[Path]:
    """What was signed here: the head of the evidence log, and sealed manifests."""
    return [head for head in [site.evidence / HEAD] if head.exists()] + sealed_folders(site)


#: What is said of a warehouse that is lost.
LOST = "is missing though outbox/ holds sealed manifests"


def is_lost(site: Site) -> bool:
    """Whether the site has had a warehouse, and has none."""
    return not site.warehouse.exists() and bool(sealed_folders(site))


def open_warehouse(site: Site, settings: Settings) -> Warehouse:
    """Open the site's warehouse, waiting for another process to let go of it as long as the settings allow.

    Raises:
        BadInput: the site or one of its keys is missing, malformed, open to others or another's, or the warehouse is
            missing.
        WarehouseLocked: another process still has it open.
        NotReplayed: it is older than the outbox.
    """
    require_site(site)
    require_private_inbox(site)
    if is_lost(site):
        raise BadInput(
            f"{site.warehouse.name} {LOST}: bring it back with `gallring restore FILE`. No new one was begun."
        )
    require_own_signing_key(site)
    warehouse = open_file(site, settings, site.warehouse)
    try:
        with suppress(WarehouseLocked), restoring_alone(site):
            discard_laid_out(site)  # of a restore that died
        require_replayed(warehouse, site)
    except BaseException:
        warehouse.close()
        raise
    return warehouse


def open_reader(site: Site, settings: Settings) -> Warehouse:
    """A DuckDB without a file, for who reads the published one: as much of the machine as the warehouse may have."""
    return Warehouse.in_memory(
        memory_limit=settings.warehouse.counted_memory,
        threads=settings.warehouse.threads or None,
        temporary=site.temporary,
    )


def open_file(site: Site, settings: Settings, path: Path) -> Warehouse:
    """Open a warehouse file of the site (its own, or a backup laid out beside it) with the site's keys.

    A rotation that was cut off after the file was swapped is finished here: the next key fits, and becomes the key. One
    that another process finished while this one waited has left another key: the file is opened with that one.

    Raises:
        BadInput: a key is missing, malformed or open to others, or the pseudonym key is another than before.
        WarehouseKeyError: no key of the site fits.
        WarehouseLocked: another process still has it open.
    """
    key = read_key(site, WAREHOUSE_KEY, settings.warehouse_key)
    try:
        return _with_its_pseudonyms(open_with(site, settings, path, key))
    except WarehouseKeyError:
        if read_key(site, WAREHOUSE_KEY, settings.warehouse_key) != key:
            return open_file(site, settings, path)
        following = next_key(site, settings)
        if following is None or not path.exists():
            raise
    warehouse = _with_its_pseudonyms(open_with(site, settings, path, following))
    if path == site.warehouse and settings.warehouse_key is None:
        try:
            rewrite_backups(site, settings, following)  # one may have been restored in the middle of the rotation
        except BaseException:
            warehouse.close()
            raise
        promote_next_key(site)
    return warehouse


def _with_its_pseudonyms(warehouse: Warehouse) -> Warehouse:
    """Refuse a pseudonym key that is another than before: everybody in the warehouse would become a stranger."""
    if is_keyed_as_before(warehouse):
        return warehouse
    warehouse.close()
    raise BadInput(
        f"{PSEUDONYM_KEY} (or {_VARIABLES[PSEUDONYM_KEY]}) is not the key that the warehouse was filled with: restore "
        "it from the backup of the keys. With another one nobody in the warehouse would be recognised."
    )


def open_with(site: Site, settings: Settings, path: Path, key: str) -> Warehouse:
    """Open a warehouse file with `key`, waiting as long as the settings allow."""
    pseudonym_key = bytes.fromhex(read_key(site, PSEUDONYM_KEY, settings.pseudonym_key))
    deadline = time.monotonic() + settings.warehouse.wait_seconds
    while True:
        try:
            return Warehouse.open(
                path,
                key=key,
                pseudonym_key=pseudonym_key,
                memory_limit=settings.warehouse.counted_memory,
                threads=settings.warehouse.threads or (None if _is_worth_sharing(site, path) else 1),
                temporary=site.temporary,
            )
        except WarehouseLocked:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_POLL_SECONDS)


def _is_worth_sharing(site: Site, path: Path) -> bool:
    """Whether there is enough for several threads: in a warehouse's file, and in what may be taken into it."""
    size = path.stat().st_size if path.exists() else 0
    with suppress(OSError):  # a source may be at work in the inbox
        for file in site.inbox.rglob("*"):
            if size >= _WORTH_SHARING:
                break
            size += file.stat().st_size
    return size >= _WORTH_SHARING


def next_key(site: Site, settings: Settings) -> str | None:
    """The key that a rotation is moving to, or None when none is under way."""
    if settings.warehouse_key is not None and settings.next_warehouse_key is None:
        return None
    if settings.warehouse_key is None and not (site.keys / NEXT_WAREHOUSE_KEY).exists():
        return None
    return read_key(site, NEXT_WAREHOUSE_KEY, settings.next_warehouse_key)


def promote_next_key(site: Site) -> None:
    """The next key becomes the warehouse's key, and the old one is gone."""
    (site.keys / NEXT_WAREHOUSE_KEY).replace(site.keys / WAREHOUSE_KEY)
    flush(site.keys)


def rewrite_backups(site: Site, settings: Settings, key: str) -> int:
    """Write every backup that `key` does not open anew with it, for as long as the old one is known; how many.

    Raises:
        WarehouseKeyError: a backup opens with neither.
        RewriteFailed: one could not be written; it still opens with the old key.
    """
    count = 0
    for backup in sorted(site.backups.glob("*.duckdb")):
        try:
            open_with(site, settings, backup, key).close()
        except WarehouseKeyError:
            _rewrite_backup(site, settings, backup.name, key)
            count += 1
    return count


def _rewrite_backup(site: Site, settings: Settings, name: str, key: str) -> None:
    old = read_key(site, WAREHOUSE_KEY, settings.warehouse_key)
    half = site.temporary / name
    with open_with(site, settings, site.backups / name, old) as warehouse:
        warehouse.copy_to(half, key=key)
    put_in_place(half, site.backups / name)


def periods_of(settings: Settings) -> Periods:
    """How long the product's own copies are kept, as the settings say."""
    return Periods(**settings.keeping.model_dump())


def require_private_inbox(site: Site) -> None:
    """Refuse an inbox that everybody on the machine can read: its files are people's data.

    Raises:
        BadInput: they can.
    """
    if not site.inbox.is_dir():
        return
    reachable = site.path.stat().st_mode & stat.S_IXOTH
    if reachable and site.inbox.stat().st_mode & (stat.S_IROTH | stat.S_IXOTH | stat.S_IWOTH):
        raise BadInput(
            f"{site.inbox} is open to everybody on this machine, and its files are people's data: "
            f"run `chmod o-rwx {site.inbox}`, and let sources in by group."
        )


def read_key(site: Site, name: str, from_environment: SecretStr | None) -> str:
    """A key of 32 bytes in hexadecimal: the environment's, else the site's file.

    Raises:
        BadInput: there is none, or it is not 64 hexadecimal digits. The key itself is not shown.
    """
    path = site.keys / name
    variable = _VARIABLES[name]
    if from_environment is not None:
        key, where = from_environment.get_secret_value().strip(), f"The environment variable {variable}"
    else:
        key, where = _key_file(site, path, variable), str(path)
    if not _KEY.fullmatch(key):
        raise BadInput(f"{where} is not 64 hexadecimal digits: restore it from the backup of the keys.")
    return key


def _key_file(site: Site, path: Path, variable: str) -> str:
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise BadInput(f"{path} is open to others than its owner: run `chmod 600 {path}`, and consider it known.")
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        mend = f"restore it from the backup of the keys, or set {variable}"
        if not site.warehouse.exists():
            mend = f"run `gallring init {site.argument}`, or set {variable}"
        raise BadInput(f"{path} is missing: {mend}.") from None
    except UnicodeDecodeError:
        return ""
