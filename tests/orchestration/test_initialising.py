"""A site is made once, completed any number of times, and never loses or changes a key."""

from __future__ import annotations

import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from assets.errors import BadInput
from assets.evidence.chain import write_head
from assets.ingest.tables import prepare
from assets.policy import Policy
from assets.site import FOLDERS, Site
from assets.warehouse import Warehouse
from orchestration.cli import main
from orchestration.initialising import make_site
from orchestration.opening import load_policy, load_signer, open_warehouse, require_own_signing_key
from orchestration.settings import Settings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SITE", "POLICY", "WAREHOUSE_KEY", "PSEUDONYM_KEY"):
        monkeypatch.delenv(f"GALLRING_{name}", raising=False)


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_site_has_the_shipped_policy_and_works(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    settings = Settings.load(site)
    policy = load_policy(settings)
    assert policy.register_path == site.policy / "register.yaml"
    assert policy.sha256 == Policy.load().sha256
    assert not list((site.policy / "purposes").iterdir()), "a copy would decide as before when the program is updated"
    assert load_signer(site).sign(b"x")
    with open_warehouse(site, settings) as warehouse:
        assert warehouse.value("select 1") == 1


def test_keys_are_random_and_their_owners_alone(tmp_path: Path) -> None:
    first, second = make_site(tmp_path / "one"), make_site(tmp_path / "two")
    for name in ("warehouse.key", "pseudonym.key", "signing.pem"):
        assert stat.S_IMODE((first.keys / name).stat().st_mode) == 0o600
        assert (first.keys / name).read_bytes() != (second.keys / name).read_bytes()
    assert len(bytes.fromhex((first.keys / "warehouse.key").read_text().strip())) == 32
    assert stat.S_IMODE(first.path.stat().st_mode) == 0o700


def test_what_a_restored_site_lacks_is_told_and_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A backup of the folders that hold data has no run history."""
    site = tmp_path / "site"
    assert main(["init", str(site)]) == 0
    assert "sample company" in capsys.readouterr().out
    shutil.rmtree(site / "dagster")
    assert main(["run", "--as-of", "2026-11-25", "--site", str(site)]) == 3
    assert f"gallring init {site}" in capsys.readouterr().err
    assert main(["init", str(site)]) == 0
    told = capsys.readouterr().out
    assert ("was a site already" in told, "sample company" in told) == (True, False)
    assert (site / "dagster" / "dagster.yaml").is_file()


def test_making_it_again_changes_nothing(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    (site.policy / "register.yaml").write_text("changed: by its owner\n", encoding="utf-8")
    before = content_of(site.path)
    make_site(site.path)
    assert content_of(site.path) == before


def test_what_is_missing_is_made_again_but_for_keys_that_something_was_written_with(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    (site.dagster / "dagster.yaml").unlink()
    (site.keys / "pseudonym.key").unlink()
    make_site(site.path)
    assert (site.dagster / "dagster.yaml").is_file()
    open_warehouse(site, Settings.load(site)).close()
    for name in ("warehouse.key", "pseudonym.key", "signing.pem"):
        kept = (site.keys / name).read_bytes()
        (site.keys / name).unlink()
        with pytest.raises(BadInput, match=f"{name} is missing though warehouse.duckdb is there"):
            make_site(site.path)
        assert not (site.keys / name).exists()
        (site.keys / name).write_bytes(kept)


@pytest.mark.parametrize("made", [0, 1, len(FOLDERS)])
def test_a_site_that_was_cut_off_while_it_was_made_is_made_whole(tmp_path: Path, made: int) -> None:
    for name in FOLDERS[:made]:
        (tmp_path / "site" / name).mkdir(parents=True)
    if made == len(FOLDERS):
        for name in ("keys/.warehouse.key-killed", "keys/.signing.pem-killed", ".gallring.toml-killed"):
            (tmp_path / "site" / name).touch()
    site = make_site(tmp_path / "site")
    assert not list(site.path.rglob(".*-killed"))
    assert load_signer(site).sign(b"x")
    assert load_policy(Settings.load(site)).sha256 == Policy.load().sha256
    (tmp_path / "other" / "keys").mkdir(parents=True)
    with pytest.raises(BadInput, match="not empty and not a site"):
        make_site(tmp_path / "other")


def test_a_public_key_that_was_never_written_is_made_from_the_private_one(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    before = (site.keys / "signing.pub.pem").read_bytes()
    (site.keys / "signing.pub.pem").unlink()
    make_site(site.path)
    assert (site.keys / "signing.pub.pem").read_bytes() == before
    assert stat.S_IMODE((site.keys / "signing.pub.pem").stat().st_mode) == 0o644


def sign_something(site: Site, what: str) -> None:
    """The head of an evidence log, or a sealed manifest as far as its signature."""
    if what == "evidence":
        write_head(site, load_signer(site), 0, None, datetime(2026, 11, 22, tzinfo=UTC))
    else:
        (site.outbox / "crm" / "m1").mkdir(parents=True)
        (site.outbox / "crm" / "m1" / "manifest.jws").write_text(load_signer(site).sign(b"{}"), encoding="ascii")


@pytest.mark.parametrize("left", ["public half", "evidence", "manifest"])
def test_a_signing_key_that_was_lost_is_not_replaced(tmp_path: Path, left: str) -> None:
    """Without a warehouse too: what was signed could be verified no more, and receivers would refuse what is."""
    site = make_site(tmp_path / "site")
    if left != "public half":
        sign_something(site, left)
        (site.keys / "signing.pub.pem").unlink()
    (site.keys / "signing.pem").unlink()
    before = content_of(site.path)
    with pytest.raises(BadInput, match=r"signing\.pem is missing though .* is there: restore it"):
        make_site(site.path)
    assert content_of(site.path) == before


@pytest.mark.parametrize("what", ["evidence", "manifest"])
@pytest.mark.parametrize("halves", [("signing.pem",), ("signing.pub.pem",), ("signing.pem", "signing.pub.pem")])
def test_another_signing_key_is_seen_before_anything_is_opened(
    tmp_path: Path, what: str, halves: tuple[str, ...]
) -> None:
    site, other = make_site(tmp_path / "site"), make_site(tmp_path / "other")
    settings = Settings.load(site)
    open_warehouse(site, settings).close()  # nothing is signed yet
    sign_something(site, what)
    own = {name: (site.keys / name).read_bytes() for name in halves}
    for name in halves:
        shutil.copyfile(other.keys / name, site.keys / name)
    with pytest.raises(BadInput, match=rf"{halves[0]} is not the key .* were signed with: restore"):
        open_warehouse(site, settings)
    for name, content in own.items():
        (site.keys / name).write_bytes(content)
    require_own_signing_key(site)


@pytest.mark.parametrize(
    "text", ["", "{}", '{"signature": "..x"}', '{"signature": "W10..x"}', '{"signature": 7}', "\xff"]
)
def test_a_head_that_tells_no_key_is_left_to_who_reads_the_log(tmp_path: Path, text: str) -> None:
    site = make_site(tmp_path / "site")
    site.evidence.mkdir(exist_ok=True)
    (site.evidence / "head.json").write_bytes(text.encode("latin-1"))
    open_warehouse(site, Settings.load(site)).close()


def test_another_pseudonym_key_is_seen(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    settings = Settings.load(site)
    with open_warehouse(site, settings) as warehouse:
        prepare(warehouse, load_policy(settings))
    key = (site.keys / "pseudonym.key").read_text()
    (site.keys / "pseudonym.key").write_text(("1" if key[0] == "0" else "0") + key[1:])
    with pytest.raises(BadInput, match=r"pseudonym.key .* is not the key that the warehouse was filled with"):
        open_warehouse(site, settings)
    (site.keys / "pseudonym.key").write_text(key)
    open_warehouse(site, settings).close()


@pytest.mark.parametrize("name", ["warehouse.key", "pseudonym.key"])
def test_a_missing_key_opens_no_new_warehouse(tmp_path: Path, name: str) -> None:
    site = make_site(tmp_path / "site")
    settings = Settings.load(site)
    open_warehouse(site, settings).close()
    before = site.warehouse.read_bytes()
    (site.keys / name).unlink()
    with pytest.raises(BadInput, match=f"{name} is missing: restore it"):
        open_warehouse(site, settings)
    assert site.warehouse.read_bytes() == before


def test_a_small_site_has_one_thread_unless_its_settings_say_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(tmp_path / "site")
    given: list[int | None] = []
    opens = Warehouse.open

    def opened(path: Path, *, threads: int | None = None, **more: Any) -> Warehouse:
        given.append(threads)
        return opens(path, **more)

    monkeypatch.setattr(Warehouse, "open", opened)
    open_warehouse(site, Settings.load(site)).close()
    (site.inbox / "crm").mkdir(exist_ok=True)
    with (site.inbox / "crm" / "large.csv").open("wb") as large:
        large.truncate(64 << 20)  # sparse: it takes no room
    open_warehouse(site, Settings.load(site)).close()
    monkeypatch.setenv("GALLRING_WAREHOUSE__THREADS", "3")
    open_warehouse(site, Settings.load(site)).close()
    assert given == [1, None, 3]


def test_a_malformed_key_is_refused_and_not_shown(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    (site.keys / "warehouse.key").write_text("hunter2\n", encoding="utf-8")
    with pytest.raises(BadInput, match="64 hexadecimal digits") as caught:
        open_warehouse(site, Settings.load(site))
    assert "hunter2" not in str(caught.value)
    assert not site.warehouse.exists()


def test_a_key_of_the_environment_makes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLRING_WAREHOUSE_KEY", "a1" * 32)
    site = make_site(tmp_path / "site")
    assert not (site.keys / "warehouse.key").exists()
    open_warehouse(site, Settings.load(site)).close()
    make_site(site.path)


def test_a_folder_with_something_else_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("x", encoding="utf-8")
    with pytest.raises(BadInput, match="not empty and not a site"):
        make_site(tmp_path)
    with pytest.raises(BadInput, match="is a file"):
        make_site(tmp_path / "letter.txt")
    assert content_of(tmp_path) == {"letter.txt": b"x"}


def test_what_is_no_site_is_not_opened(tmp_path: Path) -> None:
    from assets.site import Site

    with pytest.raises(BadInput, match="is not a site"):
        open_warehouse(Site(tmp_path), Settings.load(Site(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_dagster_tells_nobody_and_asks_nothing(tmp_path: Path) -> None:
    home = yaml.safe_load((make_site(tmp_path / "site").dagster / "dagster.yaml").read_text())
    assert home["telemetry"] == {"enabled": False}
    assert home["nux"] == {"enabled": False}
    assert home["concurrency"]["pools"] == {"granularity": "run", "default_limit": 1}
    assert home["freshness"] == {"enabled": True}
    assert home["run_retries"] == {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False}


@pytest.mark.parametrize("name", ["a[1]", "a*"])
def test_a_path_from_which_no_file_could_be_taken_in_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="name a folder without"):
        make_site(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_missing_signing_key_is_said_to_be_missing(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    (site.keys / "signing.pem").unlink()
    with pytest.raises(BadInput, match=r"signing\.pem is missing: restore it from the backup of the keys"):
        load_signer(site)


def test_a_path_that_databases_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "what?" / "site"
    with pytest.raises(BadInput, match="holds a question mark"):
        make_site(path)
    assert not path.exists()
    path.mkdir(parents=True)
    (path / "gallring.toml").touch()
    with pytest.raises(BadInput, match="holds a question mark"):
        open_warehouse(Site(path), Settings())
