"""Delivery into S3-compatible storage (fsspec's s3fs). `manifest.json` is the object that arrives last."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.addresses import is_private_address
from assets.delivery.transports.contract import (
    CANCELLED,
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
    from s3fs import S3FileSystem


@dataclass(frozen=True)
class S3Access:
    """Where the bucket is and who writes there.

    Attributes:
        address: `s3://BUCKET/PREFIX`.
        endpoint: the server, where it is not Amazon's: `https://storage.example`.
        access_key: with `secret_key`; without them the machine's own role is used.
    """

    address: str
    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    certificate: Path | None = None
    timeout: float = TIMEOUT


class S3Transport:
    """Puts a manifest's objects, its document last; an object store renames nothing."""

    def __init__(self, access: S3Access) -> None:
        """Check what can be checked without the server.

        Raises:
            TerminalTransportError: the address is none, or others could read along on the way.
        """
        url = parts_of(access.address)
        if url.scheme != "s3" or not url.netloc:
            raise TerminalTransportError("settings", "An S3 address is written s3://BUCKET/PREFIX.")
        if access.endpoint is not None and not is_private_address(parts_of(access.endpoint).geturl()):
            raise TerminalTransportError(
                "settings", "An S3 endpoint is written https://HOST, or http:// on this machine."
            )
        self._access = access
        self._folder = "/".join(part for part in (url.netloc, url.path.strip("/")) if part)

    def put(self, manifest_folder: Path, manifest_id: str) -> None:
        """Put the manifest's objects; it is there once its document is."""
        self._put(Parcel(manifest_folder, manifest_id))

    def put_cancelled(self, manifest_folder: Path, manifest_id: str) -> None:
        """Put the document and signature of a manifest that will never come."""
        self._put(Parcel(manifest_folder, manifest_id, CANCELLED))

    def fetch_receipts(self, seen: Collection[tuple[str, str]]) -> list[ReceiptFile]:
        """The objects below `receipts/` that are new or have changed."""
        with self._connected() as store:
            return receipts_below(store, f"{self._folder}/{RECEIPTS}", seen, _version, store.cat_file)

    def _put(self, parcel: Parcel) -> None:
        with self._connected() as store:
            target = f"{self._folder}/{parcel.place}/{parcel.manifest_id}"
            if store.exists(f"{target}/{documents.DOCUMENT}"):
                already_there(parcel, store.cat_file(f"{target}/{documents.DOCUMENT}"))
                return
            for name in parcel.names:
                store.put_file(str(parcel.folder / name), f"{target}/{name}")

    @contextmanager
    def _connected(self) -> Iterator[S3FileSystem]:
        """The bucket, for as long as the block runs; what it or the line says comes out as ours."""
        from botocore.exceptions import BotoCoreError, NoCredentialsError, ParamValidationError, SSLError

        try:
            store = self._connect()
            try:
                yield store
            finally:
                if getattr(store, "_s3", None) is not None:
                    store.close_session(store.loop, store._s3)
        except (PermissionError, NoCredentialsError):
            raise TerminalTransportError("login_refused", "The object store refuses the keys.") from None
        except FileNotFoundError:
            raise TerminalTransportError("no_folder", "The bucket is not there, or may not be seen.") from None
        except (ParamValidationError, SSLError, ValueError):  # the last of an endpoint that is none
            raise TerminalTransportError(
                "settings", "The object store's address, name or certificate does not fit the settings."
            ) from None
        except (OSError, BotoCoreError):
            raise RetryableTransportError("unreachable", "The object store does not answer, or broke off.") from None

    def _connect(self) -> S3FileSystem:
        import s3fs

        access = self._access
        client = {"region_name": access.region or "us-east-1"}
        if access.certificate is not None:
            client["verify"] = str(access.certificate)
        return s3fs.S3FileSystem(
            key=access.access_key,
            secret=access.secret_key,
            endpoint_url=access.endpoint,
            client_kwargs=client,
            # Our own retries, with their backoff, stand above this.
            config_kwargs={"connect_timeout": access.timeout, "read_timeout": access.timeout,
                           "retries": {"max_attempts": 0}},
            use_listings_cache=False,
            skip_instance_cache=True,
        )  # fmt: skip


def _version(entry: Mapping[str, Any]) -> str:
    return str(entry.get("ETag", "")).strip('"')
