"""Settings say which file and key is wrong, and never show a value."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from assets.site import Site
from orchestration.settings import SECRETS, Settings, SettingsError, WarehouseSettings, chosen_site, default_settings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SITE", "POLICY", "TIME_ZONE", "CONTROLLER", "RESPOND_BY", *(secret.upper() for secret in SECRETS)):
        monkeypatch.delenv(f"GALLRING_{name}", raising=False)


def site_with(folder: Path, text: str) -> Site:
    site = Site(folder)
    site.settings.write_text(text, encoding="utf-8")
    return site


def test_a_site_without_settings_has_the_defaults(tmp_path: Path) -> None:
    settings = Settings.load(Site(tmp_path))
    assert (settings.time_zone, settings.respond_by, settings.policy) == ("Europe/Stockholm", "P30D", None)


def test_the_default_text_sets_what_the_defaults_are(tmp_path: Path) -> None:
    text = re.sub(r"^# (?=[a-z_]+ = |\[)", "", default_settings(), flags=re.MULTILINE)
    written = Settings.load(site_with(tmp_path, text))
    defaults = Settings.load(Site(tmp_path / "nothing"))
    assert written.model_copy(update={"policy": None, "transports": {}}) == defaults
    assert written.policy == tmp_path / "policy"
    assert written.transports["crm"].kind == "folder"


@pytest.mark.parametrize(
    ("text", "key", "known"),
    [
        ('colour = "red"', "colour", "time_zone"),
        ('[warehouse]\nmemory_limt = "2GB"', "warehouse.memory_limt", "memory_limit"),
        ('[transports.crm]\nkind = "folder"\npassword = "x"', "transports.crm.password", "public_key"),
        ('[transports.crm]\ncredential = "x"', "transports.crm.credential", ", credentials,"),
    ],
)
def test_an_unknown_key_is_named_with_its_file_and_what_is_known(
    tmp_path: Path, text: str, key: str, known: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load(site_with(tmp_path, text))
    assert str(tmp_path / "gallring.toml") in str(caught.value)
    assert f"{key} is not a setting" in str(caught.value)
    assert known in str(caught.value)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('time_zone = "Mars/Olympus"', "time_zone"),
        ('respond_by = "a month"', "respond_by"),
        ("[approval]\nshare = 7", "approval.share"),
        ('[warehouse]\nmemory_limit = "lots"', "warehouse.memory_limit"),
        ('[warehouse]\nmemory_limit = "2GB\\n"', "warehouse.memory_limit"),
        ('[warehouse]\nmemory_limit = "999999999999999999999999TB"', "warehouse.memory_limit"),
        ('[warehouse]\nmemory_limit = "12PB"', "warehouse.memory_limit"),
        ("[warehouse]\nthreads = 1025", "warehouse.threads"),
        ("[warehouse]\nthreads = 99999999999", "warehouse.threads"),
        ('[limits]\nfile_size = "2GB\\n"', "limits.file_size"),
        ('[notifications.email]\nsender = "pigeon@b.example\\n"', "notifications.email.sender"),
        ('respond_by = "P9000Y"', "respond_by"),
        ('[transports.crm]\nkind = "pigeon"', "transports.crm.kind"),
        ('[notifications.webhook]\nurl = "http://pager.example/pigeon"', "notifications.webhook.url"),
        ('[notifications.email]\nserver = "pigeon.example"', "notifications.email"),
        (
            '[notifications.email]\nserver = "pigeon:0"\nsender = "a@b.example"\nrecipients = ["c@d.example"]',
            "notifications.email",
        ),
        (
            '[notifications.email]\nserver = "pigeon.example"\nsecurity = "none"\nsender = "a@b.example"\n'
            'recipients = ["c@d.example"]',
            "notifications.email",
        ),
        ('[notifications.email]\nsender = "pigeon"', "notifications.email.sender"),
        ('[notifications.email]\nrecipients = ["a@b.example, pigeon@c.example"]', "notifications.email.recipients"),
        ('[automation]\nrunning = ["pigeon"]', "automation.running"),
        ('[reviews]\nperiod = "pigeon"', "reviews.period"),
    ],
)
def test_a_wrong_value_is_named_by_its_key_and_not_shown(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load(site_with(tmp_path, text))
    assert f"gallring.toml: {key} " in str(caught.value)
    assert not any(value in str(caught.value) for value in ("Olympus", "a month", "pigeon", "lots"))


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gallring\.toml is not TOML"):
        Settings.load(site_with(tmp_path, "time_zone: Europe/Stockholm"))


def test_the_environment_wins_and_is_blamed_for_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = site_with(tmp_path, 'time_zone = "Europe/Oslo"\n[warehouse]\nthreads = 1')
    monkeypatch.setenv("GALLRING_TIME_ZONE", "Europe/Helsinki")
    monkeypatch.setenv("GALLRING_WAREHOUSE__MEMORY_LIMIT", "1GB")
    settings = Settings.load(site)
    assert (settings.time_zone, settings.warehouse.threads, settings.warehouse.memory_limit) == (
        "Europe/Helsinki",
        1,
        "1GB",
    )
    monkeypatch.setenv("GALLRING_RESPOND_BY", "soon")
    with pytest.raises(SettingsError, match="environment variable GALLRING_RESPOND_BY"):
        Settings.load(site)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTOMATION__RUNNING", "pigeon"),
        ("APPROVAL", "pigeon"),
        ("NOTIFICATIONS__EMAIL__RECIPIENTS", "pigeon@b.example"),
        ("CREDENTIALS", "pigeon"),
        ("TRANSPORTS", "{'crm': 'pigeon'}"),
    ],
)
def test_several_values_of_the_environment_that_are_no_json_are_told_by_their_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("GALLRING_NOTIFICATIONS__UI", "https://gallring.company.example")
    monkeypatch.setenv("GALLRING_CREDENTIALS__NOTIFICATIONS__TOKEN", "hush")
    monkeypatch.setenv(f"GALLRING_{name}", value)
    with pytest.raises(SettingsError, match=f"environment variable GALLRING_{name}:") as caught:
        Settings.load(Site(tmp_path))
    assert "JSON" in str(caught.value)
    assert "pigeon" not in str(caught.value)


@pytest.mark.parametrize(
    ("limit", "counted"),
    [
        ("", None),
        ("4GB", "3200000000B"),
        ("1.5 GiB", "1288490188B"),
        ("512MB", "409600000B"),
        ("2TiB", "1759218604441B"),
    ],
)
def test_duckdb_is_told_less_than_it_will_take(limit: str, counted: str | None) -> None:
    assert WarehouseSettings(memory_limit=limit).counted_memory == counted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('WAREHOUSE_KEY = "a private matter"', "warehouse_key is a secret: set GALLRING_WAREHOUSE_KEY"),
        ('Policy = "policy"', "Policy is no setting: write policy"),
        ("[Warehouse]\nthreads = 1", "Warehouse is no setting: write warehouse"),
    ],
)
def test_a_setting_in_capitals_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """It was taken in past what holds for it: a secret in a file, and a policy from wherever the command was given."""
    with pytest.raises(SettingsError) as caught:
        Settings.load(site_with(tmp_path, text))
    assert said in str(caught.value)
    assert "private" not in str(caught.value)


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_the_file_is_refused_and_not_shown(tmp_path: Path, secret: str) -> None:
    name = "GALLRING_CREDENTIALS__NAME__PASSWORD" if secret == "credentials" else f"GALLRING_{secret.upper()}"
    with pytest.raises(SettingsError, match=f" {name}[ ,]") as caught:
        Settings.load(site_with(tmp_path, f'{secret} = "0123456789abcdef"'))
    assert "0123456789" not in str(caught.value)


def test_a_secret_of_the_environment_is_not_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLRING_WAREHOUSE_KEY", "c0ffee")
    settings = Settings.load(Site(tmp_path))
    assert settings.warehouse_key is not None
    assert "c0ffee" not in repr(settings) + settings.model_dump_json()


def test_the_site_is_the_given_one_else_the_environments_else_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert chosen_site().path == tmp_path / "site"
    monkeypatch.setenv("GALLRING_SITE", str(tmp_path / "other"))
    assert chosen_site().path == tmp_path / "other"
    assert chosen_site(tmp_path / "third").path == tmp_path / "third"
