"""Manifests arrive whole, once in effect, and only where the receiver is who it should be. The servers are real."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from assets.delivery.transports import contract
from assets.delivery.transports import folder as folder_module
from assets.delivery.transports.choosing import ChosenTransports, Route
from assets.delivery.transports.contract import (
    ReceiptFile,
    RetryableTransportError,
    TerminalTransportError,
    Transport,
    receipts_below,
)
from assets.delivery.transports.folder import FolderTransport, OutboxTransport
from assets.delivery.transports.https import HttpsAccess, HttpsTransport, sign_request
from assets.delivery.transports.s3 import S3Access, S3Transport
from assets.delivery.transports.sftp import SftpAccess, SftpTransport
from assets.manifests.signatures import PublicKey, Signer
from assets.manifests.verifying import verify
from tests.delivery.conftest import SftpServer, free_port
from tests.delivery.receiver import Receiver
from tests.delivery.sealed import NOW, Sealed

# -- folders ------------------------------------------------------------------------------------------------------


def delivered(parcels: Sealed, transport: Transport, number: int = 0) -> str:
    folder = parcels.folder("crm", number)
    transport.put(folder, folder.name)
    return folder.name


def test_a_folder_gets_the_manifest_whole_and_once(parcels: Sealed, tmp_path: Path) -> None:
    transport = FolderTransport(tmp_path)
    name = delivered(parcels, transport)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "manifests" / name).iterdir()}
    delivered(parcels, transport)
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "manifests" / name).iterdir()}
    assert before == after
    assert [path.name for path in (tmp_path / "manifests").iterdir()] == [name]
    assert verify(tmp_path / "manifests" / name, parcels.office.public).ok


def test_nothing_stands_under_its_name_before_it_is_whole(
    parcels: Sealed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = FolderTransport(tmp_path)
    copied = folder_module._copy

    def half(source: Path, target: Path) -> None:
        if source.name == "manifest.json":
            raise OSError(28, "No space left on device")
        copied(source, target)

    monkeypatch.setattr(folder_module, "_copy", half)
    with pytest.raises(RetryableTransportError) as caught:
        delivered(parcels, transport)
    assert caught.value.code == "disk"
    assert all(path.name.startswith(".arriving-") for path in (tmp_path / "manifests").iterdir())
    monkeypatch.undo()
    name = delivered(parcels, transport)
    assert [path.name for path in (tmp_path / "manifests").iterdir()] == [name]


def test_a_folder_that_is_not_mounted_is_not_made(parcels: Sealed, tmp_path: Path) -> None:
    with pytest.raises(RetryableTransportError, match="not mounted"):
        delivered(parcels, FolderTransport(tmp_path / "share"))
    assert not (tmp_path / "share").exists()


def test_another_manifest_under_the_same_id_is_refused(parcels: Sealed, tmp_path: Path) -> None:
    transport = FolderTransport(tmp_path)
    name = delivered(parcels, transport)
    (tmp_path / "manifests" / name / "manifest.json").write_text("{}")
    with pytest.raises(TerminalTransportError) as caught:
        delivered(parcels, transport)
    assert caught.value.code == "other_content"


def test_a_cancelled_manifest_goes_as_document_and_signature_alone(parcels: Sealed, tmp_path: Path) -> None:
    folder = parcels.folder("crm", 0)
    FolderTransport(tmp_path).put_cancelled(folder, folder.name)
    files = sorted(path.name for path in (tmp_path / "cancelled" / folder.name).iterdir())
    assert files == ["manifest.json", "manifest.jws"]
    shutil.copytree(parcels.folder("crm", 1), tmp_path / "alone" / "second")
    found = verify(tmp_path / "alone" / "second", parcels.office.public, tmp_path / "cancelled" / folder.name)
    assert (found.ok, found.chain) == (True, "follows")


def test_finished_receipts_of_a_folder_are_fetched_when_new_or_changed(tmp_path: Path) -> None:
    transport = FolderTransport(tmp_path)
    assert transport.fetch_receipts(()) == []
    (tmp_path / "receipts").mkdir()
    (tmp_path / "receipts" / "a.jsonl").write_bytes(b"1\n")
    (tmp_path / "receipts" / ".b.jsonl").write_bytes(b"2\n")
    (tmp_path / "receipts" / "c.csv").write_bytes(b"3\n")
    (tmp_path / "receipts" / "d.jsonl").symlink_to(tmp_path / "receipts" / "c.csv")
    found = transport.fetch_receipts(())
    assert [(file.name, file.content) for file in found] == [("a.jsonl", b"1\n")]
    seen = {(file.name, file.version) for file in found}
    assert transport.fetch_receipts(seen) == []
    (tmp_path / "receipts" / "a.jsonl").write_bytes(b"1\n2\n")
    assert [file.content for file in transport.fetch_receipts(seen)] == [b"1\n2\n"]


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fetch takes ten bytes, six of one file."""
    monkeypatch.setattr(contract, "LARGEST_FETCH", 10)
    monkeypatch.setattr(contract, "LARGEST_RECEIPT_FILE", 6)


class Store:
    """What SFTP and S3 have in common of fsspec, over a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def exists(self, folder: str) -> bool:
        return True

    def ls(self, folder: str, detail: bool) -> list[dict[str, Any]]:
        return [{"name": f"{folder}/{path.name}", "type": "file", "size": path.stat().st_size}
                for path in self.folder.iterdir()]  # fmt: skip

    def fetch_receipts(self, seen: Collection[tuple[str, str]]) -> list[ReceiptFile]:
        def read(path: str) -> bytes:
            return (self.folder / path.rpartition("/")[2]).read_bytes()

        return receipts_below(self, "receipts", seen, lambda entry: str(entry["size"]), read)


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("of", [FolderTransport, lambda folder: Store(folder / "receipts")], ids=["folder", "store"])
def test_what_was_fetched_or_is_too_large_keeps_nothing_else_from_being_fetched(
    tmp_path: Path, of: Callable[[Path], FolderTransport | Store]
) -> None:
    files, transport = tmp_path / "receipts", of(tmp_path)
    files.mkdir()
    for name, size in (("a", 5), ("b", 40), ("c", 4), ("d", 3), ("e", 1)):
        (files / f"{name}.jsonl").write_bytes(b"x" * size)

    def fetched(seen: Collection[tuple[str, str]]) -> list[tuple[str, int, bool]]:
        return [(file.name, len(file.content), file.is_too_large) for file in transport.fetch_receipts(seen)]

    first = transport.fetch_receipts(())
    assert fetched(()) == [("a.jsonl", 5, False), ("b.jsonl", 0, True), ("c.jsonl", 4, False), ("e.jsonl", 1, False)]
    seen = {(file.name, file.version) for file in first if not file.is_too_large}
    assert fetched(seen) == [("b.jsonl", 0, True), ("d.jsonl", 3, False)]


def test_the_outbox_releases_a_manifest_by_a_mark_beside_it(sealed: Sealed) -> None:
    folder = sealed.folder("crm", 0)
    transport = OutboxTransport(sealed.site.outbox / "crm")
    (sealed.site.outbox / "crm" / f".{folder.name}.delivered-killed").touch()  # half written by a process that died
    transport.put(folder, folder.name)
    transport.put(folder, folder.name)
    transport.put_cancelled(sealed.folder("crm", 1), sealed.folder("crm", 1).name)
    marks = sorted(path.name for path in (sealed.site.outbox / "crm").iterdir() if path.is_file())
    assert marks == sorted([folder.name + ".delivered", sealed.folder("crm", 1).name + ".cancelled"])
    assert verify(folder, sealed.office.public).ok
    sealed.office.restore(sealed.company)  # the marks are no strangers
    with pytest.raises(TerminalTransportError):
        transport.put(sealed.site.outbox / "crm" / "missing", "missing")


# -- SFTP ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def sftp(sftp_server: SftpServer, tmp_path: Path) -> Callable[..., SftpTransport]:
    name = tmp_path.name

    def make(host_key: str | None = None, key_file: Path | None = None, port: int | None = None) -> SftpTransport:
        address = sftp_server.address(name)
        if port is not None:
            address = address.replace(f":{sftp_server.port}/", f":{port}/")
        return SftpTransport(SftpAccess(
            address, host_key or sftp_server.host_key, key_file or sftp_server.key_file, timeout=10
        ))  # fmt: skip

    return make


def test_sftp_delivers_whole_and_once(
    parcels: Sealed, sftp: Callable[..., SftpTransport], sftp_server: SftpServer, tmp_path: Path
) -> None:
    transport = sftp()
    name = delivered(parcels, transport)
    folder = sftp_server.folder / tmp_path.name / "manifests"
    assert [path.name for path in folder.iterdir()] == [name]
    assert verify(folder / name, parcels.office.public).ok
    stamp = (folder / name).stat().st_mtime_ns
    delivered(parcels, transport)
    assert (folder / name).stat().st_mtime_ns == stamp
    (folder / name / "manifest.json").write_text("{}")
    with pytest.raises(TerminalTransportError, match="Another manifest"):
        delivered(parcels, transport)


def test_sftp_takes_up_what_broke_off(
    parcels: Sealed, sftp: Callable[..., SftpTransport], sftp_server: SftpServer, tmp_path: Path
) -> None:
    folder = sftp_server.folder / tmp_path.name / "manifests"
    half = folder / f".arriving-{parcels.folder('crm', 0).name}"
    half.mkdir(parents=True)
    (half / "items.jsonl").write_text("half")
    name = delivered(parcels, sftp())
    assert [path.name for path in folder.iterdir()] == [name]
    assert verify(folder / name, parcels.office.public).ok


def test_sftp_fetches_receipts(sftp: Callable[..., SftpTransport], sftp_server: SftpServer, tmp_path: Path) -> None:
    transport = sftp()
    assert transport.fetch_receipts(()) == []
    folder = sftp_server.folder / tmp_path.name / "receipts"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_bytes(b"{}\n")
    (folder / ".half.jsonl").write_bytes(b"{")
    found = transport.fetch_receipts(())
    assert [(file.name, file.content) for file in found] == [("a.jsonl", b"{}\n")]
    assert transport.fetch_receipts({(file.name, file.version) for file in found}) == []


def test_sftp_talks_to_no_server_with_another_key(
    parcels: Sealed, sftp: Callable[..., SftpTransport], sftp_server: SftpServer
) -> None:
    other = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + b"x" * 32).decode()
    with pytest.raises(TerminalTransportError) as caught:
        delivered(parcels, sftp(host_key=other))
    assert caught.value.code == "host_key"


def test_sftp_tells_a_refused_login_from_a_server_that_is_down(
    parcels: Sealed, sftp: Callable[..., SftpTransport], tmp_path: Path
) -> None:
    import subprocess

    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "stranger"], check=True)
    with pytest.raises(TerminalTransportError) as refused:
        delivered(parcels, sftp(key_file=tmp_path / "stranger"))
    assert refused.value.code == "login_refused"
    with pytest.raises(RetryableTransportError) as down:
        delivered(parcels, sftp(port=free_port()))
    assert down.value.code == "unreachable"


# -- S3 -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def s3(s3_endpoint: str, tmp_path: Path) -> S3Transport:
    return S3Transport(S3Access(f"s3://exchange/{tmp_path.name}", s3_endpoint, None, "test", "test", timeout=10))


def s3_object(s3: S3Transport, key: str, content: bytes | None = None) -> bytes:
    """What the receiver finds at a key, or puts there."""
    with s3._connected() as store:
        if content is not None:
            store.pipe_file(f"{s3._folder}/{key}", content)
            return content
        found: bytes = store.cat_file(f"{s3._folder}/{key}")
        return found


def test_s3_gets_the_document_last_and_the_manifest_once(
    parcels: Sealed, s3: S3Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    order: list[str] = []
    put = s3fs.S3FileSystem._put_file

    async def watched(self: object, lpath: str, rpath: str, *args: object, **more: object) -> object:
        order.append(rpath.rpartition("/")[2])
        return await put(self, lpath, rpath, *args, **more)

    monkeypatch.setattr(s3fs.S3FileSystem, "_put_file", watched)
    name = delivered(parcels, s3)
    delivered(parcels, s3)
    assert order == ["items.jsonl", "manifest.csv", "manifest.jws", "manifest.json"]
    copy = tmp_path / "copy" / name
    copy.mkdir(parents=True)
    for file in order:
        content = s3_object(s3, f"manifests/{name}/{file}")
        (copy / file).write_bytes(content)
    assert verify(copy, parcels.office.public).ok
    s3_object(s3, f"manifests/{name}/manifest.json", b"{}")
    with pytest.raises(TerminalTransportError, match="Another manifest"):
        delivered(parcels, s3)


def test_s3_fetches_receipts(s3: S3Transport) -> None:
    assert s3.fetch_receipts(()) == []
    s3_object(s3, "receipts/a.jsonl", b"{}\n")
    found = s3.fetch_receipts(())
    assert [(file.name, file.content) for file in found] == [("a.jsonl", b"{}\n")]
    seen = {(file.name, file.version) for file in found}
    assert s3.fetch_receipts(seen) == []
    s3_object(s3, "receipts/a.jsonl", b"{}\n{}\n")
    assert len(s3.fetch_receipts(seen)) == 1


def test_s3_tells_a_missing_bucket_from_a_server_that_is_down(parcels: Sealed, s3_endpoint: str) -> None:
    missing = S3Transport(S3Access("s3://nowhere/x", s3_endpoint, None, "test", "test", timeout=10))
    with pytest.raises(TerminalTransportError):
        delivered(parcels, missing)
    down = S3Transport(S3Access("s3://exchange/x", f"http://127.0.0.1:{free_port()}", None, "a", "b", timeout=2))
    with pytest.raises(RetryableTransportError):
        delivered(parcels, down)


# -- HTTPS --------------------------------------------------------------------------------------------------------


def https(parcels: Sealed, receiver: Receiver, certificate: Path | None = None) -> HttpsTransport:
    receiver.public_key = receiver.public_key or load_pem_public_key(parcels.office.public.read_bytes())
    return HttpsTransport(HttpsAccess(
        receiver.address, parcels.office.signer, now, certificate=certificate or receiver.certificate, timeout=10
    ))  # fmt: skip


def now():  # type: ignore[no-untyped-def]
    from datetime import UTC, datetime

    return datetime.now(UTC)


def test_https_delivers_signed_and_once_and_the_document_last(parcels: Sealed, https_receiver: Receiver) -> None:
    transport = https(parcels, https_receiver)
    name = delivered(parcels, transport)
    delivered(parcels, transport)
    assert https_receiver.refused == []
    assert https_receiver.order == ["items.jsonl", "manifest.csv", "manifest.jws", "manifest.json"]
    folder = parcels.folder("crm", 0)
    for file in https_receiver.order:
        assert https_receiver.files[f"/gallring/manifests/{name}/{file}"] == (folder / file).read_bytes()


def test_https_fetches_receipts_until_they_change(parcels: Sealed, https_receiver: Receiver) -> None:
    transport = https(parcels, https_receiver)
    https_receiver.receipts = b"{}\n"
    (found,) = transport.fetch_receipts(())
    assert (found.name, found.content) == ("receipts", b"{}\n")
    assert transport.fetch_receipts({(found.name, found.version)}) == []
    https_receiver.receipts = b"{}\n{}\n"
    assert len(transport.fetch_receipts({(found.name, found.version)})) == 1
    assert https_receiver.refused == []


def test_https_asks_by_the_version_fetched_last_alone(parcels: Sealed, https_receiver: Receiver) -> None:
    """After years of changes the header is no longer than on the first day."""
    https_receiver.receipts = b"{}\n"
    seen = dict.fromkeys([("other.jsonl", '"x"'), *(("receipts", f'"{number}"') for number in range(2_000))])
    assert len(https(parcels, https_receiver).fetch_receipts(seen)) == 1
    assert https_receiver.known == ['"1999"']


def test_https_signatures_of_another_key_do_not_pass(parcels: Sealed, https_receiver: Receiver, tmp_path: Path) -> None:
    from assets.manifests.signatures import make_key

    make_key(tmp_path / "other.pem", tmp_path / "other.pub.pem")
    https_receiver.public_key = load_pem_public_key((tmp_path / "other.pub.pem").read_bytes())
    with pytest.raises(TerminalTransportError, match="401"):
        delivered(parcels, https(parcels, https_receiver))
    assert len(https_receiver.refused) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [(503, RetryableTransportError), (429, RetryableTransportError), (500, RetryableTransportError),
     (403, TerminalTransportError), (409, TerminalTransportError), (302, TerminalTransportError)],
)  # fmt: skip
def test_https_statuses_pass_or_need_somebody(
    parcels: Sealed, https_receiver: Receiver, status: int, kind: type[Exception]
) -> None:
    https_receiver.statuses = [status]
    with pytest.raises(kind) as caught:
        delivered(parcels, https(parcels, https_receiver))
    assert "Anna" not in str(caught.value)
    assert len(https_receiver.requests) == 1  # no redirect is followed


def test_https_trusts_no_other_authority(parcels: Sealed, https_receiver: Receiver, tmp_path: Path) -> None:
    import trustme

    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    with pytest.raises(TerminalTransportError) as caught:
        delivered(parcels, https(parcels, https_receiver, tmp_path / "other.pem"))
    assert caught.value.code == "certificate"


def test_https_that_is_down_passes(parcels: Sealed) -> None:
    down = HttpsTransport(HttpsAccess(f"https://localhost:{free_port()}", parcels.office.signer, now, timeout=2))
    with pytest.raises(RetryableTransportError):
        delivered(parcels, down)


def test_the_signature_is_that_of_rfc_9421() -> None:
    """Appendix B.2.6: the Ed25519 signature of the test request, to the byte."""
    from datetime import UTC, datetime

    from http_message_signatures import HTTPMessageSigner, algorithms

    class Message:
        method = "POST"
        url = "https://example.com/foo?param=Value&Pet=dog"
        headers = {  # noqa: RUF012
            "Host": "example.com",
            "Date": "Tue, 20 Apr 2021 02:07:55 GMT",
            "Content-Type": "application/json",
            "Content-Length": "18",
        }

    key = load_pem_private_key(
        b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n"
        b"-----END PRIVATE KEY-----\n",
        None,
    )
    signing = HTTPMessageSigner(signature_algorithm=algorithms.ED25519)
    prepared = signing.prepare(
        Message, key_id="test-key-ed25519", created=datetime.fromtimestamp(1618884473, UTC), include_alg=False,
        covered_component_ids=("date", "@method", "@path", "@authority", "content-type", "content-length"),
        label="sig-b26",
    )  # fmt: skip
    expected = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    assert base64.b64encode(key.sign(prepared.signature_base)).decode() == expected  # type: ignore[union-attr, call-arg]


def test_what_the_site_signs_names_its_key_and_runs_out(parcels: Sealed) -> None:
    class Message:
        method = "GET"
        url = "https://receiver.example/receipts"
        headers: dict[str, str] = {}  # noqa: RUF012

    sign_request(Message, parcels.office.signer, NOW, ("@method", "@target-uri"))
    signed = Message.headers["Signature-Input"]
    assert f'keyid="{PublicKey.load(parcels.office.public).key_id}"' in signed
    assert f"created={int(NOW.timestamp())}" in signed
    assert f"expires={int(NOW.timestamp()) + 300}" in signed


# -- choosing -----------------------------------------------------------------------------------------------------


def chosen(parcels: Sealed, **routes: Route) -> ChosenTransports:
    def signer() -> Signer:
        return parcels.office.signer

    return ChosenTransports(parcels.site, routes, signer, now)


def test_a_system_without_a_route_is_served_from_the_outbox(parcels: Sealed) -> None:
    assert isinstance(chosen(parcels).of("crm"), OutboxTransport)
    assert isinstance(chosen(parcels).of("partner:P1"), OutboxTransport)


@pytest.mark.parametrize(
    ("route", "kind"),
    [
        (Route("folder", "exchange/crm"), FolderTransport),
        (Route("sftp", "sftp://u@files.example/in", host_key="ssh-ed25519 AAAA"), SftpTransport),
        (Route("s3", "s3://bucket/x"), S3Transport),
        (Route("https", "https://crm.example/x"), HttpsTransport),
    ],
)
def test_settings_choose_the_transport(parcels: Sealed, route: Route, kind: type) -> None:
    assert isinstance(chosen(parcels, crm=route).of("crm"), kind)


@pytest.mark.parametrize(
    "route",
    [
        Route("sftp", "sftp://files.example/in", host_key="ssh-ed25519 AAAA"),
        Route("sftp", "sftp://u@files.example/in"),
        Route("sftp", "sftp://u@files.example/in", host_key="AAAA"),
        Route("sftp", "sftp://u@files.example:secret/in", host_key="ssh-ed25519 AAAA"),
        Route("sftp", "sftp://u@files.example:99999/in", host_key="ssh-ed25519 AAAA"),
        Route("sftp", "sftp://u@[::secret/in", host_key="ssh-ed25519 AAAA"),
        Route("s3", "https://bucket"),
        Route("s3", "s3://[secret"),
        Route("s3", "s3://bucket", endpoint="https://[::secret"),
        Route("s3", "s3://bucket", endpoint="https://storage.example:secret"),
        Route("s3", "s3://bucket", endpoint="https://"),
        Route("s3", "s3://bucket", endpoint="http://storage.example"),
        Route("s3", "s3://bucket", endpoint="https://u:secret@storage.example"),
        Route("s3", ""),
        Route("https", "http://crm.example"),
        Route("https", "https://u:secret@crm.example"),
        Route("https", "https://crm.example:secret/x"),
        Route("https", "https://crm.example:99999/x"),
        Route("https", "https://[::secret/x"),
        Route("https", "https://crm.example\x00secret/x"),
        Route("https", "https://crm.example\n/x"),
    ],
)
def test_an_address_that_is_none_is_told_without_being_shown(parcels: Sealed, route: Route) -> None:
    with pytest.raises(TerminalTransportError) as caught:
        chosen(parcels, crm=route).of("crm")
    assert caught.value.code == "settings"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "route",
    [
        Route("sftp", "sftp://u@files..example/in", host_key="ssh-ed25519 AAAA"),
        Route("s3", "s3://bucket", endpoint="https://storage example", access_key="a", secret_key="b"),
        Route("https", "https://crm..example/x"),
        Route("https", "https://xn--a/x"),
        Route("https", "https://localhost:1/x", token="påhittad"),
    ],
    ids=lambda route: route.endpoint or route.to,
)
def test_what_only_shows_to_be_no_address_when_it_is_used_is_told_as_the_settings(
    parcels: Sealed, route: Route
) -> None:
    with pytest.raises(TerminalTransportError) as caught:
        chosen(parcels, crm=route).of("crm").fetch_receipts(())
    assert caught.value.code == "settings"


def test_secrets_are_in_no_representation(parcels: Sealed) -> None:
    shown = (
        Route("sftp", "x", password="hush", access_key="hush", secret_key="hush", token="hush"),
        SftpAccess("sftp://u@files.example/in", "ssh-ed25519 AAAA", password="hush"),
        S3Access("s3://bucket", access_key="hush", secret_key="hush"),
        HttpsAccess("https://crm.example", parcels.office.signer, now, token="hush"),
    )
    assert "hush" not in repr(shown)


def test_secrets_come_from_the_environment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from assets.site import Site
    from orchestration.settings import Settings, SettingsError
    from orchestration.transports import load_transports

    site = Site(tmp_path)
    site.settings.write_text(
        '[transports.crm]\nkind = "sftp"\nto = "sftp://u@files.example/in"\nhost_key = "ssh-ed25519 AAAA"\n'
        'key_file = "keys/crm"\n[transports."partner:P1"]\nkind = "https"\nto = "https://p.example"\n'
    )
    monkeypatch.setenv("GALLRING_CREDENTIALS__CRM__PASSWORD", "hush")
    monkeypatch.setenv("GALLRING_CREDENTIALS__PARTNER_P1__TOKEN", "hush-hush")
    routes = load_transports(site, Settings.load(site), now).routes
    assert (routes["crm"].password, routes["crm"].key_file) == ("hush", tmp_path / "keys" / "crm")
    assert routes["partner:P1"].token == "hush-hush"
    site.settings.write_text('[credentials.crm]\npassword = "hush"\n')
    with pytest.raises(SettingsError, match="environment"):
        Settings.load(site)


def test_the_product_loads_no_network_library_before_it_needs_one() -> None:
    import subprocess
    import sys

    code = (
        "import sys, orchestration.transports, assets.delivery.sending, assets.delivery.receipts\n"
        "print([name for name in ('paramiko', 's3fs', 'httpx', 'aiobotocore', 'botocore', 'http_message_signatures') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == []
