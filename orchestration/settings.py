"""Settings of a site: `gallring.toml` overlaid by the environment. The only reader of the environment.

Knows what may be set and what it must look like, not what is done with it. Secrets come from the environment or from
the site's key files, never from `gallring.toml`.
"""

from __future__ import annotations

import os
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as Unread

from assets.addresses import PORTS, is_loopback, is_private_address
from assets.catalogue.published import SMALLEST_GROUP
from assets.erasure.periods import Periods
from assets.errors import BadInput
from assets.ingest.limits import Limits, bytes_of
from assets.purpose_register import months_and_days
from assets.site import Site

PREFIX = "GALLRING_"
#: The days that may be told: periods are added to them, and taken from them, by the calendar.
FIRST_DAY, LAST_DAY = date(1901, 1, 1), date(2999, 12, 31)
DEFAULT_SITE = Path("site")
SECRETS = ("warehouse_key", "next_warehouse_key", "pseudonym_key", "credentials")
#: The schedules and sensors that start runs. None starts one before the site says so.
AUTOMATIONS = (
    "nightly_cycle",
    "weekly_verification",
    "monthly_register_review",
    "delivery_arrived",
    "request_arrived",
    "approval_given",
    "receipt_arrived",
)
#: Credentials come by the name of their system: one of them stands for all where the way is told.
_BY_NAME = {"credentials": "CREDENTIALS__NAME__PASSWORD"}
_ADDRESS = re.compile(r"[^\s<>,;@\"]+@[^\s<>,;@\"]+")
_SIZE = re.compile(r"[0-9]+(\.[0-9]+)? ?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)")


class SettingsError(BadInput):
    """A setting is unknown or cannot be used; the message names its file and key."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


#: How much of a limit DuckDB is told, in a hundred: it takes up to a quarter more than it counts.
_COUNTED_PERCENT = 80
#: DuckDB starts each of its threads, and counts bytes no further; what it says of more names no setting.
_MOST_THREADS, _MOST_BYTES = 1024, 2**63 - 1


class WarehouseSettings(_Section):
    """How much of the machine the warehouse may use, and how long a run waits for another to let go of it."""

    memory_limit: str = ""
    threads: Annotated[int, Field(ge=0, le=_MOST_THREADS)] = 0
    wait_seconds: Annotated[float, Field(ge=0)] = 30

    @field_validator("memory_limit")
    @classmethod
    def _is_a_size(cls, value: str) -> str:
        if value and not _SIZE.fullmatch(value):
            raise ValueError('must be a size such as "2GB", or empty')
        if value and TypeAdapter(ByteSize).validate_python(value) > _MOST_BYTES:
            raise ValueError('must be a size that a machine has, such as "2GB", or empty')
        return value

    @property
    def counted_memory(self) -> str | None:
        """What DuckDB is told that it may take, in bytes (`3200000000B` of `4GB`); None: what it finds by itself."""
        if not self.memory_limit:
            return None
        return f"{TypeAdapter(ByteSize).validate_python(self.memory_limit) * _COUNTED_PERCENT // 100}B"


class ApprovalSettings(_Section):
    """Whether a person approves every manifest, and how large one may be before a person has to in any case."""

    mode: Literal["required", "automatic"] = "required"
    items: Annotated[int, Field(ge=0)] = 500
    share: Annotated[float, Field(ge=0, le=1)] = 0.02
    times_median: Annotated[float, Field(ge=1)] = 5
    erase_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    unread_rows: Literal["wait", "leave_out"] = "wait"

    @property
    def leaves_out(self) -> bool:
        """Whether what a row that was set aside may keep is left out of what is sealed."""
        return self.unread_rows == "leave_out"


class TransportSettings(_Section):
    """How one system's manifests reach it."""

    kind: Literal["folder", "sftp", "s3", "https"] = "folder"
    to: str = ""
    public_key: str = ""
    host_key: str = ""
    key_file: str = ""
    certificate: str = ""
    endpoint: str = ""
    region: str = ""
    credentials: str = ""


class Credentials(_Section):
    """What a system is logged in to with. From the environment alone: GALLRING_CREDENTIALS__NAME__PASSWORD, ..."""

    password: SecretStr | None = None
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    token: SecretStr | None = None


class KeepingSettings(_Section):
    """How long the product keeps its own copies of personal data: ISO 8601 periods."""

    deliveries: str = Periods.deliveries
    quarantine: str = Periods.quarantine
    residue: str = Periods.residue
    erased_bytes: str = Periods.erased_bytes
    backups: str = Periods.backups
    manifests: str = Periods.manifests
    registers: str = Periods.registers
    reports: str = Periods.reports
    access_reports: str = Periods.access_reports
    leftovers: str = Periods.leftovers
    history: str = Periods.history

    @field_validator("*")
    @classmethod
    def _are_periods(cls, value: str) -> str:
        try:
            months_and_days(value)
        except ValueError:
            raise ValueError('must be an ISO 8601 period of whole years, months and days, such as "P30D"') from None
        return value


class PublicationSettings(_Section):
    """How few people may stand behind a published aggregate."""

    smallest_group: Annotated[int, Field(ge=1)] = SMALLEST_GROUP


class LimitSettings(_Section):
    """How large what arrives may be before it is refused unread."""

    file_size: str = "100GB"
    line_size: str = "2MiB"
    unpacked_size: str = "4GB"
    files_in_a_delivery: Annotated[int, Field(ge=1)] = 10_000

    @field_validator("file_size", "line_size", "unpacked_size")
    @classmethod
    def _is_a_size(cls, value: str) -> str:
        if not _SIZE.fullmatch(value):
            raise ValueError('must be a size such as "2GB"')
        return value

    def in_bytes(self) -> Limits:
        """The sizes in bytes."""
        return Limits(
            file_bytes=bytes_of(self.file_size),
            line_bytes=bytes_of(self.line_size),
            unpacked_bytes=bytes_of(self.unpacked_size),
            files=self.files_in_a_delivery,
        )


class WebhookSettings(_Section):
    """Where notices are posted to."""

    url: str = ""
    certificate: str = ""

    @field_validator("url")
    @classmethod
    def _is_private(cls, value: str) -> str:
        if value and not is_private_address(value):
            raise ValueError("must be https://HOST/PATH, or http:// on this machine")
        return value


class EmailSettings(_Section):
    """How notices are mailed."""

    server: str = ""
    security: Literal["starttls", "tls", "none"] = "starttls"
    certificate: str = ""
    user: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()

    @field_validator("sender", "recipients")
    @classmethod
    def _are_addresses(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for address in (value,) if isinstance(value, str) else value:
            if address and not _ADDRESS.fullmatch(address):
                raise ValueError("must be an address such as gallring@company.example")
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.server:
            return self
        host, port = self.host_and_port()
        if not host or not 0 < port < 65536:
            raise ValueError("needs a server such as mail.company.example:587")
        if not self.sender or not self.recipients:
            raise ValueError("needs a sender and at least one of recipients")
        if self.security == "none" and not is_loopback(host):
            raise ValueError("needs the security starttls or tls: nothing is sent in the clear to another machine")
        return self

    def host_and_port(self) -> tuple[str, int]:
        """The server's, with the port that goes with the security where none is given."""
        try:
            parts = urlsplit(f"//{self.server}")
            return parts.hostname or "", PORTS[self.security] if parts.port is None else parts.port
        except ValueError:
            return "", 0


class NotificationSettings(_Section):
    """Who is told when a check or a run failed, a source blocks, or a request is overdue."""

    log: bool = True
    warnings: bool = False
    ui: str = ""
    webhook: WebhookSettings = WebhookSettings()
    email: EmailSettings = EmailSettings()


class AutomationSettings(_Section):
    """Which schedules and sensors start running by themselves on this site."""

    running: tuple[str, ...] = ()

    @field_validator("running")
    @classmethod
    def _are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if set(value) - set(AUTOMATIONS):
            raise ValueError(f"can hold {', '.join(AUTOMATIONS)}")
        return value


class ReviewSettings(_Section):
    """How often what people decided is to be looked at again: ISO 8601 periods."""

    period: str = "P1Y"

    @field_validator("period")
    @classmethod
    def _is_a_period(cls, value: str) -> str:
        try:
            months_and_days(value)
        except ValueError:
            raise ValueError('must be an ISO 8601 period of whole years, months and days, such as "P1Y"') from None
        return value


class Settings(BaseSettings):
    """Everything that can be set for a site. Environment first, then `gallring.toml`, then the defaults here."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    time_zone: str = "Europe/Stockholm"
    controller: str = ""
    policy: Path | None = None
    respond_by: str = "P30D"
    warehouse: WarehouseSettings = WarehouseSettings()
    approval: ApprovalSettings = ApprovalSettings()
    keeping: KeepingSettings = KeepingSettings()
    transports: dict[str, TransportSettings] = {}
    publication: PublicationSettings = PublicationSettings()
    limits: LimitSettings = LimitSettings()
    notifications: NotificationSettings = NotificationSettings()
    automation: AutomationSettings = AutomationSettings()
    reviews: ReviewSettings = ReviewSettings()

    warehouse_key: SecretStr | None = None
    next_warehouse_key: SecretStr | None = None
    pseudonym_key: SecretStr | None = None
    credentials: dict[str, Credentials] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what `gallring.toml` says (which `load` passes in)."""
        return env_settings, init_settings

    @field_validator("time_zone")
    @classmethod
    def _is_a_time_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (OSError, ValueError, KeyError):
            raise ValueError('must be a time zone such as "Europe/Stockholm"') from None
        return value

    @field_validator("policy")
    @classmethod
    def _is_found_from_anywhere(cls, value: Path | None) -> Path | None:
        return value.absolute() if value is not None else None

    @field_validator("respond_by")
    @classmethod
    def _is_a_period(cls, value: str) -> str:
        try:
            months_and_days(value)
        except ValueError:
            raise ValueError('must be an ISO 8601 period of whole years, months and days, such as "P30D"') from None
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which today is a date."""
        return ZoneInfo(self.time_zone)

    @classmethod
    def load(cls, site: Site) -> Settings:
        """The settings of `site`; all defaults when it has no `gallring.toml`.

        Raises:
            SettingsError: the file is not TOML, a variable is not JSON that must be, or a key is unknown or wrong. No
                value is quoted.
        """
        content = _read(site.settings)
        if isinstance(content.get("policy"), str):
            content["policy"] = site.path / content["policy"]
        try:
            return cls(**content)
        except ValidationError as error:
            raise SettingsError(_complaint(site.settings, content, error)) from None
        except Unread:
            raise SettingsError(_unread_variable()) from None


def chosen_site(path: Path | None = None) -> Site:
    """The site of `path`, else of `GALLRING_SITE`, else `./site`. It need not exist."""
    named = path or Path(os.environ.get(PREFIX + "SITE") or DEFAULT_SITE)
    return Site(named.absolute())


def site_is_named(path: Path | None) -> bool:
    """Whether somebody names a site, by `path` or by `GALLRING_SITE`; else `./site` is meant, where there is one."""
    return path is not None or bool(os.environ.get(PREFIX + "SITE"))


def default_settings() -> str:
    """The text of a new site's `gallring.toml`: every setting with its default and what it means."""
    return _DEFAULT


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML in UTF-8: {error}. Mend the line it names.") from None
    for key in content:  # in capitals a key would be taken for the setting, past what holds for the setting in a file
        if (secret := key.lower()) in SECRETS:
            raise SettingsError(f"{path}: {secret} is a secret: set {variable_of(secret)} in the environment.")
        if key != key.lower():
            raise SettingsError(f"{path}: {key} is no setting: write {key.lower()}, in small letters.")
    return content


def variable_of(secret: str) -> str:
    """The name by which a secret is set in the environment."""
    return PREFIX + _BY_NAME.get(secret, secret.upper())


def _unread_variable() -> str:
    """Which variable of the environment is no JSON where several values stand in one; the first, tried by itself."""
    source = EnvSettingsSource(Settings)
    variables = dict(source.env_vars)
    name = next((name for name in variables if not _is_read(source, {name: variables[name]})), f"{PREFIX}...")
    return (
        f"environment variable {name.upper()}: a list, or a section as a whole, is written as JSON, such as "
        f'["one", "two"]. What stands in a section has a variable of its own: {PREFIX}APPROVAL__MODE, '
        f"{variable_of('credentials')}."
    )


def _is_read(source: EnvSettingsSource, variables: dict[str, str | None]) -> bool:
    source.env_vars = variables
    try:
        source()
    except Unread:
        return False
    return True


def _complaint(path: Path, content: dict[str, Any], error: ValidationError) -> str:
    """One sentence about the first thing that is wrong, with where it was set."""
    first = error.errors(include_input=False, include_url=False)[0]
    keys = [str(part) for part in first["loc"]]
    where = str(path) if _is_in(content, keys) else f"environment variable {PREFIX}{'__'.join(keys).upper()}"
    if first["type"] == "extra_forbidden":
        known = ", ".join(sorted(_known(keys[:-1])))
        return f"{where}: {'.'.join(keys)} is not a setting. Known here: {known}."
    return f"{where}: {'.'.join(keys)} {first['msg'].removeprefix('Value error, ')}."


def _is_in(content: Any, keys: list[str]) -> bool:
    for key in keys:
        if not isinstance(content, dict) or key not in content:
            return False
        content = content[key]
    return True


def _known(section: list[str]) -> set[str]:
    """The names that may be set in a section."""
    model: type[BaseModel] = Settings
    for name in section:
        field = model.model_fields.get(name)
        if field is None:
            continue  # the name of a system in [transports]
        candidates = (field.annotation, *get_args(field.annotation))
        model = next((each for each in candidates if isinstance(each, type) and issubclass(each, BaseModel)), model)
    return set(model.model_fields) - (set(SECRETS) if model is Settings else set())


_DEFAULT = """\
# Settings of this Gallring site. A line that starts with # shows a default.
# Every setting can also come from the environment: GALLRING_TIME_ZONE, GALLRING_WAREHOUSE__MEMORY_LIMIT, ...
# Secrets never stand here: they are files in keys/, or GALLRING_WAREHOUSE_KEY and GALLRING_PSEUDONYM_KEY in the
# environment.

# What today is, and when the schedules run. The instants in exports are days in Europe/Stockholm whatever stands here.
# time_zone = "Europe/Stockholm"

# Who is responsible, as manifests say it. Empty: the controller that the purpose register names.
# controller = ""

# The policy folder (register, purposes, contracts), from this folder. Leave it out for the shipped policy.
policy = "policy"

# How long a system has to answer a manifest: an ISO 8601 period.
# respond_by = "P30D"

[warehouse]
# How much memory and how many threads DuckDB may use. Empty and 0: what the machine has; a small site has one thread.
# It is told four fifths of the limit, for it takes up to a quarter more than it counts. Python's 500 MB come on top.
# memory_limit = ""
# threads = 0
# How long a run waits while another process has the warehouse open.
# wait_seconds = 30

[approval]
# required: a person approves every manifest. automatic: those that stay below every number here need nobody.
# mode = "required"
# The most items, and the largest share of the records of any one type, that a manifest may hold.
# items = 500
# share = 0.02
# What makes a manifest an anomaly: so many times the median size of that system's recent manifests, or more than this
# share of the records of any one type to be erased.
# times_median = 5
# erase_share = 0.1
# What becomes of records that a row may keep which could not be read. wait: a manifest that erases of one waits for a
# person as a whole. leave_out: nothing is erased of these until the row was read, and the rest is sealed without them.
# unread_rows = "wait"

[keeping]
# How long this product keeps its own copies: ISO 8601 periods, through the last day. docs/own-copies.md says why.
# deliveries = "P7D"       # export files that were taken in, after their extract
# quarantine = "P30D"      # rows and deliveries that were kept out, after their extract; their files, once written
# residue = "P30D"         # corrected values in the warehouse file, before it is rewritten
# erased_bytes = "P0D"     # bytes of erased values in the warehouse file: it is rewritten the same night. With P7D they
#                          # leave every table the same night, and the file within a week: for a large warehouse
# backups = "P35D"
# manifests = "P5Y"        # after the last of its items is settled; receipts, after they were written
# registers = "P5Y"        # names in the office's registers, after a request was answered, a hold released, ...
# reports = "P1Y"
# access_reports = "P30D"
# leftovers = "P1D"        # what a run that died left in tmp/
# history = "P90D"         # runs in Dagster's run history: some six megabytes each

# How each system gets its manifests; without a table of its own, from outbox/SYSTEM/ (docs/manifest-format.md).
# A partner's table is [transports."partner:ID"].
# [transports.crm]
# kind = "folder"       # folder, sftp, s3 or https
# to = "exchange/crm"   # a folder, sftp://USER@HOST:PORT/FOLDER, s3://BUCKET/PREFIX or https://HOST/PATH
# public_key = ""       # the recipient's, in PEM, from this folder: on record for whoever writes to it.
#                       # `gallring doctor` tells its fingerprint, to compare; parcels are not encrypted
# host_key = ""         # sftp: the server's key, such as "ssh-ed25519 AAAA..."
# key_file = ""         # sftp: the private key to log in with, from this folder
# certificate = ""      # https, s3: the authorities to trust instead of this machine's, from this folder
# endpoint = ""         # s3: the server, where it is not Amazon's: https://HOST, or http:// on this machine
# region = ""           # s3
# credentials = ""      # name of the secrets in the environment, by default the system's: for NAME these are
#                       # GALLRING_CREDENTIALS__NAME__PASSWORD (sftp), ..__ACCESS_KEY, ..__SECRET_KEY (s3), ..__TOKEN

[publication]
# What fewer customers than this share is folded in published aggregates.
# smallest_group = 10

[limits]
# What arrives is refused unread when a file, a line of it, or what an Excel file unpacks to is larger than this, or
# when a delivery lists more files.
# file_size = "100GB"
# line_size = "2MiB"
# unpacked_size = "4GB"
# files_in_a_delivery = 10000

[notifications]
# Who is told when a check or a run failed, a source blocks or a person's request is overdue: names of checks and
# counts, never a value. Told by the sensor attention_needed of `gallring ui`, once a run.
# log = true               # in the log of `gallring ui` and of the sensor
# warnings = false         # also of checks that only warn
# ui = ""                  # the web UI's address, for a link: https://gallring.company.example

[notifications.webhook]
# Each notice as JSON, POSTed and signed with the site's key (docs/deploying.md). A bearer token, where the receiver
# wants one, is GALLRING_CREDENTIALS__NOTIFICATIONS__TOKEN in the environment.
# url = ""                 # https://HOST/PATH
# certificate = ""         # the authorities to trust instead of this machine's, from this folder

[notifications.email]
# server = ""              # HOST:PORT
# security = "starttls"    # starttls, tls, or none on this machine
# certificate = ""
# user = ""                # its password is GALLRING_CREDENTIALS__NOTIFICATIONS__PASSWORD in the environment
# sender = ""
# recipients = []

[automation]
# What runs by itself on this site as soon as `gallring ui` does, and not only once a person has turned it on there. Of:
# nightly_cycle, weekly_verification, monthly_register_review (schedules), delivery_arrived, request_arrived,
# approval_given, receipt_arrived (sensors).
# running = []

[reviews]
# How long after its version's day the purpose register is to be looked at again.
# period = "P1Y"
"""
