"""Makes a site: its folders, settings, keys, its own copy of the shipped policy, and Dagster's home.

Runs any number of times: what is there stays, what is missing is made, and a key is never written twice.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from assets.contracts.declarations import CONTRACTS
from assets.errors import BadInput
from assets.manifests.signatures import make_key, write_public_key
from assets.policy import SHIPPED_REGISTER, Policy
from assets.site import FOLDERS, Site
from assets.writing import discard_half_written, one_at_a_time, write_whole
from orchestration.opening import (
    PSEUDONYM_KEY,
    PUBLIC_KEY,
    SIGNING_KEY,
    WAREHOUSE_KEY,
    require_usable_path,
    signed_things,
)
from orchestration.settings import Settings, default_settings

DAGSTER = """\
# Dagster's home for this site: run history and schedules, in SQLite files below this folder.
telemetry:
  enabled: false
nux:
  enabled: false
# One process writes the warehouse: runs that use it wait for one another.
concurrency:
  pools:
    granularity: run
    default_limit: 1
# A run whose process died is marked as failed, so that it holds nobody up.
run_monitoring:
  enabled: true
# Such a run, and one that found the warehouse in use, is tried again as of the same day. A step that failed is not:
# what may pass is tried again within the step, and the rest is for a person.
run_retries:
  enabled: true
  max_retries: 2
  retry_on_asset_or_op_failure: false
# Whether a source is late (the contracts' freshness).
freshness:
  enabled: true
"""


def make_site(path: Path, *, mark: str = "") -> Site:
    """Make (or complete) the site at `path`; where a `mark` is given, an empty file of that name comes first of all.

    Who else makes the same site waits: of two keys one would be lost. With a `mark` the caller keeps others away.

    Raises:
        BadInput: its path cannot be used, the folder holds something else, or what is there lacks its keys.
    """
    site = Site(path.absolute())
    require_usable_path(site)
    if site.path.exists() and not site.path.is_dir():
        raise BadInput(f"{site.path} is a file: name a folder that is empty or not there yet.")
    if mark:
        return _made(site, mark)
    site.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with one_at_a_time(site.path):
        return _made(site, mark)


def _made(site: Site, mark: str) -> Site:
    _refuse_foreign(site, mark)
    settings = Settings.load(site)
    _refuse_lost_keys(site, settings)
    if mark:
        site.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        (site.path / mark).touch()
    site.make()
    _make_keys(site, settings)
    if not site.settings.exists():
        _copy_policy(site.policy)
    make_home(site)
    _write_new(site.settings, default_settings())  # last: from here on the folder counts as a site
    return site


def make_home(site: Site) -> None:
    """Make Dagster's home where it is missing, as after a restore; settings that are there stay.

    Without them Dagster reports home how it is used, and knows neither pools nor what is tried again.
    """
    site.dagster.mkdir(mode=0o700, exist_ok=True)
    _write_new(site.dagster / "dagster.yaml", DAGSTER)


def _refuse_foreign(site: Site, mark: str) -> None:
    if site.settings.exists() or not site.path.exists():
        return
    half_written = f".{site.settings.name}-"
    there = {path.name for path in site.path.iterdir() if not path.name.startswith(half_written)} - {mark}
    if there != set(FOLDERS[: len(there)]):  # else it is empty, or a site that was cut off while it was made
        raise BadInput(f"{site.path} is not empty and not a site: name a folder that is empty or not there yet.")


def _refuse_lost_keys(site: Site, settings: Settings) -> None:
    """A new key would make everything in the warehouse unreadable, or everybody in it a stranger.

    A new pair to sign with would leave nothing of what was signed to be verified, with or without a warehouse.
    """
    keys = ((WAREHOUSE_KEY, settings.warehouse_key), (PSEUDONYM_KEY, settings.pseudonym_key), (SIGNING_KEY, None))
    if site.warehouse.exists():
        for name, given in keys:
            if given is None:
                _require_key(site, name, site.warehouse)
    for signed in (site.keys / PUBLIC_KEY, *signed_things(site)):
        if signed.exists():
            _require_key(site, SIGNING_KEY, signed)


def _require_key(site: Site, name: str, used_for: Path) -> None:
    if not (site.keys / name).exists():
        raise BadInput(
            f"{site.keys / name} is missing though {used_for.relative_to(site.path)} is there: restore it from the "
            "backup of the keys. A new key would not fit what is there, so none was made."
        )


def _make_keys(site: Site, settings: Settings) -> None:
    if settings.warehouse_key is None:
        _write_new(site.keys / WAREHOUSE_KEY, secrets.token_hex(32) + "\n")
    if settings.pseudonym_key is None:
        _write_new(site.keys / PSEUDONYM_KEY, secrets.token_hex(32) + "\n")
    private, public = site.keys / SIGNING_KEY, site.keys / PUBLIC_KEY
    for half in (private, public):
        discard_half_written(half)
    if not private.exists():
        make_key(private, public)
    elif not public.exists():  # cut off between the two
        write_public_key(private, public)


def _copy_policy(folder: Path) -> None:
    """The shipped register, contracts and scenarios as the site's own, to be changed there.

    No SQL: a copy would go on deciding as it did when the program is updated, and what is not there is the program's.
    """
    shipped = Policy.load()
    shutil.copyfile(SHIPPED_REGISTER, folder / "register.yaml")
    (folder / "purposes").mkdir(exist_ok=True)
    for contract in sorted(CONTRACTS.glob("*.yaml")):
        _copy(contract, folder / "contracts")
    for scenarios in shipped.scenario_folders:
        for scenario in sorted(scenarios.glob("*.yaml")):
            _copy(scenario, folder / "scenarios")


def _copy(file: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    shutil.copyfile(file, folder / file.name)


def _write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet, whole or not at all, readable by its owner alone."""
    if path.exists():
        return
    discard_half_written(path)
    write_whole(path, text.encode())
