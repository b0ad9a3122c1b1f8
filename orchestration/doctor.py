"""Examines a site: keys, modes, versions, disk, what died half way, clocks, transports; says how to mend each.

Looks and tells; mends nothing itself. The instant that it is asked at is an argument. No key, path of a person's file
or value of a record is told.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from assets.delivery.circuit import open_circuits
from assets.erasure.copies import copy_register
from assets.errors import GallringError, told_by_the_system
from assets.ingest.blocking import blocking_for_lost
from assets.ingest.deliveries import link_of, linked_sources
from assets.ingest.projecting import LOCAL_ZONE
from assets.manifests.signatures import PublicKey
from assets.models import SQL, Model
from assets.policy import Policy
from assets.policy_check import check as policy_findings
from assets.site import FOLDERS, Site
from assets.warehouse import REWRITING, WarehouseLocked, extension_path
from orchestration.opening import (
    LOST,
    PSEUDONYM_KEY,
    PUBLIC_KEY,
    WAREHOUSE_KEY,
    is_lost,
    load_policy,
    load_signer,
    open_warehouse,
    periods_of,
    read_key,
    require_own_signing_key,
)
from orchestration.settings import Settings

Verdict = Literal["ok", "warning", "error"]
#: Beside room for a second copy of the warehouse, which a rewrite needs.
SPARE_BYTES = 1_000_000_000
_PYTHON = (3, 11)
_PORTS = {"sftp": 22, "https": 443, "s3": 443}
_CONNECT_SECONDS = 3.0
_ARRIVING = timedelta(days=1)
_PROBE = b"do these two keys fit?"


@dataclass(frozen=True)
class Examined:
    """One thing that was looked at. `mend` says what to do about it, and is empty where it is well."""

    subject: str
    verdict: Verdict
    found: str
    mend: str = ""


@dataclass(frozen=True)
class _Case:
    site: Site
    settings: Settings
    now: datetime


def examine(site: Site, now: datetime) -> list[Examined]:
    """Everything that was looked at, in order; what the settings decide is left out where they cannot be read."""
    found = [*_versions(), *_folders(site)]
    try:
        settings = Settings.load(site)
    except GallringError as error:
        return [*found, Examined("settings", "error", "cannot be used", error.message)]
    found.append(Examined("settings", "ok", "readable"))
    case = _Case(site, settings, now)
    parts: tuple[Callable[[_Case], Iterator[Examined]], ...] = (
        _keys, _modes, _policy, _disk, _warehouse, _leftovers, _arriving, _clock, _zone, _transports, _recipients_keys,
        _notifications,
    )  # fmt: skip
    for part in parts:
        found += [each for each in _allowed(part(case)) if each not in found]
    return found


def _allowed(part: Iterator[Examined]) -> Iterator[Examined]:
    """A part of the examination, up to the first file that this account may not look at, which is told."""
    try:
        yield from part
    except OSError as error:
        yield Examined("access", "error", f"{error.filename or 'a file'} cannot be read", told_by_the_system(error))


def _versions() -> Iterator[Examined]:
    if sys.version_info[:2] == _PYTHON:
        yield Examined("Python", "ok", f"{sys.version_info[0]}.{sys.version_info[1]}")
    else:
        yield Examined("Python", "error", f"{sys.version_info[0]}.{sys.version_info[1]}", "Run it with Python 3.11.")
    for name in ("httpfs", "excel"):
        try:
            extension_path(name)
        except GallringError as error:
            yield Examined(f"DuckDB extension {name}", "error", "does not fit", error.message)
        else:
            yield Examined(f"DuckDB extension {name}", "ok", "fits")


def _folders(site: Site) -> Iterator[Examined]:
    missing = [name for name in FOLDERS if not (site.path / name).is_dir()]
    mend = f"Run `gallring init {site.argument}`: it makes what is missing and leaves the rest."
    if missing or not site.settings.is_file():
        gone = [*missing, *([] if site.settings.is_file() else [site.settings.name])]
        yield Examined("site", "error", f"missing: {', '.join(gone)}", mend)
    else:
        yield Examined("site", "ok", str(site.path))


def _keys(case: _Case) -> Iterator[Examined]:
    given = {WAREHOUSE_KEY: case.settings.warehouse_key, PSEUDONYM_KEY: case.settings.pseudonym_key}
    for name, secret in given.items():
        try:
            read_key(case.site, name, secret)
        except GallringError as error:
            yield Examined(name, "error", "cannot be used", error.message)
        else:
            yield Examined(name, "ok", "from the environment" if secret is not None else "there and well formed")
    try:
        fits = PublicKey.load(case.site.keys / PUBLIC_KEY).fits(load_signer(case.site).sign(_PROBE), _PROBE)
    except GallringError as error:
        yield Examined("signing key", "error", "cannot be used", error.message)
        return
    try:
        require_own_signing_key(case.site)
    except GallringError as error:
        yield Examined("signing key", "error", "is another than the one that signed here", error.message)
        return
    mend = f"Restore {PUBLIC_KEY} and signing.pem from the same backup: receivers would refuse what is signed now."
    yield Examined("signing key", "ok", "fits its public half") if fits else Examined(
        "signing key", "error", "does not fit its public half", mend)  # fmt: skip


def _modes(case: _Case) -> Iterator[Examined]:
    """What holds keys or personal data is for the site's own account alone."""
    site = case.site
    private = [site.path, site.keys, *sorted(site.keys.glob("*")), site.inbox, site.quarantine, site.temporary,
               site.warehouse, site.analytics]  # fmt: skip
    # Sources deliver by group (orchestration.opening.require_private_inbox), so theirs may reach the inbox.
    by_group = (site.path, site.inbox)
    loose = [
        (path, "o" if path in by_group else "go")
        for path in private
        if path.exists() and path.name != PUBLIC_KEY and _open_to(path, 0o007 if path in by_group else 0o077)
    ]
    for path, whom in loose:
        yield Examined("modes", "error", f"{path} is open to other accounts", f"chmod {whom}= {path}")
    if not loose:
        yield Examined("modes", "ok", "keys and personal data are for this account alone")
    foreign = [path for path in private if path.exists() and path.stat().st_uid != os.geteuid()]
    for path in foreign:
        yield Examined("owner", "warning", f"{path} belongs to another account",
                       "Run Gallring as that account, or give the folder to this one.")  # fmt: skip


def _open_to(path: Path, whom: int) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & whom)


def _policy(case: _Case) -> Iterator[Examined]:
    try:
        policy: Policy = load_policy(case.settings)
        errors = [finding for finding in policy_findings(policy) if finding.severity == "error"]
    except GallringError as error:
        yield Examined("policy", "error", "cannot be read", error.message)
        return
    if errors:
        yield Examined("policy", "error", f"{len(errors)} errors", "`gallring policy check` tells each.")
    else:
        own = sorted(model.path.stem for model in policy.purpose_models if _stands_for_a_shipped_one(policy, model))
        by_itself = f"; its own SQL in place of the shipped: {', '.join(own)}" if own else ""
        yield Examined("policy", "ok", f"{policy.register.policy} {policy.version}{by_itself}")


def _stands_for_a_shipped_one(policy: Policy, model: Model) -> bool:
    return model.path.parent == policy.purpose_folder and (SQL / "purposes" / model.path.name).is_file()


def _disk(case: _Case) -> Iterator[Examined]:
    """A rewrite of the warehouse needs room for a second one."""
    if not case.site.path.is_dir():
        return
    size = case.site.warehouse.stat().st_size if case.site.warehouse.exists() else 0
    free, needed = shutil.disk_usage(case.site.path).free, 2 * size + SPARE_BYTES
    told = f"{free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB wanted"
    if free >= needed:
        yield Examined("disk", "ok", told)
    else:
        yield Examined("disk", "error", told, "Make room: a run rewrites the warehouse and needs a second copy of it.")


def _warehouse(case: _Case) -> Iterator[Examined]:
    if is_lost(case.site):
        yield Examined("warehouse", "error", LOST, "Bring it back with `gallring restore FILE`.")
        return
    if not case.site.warehouse.exists():
        yield Examined("warehouse", "ok", "none yet: the first `gallring run` makes it")
        return
    at_once = case.settings.warehouse.model_copy(update={"wait_seconds": 0})
    try:
        with open_warehouse(case.site, case.settings.model_copy(update={"warehouse": at_once})) as warehouse:
            strangers = len(copy_register(case.site, warehouse, periods_of(case.settings)).strangers)
            silent = open_circuits(warehouse)
            lost = blocking_for_lost(warehouse)
    except WarehouseLocked:
        yield Examined("warehouse", "ok", "in use by a run or a web UI")
        return
    except GallringError as error:
        yield Examined("warehouse", "error", "does not open", error.message)
        return
    yield Examined("warehouse", "ok", "opens with its key")
    if strangers:
        mend = "`gallring copies` names them: move them away, or destroy them."
        yield Examined("copies", "warning", f"{strangers} files are not on the copy register", mend)
    else:
        yield Examined("copies", "ok", "every file is on the copy register")
    if lost:
        mend = "Put their folders back into inbox/, or have their sources deliver every table whole; then run."
        yield Examined("lost deliveries", "warning", f"read before a restore, and lost: {', '.join(lost)}", mend)
    for each in silent:
        found = f"{each.failures} times in vain, last at {each.opened_at:%Y-%m-%d %H:%M} UTC ({each.code})"
        mend = f"Mend it, or [transports.{each.system}]: the first run after an hour tries anew what waits."
        yield Examined(f"deliveries to {each.system}", "warning", found, mend)
    yield from _dead_runs(case.site)


def _dead_runs(site: Site) -> Iterator[Examined]:
    """Runs that count as under way though nobody has the warehouse open: they hold up those that wait for them."""
    if not (site.dagster / "dagster.yaml").is_file():
        yield Examined("run history", "error", "dagster.yaml is missing", f"Run `gallring init {site.argument}`.")
        return
    from dagster import DagsterRunStatus, RunsFilter

    from orchestration.history import run_history

    under_way = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    try:
        with run_history(site) as history:
            dead = [run.run_id for run in history.get_runs(RunsFilter(statuses=under_way))]
    except Exception:  # whatever the driver of its database raises, and what it quotes
        mend = f"Check {site.dagster / 'dagster.yaml'}, and the database and environment variables that it names."
        yield Examined("run history", "error", "cannot be read", mend)
        return
    for run_id in dead:
        mend = "Terminate it in the web UI (`gallring ui`, Runs, force termination): others wait for it."
        yield Examined("run history", "warning", f"run {run_id[:8]} counts as under way, and is not", mend)
    if not dead:
        yield Examined("run history", "ok", "no run that died is still waited for")


def _leftovers(case: _Case) -> Iterator[Examined]:
    """A rewriting that nobody works on any more; opening the warehouse removes one, so this one could not be opened."""
    left = case.site.warehouse.with_name(case.site.warehouse.name + REWRITING)
    if left.exists() and not case.site.warehouse.exists():
        mend = "Bring back the warehouse with `gallring restore`; do not rename the half-written file."
        yield Examined("leftovers", "error", f"{left.name} without {case.site.warehouse.name}", mend)
    else:
        yield Examined("leftovers", "ok", "nothing half written")


def _arriving(case: _Case) -> Iterator[Examined]:
    """Deliveries that never got their delivery.json."""
    stuck = []
    for folder in sorted(case.site.inbox.glob("*/*")):
        with suppress(FileNotFoundError):  # its source has renamed it since
            if folder.is_dir() and not (folder / "delivery.json").exists():
                arriving = case.now - datetime.fromtimestamp(folder.stat().st_mtime, UTC)
                stuck += [folder] if arriving > _ARRIVING else []
    for folder in stuck:
        mend = "It has no delivery.json and is never read: deliver it again, then remove the folder."
        found = f"{folder.parent.name}/{folder.name} has been arriving for over a day"
        yield Examined("inbox", "warning", found, mend)
    linked = linked_sources(case.site)
    for source in linked:
        yield Examined("inbox", "error", link_of(source), f"Mount the disk at {source}, in the place of the link.")
    if not stuck and not linked:
        yield Examined("inbox", "ok", "no delivery is stuck")


def _clock(case: _Case) -> Iterator[Examined]:
    """A clock that is behind what it has already written, or ahead of which a source writes."""
    today = case.now.astimezone(case.settings.zone).date()
    if not case.site.analytics.exists():
        yield Examined("clock", "ok", f"{today} in {case.settings.time_zone}")
        return
    from assets.publication.report.asking import published

    case.site.analytics.open("rb").close()  # what may not be read is not damaged
    try:
        with published(case.site) as reader:
            as_of = reader.value("select as_of from about")
            newest = reader.value("select max(extracted_at) from quality.deliveries")
    except GallringError:
        yield Examined(case.site.analytics.name, "error", "cannot be read: damaged, or not what a run published",
                       "Move it away: the next `gallring run` publishes it anew.")  # fmt: skip
        return
    if as_of > today:
        yield Examined("clock", "error", f"today is {today}, yet the last run was as of {as_of}",
                       "Set the machine's clock (timedatectl), or run as of a day that has come.")  # fmt: skip
    elif newest is not None and newest.replace(tzinfo=UTC) > case.now + _ARRIVING:
        yield Examined("clock", "warning", f"a delivery says that it was extracted at {newest:%Y-%m-%d %H:%M} UTC",
                       "The source's clock, or this machine's, is wrong: `timedatectl` shows this one.")  # fmt: skip
    else:
        yield Examined("clock", "ok", f"{today} in {case.settings.time_zone}")


def _zone(case: _Case) -> Iterator[Examined]:
    """A day begins elsewhere at another hour than where the days of exports are told."""
    year = case.now.year
    apart = {
        at.astimezone(case.settings.zone).utcoffset() != at.astimezone(ZoneInfo(LOCAL_ZONE)).utcoffset()
        for at in (datetime(year, 1, 15, tzinfo=UTC), datetime(year, 7, 15, tzinfo=UTC))
    }
    if True in apart:
        yield Examined(
            "time zone", "warning", f"today is told in {case.settings.time_zone}, the days in exports in {LOCAL_ZONE}",
            "What happens between the two midnights counts to another day than there: see Limits in the documentation.",
        )  # fmt: skip
    else:
        yield Examined("time zone", "ok", case.settings.time_zone)


def _transports(case: _Case) -> Iterator[Examined]:
    for system, transport in sorted(case.settings.transports.items()):
        subject = f"transport to {system}"
        if transport.kind == "folder":
            path = case.site.path / transport.to
            well = path.is_dir() and os.access(path, os.W_OK)
            mend = f"Make the folder {path} and let this account write there, or mend [transports.{system}]."
        else:
            address = transport.endpoint or ("" if transport.kind == "s3" else transport.to)
            if not address:
                yield Examined(subject, "ok", "not tried: an S3 bucket without an endpoint of its own")
                continue
            well = _reachable(address, _PORTS[transport.kind])
            mend = f"Check the network, and `to` in [transports.{system}] of {case.site.settings.name}."
        yield Examined(subject, "ok", "reachable") if well else Examined(subject, "error", "not reachable", mend)


def _recipients_keys(case: _Case) -> Iterator[Examined]:
    """The keys of recipients that are on record: public ones, told by a fingerprint that somebody can compare."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    for system, transport in sorted(case.settings.transports.items()):
        if not transport.public_key:
            continue
        subject = f"public key of {system}"
        try:
            key = load_pem_public_key((case.site.path / transport.public_key).read_bytes())
        except (OSError, ValueError, UnsupportedAlgorithm):
            yield Examined(subject, "error", f"{transport.public_key} is no public key in PEM, or not there",
                           f"Get it from the recipient anew, or mend `public_key` in [transports.{system}] of "
                           f"{case.site.settings.name}.")  # fmt: skip
            continue
        form = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        yield Examined(subject, "ok", f"SHA-256 {hashlib.sha256(form).hexdigest()}: on record, nothing is encrypted")


def _notifications(case: _Case) -> Iterator[Examined]:
    """Where people are told what needs them; nothing is sent."""
    email, webhook = case.settings.notifications.email, case.settings.notifications.webhook
    ways = {
        "webhook": (webhook.url, 80 if webhook.url.startswith("http:") else 443, "url"),
        "email": (email.server, email.host_and_port()[1], "server"),
    }
    for name, (address, port, key) in ways.items():
        if not address:
            continue
        mend = f"Check the network, and `{key}` in [notifications.{name}] of {case.site.settings.name}."
        well = _reachable(address, port)
        subject = f"notifications by {name}"
        yield Examined(subject, "ok", "reachable") if well else Examined(subject, "error", "not reachable", mend)


def _reachable(address: str, port: int) -> bool:
    """Whether something answers at the address's host and port; nothing is sent."""
    parts = urlsplit(address if "//" in address else f"//{address}")
    try:
        with socket.create_connection((parts.hostname or "", parts.port or port), timeout=_CONNECT_SECONDS):
            return True
    except (OSError, ValueError):
        return False
