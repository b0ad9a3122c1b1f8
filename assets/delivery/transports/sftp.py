"""Delivery over SFTP (fsspec on paramiko). The server's key is pinned: one that differs is never talked to."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from assets.delivery.transports.contract import (
    CANCELLED,
    LARGEST_RECEIPT_FILE,
    RECEIPTS,
    TIMEOUT,
    Parcel,
    ReceiptFile,
    RetryableTransportError,
    TerminalTransportError,
    already_there,
    parts_of,
    receipts_below,
)
from assets.manifests import documents

if TYPE_CHECKING:
    from fsspec.implementations.sftp import SFTPFileSystem

_WRITTEN = "An SFTP address is written sftp://USER@HOST:PORT/FOLDER."

#: What a server's key may be, and the names under which one of the kind signs.
_KEY_TYPES = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("ssh-rsa", "rsa-sha2-256", "rsa-sha2-512"),
}


@dataclass(frozen=True)
class SftpAccess:
    """Where the server is, how it is known, and who logs in.

    Attributes:
        address: `sftp://USER@HOST:PORT/FOLDER`.
        host_key: the server's public key as `ssh-keyscan` prints it, without the host: `ssh-ed25519 AAAA…`.
        key_file: a private key to log in with.
        password: the user's, or that of the private key.
    """

    address: str
    host_key: str
    key_file: Path | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = TIMEOUT


class SftpTransport:
    """Uploads under a temporary name, then renames. A connection a call."""

    def __init__(self, access: SftpAccess) -> None:
        """Check what can be checked without the server.

        Raises:
            TerminalTransportError: the address or the server's key is none.
        """
        self._access = access
        self._url = parts_of(access.address)
        if self._url.scheme != "sftp" or not self._url.hostname or not self._url.username:
            raise TerminalTransportError("settings", _WRITTEN)
        if len(access.host_key.split()) < 2 or access.host_key.split()[0] not in _KEY_TYPES:
            raise TerminalTransportError(
                "settings", "SFTP needs the server's key (host_key), such as `ssh-ed25519 AAAA…`: ask its owner for it."
            )
        self._folder = unquote(self._url.path).rstrip("/") or "."

    def put(self, manifest_folder: Path, manifest_id: str) -> None:
        """Upload the manifest under a temporary name and rename it."""
        self._put(Parcel(manifest_folder, manifest_id))

    def put_cancelled(self, manifest_folder: Path, manifest_id: str) -> None:
        """Upload the document and signature of a manifest that will never come."""
        self._put(Parcel(manifest_folder, manifest_id, CANCELLED))

    def fetch_receipts(self, seen: Collection[tuple[str, str]]) -> list[ReceiptFile]:
        """The files of `receipts/` that are new or have changed; links are not followed."""
        with self._connected() as files:
            return receipts_below(
                files, f"{self._folder}/{RECEIPTS}", seen, _version,
                lambda path: files.cat_file(path, 0, LARGEST_RECEIPT_FILE),
            )  # fmt: skip

    def _put(self, parcel: Parcel) -> None:
        with self._connected() as files:
            place = f"{self._folder}/{parcel.place}"
            target, arriving = f"{place}/{parcel.manifest_id}", f"{place}/.arriving-{parcel.manifest_id}"
            if files.exists(target):
                already_there(parcel, files.cat_file(f"{target}/{documents.DOCUMENT}", 0, 1_000_000))
                return
            files.makedirs(arriving, exist_ok=True)
            for name in parcel.names:
                files.put_file(str(parcel.folder / name), f"{arriving}/{name}")
            files.mv(arriving, target)

    @contextmanager
    def _connected(self) -> Iterator[SFTPFileSystem]:
        """The server's files, for as long as the block runs; what it or the line says comes out as ours."""
        import paramiko

        try:
            files = self._connect()
            try:
                files.ftp.get_channel().settimeout(self._access.timeout)
                yield files
            finally:
                files.client.close()
        except paramiko.AuthenticationException:
            raise TerminalTransportError("login_refused", "The SFTP server refuses the login.") from None
        except PermissionError:
            raise TerminalTransportError(
                "no_rights", "The SFTP server refuses to let the manifest be written."
            ) from None
        except FileNotFoundError:
            raise TerminalTransportError("no_folder", "A file or folder is missing at the SFTP server.") from None
        except UnicodeError:  # a name that no server can have
            raise TerminalTransportError("settings", _WRITTEN) from None
        except (paramiko.SSHException, OSError, EOFError):
            raise RetryableTransportError("unreachable", "The SFTP server does not answer, or broke off.") from None

    def _connect(self) -> SFTPFileSystem:
        from fsspec.implementations.sftp import SFTPFileSystem

        access = self._access
        kind = access.host_key.split()[0]
        return SFTPFileSystem(
            self._url.hostname,
            port=self._url.port or 22,
            username=unquote(self._url.username or ""),
            password=access.password if access.key_file is None else None,
            key_filename=None if access.key_file is None else str(access.key_file),
            passphrase=access.password if access.key_file is not None else None,
            host_key_policy=_pinned(access.host_key),
            disabled_algorithms={"keys": _other_key_types(kind)},
            look_for_keys=False,
            allow_agent=False,
            timeout=access.timeout,
            banner_timeout=access.timeout,
            auth_timeout=access.timeout,
            skip_instance_cache=True,
        )


def _version(entry: Mapping[str, Any]) -> str:
    return f"{entry['size']}-{entry['mtime'].timestamp():.0f}"


def _other_key_types(kind: str) -> list[str]:
    """The types that the server must not present, so that it presents the one that is known."""
    return [name for other, names in _KEY_TYPES.items() if other != kind for name in names]


def _pinned(host_key: str) -> Any:
    """A policy that takes one key alone: nothing of this machine's known hosts is asked."""
    import paramiko

    kind, encoded = host_key.split()[:2]

    class Pinned(paramiko.MissingHostKeyPolicy):
        def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
            if (key.get_name(), b64encode(key.asbytes()).decode()) != (kind, encoded):
                raise TerminalTransportError(
                    "host_key", "The SFTP server has another key than the settings say: ask its owner before going on."
                )

    return Pinned()
